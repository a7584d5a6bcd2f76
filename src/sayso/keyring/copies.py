"""Copies of the keyring that a standby takes over, one after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects import sqlite

from sayso.errors import KeyringError
from sayso.keyring import schema

if TYPE_CHECKING:
    from sayso.keyring.store import Keyring


def marking() -> sqlite.Insert:
    """Return the statement that marks a keyring, and so its next copy, as younger than others."""
    now = time.time_ns() // 1000
    mark = sqlite.insert(schema.endings).values(kind="copied", id="", at=now)
    # Also where the clock was set back.
    later = func.max(schema.endings.c.at + 1, mark.excluded.at)
    return mark.on_conflict_do_update(set_={"at": later})


def knows_more(own: Connection, other: Connection) -> bool:
    """Return whether one keyring has keys or endings that another knows nothing of."""
    data, ended = schema.data_keys.c, schema.endings.c
    endings = select(ended.kind, ended.id).where(ended.kind != "copied")
    known = {tuple(row) for row in other.execute(endings)}
    gone = {id_ for kind, id_ in known if kind == "subject"}
    # What is of a subject begins with their id, and was forgotten with them.
    mine = {tuple(row) for row in own.execute(endings)} - known
    if any(id_.partition("/")[0] not in gone for _, id_ in mine):
        return True
    keys, others = (set(each.execute(select(data.subject)).scalars()) for each in (own, other))
    return bool(keys - others - {UUID(each).bytes for each in gone})


def check(keyring: Keyring, copy: Keyring) -> None:
    """Raise KeyringError where a copy must not take the place of what a keyring holds."""
    if keyring.signing_key().public_key() != copy.signing_key().public_key():
        raise KeyringError(
            "the copy of the keyring is of another gallery than the keyring in its place: name "
            "the right one, or move the keyring in its place away"
        )
    before, now = (each.ended("copied").get("", 0) for each in (keyring, copy))
    if now < before:
        raise KeyringError(
            "the copy of the keyring is older than the one that was put in place last: with it, "
            "people who were erased since could be brought back. Use the latest one"
        )
