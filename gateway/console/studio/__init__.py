"""Menu studio: pages on which staff edit, propose, approve and publish an operator's menus.

A posted form becomes an edit of the pack's YAML in the user's draft; everything shown is read from the draft.
"""
