"""Runs the migrations on the connection `storage.sql.migrate` hands over, inside its transaction."""

from alembic import context

from storage.sql.schema import metadata

context.configure(
    connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
