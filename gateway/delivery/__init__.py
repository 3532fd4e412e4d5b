"""Outbound delivery: outbox worker, routes with failover, rate limits, spend limits, SMTP.

In: claimed outbox messages. Out: sent, retried at a time, dead, or unknown.
"""
