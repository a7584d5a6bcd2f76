"""Answers to requests that clients may send again, so that nothing is done twice.

They are kept for a day, under a digest of the client's token, and sealed, since an answer may name
a subject. What concerns a collection goes when somebody is erased from it.
"""

from __future__ import annotations

import hmac

from sqlalchemy import Connection, delete, insert, select

from sayso.errors import TokenReused
from sayso.gallery import schema
from sayso.gallery.store import Change
from sayso.gallery.times import DAY
from sayso.keyring.sealing import DataKey

_ANSWER = schema.answers.c
_CONTEXT = b"answer\0"


def find(
    connection: Connection, sealing: DataKey, token: bytes, request: bytes, now: int
) -> bytes | None:
    """Return what was answered to a token, or None; both are digests of 32 bytes.

    Raises TokenReused when it came with another request.
    """
    row = connection.execute(
        select(_ANSWER.request, _ANSWER.answer).where(
            _ANSWER.token == token, _ANSWER.given > now - DAY
        )
    ).first()
    if row is None:
        return None
    if not hmac.compare_digest(row.request, request):
        raise TokenReused(
            "the token was used before, with another request: take a new one for each request"
        )
    return sealing.open(row.answer, _CONTEXT + token)


def keep(
    change: Change,
    sealing: DataKey,
    token: bytes,
    request: bytes,
    answer: bytes,
    collection: str | None,
) -> None:
    """Keep what was answered to a token, unless there is an answer already; drop what is old."""
    execute = change.connection.execute
    drop_old(change)
    if execute(select(_ANSWER.token).where(_ANSWER.token == token)).first() is not None:
        return
    execute(
        insert(schema.answers).values(
            token=token,
            request=request,
            answer=sealing.seal(answer, _CONTEXT + token),
            collection=collection,
            given=change.now,
        )
    )


def any_old(connection: Connection, now: int) -> bool:
    """Tell whether there are answers that were kept for long enough."""
    old = select(_ANSWER.token).where(_ANSWER.given <= now - DAY).limit(1)
    return connection.execute(old).first() is not None


def drop_old(change: Change) -> None:
    """Drop what was kept for long enough."""
    change.connection.execute(delete(schema.answers).where(_ANSWER.given <= change.now - DAY))


def forget(change: Change, collection: str) -> None:
    """Drop what was answered about a collection."""
    change.connection.execute(delete(schema.answers).where(_ANSWER.collection == collection))
