"""Storage layer: sessions, ledger, outbox, credentials, audit log, privacy, billing backends."""
