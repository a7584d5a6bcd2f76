"""Collections, and the tags that whoever runs them puts on them."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.evidence.rule import FalseMatchRule, Per
from sayso.service.rest import kinds
from sayso.service.rest.asking import CollectionPath
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Changing, IfMatch, Reading
from sayso.service.rest.conditions import require_match
from sayso.service.rest.operations import Resource
from sayso.service.rest.pages import Page, Paged
from sayso.service.rest.problems import invalid
from sayso.service.rest.replays import Done
from sayso.service.rest.values import Answer, Asked, CollectionName, in_order

resource = Resource("collections", "Galleries: one model version, and one set of rules for each.")
_MOST_TAGS = 50
TagKey = Annotated[str, Field(min_length=1, max_length=128)]
TagValue = Annotated[str, Field(max_length=256)]
TagMap = Annotated[dict[TagKey, TagValue], Field(max_length=_MOST_TAGS)]
TagKeys = Annotated[
    list[TagKey],
    Query(
        alias="key",
        min_length=1,
        max_length=_MOST_TAGS,
        description="Keys of tags; may be there several times.",
    ),
]


Confirmation = Annotated[
    str | None,
    Query(
        max_length=255,
        description="The name of the collection once more, to say that everybody in it is to be "
        "erased.",
    ),
]
_RULE = FalseMatchRule()
_MOST_EXPECTED = (
    "Strangers that may be expected among the matches of a search, at most; it raises the caller's "
    "limit where the collection is large, and never lowers it."
)
_PER = "What that holds for: all faces of a picture together, or each face."
Expected = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]


class Collection(Answer):
    """A collection, with counts of those whom the caller may know of."""

    collection: str
    created: datetime
    model: str | None = Field(
        description="The recogniser that made the templates; null before the first enrolment."
    )
    template_version: str | None = Field(
        description="Everything that templates depend on but runtime and precision."
    )
    subjects: int = Field(description="How many.")
    faces: int = Field(description="How many.")
    max_expected_false_matches: float = Field(description=_MOST_EXPECTED)
    false_matches_per: Per = Field(description=_PER)

    @classmethod
    def of(cls, found: results.Collection) -> Collection:
        """Return it as a document."""
        return cls(
            collection=found.name,
            created=found.created,
            model=found.model,
            template_version=found.template_version,
            subjects=found.subjects,
            faces=found.faces,
            max_expected_false_matches=found.rule.max_expected,
            false_matches_per=found.rule.per,
        )


class Collections(Page[Collection]):
    """A page of collections, ordered by name."""


class NewCollection(Asked):
    """A collection to be made."""

    collection: CollectionName = Field(description="Its name.")
    tags: TagMap | None = Field(default=None, description="Tags to begin with.")
    max_expected_false_matches: Expected = Field(
        default=_RULE.max_expected, description=_MOST_EXPECTED
    )
    false_matches_per: Per = Field(default=_RULE.per, description=_PER)

    @property
    def rule(self) -> FalseMatchRule | None:
        """The rule for false matches; None where it is the one that collections have anyway."""
        asked = FalseMatchRule(self.max_expected_false_matches, self.false_matches_per)
        return None if asked == _RULE else asked


class FalseMatches(Asked):
    """How many false matches the searches of a collection may expect."""

    max_expected_false_matches: Expected = Field(description=_MOST_EXPECTED)
    per: Per = Field(default=_RULE.per, description=_PER)


class DeletedCollection(Answer):
    """A collection that was deleted."""

    collection: str
    erased_subjects: int = Field(description="How many subjects were erased with it.")


class Tags(Answer):
    """The tags of a collection."""

    tags: dict[str, str]


class TagsToSet(Asked):
    """Tags to be set; others stay."""

    tags: TagMap


@resource.operation("GET", "/collections", "List collections", answer=Collections)
async def list_collections(call: Reading, paging: Paged) -> Response:
    """List the collections that the access key is good for, ordered by name."""

    def work() -> Collections:
        found = call.app.collections()
        some, cursor = paging.cut(call, found, lambda each: each.name, ordered=True)
        return Collections(items=[Collection.of(each) for each in some], next_cursor=cursor)

    return await call.read(work)


@resource.operation(
    "POST",
    "/collections",
    "Make a collection",
    answer=Collection,
    status=HTTPStatus.CREATED,
    takes=takes(NewCollection),
    problems=(
        kinds.COLLECTION_EXISTS,
        kinds.INVALID_NAME,
        kinds.INVALID_TAG,
        kinds.TOO_MANY_TAGS,
    ),
)
async def create_collection(call: Changing) -> Response:
    """Make a collection. It takes the right to `admin`."""
    body = await read_json(call.request, NewCollection)

    def work() -> Done:
        found = call.app.create_collection(
            body.asked.collection, tags=body.asked.tags, rule=body.asked.rule
        )
        return Done(Collection.of(found), HTTPStatus.CREATED, location=f"{call.path}/{found.name}")

    return await call.change(work, body=body, collection=body.asked.collection)


@resource.operation("GET", "/collections/{collection}", "Get a collection", answer=Collection)
async def get_collection(call: Reading, collection: CollectionPath) -> Response:
    """Get one collection."""
    return await call.read(lambda: Collection.of(call.app.collection(collection)))


@resource.operation(
    "DELETE",
    "/collections/{collection}",
    "Delete a collection",
    answer=DeletedCollection,
    problems=(kinds.COLLECTION_NOT_EMPTY,),
)
async def delete_collection(
    call: Changing,
    collection: CollectionPath,
    confirm: Confirmation = None,
    if_match: IfMatch = None,
) -> Response:
    """Delete a collection and erase everybody in it. It takes the right to `admin`.

    Where there is anybody in it, its name must be sent once more, as `confirm`: a path can be
    shortened on the way to that of a collection, and a query is not.
    """
    if confirm not in (None, collection):
        raise invalid("query", "/confirm", "it must be the name of the collection in the path")

    def work() -> Done:
        require_match(if_match, lambda: Collection.of(call.app.collection(collection)))
        erased = call.app.delete_collection(collection, erase_subjects=confirm is not None)
        return Done(DeletedCollection(collection=collection, erased_subjects=erased))

    return await call.change(work, collection=collection)


@resource.operation(
    "PUT",
    "/collections/{collection}/false-matches",
    "Limit the false matches of a collection",
    answer=Collection,
    takes=takes(FalseMatches),
)
async def set_false_matches(
    call: Changing, collection: CollectionPath, if_match: IfMatch = None
) -> Response:
    """Say how many false matches may be expected of a search, from now on.

    It takes the right to `admin`.
    """
    body = await read_json(call.request, FalseMatches)
    rule = FalseMatchRule(body.asked.max_expected_false_matches, body.asked.per)

    def work() -> Done:
        require_match(if_match, lambda: Collection.of(call.app.collection(collection)))
        return Done(Collection.of(call.app.set_false_match_rule(collection, rule)))

    return await call.change(work, body=body, collection=collection)


@resource.operation(
    "GET", "/collections/{collection}/tags", "Get the tags of a collection", answer=Tags
)
async def get_tags(call: Reading, collection: CollectionPath) -> Response:
    """Get the tags of a collection."""
    return await call.read(lambda: Tags(tags=in_order(call.app.collection_tags(collection))))


@resource.operation(
    "PUT",
    "/collections/{collection}/tags",
    "Tag a collection",
    answer=Tags,
    takes=takes(TagsToSet),
    problems=(kinds.INVALID_TAG, kinds.TOO_MANY_TAGS),
)
async def set_tags(call: Changing, collection: CollectionPath) -> Response:
    """Set tags; one of the same key is replaced, and others stay. It takes the right to `admin`."""
    body = await read_json(call.request, TagsToSet)

    def work() -> Done:
        call.app.tag_collection(collection, body.asked.tags)
        return Done(Tags(tags=in_order(call.app.collection_tags(collection))))

    return await call.change(work, body=body, collection=collection)


@resource.operation(
    "DELETE", "/collections/{collection}/tags", "Take tags from a collection", answer=Tags
)
async def delete_tags(call: Changing, collection: CollectionPath, key: TagKeys) -> Response:
    """Take tags away, by their keys; those that are not there are passed over."""

    def work() -> Done:
        call.app.untag_collection(collection, key)
        return Done(Tags(tags=in_order(call.app.collection_tags(collection))))

    return await call.change(work, collection=collection)
