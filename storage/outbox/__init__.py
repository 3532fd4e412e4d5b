"""Outbox: enqueue, claim under a lease, settle outcomes, receipts, daily SMS spend."""
