"""Session stores: Redis, memory and the fallback between them; windowed counters and turn rate limits.

In: a Redis URL and limits. Out: implementations of the ports for sessions and counters. Nothing here must
survive a crash.
"""
