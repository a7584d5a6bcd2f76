"""Users: subjects who can be searched for by several of their faces at once."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Literal

from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.results import LinkFailure
from sayso.service.rest import kinds
from sayso.service.rest.asking import CollectionPath, FaceIds, UserPath
from sayso.service.rest.bodies import read_json, takes
from sayso.service.rest.calls import Changing, IfMatch, Reading
from sayso.service.rest.conditions import require_match
from sayso.service.rest.operations import OF_ENROLMENTS, Resource
from sayso.service.rest.pages import Page, Paged
from sayso.service.rest.replays import Done
from sayso.service.rest.resources.consents import ConsentOffer
from sayso.service.rest.values import MOST_LISTED, Answer, Asked, Id, SubjectName

resource = Resource(
    "users",
    "Subjects as somebody to search for by several faces at once, with one template made of them.",
)


class User(Answer):
    """A user: the subject of the same name, with a template made of several faces."""

    user: str
    id: str = Field(description="The id of the subject.")
    collection: str
    status: Literal["ACTIVE", "UPDATING", "CREATING", "CREATED"] = Field(
        description="ACTIVE with at least one face, CREATED with none."
    )
    faces: int = Field(description="How many faces are associated.")
    created: datetime

    @classmethod
    def of(cls, found: results.User) -> User:
        """Return it as a document."""
        return cls(
            user=found.name,
            id=found.id,
            collection=found.collection,
            status=found.status,
            faces=found.faces,
            created=found.created,
        )


class Users(Page[User]):
    """A page of users."""


class NewUser(Asked):
    """A user to be made."""

    user: SubjectName
    consent: ConsentOffer | None = Field(
        default=None, description="What the person agrees to, unless that is on record."
    )


class FacesOfUser(Asked):
    """Faces that are a user's."""

    faces: list[Id] = Field(
        min_length=1, max_length=MOST_LISTED, description="Ids of enrolled faces."
    )
    min_similarity: float = Field(
        default=75.0,
        ge=0,
        le=100,
        description="How similar a face must be to the others of the user, 0 to 100.",
    )


class LinkRefusal(Answer):
    """Why a face was not taken."""

    face_id: str
    reason: LinkFailure
    user: str | None = Field(description="The user whom it belongs to instead, where told.")
    similarity: float | None = Field(description="How similar it is to the user, where told.")


class Linking(Answer):
    """What became of faces that were to be associated with a user, or disassociated."""

    user: User
    faces: list[str] = Field(description="Those with which it was done.")
    failed: list[LinkRefusal] = Field(description="Those with which it was not, and why.")

    @classmethod
    def of(cls, found: results.FaceLinking) -> Linking:
        """Return it as a document."""
        return cls(
            user=User.of(found.user),
            faces=list(found.linked),
            failed=[
                LinkRefusal(
                    face_id=face,
                    reason=reason,
                    user=found.users.get(face),
                    similarity=_rounded(found.similarities.get(face)),
                )
                for face, reason in found.failed.items()
            ],
        )


class DeletedUser(Answer):
    """A user who was deleted; the subject and the faces stay."""

    user: str
    collection: str


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


@resource.operation("GET", "/collections/{collection}/users", "List users", answer=Users)
async def list_users(call: Reading, collection: CollectionPath, paging: Paged) -> Response:
    """List the users of a collection, as far as the caller may know of them."""

    def work() -> Users:
        after = paging.after_id(call)
        found = call.app.users(collection, after=after, limit=paging.limit)
        cursor = paging.following(call, found, lambda each: each.id)
        return Users(items=[User.of(each) for each in found], next_cursor=cursor)

    return await call.read(work)


@resource.operation(
    "POST",
    "/collections/{collection}/users",
    "Make a user",
    answer=User,
    status=HTTPStatus.CREATED,
    takes=takes(NewUser),
    problems=(*OF_ENROLMENTS, kinds.USER_EXISTS),
)
async def create_user(call: Changing, collection: CollectionPath) -> Response:
    """Make a subject a user, and the subject where there is none yet.

    It takes a consent as an enrolment does, and the right to `enrol`.
    """
    body = await read_json(call.request, NewUser)

    def work() -> Done:
        offer = body.asked.consent
        found = call.app.create_user(
            collection,
            body.asked.user,
            consent=None if offer is None else offer.consent("/consent"),
        )
        return Done(User.of(found), HTTPStatus.CREATED, location=f"{call.path}/{found.name}")

    return await call.change(work, body=body, collection=collection)


@resource.operation(
    "GET",
    "/collections/{collection}/users/{user}",
    "Get a user",
    answer=User,
    problems=(kinds.USER_NOT_FOUND,),
)
async def get_user(call: Reading, collection: CollectionPath, user: UserPath) -> Response:
    """Get one user."""
    return await call.read(lambda: User.of(call.app.user(collection, user)))


@resource.operation(
    "DELETE",
    "/collections/{collection}/users/{user}",
    "Delete a user",
    answer=DeletedUser,
    problems=(kinds.USER_NOT_FOUND,),
)
async def delete_user(
    call: Changing, collection: CollectionPath, user: UserPath, if_match: IfMatch = None
) -> Response:
    """Delete a user; the subject and the faces stay. It takes the right to `enrol` or `erase`."""

    def work() -> Done:
        require_match(if_match, lambda: User.of(call.app.user(collection, user)))
        call.app.delete_user(collection, user)
        return Done(DeletedUser(user=user, collection=collection))

    return await call.change(work, collection=collection)


@resource.operation(
    "PUT",
    "/collections/{collection}/users/{user}/faces",
    "Associate faces with a user",
    answer=Linking,
    takes=takes(FacesOfUser),
    problems=(
        kinds.USER_NOT_FOUND,
        kinds.TOO_MANY_FACES_OF_USER,
        kinds.MODEL_CONFLICT,
        kinds.REFUSED,
    ),
)
async def associate_faces(call: Changing, collection: CollectionPath, user: UserPath) -> Response:
    """Say that enrolled faces are a user's, beside those that are already.

    A face that is not similar enough to the others is refused, and so is one of another user. It
    takes the right to `enrol`.
    """
    body = await read_json(call.request, FacesOfUser)

    def work() -> Done:
        found = call.app.associate_faces(
            collection, user, body.asked.faces, min_similarity=body.asked.min_similarity
        )
        return Done(Linking.of(found))

    return await call.change(work, body=body, collection=collection, heavy=True)


@resource.operation(
    "DELETE",
    "/collections/{collection}/users/{user}/faces",
    "Take faces from a user",
    answer=Linking,
    problems=(kinds.USER_NOT_FOUND,),
)
async def disassociate_faces(
    call: Changing, collection: CollectionPath, user: UserPath, face: FaceIds
) -> Response:
    """Take faces from a user; they stay enrolled. It takes the right to `enrol` or `erase`."""

    def work() -> Done:
        return Done(Linking.of(call.app.disassociate_faces(collection, user, face)))

    return await call.change(work, collection=collection)
