"""Billing backends: one module each, found by its file name; `backend.connect` chooses."""
