"""Storage: sessions, ledger, outbox, credentials, audit, privacy and billing backends."""
