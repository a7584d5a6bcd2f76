"""The pictures of a request: where they are, what they may be, and how good a face must be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sayso.callers import Action, permit
from sayso.core import PictureFile
from sayso.errors import AccessDenied
from sayso.service.rekognition.context import Context
from sayso.service.rekognition.faults import Fault
from sayso.service.s3 import ObjectUnavailable
from sayso.vision.limits import PictureLimits

_MIB = 1024 * 1024
_FORMATS = frozenset({"JPEG", "PNG"})
_LEAST_SIDE = 80
#: What a picture may be that comes with the request, and one that lies in a bucket.
SENT = PictureLimits(max_bytes=5 * _MIB, min_side=_LEAST_SIDE, formats=_FORMATS)
STORED = PictureLimits(max_bytes=15 * _MIB, min_side=_LEAST_SIDE, formats=_FORMATS)

#: The overall quality, 0 to 100, that the levels of a QualityFilter ask of a face. Amazon does not
#: say what its own are.
QUALITY: Mapping[str, float] = {"NONE": 0, "AUTO": 20, "LOW": 20, "MEDIUM": 40, "HIGH": 60}


def least_quality(request: Mapping[str, Any], default: str = "NONE") -> float:
    """Return the quality that a request asks of faces."""
    return QUALITY[request.get("QualityFilter", default)]


async def picture_of(
    context: Context, image: Mapping[str, Any], action: Action, collection: str | None = None
) -> PictureFile:
    """Return the file of an Image that is wanted for an action; raises Fault or PictureTooLarge.

    It is not decoded yet.
    """
    data, place = image.get("Bytes"), image.get("S3Object")
    if (data is None) == (place is None):
        raise Fault("InvalidParameterException", "an Image has either Bytes or an S3Object")
    if place is None:
        return PictureFile(bytes(data or b""), SENT)
    if not place.get("Bucket") or not place.get("Name"):
        raise Fault("InvalidParameterException", "an S3Object has a Bucket and a Name")
    try:
        permit(context.caller, [action], collection)
    except AccessDenied:
        # Nothing is read for them. The core refuses them, too, and has it on record.
        return PictureFile(b"", STORED)
    try:
        stored = await context.state.fetches.read(
            context.caller.key,
            place["Bucket"],
            place["Name"],
            place.get("Version"),
            STORED.max_bytes,
        )
    except ObjectUnavailable as error:
        raise Fault("InvalidS3ObjectException", str(error)) from error
    return PictureFile(stored, STORED)
