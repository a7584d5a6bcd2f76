"""Opening a gallery: its store and the keyring that belongs to it, or neither."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, func, select

from sayso.errors import StoreUnavailable
from sayso.gallery import schema
from sayso.gallery.batches import ROWS, batches
from sayso.gallery.faces import check_erased
from sayso.gallery.store import FILE, FOREIGN, Clock, Store, called, find_database, utc_now
from sayso.keyring.database import FILE as KEYRING_FILE
from sayso.keyring.store import Keyring
from sayso.reserve import Reserves
from sayso.settings import Settings
from sayso.sqlite import raw_connection

_PLAIN_REVISION = "0001"  # the last one that sealed nothing


def open_gallery(
    folder: Path,
    settings: Settings,
    *,
    shown: str | None = None,
    clock: Clock = utc_now,
    to_replace: bool = False,
) -> tuple[Store, Keyring]:
    """Open a gallery, or make an empty one with a keyring where there is neither.

    Raises StoreUnavailable, also for a gallery without its keyring, a keyring without its gallery,
    and a gallery in which something stands that the keyring knows to have ended; and KeyringError.
    That the two agree is not asked ``to_replace`` what is in the gallery by a backup.
    """
    # On a full disk SQLite could not even lay its files beside a database.
    with Reserves(folder, settings.keyring_dir or folder).lent():
        store, keyring = _opened(folder, settings, shown, clock, to_replace)
    store.reserves.tend()
    return store, keyring


def _opened(
    folder: Path, settings: Settings, shown: str | None, clock: Clock, to_replace: bool
) -> tuple[Store, Keyring]:
    keyring = Keyring(
        settings.keyring_dir or folder,
        key_file=settings.key_file,
        # A gallery without a keyring has lost it; only the oldest ones never had one.
        create=not _needs_keyring(folder, shown=shown),
        shown=None if settings.keyring_dir else shown,
    )
    try:
        if keyring.count() and not (folder / FILE).exists():
            raise StoreUnavailable(
                f"{FILE} is missing in {shown or repr(str(folder))}, and its keyring is there: "
                "restore a backup (sayso restore), or move the keyring away to start anew"
            )
        store = Store(folder, keyring, shown=shown, clock=clock)
    except BaseException:
        keyring.close()
        raise
    try:
        if not to_replace:
            _check_keys(store, keyring)
            _check_endings(store, keyring)
        store.settle_pending()
    except BaseException:
        store.close()
        keyring.close()
        raise
    return store, keyring


def is_there(folder: Path, settings: Settings) -> bool:
    """Tell whether a gallery is in the folder, or a keyring that one belongs to.

    Of what is no folder this tells nothing, so that opening it tells what is wrong.
    """
    if not os.path.isdir(folder) and _in_the_way(folder):  # noqa: PTH112
        return True
    keyring = (settings.keyring_dir or folder) / KEYRING_FILE
    return any(os.path.exists(each) for each in (folder / FILE, keyring))  # noqa: PTH110


def _in_the_way(folder: Path) -> bool:
    """Tell whether something that is no folder is at a path, or on the way there."""
    while not os.path.lexists(folder) and folder != folder.parent:
        folder = folder.parent
    return not os.path.isdir(folder)  # noqa: PTH112


def _needs_keyring(folder: Path, *, shown: str | None = None) -> bool:
    """Return whether the database of a folder, if it has one, is sealed by a keyring.

    Only the oldest revision is not. Raises StoreUnavailable for a database that is none of ours.
    """
    if not find_database(folder, shown=shown):
        return False
    address = f"{(folder / FILE).absolute().as_uri()}?mode=ro"
    try:
        with contextlib.closing(sqlite3.connect(address, uri=True)) as raw:
            found = raw.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        if "no such table" in str(error):
            raise StoreUnavailable(f"{called(folder, shown)} cannot be used: {FOREIGN}") from None
        return True  # whatever it is, opening it will tell
    return bool(found != (_PLAIN_REVISION,))


def _check_keys(store: Store, keyring: Keyring) -> None:
    """Raise StoreUnavailable when subjects have lost their keys without having been erased."""
    subject = schema.subjects.c
    keys = keyring.count()
    with store.read() as connection:
        if connection.execute(select(func.count(subject.key))).scalar_one() <= keys:
            return
        ids = set(connection.execute(select(subject.id)).scalars())
        erased = set(connection.execute(select(schema.pending_endings.c.id)).scalars())
    check_erased(keyring, ids - set(keyring.find(ids)) - erased)


#: Each takes a JSON array. SQLite looks each of its values up by an index.
_STANDING_CONSENT = """
    SELECT 1 FROM json_each(?) AS ended
    JOIN consents ON consents.id = substr(ended.value, 1, 36)
    JOIN consent_purposes ON consent_purposes.consent_key = consents.key
        AND consent_purposes.purpose = substr(ended.value, 38)
    WHERE consent_purposes.withdrawn IS NULL LIMIT 1
"""
_STANDING_KEY = """
    SELECT 1 FROM json_each(?) AS ended JOIN access_keys ON access_keys.id = ended.value
    WHERE access_keys.revoked IS NULL LIMIT 1
"""
_STANDING_FACE = """
    SELECT 1 FROM json_each(?) AS ended JOIN faces ON faces.id = substr(ended.value, 38) LIMIT 1
"""


def _check_endings(store: Store, keyring: Keyring) -> None:
    """Raise StoreUnavailable when something stands that ended: this is an old copy of the gallery.

    Whoever restores a backup by copying it there would undo withdrawals and revocations.
    """
    # Before the gallery is read: what ends meanwhile ends there first.
    withdrawn, revoked = keyring.ended("withdrawal"), keyring.ended("access-key")
    deleted = keyring.ended("face")
    with store.read() as connection:
        if _any(connection, _STANDING_CONSENT, list(withdrawn)):
            what = "a consent that was withdrawn stands in it"
        elif _any(connection, _STANDING_KEY, list(revoked)):
            what = "an access key that was revoked is live in it"
        elif _any(connection, _STANDING_FACE, list(deleted)):
            what = "a face that was deleted is in it"
        else:
            return
    raise StoreUnavailable(
        f"{FILE} is older than its keyring, or was edited: {what}; stop every process that "
        "uses the gallery, move it away, and whatever lies beside it under that name, and restore "
        "a backup (sayso restore)"
    )


def _any(connection: Connection, query: str, ended: Sequence[str]) -> bool:
    raw = raw_connection(connection)
    return any(raw.execute(query, (json.dumps(each),)).fetchone() for each in batches(ended, ROWS))
