"""Purchases on the bill in SQL: policies of lines, and charges decided one at a time per line."""
