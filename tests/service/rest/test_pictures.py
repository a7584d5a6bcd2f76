"""Pictures alone: in every form that they may come in, and whatever may be wrong with them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from tests.service.rest.conftest import Api, serving
from tests.service.rest.people import BROKEN, NOBODY, picture, shade

ADA = picture("ada")


def coded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def form(data: bytes, name: str = "ada.png", field: str = "picture") -> dict[str, Any]:
    return {"files": {field: (name, data, "image/png")}}


def raw(data: bytes, kind: str = "image/png") -> dict[str, Any]:
    return {"content": data, "headers": {"Content-Type": kind}}


def test_a_picture_comes_as_a_form_as_json_or_by_itself(api: Api) -> None:
    of_form = api("POST", "/faces", 200, **form(ADA)).json()
    assert (of_form["picture"], of_form["width"], of_form["height"]) == ("ada.png", 64, 64)
    (face,) = of_form["faces"]
    assert face["box"] == [2, 2, 62, 62]
    assert face["quality"]["overall"] == 90
    assert "subject" not in face
    unnamed = of_form | {"picture": None}
    assert api.post("/faces", {"picture": coded(ADA)}) == unnamed
    for kind in ("image/png", "IMAGE/JPEG; x=y", "application/octet-stream"):
        assert api("POST", "/faces", 200, **raw(ADA, kind)).json() == unnamed


def test_a_picture_without_a_face_has_none(api: Api) -> None:
    assert api("POST", "/faces", 200, **raw(shade(NOBODY))).json()["faces"] == []


def test_what_was_found_is_counted(api: Api) -> None:
    assert len(api("POST", "/faces", 200, **raw(picture("ada", "bob"))).json()["faces"]) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a", "base64"),
        ("YQ", "base64"),
        ("YQ=\n", "base64"),
        ("Y\u00a0Q==", "base64"),
        ("YQ==\v", "base64"),
        ("Y-__", "base64"),
        ("data:image/png;base64,YQ==", "base64"),
        ("Ł", "base64"),
        (7, "base64"),
        (None, "base64"),
    ],
)
def test_base64_is_taken_strictly(api: Api, text: Any, why: str) -> None:
    found = api.problem("invalid-request", "POST", "/faces", json={"picture": text})
    (error,) = found["errors"]
    assert error["pointer"] == "/picture"
    assert why in error["message"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_lines_of_base64_may_be_broken(api: Api, end: str) -> None:
    text = base64.encodebytes(picture("ada", "bob")).decode().replace("\n", end)
    assert text.count(end) > 1
    found = api("POST", "/faces", 200, json={"picture": text}).json()
    assert len(found["faces"]) == 2


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("unreadable-picture", b""),
        ("unreadable-picture", b"no picture at all"),
        ("unreadable-picture", ADA[:60]),
        ("unusable-picture", shade(BROKEN)),
    ],
)
def test_what_is_no_picture_is_refused(api: Api, name: str, data: bytes) -> None:
    for options in (form(data), raw(data), {"json": {"picture": coded(data)}}):
        found = api.problem(name, "POST", "/faces", **options)
        assert "no picture at all" not in str(found)


def test_other_bodies_are_refused(api: Api) -> None:
    for kind in ("text/plain", "application/xml", "", "application/json+x"):
        found = api.problem("unsupported-media-type", "POST", "/faces", **raw(ADA, kind))
        assert "multipart/form-data or application/json or image/*" in found["detail"]
    api.problem("unsupported-media-type", "POST", "/compare", **raw(ADA))


def test_a_form_has_the_fields_that_it_should(api: Api) -> None:
    wrong = api.problem("invalid-request", "POST", "/faces", **form(ADA, field="photo"))
    assert {each["pointer"] for each in wrong["errors"]} == {"/photo", "/picture"}
    assert "picture" in next(e["message"] for e in wrong["errors"] if e["pointer"] == "/photo")
    text = api.problem("invalid-request", "POST", "/faces", data={"picture": "x"}, files={"a": b""})
    assert "filename" in text["errors"][0]["message"]
    two = [("picture", ("a.png", ADA)), ("picture", ("b.png", ADA))]
    several = api.problem("invalid-request", "POST", "/faces", files=two)
    assert "not 2" in several["errors"][0]["message"]
    many = [("picture", (f"{number}.png", ADA)) for number in range(21)]
    api.problem("malformed-body", "POST", "/faces", files=many)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\n\r\nx\r\n--a--"),
        (
            "multipart/form-data; boundary=a; charset=utf-16",
            b'--a\r\nContent-Disposition: form-data; name="picture"\r\n\r\nx\r\n--a--',
        ),
        (
            "multipart/form-data; boundary=a",
            b'--a\r\nContent-Disposition: form-data; name="x"\r\n\r\n' + b"x" * 70_000,
        ),
        ("application/json", b""),
        ("application/json", b'{"picture": "\\ud800"}'),
        ("application/json", b"\xff\xfe"),
        ("application/json", b"[" * 100_000),
        ("application/json", b'{"picture": ' + b"1" * 5000 + b"}"),
    ],
)
def test_a_body_that_cannot_be_read_is_told(api: Api, kind: str, data: bytes) -> None:
    api.problem("malformed-body", "POST", "/faces", **raw(data, kind))


def test_a_file_may_be_called_anything(api: Api) -> None:
    for name in ("../../etc/passwd", "a\\b", "ä.png", "x" * 1000):
        found = api("POST", "/faces", 200, **form(ADA, name=name)).json()
        assert found["picture"] == name[:255]


def test_two_pictures_are_compared(api: Api) -> None:
    files = {"a": ("a.png", ADA), "b": ("b.png", picture("ada", extra=7))}
    same = api("POST", "/compare", 200, files=files).json()
    assert (same["a"]["picture"], same["b"]["picture"]) == ("a.png", "b.png")
    assert same["similarity"] > 95
    other = api.post("/compare", {"a": coded(ADA), "b": coded(picture("bob"))})
    assert other["similarity"] < 50
    assert other["false_match_rate"] > same["false_match_rate"]
    nobody = {"a": coded(ADA), "b": coded(shade(NOBODY))}
    api.problem("no-face-found", "POST", "/compare", json=nobody)
    api.problem("invalid-request", "POST", "/compare", json={"a": coded(ADA)})


def test_a_body_over_the_limit_is_refused(api: Api) -> None:
    with serving(api.app, api.clock, max_body_bytes=4096) as small:
        assert small.state.settings.max_body_bytes == 4096
        response = small.loop.run(
            small.client.post(
                "/v1/faces", content=b"x" * 5000, headers={"Content-Type": "image/png"}
            )
        )
    assert response.status_code == 413
    assert response.json()["status"] == 413


def test_mode_is_one_of_three(api: Api) -> None:
    api("POST", "/faces", 200, params={"mode": "thorough"}, **raw(ADA))
    api.problem("invalid-request", "POST", "/faces", params={"mode": "sloppy"}, **raw(ADA))


def test_it_takes_the_right_to(api: Api) -> None:
    for right, path in (("detect", "/faces"), ("compare", "/compare")):
        others = api.key("audit", "admin", "search")
        body = {"picture": coded(ADA)} if right == "detect" else {"a": coded(ADA), "b": coded(ADA)}
        found = api.problem("access-denied", "POST", path, json=body, headers=others)
        assert right in found["detail"]
