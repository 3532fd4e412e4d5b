"""SMPP 3.4 (Short Message Peer-to-Peer): PDUs, text, receipts and a session as an ESME of an SMSC.

Goes in: an `OutgoingMessage`. Comes out: a `SubmitOutcome`, and typed messages and receipts by callback. Knows
nothing of menus and conversations.
"""
