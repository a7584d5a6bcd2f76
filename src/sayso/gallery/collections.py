"""Collections: made, listed, pinned to a model, and deleted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, func, insert, select, update

from sayso.errors import CollectionExists, CollectionNotFound, ModelConflict
from sayso.evidence.rule import FalseMatchRule
from sayso.gallery import schema
from sayso.gallery.names import check_collection, known_collection
from sayso.gallery.store import Change
from sayso.gallery.times import moment
from sayso.gallery.types import Collection

_TABLE = schema.collections


@dataclass(frozen=True, slots=True)
class Pinned:
    """A collection as the store knows it; see ``types.Collection`` for what the fields mean."""

    key: int
    name: str
    model: str | None
    template_version: str | None
    dimension: int | None
    rule: FalseMatchRule


_PINNED = (
    _TABLE.c.key,
    _TABLE.c.name,
    _TABLE.c.model,
    _TABLE.c.template_version,
    _TABLE.c.dimension,
    _TABLE.c.max_expected_false_matches,
    _TABLE.c.false_matches_per,
)


def create(change: Change, name: str) -> None:
    """Make a collection; raises InvalidName or CollectionExists."""
    check_collection(name)
    connection = change.connection
    if connection.execute(select(_TABLE.c.key).where(_TABLE.c.name == name)).first():
        raise CollectionExists(f"there is a collection {name!r} already")
    connection.execute(insert(_TABLE).values(name=name, created=change.now))


def find(connection: Connection, name: str) -> Pinned:
    """Return the collection of that name; raises InvalidName or CollectionNotFound."""
    known_collection(name)
    row = connection.execute(select(*_PINNED).where(_TABLE.c.name == name)).first()
    if row is None:
        raise _not_found(name)
    return _pinned(row)


def by_key(connection: Connection, key: int) -> Pinned:
    """Return the collection of that key, which must be there."""
    return _pinned(connection.execute(select(*_PINNED).where(_TABLE.c.key == key)).one())


def set_rule(change: Change, collection: Pinned, rule: FalseMatchRule) -> None:
    """Say how many false matches may be expected of the collection's searches."""
    change.connection.execute(
        update(_TABLE)
        .where(_TABLE.c.key == collection.key)
        .values(max_expected_false_matches=rule.max_expected, false_matches_per=rule.per)
    )


def describe(connection: Connection, name: str) -> Collection:
    """Return a collection with its counts; raises InvalidName or CollectionNotFound."""
    known_collection(name)
    row = connection.execute(_described().where(_TABLE.c.name == name)).first()
    if row is None:
        raise _not_found(name)
    return _collection(row)


def describe_all(connection: Connection) -> tuple[Collection, ...]:
    """Return every collection with its counts, ordered by name."""
    return tuple(map(_collection, connection.execute(_described().order_by(_TABLE.c.name))))


def check_version(collection: Pinned, model: str, template_version: str) -> None:
    """Raise ModelConflict when the collection holds templates of another version."""
    if collection.template_version not in (None, template_version) or (
        collection.model not in (None, model)
    ):
        raise ModelConflict(
            f"collection {collection.name!r} holds templates of {collection.template_version}, "
            f"which cannot be compared with those of {template_version}: use the model that it was "
            "made with, or enrol the pictures again in a new collection"
        )


def check_dimension(collection: Pinned, dimension: int) -> None:
    """Raise ModelConflict when the collection holds templates of another length."""
    if collection.dimension not in (None, dimension):
        raise ModelConflict(
            f"collection {collection.name!r} holds templates of {collection.dimension} numbers, "
            f"not of {dimension}"
        )


def pin(
    change: Change, collection: Pinned, model: str, template_version: str, dimension: int
) -> None:
    """Pin an empty collection to a model; raises ModelConflict when it has another one."""
    check_version(collection, model, template_version)
    check_dimension(collection, dimension)
    if collection.template_version is None:
        change.connection.execute(
            update(_TABLE)
            .where(_TABLE.c.key == collection.key)
            .values(model=model, template_version=template_version, dimension=dimension)
        )


def _described() -> Select[Any]:
    subjects, faces = schema.subjects, schema.faces
    return select(
        _TABLE.c.name,
        _TABLE.c.created,
        _TABLE.c.model,
        _TABLE.c.template_version,
        _TABLE.c.dimension,
        select(func.count())
        .select_from(subjects)
        .where(subjects.c.collection_key == _TABLE.c.key)
        .scalar_subquery(),
        select(func.count())
        .select_from(faces)
        .where(faces.c.collection_key == _TABLE.c.key)
        .scalar_subquery(),
        _TABLE.c.max_expected_false_matches,
        _TABLE.c.false_matches_per,
    )


def _collection(row: Any) -> Collection:
    name, created, model, version, dimension, subjects, faces, most, per = row
    rule = FalseMatchRule(most, per)
    return Collection(name, moment(created), model, version, dimension, subjects, faces, rule)


def _pinned(row: Any) -> Pinned:
    key, name, model, version, dimension, most, per = row
    return Pinned(key, name, model, version, dimension, FalseMatchRule(most, per))


def _not_found(name: str) -> CollectionNotFound:
    return CollectionNotFound(
        f"there is no collection {name!r}: list them (sayso collections list), or create it (sayso "
        f"collections create {name})"
    )
