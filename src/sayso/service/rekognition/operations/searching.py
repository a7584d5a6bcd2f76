"""Searches of a collection for one person, among its faces or among its users."""

from __future__ import annotations

from sayso.core import DEFAULT_SIMILARITY
from sayso.results import Threshold
from sayso.service.rekognition.answers import (
    Document,
    box,
    confidence,
    face_detail,
    face_matches,
    left_faces,
    model_version,
    user_matches,
)
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.pictures import least_quality, picture_of
from sayso.service.rekognition.registry import Operation

#: Header of an answer: the similarity that matches had to reach, by the collection's rule.
THRESHOLD = "x-sayso-threshold"
_FACES = 80
_USERS = 50


async def search_faces(context: Context, request: Document) -> Document:
    """SearchFaces: other faces like an enrolled one."""
    found = await context.state.engine.run(
        context.caller.key,
        lambda: context.app.search_face(
            request["CollectionId"],
            request["FaceId"],
            min_similarity=request.get("FaceMatchThreshold", DEFAULT_SIMILARITY),
            top=request.get("MaxFaces", _FACES),
        ),
    )
    _tell(context, found.threshold)
    return {
        "SearchedFaceId": request["FaceId"],
        "FaceMatches": face_matches(found.candidates),
        "FaceModelVersion": model_version(context.app),
    }


async def search_faces_by_image(context: Context, request: Document) -> Document:
    """SearchFacesByImage: faces like the largest one of a picture."""
    collection = request["CollectionId"]
    picture = await picture_of(context, request["Image"], "search", collection)
    found = await context.state.engine.run(
        context.caller.key,
        lambda: context.app.search_picture(
            collection,
            picture,
            min_similarity=request.get("FaceMatchThreshold", DEFAULT_SIMILARITY),
            top=request.get("MaxFaces", _FACES),
            min_quality=least_quality(request),
        ),
    )
    _tell(context, found.threshold)
    return {
        "SearchedFaceBoundingBox": box(found.face.box, (found.width, found.height)),
        "SearchedFaceConfidence": confidence(found.face.score),
        "FaceMatches": face_matches(found.candidates),
        "FaceModelVersion": model_version(context.app),
    }


async def search_users(context: Context, request: Document) -> Document:
    """SearchUsers: users like another one, or like an enrolled face."""
    user, face = request.get("UserId"), request.get("FaceId")
    if (user is None) == (face is None):
        raise Fault("InvalidParameterException", "name either a UserId or a FaceId")
    found = await context.state.engine.run(
        context.caller.key,
        lambda: context.app.search_users(
            request["CollectionId"],
            user=user,
            face=face,
            min_similarity=request.get("UserMatchThreshold", DEFAULT_SIMILARITY),
            top=request.get("MaxUsers", _USERS),
        ),
    )
    _tell(context, found.threshold)
    searched: Document = (
        {"SearchedUser": {"UserId": user}} if face is None else {"SearchedFace": {"FaceId": face}}
    )
    return {
        "UserMatches": user_matches(found.candidates),
        "FaceModelVersion": model_version(context.app),
        **searched,
    }


async def search_users_by_image(context: Context, request: Document) -> Document:
    """SearchUsersByImage: users like the largest face of a picture; without one, nobody."""
    collection = request["CollectionId"]
    picture = await picture_of(context, request["Image"], "search", collection)
    found = await context.state.engine.run(
        context.caller.key,
        lambda: context.app.search_users_by_picture(
            collection,
            picture,
            min_similarity=request.get("UserMatchThreshold", DEFAULT_SIMILARITY),
            top=request.get("MaxUsers", _USERS),
            min_quality=least_quality(request),
        ),
    )
    _tell(context, found.threshold)
    size = (found.width, found.height)
    answer: Document = {
        "UserMatches": user_matches(found.candidates),
        "FaceModelVersion": model_version(context.app),
        "UnsearchedFaces": left_faces(found.left, size, "FaceDetails"),
    }
    if found.face is not None:
        answer["SearchedFace"] = {"FaceDetail": face_detail(found.face, size)}
    return answer


def _tell(context: Context, threshold: Threshold) -> None:
    """Tell what similarity had to be reached, which may be more than was asked for."""
    similarity = threshold.similarity
    context.headers[THRESHOLD] = "not measured" if similarity is None else f"{similarity:.2f}"


OPERATIONS: dict[str, Operation] = {
    "SearchFaces": search_faces,
    "SearchFacesByImage": search_faces_by_image,
    "SearchUsers": search_users,
    "SearchUsersByImage": search_users_by_image,
}
