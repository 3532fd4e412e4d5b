"""Billing backends of the tests, and validation against published schemas."""
