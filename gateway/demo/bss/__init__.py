"""Fake billing systems (TM Forum and Kill Bill) as real HTTP servers on loopback."""
