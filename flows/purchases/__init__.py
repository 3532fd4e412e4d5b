"""Purchases on the bill: what a merchant asks for, messages after a decision, hand-over."""
