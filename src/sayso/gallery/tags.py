"""Tags: what the operator notes of a collection, by Amazon's rules for them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import regex
from sqlalchemy import Connection, delete, func, insert, select

from sayso.errors import InvalidTag, TooManyTags
from sayso.gallery import schema
from sayso.gallery.collections import Pinned
from sayso.gallery.store import Change

_TAG = schema.tags.c
MOST_TAGS = 50
_LONGEST_KEY, _LONGEST_VALUE = 128, 256
# As the model of Amazon's API has them; the sets of letters are Unicode's.
_ALLOWED = regex.compile(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]*")
_RESERVED = "aws:"
_SHOWN = 60


def put(change: Change, collection: Pinned, tags: Mapping[str, str]) -> None:
    """Tag a collection; a tag of the same key is replaced. Raises InvalidTag or TooManyTags."""
    for key, value in tags.items():
        _check(key, value)
    if len(tags) > MOST_TAGS:  # before the database is asked with as many parameters
        raise _too_many(collection, len(tags))
    remove(change, collection, tags)
    rows = [
        {"collection_key": collection.key, "name": key, "value": value}
        for key, value in tags.items()
    ]
    if rows:
        change.connection.execute(insert(schema.tags), rows)
    count = select(func.count()).where(_TAG.collection_key == collection.key)
    total = int(change.connection.execute(count).scalar_one())
    if total > MOST_TAGS:
        raise _too_many(collection, total)


def remove(change: Change, collection: Pinned, keys: Iterable[str]) -> None:
    """Take tags from a collection; those that it does not have are passed over."""
    change.connection.execute(
        delete(schema.tags).where(_TAG.collection_key == collection.key, _TAG.name.in_(list(keys)))
    )


def of(connection: Connection, collection: Pinned) -> dict[str, str]:
    """Return the tags of a collection, ordered by key."""
    rows = connection.execute(
        select(_TAG.name, _TAG.value)
        .where(_TAG.collection_key == collection.key)
        .order_by(_TAG.name)
    )
    return dict(tuple(row) for row in rows)


def _too_many(collection: Pinned, total: int) -> TooManyTags:
    return TooManyTags(
        f"collection {collection.name!r} would have {total} tags; the limit is {MOST_TAGS}"
    )


def _check(key: str, value: str) -> None:
    if not 0 < len(key) <= _LONGEST_KEY or not _ALLOWED.fullmatch(key):
        raise InvalidTag(
            f"{key[:_SHOWN]!r} is no key of a tag: use 1 to {_LONGEST_KEY} letters, digits, spaces "
            "and _ . : / = + - @"
        )
    if key.lower().startswith(_RESERVED):
        raise InvalidTag(f"{key[:_SHOWN]!r} is no key of a tag: {_RESERVED} is reserved")
    if len(value) > _LONGEST_VALUE or not _ALLOWED.fullmatch(value):
        raise InvalidTag(
            f"the value of the tag {key[:_SHOWN]!r} must be at most {_LONGEST_VALUE} letters, "
            "digits, spaces and _ . : / = + - @"
        )
