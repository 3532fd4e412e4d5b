"""Billing backends: each is one module of this folder, found by its file's name."""
