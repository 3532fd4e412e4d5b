"""Threats T1 to T37: one file for each kind of attack, and the security pages of the documentation."""
