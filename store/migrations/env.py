"""Runs migrations inside the transaction that the opening process holds."""

from alembic import context

from store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction covers everything
)
context.run_migrations()
