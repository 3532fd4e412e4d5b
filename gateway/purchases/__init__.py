"""Purchases on the bill: merchants, and their requests by the CAMARA carrier billing interface."""
