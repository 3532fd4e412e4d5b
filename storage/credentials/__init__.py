"""Credentials: one-time codes, passwords, attempt counters and budgets."""
