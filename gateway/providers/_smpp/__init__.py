"""SMPP: USSD dialects, translation between PDUs and events, receipts, and the link of one bind."""
