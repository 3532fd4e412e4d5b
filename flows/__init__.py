"""Flows: the turn engine, self-care actions and services over the domain; no network, no database."""
