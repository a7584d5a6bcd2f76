"""The query parameters that several operations have, and the paths of what they are about."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator

from sayso.core import RULE_ALONE
from sayso.core.searching import DEFAULT_TOP
from sayso.service.rest import values
from sayso.vision.types import Mode


def _named(segment: str) -> str:
    """Return the name that a segment of a path stands for."""
    return segment.removeprefix("~")


def _name_of(what: str, pattern: str) -> Any:
    return Path(
        pattern=pattern,
        min_length=1,
        max_length=256,
        description=f"The name of a {what}. One of only dots, which is not given any more, is "
        "written with a ~ before it.",
    )


CollectionPath = Annotated[
    str, _name_of("collection", values.COLLECTION_IN_PATH), AfterValidator(_named)
]
SubjectPath = Annotated[str, _name_of("subject", values.SUBJECT_IN_PATH), AfterValidator(_named)]
UserPath = Annotated[str, _name_of("user", values.SUBJECT_IN_PATH), AfterValidator(_named)]
FacePath = Annotated[str, Path(pattern=values.UUID, description="The id of an enrolled face.")]
PurposePath = Annotated[
    str,
    Path(pattern=values.PURPOSE, min_length=1, max_length=64, description="The name of a purpose."),
]

ModeQuery = Annotated[
    Mode, Query(description="How much work detection may take; small faces need more.")
]
PurposeQuery = Annotated[
    str | None,
    Query(
        pattern=values.PURPOSE,
        min_length=1,
        max_length=64,
        description="What is searched for; an access key has one purpose, and it may be left out.",
    ),
]
Similarity = Annotated[
    float,
    Query(
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="How similar a match must be, 0 to 100, beyond what the rule of the "
        "collection asks for. Unless it is given, the rule alone decides.",
    ),
]
QualityQuery = Annotated[
    float,
    Query(
        ge=0,
        le=100,
        allow_inf_nan=False,
        description="How good a face must be to be looked at, overall, 0 to 100.",
    ),
]
Top = Annotated[int, Query(ge=1, le=4096, description="How many candidates at most.")]
FaceIds = Annotated[
    list[values.Id],
    Query(
        alias="face",
        min_length=1,
        max_length=values.MOST_LISTED,
        description="Ids of enrolled faces; may be there several times.",
    ),
]
DEFAULT_MODE: Mode = "balanced"

__all__ = [
    "DEFAULT_MODE",
    "DEFAULT_TOP",
    "RULE_ALONE",
    "CollectionPath",
    "FaceIds",
    "FacePath",
    "ModeQuery",
    "PurposePath",
    "PurposeQuery",
    "QualityQuery",
    "Similarity",
    "SubjectPath",
    "Top",
    "UserPath",
]
