"""Redaction: a copy of a picture in which everybody is covered but who agreed to be seen."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Annotated, Final, Literal

from fastapi import Query
from pydantic import Field
from starlette.responses import Response

from sayso import results
from sayso.core.covering import MOST_BY_HAND
from sayso.redacted import MEDIA_TYPES, Reason
from sayso.redaction.types import Style
from sayso.service.rest.asking import CollectionPath, PurposeQuery
from sayso.service.rest.calls import Asking
from sayso.service.rest.documents import Box, Threshold
from sayso.service.rest.operations import OF_PICTURES, OF_SEARCHES, Resource
from sayso.service.rest.pictures import OnePicture, read_picture, takes_pictures
from sayso.service.rest.values import Answer

resource = Resource(
    "redaction",
    "Pictures to give away: everybody is covered but who agreed to be seen. It takes the right to "
    "`search`, and each is on record with whom it shows.",
)

Format = Literal["jpeg", "png", "webp", "tiff", "avif"]
_SUFFIXES: Final[dict[Format, str]] = {
    "jpeg": ".jpg",
    "png": ".png",
    "webp": ".webp",
    "tiff": ".tif",
    "avif": ".avif",
}
_NUMBER = r"-?[0-9]{1,6}(\.[0-9]{1,6})?"
_BOX = Annotated[str, Field(pattern=rf"^{_NUMBER}(,{_NUMBER}){{3}}$")]
_Boxes = Annotated[list[_BOX], Query(max_length=MOST_BY_HAND)]


class RedactedFace(Answer):
    """A face of a redacted picture: whether it was covered, and why."""

    box: Box = Field(description="x1, y1, x2, y2 in pixels of the upright picture; may leave it.")
    score: float | None = Field(
        description="How sure the detectors are that this is a face, 0 to 1. Null for a place that "
        "was marked in the request and where no face was found."
    )
    quality: float | None = Field(
        description="Overall, 0 to 100; null where nobody looked so closely."
    )
    covered: bool
    reason: Reason = Field(
        description="Kept: on a `consent`. Covered: there is `no-match` that the collection's rule "
        "and a consent allow; it is `too-small` or too `blurred` to be recognised; the detectors "
        "are `unsure` whether it is a face; it is a `duplicate`, since another face is more like "
        "the same subject. Either: `by-hand`, in the request."
    )
    subject: str | None = Field(description="Whose face was kept on a consent; else null.")
    similarity: float | None = Field(description="0 to 100; null with the subject.")
    expected_false_matches: float | None = Field(
        description="How many strangers would be expected to score at least this high, among those "
        "whom the purpose covers; null with the subject."
    )


class RedactedPicture(Answer):
    """A redacted picture with its manifest, which names those who were kept: keep it apart."""

    version: int = Field(alias="sayso-redaction", description="1, the version of this form.")
    software: str
    picture: str | None = Field(description="What the file of the form was called.")
    record: str = Field(description="How the audit log names the picture that was sent.")
    file: str | None = Field(description="Null: the copy has no name here.")
    sha256: str = Field(description="Of the copy, in hex.")
    media_type: str = Field(description="Of the copy.")
    width: int = Field(description="Of the upright picture, in pixels.")
    height: int
    collection: str
    purpose: str
    style: Style
    thorough: bool = Field(description="Whether faces were looked for more closely.")
    made: datetime = Field(description="When: on the consents as they stood then.")
    covered: int = Field(description="How many of the faces were covered.")
    kept: int = Field(description="How many were not.")
    notices: list[str] = Field(
        description="What people are to know of the original's file; the copy has one picture."
    )
    threshold: Threshold
    faces: list[RedactedFace] = Field(
        description="The best detection first, and then what was marked in the request."
    )
    data: str = Field(
        description="The copy's file, in base64 (RFC 4648, section 4).",
        json_schema_extra={"contentEncoding": "base64"},
    )

    @classmethod
    def of(cls, found: results.Redacted, name: str | None) -> RedactedPicture:
        """Return it as a document."""
        data = base64.b64encode(found.data).decode("ascii")
        return cls.model_validate({**found.manifest(name), "data": data})


@resource.operation(
    "POST",
    "/collections/{collection}/redact",
    "Cover everybody in a picture who did not agree",
    answer=RedactedPicture,
    takes=takes_pictures(OnePicture, raw=True),
    problems=(*OF_PICTURES, *OF_SEARCHES),
    files=tuple(dict.fromkeys(MEDIA_TYPES[each] for each in _SUFFIXES.values())),
)
async def redact(
    call: Asking,
    collection: CollectionPath,
    purpose: PurposeQuery = None,
    style: Annotated[
        Style, Query(description="How faces are covered; none can be undone.")
    ] = "solid",
    cover: Annotated[
        _Boxes,
        Query(
            description="Boxes x1,y1,x2,y2 in pixels of the upright picture: the face there, or "
            "what is there, is covered in any case. May be there several times."
        ),
    ] = [],  # noqa: B006 - nobody changes it
    uncover: Annotated[
        _Boxes,
        Query(
            description="Boxes of faces that are shown in any case. May be there several times. "
            "This is on record."
        ),
    ] = [],  # noqa: B006
    thorough: Annotated[
        bool,
        Query(
            description="Look for faces more closely: some more are found, in several times the "
            "time."
        ),
    ] = False,
    format: Annotated[  # noqa: A002 - what the parameter is called
        Format | None,
        Query(description="What to write the copy as: as the picture is, unless given."),
    ] = None,
    answer: Annotated[
        Literal["json", "picture"],
        Query(description="The copy with its manifest, or the copy's file alone."),
    ] = "json",
) -> Response:
    """Cover every face of a picture, but of those subjects whose consent covers the purpose.

    Unsure means covered: so is a face that is too small or too blurred to be recognised, or that
    resembles nobody as much as the collection's rule asks, and as a similarity of 50. The copy is
    upright, and has no metadata but its colours' profile. Send the same picture again with `cover`
    and `uncover` for a second look.
    """
    boxes = {"cover": _read(cover), "uncover": _read(uncover)}
    body = await read_picture(call)

    def work() -> results.Redacted:
        return call.app.redact(
            collection,
            body.asked.picture,
            purpose=purpose,
            style=style,
            thorough=thorough,
            suffix=None if format is None else _SUFFIXES[format],
            **boxes,
        )

    if answer == "picture":

        def alone() -> tuple[bytes, str, int]:
            found = work()
            return found.data, found.media_type, len(found.faces)

        return await call.show(alone)

    def told() -> tuple[RedactedPicture, int]:
        found = work()
        name = body.names[0] if body.names else None
        return RedactedPicture.of(found, name), len(found.faces)

    return await call.find(told)


def _read(boxes: list[str]) -> list[list[float]]:
    return [[float(side) for side in box.split(",")] for box in boxes]
