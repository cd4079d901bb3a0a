"""Bringing a database up to the present schema: forward only, at opening, quick when done."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

from recoup.domain.errors import ConfigurationError
from store.database import Database

HEAD_REVISION = "0004_keys_by_subject"
"""The newest migration; a test compares it with the folder."""

_LOCK = 0x7265_636F_7570
"""The key of PostgreSQL's advisory lock under which one process migrates."""


def bring_up_to_date(database: Database) -> None:
    """Apply what is missing. Raises ConfigurationError for a schema from the future."""
    if database.path is not None:
        try:
            database.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(
                f"cannot make the folder {database.path.parent}: {error.strerror}"
            ) from error
    if _present(database) == HEAD_REVISION:
        return
    with database.writing() as connection:
        if not database.is_sqlite:
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        _upgrade(connection)


def _present(database: Database) -> str | None:
    """Return the revision of the database, or None for a new one."""
    with database.reading() as connection:
        try:
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar())
        except DBAPIError:
            connection.rollback()
            if inspect(connection).has_table("alembic_version"):
                raise
            return None


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ConfigurationError(
            f"the database was written by a newer Recoup ({error}); upgrade Recoup"
        ) from error
