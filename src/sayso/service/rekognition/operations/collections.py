"""Collections: made, told of, and deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sayso.results import Collection
from sayso.service.rekognition.answers import Document, collection_version, model_version
from sayso.service.rekognition.arns import collection_arn
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.operations.paging import page_of
from sayso.service.rekognition.registry import Operation

_OK = 200
_USUAL_PAGE = 1000
_DIGEST = 16


async def create_collection(context: Context, request: Document) -> Document:
    """CreateCollection."""
    name, app = request["CollectionId"], context.app
    await context.state.engine.light(
        lambda: app.create_collection(name, tags=request.get("Tags") or None)
    )
    return {
        "StatusCode": _OK,
        "CollectionArn": collection_arn(context, name),
        "FaceModelVersion": model_version(app),
    }


async def describe_collection(context: Context, request: Document) -> Document:
    """DescribeCollection."""
    name, app = request["CollectionId"], context.app

    def look() -> tuple[Collection, int]:
        return app.collection(name), app.count_users(name)

    found, users = await context.state.engine.light(look)
    return {
        "FaceCount": found.faces,
        "UserCount": users,
        "FaceModelVersion": collection_version(app, found),
        "CollectionARN": collection_arn(context, name),
        "CreationTimestamp": found.created,
    }


async def delete_collection(context: Context, request: Document) -> Document:
    """DeleteCollection."""
    app = context.app
    # Amazon's call has no room for a confirmation; it takes a key that may admin.
    await context.state.engine.light(
        lambda: app.delete_collection(request["CollectionId"], erase_subjects=True)
    )
    return {"StatusCode": _OK}


async def list_collections(context: Context, request: Document) -> Document:
    """ListCollections, the oldest first."""

    def read(after: bytes, limit: int) -> Sequence[Collection]:
        ordered = sorted(context.app.collections(), key=_position)
        return [each for each in ordered if _position(each) > after][:limit]

    def look() -> tuple[Sequence[Collection], dict[str, str]]:
        return page_of(context, request, "ListCollections", _USUAL_PAGE, read, _position)

    page, more = await context.state.engine.light(look)
    return {
        "CollectionIds": [each.name for each in page],
        "FaceModelVersions": [collection_version(context.app, each) for each in page],
        **more,
    }


def _position(collection: Collection) -> bytes:
    """Return bytes that order collections, and stay as they are when others come and go.

    A name alone may be longer than a token.
    """
    created = round(collection.created.timestamp() * 1_000_000)
    digest = hashlib.sha256(collection.name.encode()).digest()[:_DIGEST]
    return created.to_bytes(8, "big") + digest


OPERATIONS: dict[str, Operation] = {
    "CreateCollection": create_collection,
    "DescribeCollection": describe_collection,
    "DeleteCollection": delete_collection,
    "ListCollections": list_collections,
}
