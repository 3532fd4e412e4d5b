"""Payments of bills: the link a subscriber asks for, the provider's word, booking and receipt."""
