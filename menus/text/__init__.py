"""Text handling: GSM-7/UCS-2, pagination, formatting, text catalogues, input parsing, masking.

Functions and values without session or menu; the other layers use them, too.
"""
