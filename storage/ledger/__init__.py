"""Ledger: preferences, consents, registrations and links, changed under idempotency keys."""
