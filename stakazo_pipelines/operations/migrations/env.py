"""Alembic's entry: runs the revisions on the connection that migrate() hands over. There is no offline mode."""

from alembic import context

from stakazo_pipelines.operations.tables import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, version_table=VERSION_TABLE
)
context.run_migrations()
