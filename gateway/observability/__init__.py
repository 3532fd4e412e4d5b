"""Metrics, conversation log, drop-off funnel, and JSON logging with redaction."""
