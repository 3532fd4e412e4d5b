"""Dialtree against real networks, `make reach`: Asterisk with a SIP phone, a GSM core with a virtual one."""
