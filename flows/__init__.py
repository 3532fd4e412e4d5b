"""Flows: the turn engine, self-care actions and services over the domain. Knows no network and no database."""
