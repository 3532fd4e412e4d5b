"""Observability: structured logging with redaction, Prometheus metrics, funnels, conversation log."""
