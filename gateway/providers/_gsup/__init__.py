"""GSUP provider's parts: a USSD session's messages as events and replies, and the link to the HLR."""
