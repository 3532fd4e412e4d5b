"""The bytes of SMPP 3.4: PDUs, message bodies, texts, long messages, receipts, statuses.

Pure functions and the records that cross the library's border.
"""
