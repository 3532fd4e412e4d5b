"""A tiny SMSC and USSD gateway: takes binds, answers submits with receipts, lets phones text and dial.

For people without an SMSC (`dialtree smsc`) and for tests; as unkind as real ones where asked.
"""
