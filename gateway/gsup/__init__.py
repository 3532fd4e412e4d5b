"""GSUP (Generic Subscriber Update Protocol): USSD dialogues as an external USSD entity of osmo-hlr.

Goes in: a `GsupMessage`. Comes out: typed messages by callback, and a subscriber's number for an IMSI. Knows
nothing of menus and conversations.
"""
