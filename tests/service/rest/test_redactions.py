"""Copies of pictures with everybody covered but those who agreed, over the API."""

from __future__ import annotations

import base64
import hashlib
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from sayso.vision.picture import decode
from tests.service.rest.conftest import Api
from tests.service.rest.people import NOBODY, picture, shade
from tests.service.rest.test_searches import enrol, sent

PATH = "/collections/club/redact"
#: Where the two faces of a picture are; the second lies within the first.
FIRST, SECOND = [2.0, 2.0, 62.0, 62.0], [2.0, 2.0, 42.0, 42.0]


def of_colour(data: bytes) -> list[int]:
    """Return the colour in the middle of the first face's right cheek."""
    with Image.open(io.BytesIO(data)) as found:
        return [int(each) for each in np.asarray(found.convert("RGB"))[52, 52]]


def redact(api: Api, data: bytes, params: Any = None, **options: Any) -> Any:
    return api("POST", PATH, 200, params=params, **sent(data), **options).json()


def test_a_copy_comes_with_its_manifest(club: Api) -> None:
    enrol(club, "ada")
    enrol(club, "bob", purpose="door")
    original = picture("ada", extra=4)
    found = redact(club, original, headers=club.key("search"))
    copy = base64.b64decode(found["data"])
    assert of_colour(copy) == of_colour(original)
    assert found["sha256"] == hashlib.sha256(copy).hexdigest()
    assert (found["media_type"], decode(copy).format) == ("image/png", "PNG")
    assert (found["picture"], found["file"]) == ("party.png", None)
    assert (found["purpose"], found["style"]) == ("photos", "solid")
    assert (found["covered"], found["kept"]) == (0, 1)
    (face,) = found["faces"]
    assert (face["subject"], face["reason"], face["box"]) == ("ada", "consent", FIRST)

    other = picture("bob", extra=5)
    found = redact(club, other)
    assert of_colour(base64.b64decode(found["data"])) != of_colour(other)
    assert [(face["subject"], face["reason"]) for face in found["faces"]] == [(None, "no-match")]


def test_what_is_answered_is_what_the_core_and_the_commands_tell(club: Api) -> None:
    enrol(club, "ada")
    original = picture("ada", "bob", extra=4)
    found = redact(club, original, {"purpose": "photos", "style": "mosaic"})
    told = club.app.redact("club", original, purpose="photos", style="mosaic")
    assert base64.b64decode(found.pop("data")) == told.data
    assert found == told.manifest("party.png")


def test_a_copy_alone_is_a_file(club: Api) -> None:
    enrol(club, "ada")
    original = picture("ada", extra=4)
    answer = club("POST", PATH, 200, params={"answer": "picture"}, **sent(original))
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == base64.b64decode(redact(club, original)["data"])
    for form, media_type in (("jpeg", "image/jpeg"), ("webp", "image/webp")):
        asked = {"answer": "picture", "format": form}
        answer = club("POST", PATH, 200, params=asked, **sent(original))
        assert answer.headers["content-type"] == media_type
        assert decode(answer.content).format == form.upper()


def test_a_second_look_is_on_record(club: Api) -> None:
    enrol(club, "ada")
    original = picture("ada", extra=4)
    box = ",".join(map(str, FIRST))
    found = redact(club, original, {"cover": box})
    assert [(face["covered"], face["reason"]) for face in found["faces"]] == [(True, "by-hand")]
    assert of_colour(base64.b64decode(found["data"])) != of_colour(original)
    stranger = picture("eve", extra=5)
    found = redact(club, stranger, [("uncover", box), ("cover", "0,0,1,1"), ("cover", "1,0,2,1")])
    assert [face["covered"] for face in found["faces"]] == [False, True, True]
    assert of_colour(base64.b64decode(found["data"])) == of_colour(stranger)
    told: list[Any] = [
        entry.event for entry in club.app.audit_entries(kind="picture-redacted", limit=2)
    ]
    assert [event.covered_by_hand for event in told] == [
        ((2, 2, 62, 62),),
        ((0, 0, 1, 1), (1, 0, 2, 1)),
    ]
    assert [event.uncovered_by_hand for event in told] == [(), ((2, 2, 62, 62),)]


@pytest.mark.parametrize(
    "params",
    [
        {"style": "blur"},
        {"cover": "1,2,3"},
        {"cover": "1,2,3,x"},
        {"uncover": "1,2,3,1e9"},
        {"cover": ["1,2,3,4"] * 101},
        {"format": "heic"},
        {"answer": "xml"},
        {"mode": "fast"},
        {"min_similarity": 0},
    ],
)
def test_what_the_api_does_not_describe_is_refused(club: Api, params: dict[str, Any]) -> None:
    club.problem("invalid-request", "POST", PATH, params=params, **sent(picture("ada")))


def test_what_cannot_be_done_is_told(club: Api) -> None:
    enrol(club, "ada")
    data = picture("ada")
    club.problem("access-denied", "POST", PATH, headers=club.key("detect"), **sent(data))
    asked: dict[str, Any] = {"params": {"purpose": "door"}, "headers": club.key("search")}
    club.problem("access-denied", "POST", PATH, **asked, **sent(data))
    club.problem("collection-not-found", "POST", "/collections/team/redact", **sent(data))
    club.problem("unreadable-picture", "POST", PATH, **sent(b"no picture"))
    nowhere = {"params": {"uncover": "0,0,5,5"}}
    problem = club.problem("request-refused", "POST", PATH, **nowhere, **sent(data))
    assert "no face was found at 0,0,5,5" in problem["detail"]
    assert redact(club, shade(NOBODY))["faces"] == []
