"""Searches: who is in a picture, and which faces and users are like one."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.service.rest import kinds
from sayso.service.rest.asking import (
    DEFAULT_MODE,
    DEFAULT_TOP,
    RULE_ALONE,
    CollectionPath,
    FacePath,
    ModeQuery,
    PurposeQuery,
    QualityQuery,
    Similarity,
    Top,
    UserPath,
)
from sayso.service.rest.calls import Asking, Reading
from sayso.service.rest.documents import (
    Face,
    FaceCandidate,
    LeftFace,
    NamedFace,
    Threshold,
    ThresholdInForce,
    scores,
)
from sayso.service.rest.operations import OF_PICTURES, OF_SEARCHES, Resource
from sayso.service.rest.pictures import OnePicture, read_picture, takes_pictures
from sayso.service.rest.resources.users import User
from sayso.service.rest.values import Answer

resource = Resource(
    "searches",
    "Who is in a picture, among those whose consent covers the purpose. They take the right to "
    "`search`, and each is on record with whom it found.",
)


class RecognisedPicture(Answer):
    """A picture with every face in it, named where consent covers it."""

    picture: str | None = Field(description="What the file of the form was called.")
    width: int = Field(description="Of the upright picture, in pixels.")
    height: int
    notices: list[str] = Field(description="What people are to know of the picture's file.")
    faces: list[NamedFace]
    threshold: Threshold


class FaceSearch(Answer):
    """The enrolled faces that are like the largest good face of a picture."""

    width: int = Field(description="Of the upright picture, in pixels.")
    height: int
    face: Face
    left: list[LeftFace] = Field(description="The other faces of the picture.")
    candidates: list[FaceCandidate] = Field(description="The most similar first.")
    threshold: Threshold


class FaceCandidates(Answer):
    """The enrolled faces that are like another."""

    candidates: list[FaceCandidate] = Field(description="The most similar first.")
    threshold: Threshold


class UserCandidate(Answer):
    """A user who is similar."""

    user: User
    similarity: float = Field(description="0 to 100.")
    cosine: float = Field(description="The raw score of the recogniser, -1 to 1.")
    expected_false_matches: float = Field(
        description="How many of the users whom the purpose covers would be expected to score at "
        "least this high with a stranger."
    )

    @classmethod
    def of(cls, found: results.UserCandidate) -> UserCandidate:
        """Return it as a document."""
        return cls(user=User.of(found.user), **scores(found))


class UserSearch(Answer):
    """The users who are like the largest good face of a picture."""

    width: int = Field(description="Of the upright picture, in pixels.")
    height: int
    face: Face | None = Field(description="Null where no face is good enough.")
    left: list[LeftFace] = Field(description="The other faces of the picture.")
    candidates: list[UserCandidate] = Field(description="The most similar first.")
    threshold: Threshold


class UserCandidates(Answer):
    """The users who are like a face, or like another user."""

    candidates: list[UserCandidate] = Field(description="The most similar first.")
    threshold: Threshold


@resource.operation(
    "GET",
    "/collections/{collection}/threshold",
    "Get what a search must reach",
    answer=ThresholdInForce,
    problems=(kinds.INVALID_NAME, kinds.MODEL_CONFLICT, kinds.REFUSED),
)
async def get_threshold(
    call: Reading,
    collection: CollectionPath,
    purpose: PurposeQuery = None,
    faces: Annotated[
        int, Query(ge=1, le=100_000, description="How many faces the picture has.")
    ] = 1,
    min_similarity: Similarity = RULE_ALONE,
) -> Response:
    """Tell what a search would have to reach now, by the collection's rule; nobody is searched for.

    Among those whom the purpose covers. It takes the right to `enrol`, `search`, `erase`, `audit`
    or `admin`.
    """

    def work() -> ThresholdInForce:
        found = call.app.threshold(
            collection, purpose=purpose, faces=faces, min_similarity=min_similarity
        )
        return ThresholdInForce.of_today(found)

    return await call.read(work)


@resource.operation(
    "POST",
    "/collections/{collection}/recognize",
    "Name everybody in a picture",
    answer=RecognisedPicture,
    takes=takes_pictures(OnePicture, raw=True),
    problems=(*OF_PICTURES, *OF_SEARCHES),
)
async def recognize(
    call: Asking,
    collection: CollectionPath,
    purpose: PurposeQuery = None,
    mode: ModeQuery = DEFAULT_MODE,
    min_similarity: Similarity = RULE_ALONE,
) -> Response:
    """Find every face of a picture, and name those subjects whose consent covers the purpose.

    Each face is judged by itself, and each name carries its own expected number of false matches.
    The collection's rule says how similar a match must be for that many faces and that many
    enrolled; `min_similarity` may ask for more.
    """
    body = await read_picture(call)

    def work() -> tuple[RecognisedPicture, int]:
        found = call.app.recognize(
            collection,
            body.asked.picture,
            purpose=purpose,
            mode=mode,
            min_similarity=min_similarity,
        )
        answer = RecognisedPicture(
            picture=body.names[0] if body.names else None,
            width=found.width,
            height=found.height,
            notices=list(found.notices),
            faces=[NamedFace.of_recognised(each) for each in found],
            threshold=Threshold.of(found.threshold),
        )
        return answer, len(found)

    return await call.find(work)


@resource.operation(
    "POST",
    "/collections/{collection}/search",
    "Search faces by a picture",
    answer=FaceSearch,
    takes=takes_pictures(OnePicture, raw=True),
    problems=(*OF_PICTURES, *OF_SEARCHES, kinds.NO_FACE_FOUND),
)
async def search_faces_by_picture(
    call: Asking,
    collection: CollectionPath,
    purpose: PurposeQuery = None,
    mode: ModeQuery = DEFAULT_MODE,
    min_similarity: Similarity = RULE_ALONE,
    min_quality: QualityQuery = 0.0,
    top: Top = DEFAULT_TOP,
) -> Response:
    """Search for the largest good face of a picture among the enrolled ones.

    A subject is found by every face of theirs that is similar enough.
    """
    body = await read_picture(call)

    def work() -> tuple[FaceSearch, int]:
        found = call.app.search_picture(
            collection,
            body.asked.picture,
            purpose=purpose,
            mode=mode,
            min_similarity=min_similarity,
            top=top,
            min_quality=min_quality,
        )
        answer = FaceSearch(
            width=found.width,
            height=found.height,
            face=Face.of(found.face),
            left=[LeftFace.of(each) for each in found.left],
            candidates=[FaceCandidate.of(each) for each in found.candidates],
            threshold=Threshold.of(found.threshold),
        )
        return answer, 1 + len(found.left)

    return await call.find(work)


@resource.operation(
    "POST",
    "/collections/{collection}/search-users",
    "Search users by a picture",
    answer=UserSearch,
    takes=takes_pictures(OnePicture, raw=True),
    problems=(*OF_PICTURES, *OF_SEARCHES),
)
async def search_users_by_picture(
    call: Asking,
    collection: CollectionPath,
    purpose: PurposeQuery = None,
    mode: ModeQuery = DEFAULT_MODE,
    min_similarity: Similarity = RULE_ALONE,
    min_quality: QualityQuery = 0.0,
    top: Top = DEFAULT_TOP,
) -> Response:
    """Search for the largest good face of a picture among the users.

    A picture without such a face finds nobody, and is no error.
    """
    body = await read_picture(call)

    def work() -> tuple[UserSearch, int]:
        found = call.app.search_users_by_picture(
            collection,
            body.asked.picture,
            purpose=purpose,
            mode=mode,
            min_similarity=min_similarity,
            top=top,
            min_quality=min_quality,
        )
        answer = UserSearch(
            width=found.width,
            height=found.height,
            face=None if found.face is None else Face.of(found.face),
            left=[LeftFace.of(each) for each in found.left],
            candidates=[UserCandidate.of(each) for each in found.candidates],
            threshold=Threshold.of(found.threshold),
        )
        return answer, len(found.left) + (found.face is not None)

    return await call.find(work)


@resource.operation(
    "POST",
    "/collections/{collection}/faces/{face}/search",
    "Search faces by an enrolled face",
    answer=FaceCandidates,
    problems=(*OF_SEARCHES, kinds.FACE_NOT_FOUND),
)
async def search_faces_by_face(
    call: Asking,
    collection: CollectionPath,
    face: FacePath,
    purpose: PurposeQuery = None,
    min_similarity: Similarity = RULE_ALONE,
    top: Top = DEFAULT_TOP,
) -> Response:
    """Search for an enrolled face among the other faces of its collection."""

    def work() -> tuple[FaceCandidates, int]:
        found = call.app.search_face(
            collection, face, purpose=purpose, min_similarity=min_similarity, top=top
        )
        answer = FaceCandidates(
            candidates=[FaceCandidate.of(each) for each in found],
            threshold=Threshold.of(found.threshold),
        )
        return answer, 0

    return await call.find(work)


@resource.operation(
    "POST",
    "/collections/{collection}/faces/{face}/search-users",
    "Search users by an enrolled face",
    answer=UserCandidates,
    problems=(*OF_SEARCHES, kinds.FACE_NOT_FOUND),
)
async def search_users_by_face(
    call: Asking,
    collection: CollectionPath,
    face: FacePath,
    purpose: PurposeQuery = None,
    min_similarity: Similarity = RULE_ALONE,
    top: Top = DEFAULT_TOP,
) -> Response:
    """Search for an enrolled face among the users of its collection."""

    def work() -> tuple[UserCandidates, int]:
        found = call.app.search_users(
            collection, face=face, purpose=purpose, min_similarity=min_similarity, top=top
        )
        answer = UserCandidates(
            candidates=[UserCandidate.of(each) for each in found],
            threshold=Threshold.of(found.threshold),
        )
        return answer, 0

    return await call.find(work)


@resource.operation(
    "POST",
    "/collections/{collection}/users/{user}/search-users",
    "Search users by another user",
    answer=UserCandidates,
    problems=(*OF_SEARCHES, kinds.USER_NOT_FOUND),
)
async def search_users_by_user(
    call: Asking,
    collection: CollectionPath,
    user: UserPath,
    purpose: PurposeQuery = None,
    min_similarity: Similarity = RULE_ALONE,
    top: Top = DEFAULT_TOP,
) -> Response:
    """Search for a user among the others of the collection."""

    def work() -> tuple[UserCandidates, int]:
        found = call.app.search_users(
            collection, user=user, purpose=purpose, min_similarity=min_similarity, top=top
        )
        answer = UserCandidates(
            candidates=[UserCandidate.of(each) for each in found],
            threshold=Threshold.of(found.threshold),
        )
        return answer, 0

    return await call.find(work)
