"""Opening a gallery: its store and the keyring that belongs to it, or neither."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import func, select

from sayso.errors import StoreUnavailable
from sayso.gallery import schema
from sayso.gallery.faces import check_erased
from sayso.gallery.store import FILE, Clock, Store, needs_keyring, utc_now
from sayso.keyring.store import Keyring
from sayso.settings import Settings


def open_gallery(
    folder: Path,
    settings: Settings,
    *,
    shown: str | None = None,
    clock: Clock = utc_now,
) -> tuple[Store, Keyring]:
    """Open a gallery, or make an empty one with a keyring where there is neither.

    Raises StoreUnavailable, also for a gallery without its keyring and a keyring without its
    gallery, and KeyringError.
    """
    keyring = Keyring(
        settings.keyring_dir or folder,
        key_file=settings.key_file,
        # A gallery without a keyring has lost it; only the oldest ones never had one.
        create=not needs_keyring(folder, shown=shown),
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
        _check_keys(store, keyring)
        store.settle_pending()
    except BaseException:
        store.close()
        keyring.close()
        raise
    return store, keyring


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
