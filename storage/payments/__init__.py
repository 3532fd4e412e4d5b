"""Payment intents in SQL: opened once per bill, moved by compare-and-set, never deleted."""
