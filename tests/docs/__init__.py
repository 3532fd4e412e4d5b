"""Tests of README and docs: what they name exists, and their steps work."""
