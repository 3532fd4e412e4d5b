"""Outbound delivery: outbox worker, routes with failover, rate limit, spend limit, SMTP, bill announcements.

In: claimed outbox messages. Out: sent, retried at a time, dead, or unknown.
"""
