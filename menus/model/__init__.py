"""Values that all menu code shares: session, reply, facts, user errors."""
