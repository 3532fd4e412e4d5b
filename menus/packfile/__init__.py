"""Pack files: YAML with positions, the schema, and the checker's messages."""
