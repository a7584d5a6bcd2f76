"""Brings a store to the revision that the code needs; Alembic's scripts are in ``versions``."""

from __future__ import annotations

from importlib import resources

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from sayso.errors import StoreUnavailable
from sayso.gallery.schema import REVISION
from sayso.keyring.store import Keyring


def configuration() -> Config:
    """Return Alembic's configuration, which needs no file."""
    config = Config()
    # Alembic's options are ConfigParser's: a per cent sign in a path would be an interpolation.
    folder = str(resources.files(__name__)).replace("%", "%%")
    config.set_main_option("script_location", folder)
    return config


def upgrade(connection: Connection, revision: str | None, keyring: Keyring | None = None) -> None:
    """Migrate, inside the connection's transaction, from a revision (None: an empty store).

    The keyring's keys seal what an older gallery kept in the clear. After that (``revision`` is
    "0001") the old content may still be in the files, in free pages or in the write-ahead log:
    commit, ``VACUUM``, and truncate the log.

    Raises StoreUnavailable for a revision that this code does not know, and KeyringUnavailable
    when there is something to seal and no keyring.
    """
    config = configuration()
    if revision is not None:
        known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
        if revision not in known:
            raise StoreUnavailable(
                f"the gallery is at revision {revision}, which a newer Sayso wrote; this one knows "
                f"up to {REVISION}. Upgrade Sayso to use it"
            )
    config.attributes["connection"] = connection
    config.attributes["keyring"] = keyring
    command.upgrade(config, REVISION)
