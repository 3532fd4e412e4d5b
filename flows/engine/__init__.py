"""Turn engine: from one inbound event to one reply, exactly once.

In: an `Inbound`. Out: a `Reply` and the session to store. Actions run here under a deadline.
"""
