"""SQL: engines for SQLite and PostgreSQL, tables, migrations."""
