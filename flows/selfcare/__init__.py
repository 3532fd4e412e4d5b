"""Self-care flows: one module per flow with its `ACTIONS` table, and its screens in the YAML file beside it."""
