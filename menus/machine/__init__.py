"""State machine of a compiled pack: screens, options, surfaces and the transition table.

Built once per pack revision by `menus.packs` and shared by all sessions.
"""
