"""Credentials: one-time codes, passwords, and the counters that limit wrong attempts."""
