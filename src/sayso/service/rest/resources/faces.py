"""Faces that are enrolled: from pictures, listed, and deleted."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, cast

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.choosing import FaceChoice, Place
from sayso.core import Sayso
from sayso.results import DeletionFailure
from sayso.service.rest import kinds, values
from sayso.service.rest.asking import (
    DEFAULT_MODE,
    CollectionPath,
    FaceIds,
    FacePath,
    ModeQuery,
    SubjectPath,
)
from sayso.service.rest.calls import Changing, IfMatch, Reading
from sayso.service.rest.conditions import require_match
from sayso.service.rest.documents import Box, EnrolledFace, Quality, Turn
from sayso.service.rest.documents import box as box_of
from sayso.service.rest.operations import OF_ENROLMENTS, OF_PICTURES, Resource
from sayso.service.rest.pages import Page, Paged
from sayso.service.rest.pictures import MOST_PICTURES, Picture, read_pictures, takes_pictures
from sayso.service.rest.problems import Refused, invalid
from sayso.service.rest.replays import Done
from sayso.service.rest.resources.consents import ConsentOffer
from sayso.service.rest.values import Answer, Asked, Id

resource = Resource("faces", "The faces that are enrolled in a collection.")
_NO_FACE = kinds.FACE_NOT_FOUND


class NewFaces(Asked):
    """Pictures to enrol a subject from."""

    pictures: list[Picture] = Field(
        min_length=1,
        max_length=MOST_PICTURES,
        repr=False,
        description="The face that each picture is of is enrolled, if it is a good one.",
    )
    consent: ConsentOffer | None = Field(
        default=None,
        description="What the subject agrees to, unless that is on record or the key attests it.",
    )


class EnrolledPicture(Answer):
    """What became of one picture."""

    picture: str = Field(description="What its file was called, or its place in the list.")
    faces: int = Field(description="How many were found.")
    face_id: str | None = Field(description="The face in the collection, or null.")
    repeated: bool = Field(description="Whether that picture had enrolled the subject before.")
    box: Box | None
    quality: Quality | None
    turn: Turn
    error: str | None = Field(description="Why the picture enrolled nobody, or null.")
    error_type: str | None = Field(description="The type of that problem, or null.")
    notices: list[str] = Field(description="What people are to know of the picture's file.")

    @classmethod
    def of(cls, found: results.PictureEnrolment, name: str | None) -> EnrolledPicture:
        """Return it as a document."""
        error = found.error
        return cls(
            picture=name or found.picture,
            faces=found.faces,
            face_id=found.face_id,
            repeated=found.repeated,
            box=None if found.box is None else box_of(found.box),
            quality=None if found.quality is None else Quality.of(found.quality),
            turn=found.turn,
            error=None if error is None else str(error),
            error_type=None if error is None else kinds.of(error).type,
            notices=list(found.notices),
        )


class Enrolment(Answer):
    """The outcome of an enrolment, picture by picture in the order given."""

    collection: str
    subject: str
    consent: str = Field(description="The id of the consent that the faces are enrolled on.")
    enrolled: int = Field(description="How many faces are new.")
    pictures: list[EnrolledPicture]

    @classmethod
    def of(cls, found: results.Enrolment, names: tuple[str | None, ...]) -> Enrolment:
        """Return it as a document."""
        called = names or (None,) * len(found.pictures)
        return cls(
            collection=found.collection,
            subject=found.subject,
            consent=found.consent,
            enrolled=found.enrolled,
            pictures=[
                EnrolledPicture.of(picture, name)
                for picture, name in zip(found.pictures, called, strict=True)
            ],
        )


class EnrolledFacesPage(Page[EnrolledFace]):
    """A page of enrolled faces, in the order of their ids."""


class FaceLeft(Answer):
    """A face that was not deleted, and why."""

    face_id: str
    reason: DeletionFailure
    user: str | None = Field(description="The user that it is associated with, where told.")


class DeletedFaces(Answer):
    """What became of faces that were to be deleted."""

    deleted: list[str]
    failed: list[FaceLeft]

    @classmethod
    def of(cls, found: results.FacesDeletion) -> DeletedFaces:
        """Return it as a document."""
        return cls(
            deleted=list(found.deleted),
            failed=[
                FaceLeft(face_id=face, reason=reason, user=found.users.get(face))
                for face, reason in found.failed.items()
            ],
        )


@resource.operation(
    "POST",
    "/collections/{collection}/subjects/{subject}/faces",
    "Enrol a subject",
    answer=Enrolment,
    status=HTTPStatus.CREATED,
    also=(HTTPStatus.OK,),
    takes=takes_pictures(NewFaces),
    problems=(
        *OF_PICTURES,
        *OF_ENROLMENTS,
        kinds.NO_FACE_FOUND,
        kinds.FACE_TOO_POOR,
        kinds.AMBIGUOUS_FACE,
        kinds.LOOKS_LIKE_ANOTHER,
        kinds.NAME_CONFLICT,
        kinds.ENROLMENT_REFUSED,
    ),
)
async def enrol_faces(
    call: Changing,
    collection: CollectionPath,
    subject: SubjectPath,
    mode: ModeQuery = DEFAULT_MODE,
    allow_lookalike: Annotated[
        bool,
        Query(description="Enrol a face that is more like another subject's all the same."),
    ] = False,
    face: Annotated[
        str | None,
        Query(
            pattern=r"^(largest|central|[1-9][0-9]{0,4})$",
            description="Which face of each picture is the subject's: a number from 1 in the order "
            "in which `POST /v1/faces` lists them, `largest` or `central`.",
        ),
    ] = None,
    box: Annotated[
        str | None,
        Query(
            max_length=120,
            description="In the place of `face`: x1,y1,x2,y2 in pixels of the upright picture, "
            "which the subject's face overlaps by half.",
        ),
    ] = None,
) -> Response:
    """Enrol the face that each picture is of as the subject's, who is made if need be.

    That is the largest; of several of about the same size the one that is whole and in the middle,
    where one clearly is. A picture of which that is not clear is skipped, unless `face` or `box`
    say which. A head that is turned is enrolled as if it were upright, and `turn` says so.

    It takes a consent: in the request, on record, or by the attestation of the access key; and the
    right to `enrol`. When no picture can be used, nothing is recorded, and the first one's problem
    is answered. A picture that enrolled the subject before does not do so again; where all did,
    the status is 200.
    """
    chosen = _choice(face, box)
    body = await read_pictures(call, NewFaces, parts={"consent": ConsentOffer})

    def work() -> Done:
        offer = body.asked.consent
        found = call.app.enroll(
            collection,
            subject=subject,
            pictures=body.asked.pictures,
            consent=None if offer is None else offer.consent("/consent"),
            mode=mode,
            allow_lookalike=allow_lookalike,
            face=chosen,
        )
        answer = Enrolment.of(found, body.names)
        if found.enrolled:
            return Done(answer, HTTPStatus.CREATED, location=call.path)
        return Done(answer)

    return await call.change(work, body=body, collection=collection, heavy=True)


@resource.operation(
    "GET",
    "/collections/{collection}/faces",
    "List faces",
    answer=EnrolledFacesPage,
    problems=(kinds.USER_NOT_FOUND,),
)
async def list_faces(
    call: Reading,
    collection: CollectionPath,
    paging: Paged,
    user: Annotated[
        str | None,
        Query(
            pattern=values.KNOWN_SUBJECT,
            min_length=1,
            max_length=255,
            description="Only those that are associated with this user.",
        ),
    ] = None,
    face: Annotated[
        list[Id] | None,
        Query(max_length=values.MOST_LISTED, description="Only those of these ids."),
    ] = None,
) -> Response:
    """List the faces of a collection in the order of their ids; no template leaves it."""

    def work() -> EnrolledFacesPage:
        found = call.app.enrolled_faces(
            collection, user=user, faces=face, after=paging.after_id(call), limit=paging.limit
        )
        cursor = paging.following(call, found, lambda each: each.id)
        items = [EnrolledFace.of(each) for each in found]
        return EnrolledFacesPage(items=items, next_cursor=cursor)

    return await call.read(work)


@resource.operation(
    "DELETE", "/collections/{collection}/faces", "Delete faces", answer=DeletedFaces
)
async def delete_faces(call: Changing, collection: CollectionPath, face: FaceIds) -> Response:
    """Delete faces by their ids; their subjects and consents stay.

    Those that are associated with a user are not deleted, and the answer says so, as it does of
    those that are not there. It takes the right to `enrol` or `erase`.
    """

    def work() -> Done:
        return Done(DeletedFaces.of(call.app.delete_faces(collection, list(dict.fromkeys(face)))))

    return await call.change(work, collection=collection)


@resource.operation(
    "GET",
    "/collections/{collection}/faces/{face}",
    "Get a face",
    answer=EnrolledFace,
    problems=(_NO_FACE,),
)
async def get_face(call: Reading, collection: CollectionPath, face: FacePath) -> Response:
    """Get one enrolled face."""
    return await call.read(lambda: _found(call.app, collection, face))


@resource.operation(
    "DELETE",
    "/collections/{collection}/faces/{face}",
    "Delete a face",
    answer=DeletedFaces,
    problems=(_NO_FACE, kinds.FACE_OF_A_USER),
)
async def delete_face(
    call: Changing, collection: CollectionPath, face: FacePath, if_match: IfMatch = None
) -> Response:
    """Delete one face; its subject and consents stay. It takes the right to `enrol` or `erase`."""

    def work() -> Done:
        require_match(if_match, lambda: _found(call.app, collection, face))
        found = call.app.delete_faces(collection, [face])
        reason = found.failed.get(face)
        if reason == "ASSOCIATED_TO_AN_EXISTING_USER":
            raise Refused(kinds.FACE_OF_A_USER, f"face {face} is associated with a user")
        if reason is not None:
            raise _missing(collection, face)
        return Done(DeletedFaces.of(found))

    return await call.change(work, collection=collection)


def _choice(face: str | None, box: str | None) -> FaceChoice | None:
    """Return which face a request asks for; refuses two ways of saying it, and what is no box."""
    if box is None:
        return int(face) if face and face.isdigit() else cast("Place | None", face)
    if face is not None:
        raise invalid("query", "box", "give face or box, not both")
    try:
        x1, y1, x2, y2 = (float(side) for side in box.split(","))
    except ValueError:
        raise invalid("query", "box", "a box is four numbers: x1,y1,x2,y2") from None
    return x1, y1, x2, y2


def _found(app: Sayso, collection: str, face: str) -> EnrolledFace:
    for each in app.enrolled_faces(collection, faces=[face], limit=1):
        return EnrolledFace.of(each)
    raise _missing(collection, face)


def _missing(collection: str, face: str) -> Refused:
    return Refused(_NO_FACE, f"there is no face {face} in collection {collection!r}")
