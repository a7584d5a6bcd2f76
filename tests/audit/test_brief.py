from __future__ import annotations

import pytest

from sayso.audit.brief import in_brief
from sayso.audit.events import (
    CallRefused,
    CollectionsRead,
    Event,
    FacesEnrolled,
    Found,
    KeysRead,
    PictureRedacted,
    PictureSearched,
    PurposeDeclared,
)

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (KeysRead(), ""),
        (CollectionsRead(0), "collections 0"),
        (CallRefused("search", "AccessDenied", None), "action search, error AccessDenied"),
        (
            PictureSearched("club", DIGEST, 13, 80.0, (Found("s1", 93.44), Found("s2", 81.0))),
            (
                "collection club, picture 0123456789ab..., probes 13, min similarity 80, "
                "found s1 93.44 and s2 81"
            ),
        ),
        (
            PictureSearched("club", None, 1, 80.0, (), 83.5),
            "collection club, probes 1, min similarity 80, found none, threshold 83.5",
        ),
        (
            FacesEnrolled("club", "s1", "c1", ("f1", "f2", "f3"), (DIGEST,)),
            "collection club, subject s1, consent c1, faces 3, pictures 0123456789ab...",
        ),
        (
            FacesEnrolled("club", "s1", "c1", ("f1",), (DIGEST,), ("s2", "s3")),
            (
                "collection club, subject s1, consent c1, faces f1, pictures 0123456789ab..., "
                "lookalikes s2 and s3"
            ),
        ),
        (
            PictureRedacted("club", DIGEST, "solid", 9, 7, ("s1", "s2"), ((1, 2, 3, 4),)),
            (
                "collection club, picture 0123456789ab..., style solid, faces 9, covered 7, "
                "subjects s1 and s2, covered by hand 1,2,3,4"
            ),
        ),
        (
            PurposeDeclared("club", "door", 1, DIGEST, None, 1095, True),
            (
                "collection club, purpose declared door, notice 1, notice sha256 0123456789ab..., "
                "idle days 1095, by default yes"
            ),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_an_event_in_one_line(event: Event, said: str) -> None:
    assert in_brief(event) == said
