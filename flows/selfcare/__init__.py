"""Self-care flows: one module per flow with its `ACTIONS` table, and its screens in a YAML file."""
