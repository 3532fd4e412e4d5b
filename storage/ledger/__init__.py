"""Ledger: preferences, consents, registrations and links, each change made once per idempotency key."""
