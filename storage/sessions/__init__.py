"""Live sessions: Redis, memory, and the fallback from one to the other; counters and rate limits."""
