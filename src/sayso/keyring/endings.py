"""What ended for good, as the keyring remembers it: random ids and times, and nothing else.

Each takes about 100 bytes. What is remembered of the faces and users of a subject goes when the
subject ends, so it grows no further than by what is deleted of those who stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Delete,
    String,
    and_,
    bindparam,
    delete,
    func,
    or_,
)
from sqlalchemy.dialects import sqlite

from sayso.keyring import schema, wraps

Kind = Literal[
    "subject",
    "withdrawal",
    "access-key",
    "purpose",
    "rule",
    "face",
    "user",
    "link",
    "face-purpose",
    "user-purpose",
    "copied",
]
#: Of a subject, whose id theirs begin with: they are forgotten with it. May end more than once.
_OF_SUBJECT: tuple[Kind, ...] = ("face", "user", "link", "face-purpose", "user-purpose")
_RECURRING: tuple[Kind, ...] = ("user", "link", "face-purpose", "user-purpose")


@dataclass(frozen=True, slots=True)
class Ending:
    """Something that ended for good and must not come back from a backup.

    ``at`` is in microseconds since 1970, UTC. The ``id`` of a subject is its UUID; that of a face
    is ``SUBJECT/FACE``, of a user ``SUBJECT``, and of a face's link to a user
    ``SUBJECT/FACE/SUBJECT OF THE USER``: random ids, and nothing of what anybody looks like. What
    serves one purpose no more has the purpose's name at the end: ``SUBJECT/FACE/PURPOSE`` and
    ``SUBJECT/PURPOSE``. Of the kind ``copied`` there is one without an id: when the last copy was
    made.
    """

    kind: Kind
    id: str
    at: int


def keep(connection: Connection, ended: Sequence[Ending]) -> bool:
    """Remember endings, and destroy the keys of the subjects; return whether there were any."""
    rows = [{"kind": e.kind, "id": _canonical(e), "at": e.at} for e in ended]
    gone = [{"gone": wraps.subject_bytes(e.id)} for e in ended if e.kind == "subject"]
    table = schema.data_keys
    if rows:
        connection.execute(_remembering(), rows)
    if gone:
        connection.execute(delete(table).where(table.c.subject == bindparam("gone")), gone)
        theirs = [{"of": str(UUID(bytes=each["gone"]))} for each in gone]
        connection.execute(_forgetting(), theirs)
    return bool(gone)


def _canonical(ending: Ending) -> str:
    """Return the id as it is kept: a subject's in the one form that it is compared in."""
    if ending.kind != "subject":
        return ending.id
    return str(UUID(bytes=wraps.subject_bytes(ending.id)))


def _remembering() -> sqlite.Insert:
    ending = sqlite.insert(schema.endings)
    latest = func.max(schema.endings.c.at, ending.excluded.at)
    return ending.on_conflict_do_update(set_={"at": latest}, where=_is_any(_RECURRING))


def _is_any(kinds: Sequence[Kind]) -> ColumnElement[bool]:
    return or_(*(schema.endings.c.kind == each for each in kinds))  # IN takes no executemany


def _forgetting() -> Delete:
    """Forget what ended of the subject ``of``, who has ended as a whole."""
    ending, subject = schema.endings.c, bindparam("of", type_=String)
    # "0" is what comes after "/": a range that the table's own order finds.
    theirs = and_(ending.id >= subject, ending.id < subject + "0")
    return delete(schema.endings).where(_is_any(_OF_SUBJECT), theirs)
