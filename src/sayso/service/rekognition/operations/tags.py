"""Tags of collections, by their ARNs."""

from __future__ import annotations

from sayso.service.rekognition.answers import Document
from sayso.service.rekognition.arns import collection_of
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.registry import Operation


async def tag_resource(context: Context, request: Document) -> Document:
    """TagResource."""
    collection = collection_of(context, request["ResourceArn"])
    app = context.app
    await context.state.engine.light(lambda: app.tag_collection(collection, request["Tags"]))
    return {}


async def untag_resource(context: Context, request: Document) -> Document:
    """UntagResource."""
    collection = collection_of(context, request["ResourceArn"])
    app = context.app
    await context.state.engine.light(lambda: app.untag_collection(collection, request["TagKeys"]))
    return {}


async def list_tags_for_resource(context: Context, request: Document) -> Document:
    """ListTagsForResource."""
    collection = collection_of(context, request["ResourceArn"])
    found = await context.state.engine.light(lambda: context.app.collection_tags(collection))
    return {"Tags": found}


OPERATIONS: dict[str, Operation] = {
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsForResource": list_tags_for_resource,
}
