"""Transactional outbox: enqueue, claim under a lease, settle, delivery receipts, daily SMS spend."""
