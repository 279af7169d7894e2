"""Alembic's way in: runs in the connection that `storage.database.upgrade` opened and locked."""

from alembic import context

from jupytercloud_hub.storage.base import Base
from jupytercloud_hub.storage.database import VERSION_TABLE

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
    transactional_ddl=False,  # the caller's transaction holds all of it
)
context.run_migrations()
