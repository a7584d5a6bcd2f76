"""Users: subjects to be searched for by several faces at once."""

from __future__ import annotations

from collections.abc import Sequence

from sayso.core.linking import DEFAULT_LINK_SIMILARITY
from sayso.results import FaceLinking, User
from sayso.service.rekognition.answers import Document, unsuccessful
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.operations.consenting import telling_what_to_record
from sayso.service.rekognition.operations.paging import page_of
from sayso.service.rekognition.operations.repeating import once
from sayso.service.rekognition.registry import Operation

_USUAL_PAGE = 500


async def create_user(context: Context, request: Document) -> Document:
    """CreateUser."""
    collection, user = request["CollectionId"], request["UserId"]

    def create() -> Document:
        with telling_what_to_record(collection, user):
            context.app.create_user(collection, user)
        return {}

    return await context.state.engine.light(lambda: once(context, "CreateUser", request, create))


async def delete_user(context: Context, request: Document) -> Document:
    """DeleteUser: the faces stay."""

    def delete() -> Document:
        context.app.delete_user(request["CollectionId"], request["UserId"])
        return {}

    return await context.state.engine.light(lambda: once(context, "DeleteUser", request, delete))


async def list_users(context: Context, request: Document) -> Document:
    """ListUsers, in the order of our ids of theirs."""
    collection, app = request["CollectionId"], context.app

    def read(after: bytes, limit: int) -> Sequence[User]:
        return app.users(collection, after=after.decode(), limit=limit)

    def look() -> tuple[Sequence[User], dict[str, str]]:
        scope = f"ListUsers/{collection}"
        return page_of(context, request, scope, _USUAL_PAGE, read, lambda user: user.id.encode())

    page, more = await context.state.engine.light(look)
    users = [{"UserId": each.name, "UserStatus": each.status} for each in page]
    return {"Users": users, **more}


async def associate_faces(context: Context, request: Document) -> Document:
    """AssociateFaces: say whose faces they are."""

    def associate() -> Document:
        done = context.app.associate_faces(
            request["CollectionId"],
            request["UserId"],
            request["FaceIds"],
            min_similarity=request.get("UserMatchThreshold", DEFAULT_LINK_SIMILARITY),
        )
        failed = unsuccessful(done.failed, done.users, done.similarities)
        return _linking(done, "AssociatedFaces") | {"UnsuccessfulFaceAssociations": failed}

    # It compares templates, which first may have to be loaded.
    return await context.state.engine.run(
        context.caller.key, lambda: once(context, "AssociateFaces", request, associate)
    )


async def disassociate_faces(context: Context, request: Document) -> Document:
    """DisassociateFaces: take faces from a user; they stay enrolled."""

    def disassociate() -> Document:
        done = context.app.disassociate_faces(
            request["CollectionId"], request["UserId"], request["FaceIds"]
        )
        failed = unsuccessful(done.failed, done.users)
        return _linking(done, "DisassociatedFaces") | {"UnsuccessfulFaceDisassociations": failed}

    return await context.state.engine.light(
        lambda: once(context, "DisassociateFaces", request, disassociate)
    )


def _linking(done: FaceLinking, member: str) -> Document:
    return {
        member: [{"FaceId": face} for face in done.linked],
        "UserStatus": done.user.status,
    }


OPERATIONS: dict[str, Operation] = {
    "CreateUser": create_user,
    "DeleteUser": delete_user,
    "ListUsers": list_users,
    "AssociateFaces": associate_faces,
    "DisassociateFaces": disassociate_faces,
}
