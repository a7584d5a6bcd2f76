"""Pictures alone: the faces in one, and how alike those of two are."""

from __future__ import annotations

from pydantic import Field
from starlette.responses import Response

from sayso.results import Comparison as ComparisonResult
from sayso.service.rest import kinds
from sayso.service.rest.asking import DEFAULT_MODE, ModeQuery
from sayso.service.rest.calls import Asking
from sayso.service.rest.documents import Face
from sayso.service.rest.operations import OF_PICTURES, Resource
from sayso.service.rest.pictures import (
    OnePicture,
    TwoPictures,
    read_picture,
    read_pictures,
    takes_pictures,
)
from sayso.service.rest.values import Answer, significant

resource = Resource("pictures", "Pictures alone: nobody is looked for, and nothing is kept.")


class DetectedPicture(Answer):
    """A picture with every face in it, the best detection first."""

    picture: str | None = Field(description="What the file of the form was called.")
    width: int = Field(description="Of the upright picture, in pixels.")
    height: int
    notices: list[str] = Field(description="What people are to know of the picture's file.")
    faces: list[Face]


class ComparedPicture(Answer):
    """A picture, and the face of it that was compared."""

    picture: str | None = Field(description="What the file of the form was called.")
    face: Face


class Comparison(Answer):
    """How alike the largest faces of two pictures are."""

    a: ComparedPicture
    b: ComparedPicture
    similarity: float = Field(description="0 to 100.")
    cosine: float = Field(description="The raw score of the recogniser, -1 to 1.")
    false_match_rate: float = Field(
        description="Upper bound on the share of pairs of strangers that score at least as high."
    )

    @classmethod
    def of(cls, found: ComparisonResult, names: tuple[str | None, ...]) -> Comparison:
        """Return it as a document."""
        name_a, name_b = names or (None, None)
        return cls(
            a=ComparedPicture(picture=name_a, face=Face.of(found.a)),
            b=ComparedPicture(picture=name_b, face=Face.of(found.b)),
            similarity=round(found.similarity, 2),
            cosine=round(found.cosine, 4),
            false_match_rate=significant(found.false_match_rate),
        )


@resource.operation(
    "POST",
    "/faces",
    "Find every face of a picture",
    answer=DetectedPicture,
    takes=takes_pictures(OnePicture, raw=True),
    problems=OF_PICTURES,
)
async def detect_faces(call: Asking, mode: ModeQuery = DEFAULT_MODE) -> Response:
    """Find every face of a picture, with its box, landmarks and quality. Nobody is looked for.

    It takes the right to `detect`.
    """
    body = await read_picture(call)

    def work() -> tuple[DetectedPicture, int]:
        found = call.app.detect(body.asked.picture, mode=mode)
        faces = [Face.of(each) for each in found.faces]
        name = body.names[0] if body.names else None
        answer = DetectedPicture(
            picture=name,
            width=found.width,
            height=found.height,
            notices=list(found.notices),
            faces=faces,
        )
        return answer, len(faces)

    return await call.find(work)


@resource.operation(
    "POST",
    "/compare",
    "Compare the faces of two pictures",
    answer=Comparison,
    takes=takes_pictures(TwoPictures),
    problems=(*OF_PICTURES, kinds.NO_FACE_FOUND, kinds.MODEL_CONFLICT),
)
async def compare_faces(call: Asking, mode: ModeQuery = DEFAULT_MODE) -> Response:
    """Compare the largest face of one picture with the largest of another. No collection is asked.

    It takes the right to `compare`.
    """
    body = await read_pictures(call, TwoPictures)

    def work() -> tuple[Comparison, int]:
        found = call.app.compare(body.asked.a, body.asked.b, mode=mode)
        return Comparison.of(found, body.names), 2

    return await call.find(work)
