"""Faces: found in a picture, enrolled in a collection, listed and deleted."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from sayso.results import EnrolledFace, PictureIndexing
from sayso.service.rekognition.answers import (
    Document,
    Size,
    check_attributes,
    collection_version,
    enrolled_face,
    face_detail,
    left_faces,
    model_version,
    unsuccessful,
)
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.faults import Fault
from sayso.service.rekognition.operations.consenting import telling_what_to_record
from sayso.service.rekognition.operations.paging import page_of
from sayso.service.rekognition.pictures import least_quality, picture_of
from sayso.service.rekognition.registry import Operation

#: Faces of one picture that are told of, the largest first.
MOST_DETECTED = 100
_USUAL_PAGE = 1000


async def detect_faces(context: Context, request: Document) -> Document:
    """DetectFaces, the largest first."""
    check_attributes(request.get("Attributes", ()))
    picture = await picture_of(context, request["Image"], "detect")
    found = await context.state.engine.run(context.caller.key, lambda: context.app.detect(picture))
    size = (found.width, found.height)
    largest = sorted(found.faces, key=lambda face: -face.width * face.height)[:MOST_DETECTED]
    return {"FaceDetails": [face_detail(face, size) for face in largest]}


async def index_faces(context: Context, request: Document) -> Document:
    """IndexFaces: at most one face, which is that of the subject ExternalImageId."""
    check_attributes(request.get("DetectionAttributes", ()))
    collection, subject = request["CollectionId"], request.get("ExternalImageId")
    if subject is None:
        raise Fault(
            "InvalidParameterException",
            "ExternalImageId is missing: it says whose face it is, and nobody is enrolled without "
            "it, since whoever is must have agreed (policy consent-first)",
        )
    picture = await picture_of(context, request["Image"], "enrol", collection)

    def index() -> PictureIndexing:
        with telling_what_to_record(collection, subject):
            return context.app.index_picture(
                collection,
                subject=subject,
                picture=picture,
                min_quality=least_quality(request, "AUTO"),
                # Such clients cannot say that they know of it. The audit log tells of each.
                allow_lookalike=True,
            )

    done = await context.state.engine.run(context.caller.key, index)
    size = (done.width, done.height)
    records = []
    if done.enrolled is not None and done.face is not None:
        face = {"Face": enrolled_face(done.enrolled), "FaceDetail": face_detail(done.face, size)}
        records.append(face)
    return {
        "FaceRecords": records,
        "FaceModelVersion": model_version(context.app),
        "UnindexedFaces": _unindexed(done, size, request.get("MaxFaces")),
    }


def _unindexed(done: PictureIndexing, size: Size, asked: int | None) -> list[Document]:
    """Return UnindexedFaces, the largest first.

    That a face exceeds MaxFaces is told only where more were found than that. Amazon has no word
    for one that is left because a picture enrols one person: it has no reason.
    """
    told = left_faces(done.left, size, "FaceDetail")
    taken = 0 if done.enrolled is None else 1
    for place, face in enumerate(told, taken):
        if asked is None or place < asked:
            face["Reasons"] = [each for each in face["Reasons"] if each != "EXCEEDS_MAX_FACES"]
    return told


async def list_faces(context: Context, request: Document) -> Document:
    """ListFaces, in the order of their ids."""
    collection, user = request["CollectionId"], request.get("UserId")
    ids, app = request.get("FaceIds"), context.app

    def read(after: bytes, limit: int) -> Sequence[EnrolledFace]:
        return app.enrolled_faces(
            collection, user=user, faces=ids, after=after.decode(), limit=limit
        )

    def look() -> tuple[Sequence[EnrolledFace], dict[str, str], str]:
        scope = f"ListFaces/{collection}/{user or ''}/{_digest(ids)}"
        page, more = page_of(context, request, scope, _USUAL_PAGE, read, _position)
        # All faces of a collection are made by the same; it is looked up only where there is none.
        if page:
            return page, more, page[0].template_version
        return page, more, collection_version(app, app.collection(collection))

    page, more, version = await context.state.engine.light(look)
    faces = [enrolled_face(each) for each in page]
    return {"Faces": faces, "FaceModelVersion": version, **more}


async def delete_faces(context: Context, request: Document) -> Document:
    """DeleteFaces, but for those of users."""
    collection, ids = request["CollectionId"], request["FaceIds"]
    done = await context.state.engine.light(lambda: context.app.delete_faces(collection, ids))
    return {
        "DeletedFaces": list(done.deleted),
        "UnsuccessfulFaceDeletions": unsuccessful(done.failed, done.users),
    }


def _position(face: EnrolledFace) -> bytes:
    return face.id.encode()


def _digest(ids: Sequence[str] | None) -> str:
    """Return what tells lists of face ids apart, so that a token is good for one of them."""
    return "" if ids is None else hashlib.sha256("/".join(sorted(ids)).encode()).hexdigest()


OPERATIONS: dict[str, Operation] = {
    "DetectFaces": detect_faces,
    "IndexFaces": index_faces,
    "ListFaces": list_faces,
    "DeleteFaces": delete_faces,
}
