"""Storage layer: sessions, ledger, outbox, credentials, audit trail, privacy, billing backends."""
