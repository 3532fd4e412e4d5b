"""SQL databases: engines for SQLite and PostgreSQL, table schema, migrations, bulk statements."""
