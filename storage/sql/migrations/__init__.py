"""Alembic migrations of Dialtree's own tables."""
