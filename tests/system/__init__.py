"""Whole-system tests: dialogs, exactly-once delivery, the demo, the README."""
