"""Privacy (GDPR): personal-data map, export and erasure, number owners, retention schedule."""
