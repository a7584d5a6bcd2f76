"""Evaluations over the API: pictures sent one by one, measured, read, and thrown away."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any, cast

import pytest

from sayso.analyzer import Analyzer
from sayso.core import Sayso, evaluations
from sayso.vision.picture import decode
from tests.gallery.clock import Clock
from tests.service.rest.conftest import Api, serving
from tests.service.rest.people import BROKEN, NAMES, NOBODY, Reader, picture, shade

#: Everything that can be asked of an evaluation.
ASKED = (
    ("GET", ""),
    ("POST", "/pictures?person=ada&file=1.png"),
    ("POST", "/groups"),
    ("POST", "/finish"),
    ("GET", "/figures"),
    ("GET", "/report"),
    ("DELETE", ""),
)


def begun(api: Api, **more: Any) -> str:
    """Begin an evaluation; return its path."""
    made = api("POST", "/evaluations", 201, json={"name": "people", **more})
    place = made.headers["location"]
    assert place == f"/v1/evaluations/{made.json()['id']}"
    return str(place.removeprefix("/v1"))


def send(api: Api, place: str, person: str, file: str, data: bytes, **query: Any) -> Any:
    return api(
        "POST",
        f"{place}/pictures",
        200,
        params={"person": person, "file": file, **query},
        content=data,
        headers={"Content-Type": "image/png"},
    ).json()


def send_all(api: Api, place: str) -> None:
    for name in NAMES:
        for number in range(3):
            told = send(api, place, name, f"{number}.png", picture(name, extra=number))
            assert (told["usable"], told["quality"], told["why"]) == (True, 90, None)


def done(api: Api, place: str) -> Any:
    """Finish an evaluation, and wait until it is done."""
    assert api("POST", f"{place}/finish", 202).json()["state"] == "waiting"
    until = time.monotonic() + 60
    while (told := api.get(place))["state"] not in ("done", "failed"):
        assert 0 <= told["progress"] < 1
        assert time.monotonic() < until, told
        time.sleep(0.02)
    return told


def body_of(path: str) -> dict[str, Any]:
    """Return a body that an operation takes."""
    if "/pictures" in path:
        return {"content": picture("ada"), "headers": {"Content-Type": "image/png"}}
    return {"json": {"groups": {"ada": "day"}}} if path == "/groups" else {}


def test_pictures_are_sent_one_by_one_and_the_report_is_read(api: Api) -> None:
    place = begun(api, compare=True)
    assert api.get(place)["state"] == "open"
    send_all(api, place)
    assert send(api, place, "ada", "empty.png", shade(NOBODY)) == {
        "usable": False,
        "quality": None,
        "why": "no face was found",
    }
    assert (
        send(api, place, "ada", "broken.png", shade(BROKEN))["why"] == "nobody knows this picture"
    )
    labels = {"ada": "day shift", "bob": "night shift"}
    assert api.post(f"{place}/groups", {"groups": labels})["labelled"] == 2

    told = done(api, place)
    assert (told["state"], told["progress"], told["problem"]) == ("done", 1, None)
    assert told["pictures"] == {"pictures": 11, "people": 3, "with_template": 9}
    assert told["gallery"] == {"pictures": 0, "people": 0, "with_template": 0}
    assert api.get("/evaluations")["items"] == [told]

    found = api.get(f"{place}/figures")
    assert found["summary"][0].startswith("11 pictures of 3 people were looked at.")
    figures = found["figures"]
    assert figures["counts"]["with_template"] == 9
    assert [each["scorer"] for each in figures["results"]] == ["normalised", "raw cosine"]
    assert {each["name"] for each in figures["results"][0]["groups"]["groups"]} == set(
        labels.values()
    )
    report = api("GET", f"{place}/report", 200)
    assert report.headers["content-type"] == "text/html; charset=utf-8"
    policy = report.headers["content-security-policy"]
    assert policy.startswith("default-src 'none';")
    assert policy.endswith("; sandbox")
    assert "script" not in policy
    assert report.headers.get_list("x-content-type-options") == ["nosniff"]
    assert report.headers["cache-control"] == "no-store"
    assert "ada/broken.png" in report.text
    assert not re.search(r'(?:src|href)="(?!#)', report.text)

    assert api("DELETE", place, 200).json()["state"] == "discarded"
    assert api.get("/evaluations")["items"] == []
    api.problem("evaluation-not-found", "GET", f"{place}/report")


def test_a_gallery_is_searched_for_the_others(api: Api) -> None:
    place = begun(api, name="visitors", mode="fast")
    for name in NAMES:
        send(api, place, name, "1.png", picture(name, extra=1))
        send(api, place, name, "1.png", picture(name, extra=2), gallery=True)
    told = done(api, place)
    assert told["gallery"] == {"pictures": 3, "people": 3, "with_template": 3}
    figures = api.get(f"{place}/figures")["figures"]
    assert figures["gallery"]["in_both"] == 3
    assert figures["provenance"]["mode"] == "fast"


def test_no_template_is_in_any_answer(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    texts: list[str] = []
    ask = Api.__call__

    def noted(self: Api, *args: Any, **options: Any) -> Any:
        found = ask(self, *args, **options)
        texts.append(found.text)
        return found

    monkeypatch.setattr(Api, "__call__", noted)
    place = begun(api)
    send_all(api, place)
    done(api, place)
    api.get(f"{place}/figures")
    api("GET", f"{place}/report", 200)
    assert len(texts) > 12
    told = "".join(texts)
    assert "ada/0.png" in told
    components = [
        f"{abs(value):.5f}"[1:]
        for name in NAMES
        for value in Reader().analyze(decode(picture(name), Reader.limits)).templates[0]
    ]
    assert len(components) == 3 * 128
    found = [each for each in components if each in told]
    assert len(found) < 10, found  # of so many, a few are in the drawings by chance


def test_what_is_not_ready_is_told(api: Api) -> None:
    place = begun(api)
    for part in ("figures", "report"):
        found = api.problem("evaluation-not-ready", "GET", f"{place}/{part}")
        assert "open: finish it first" in found["detail"]
    found = api.problem("request-refused", "POST", f"{place}/finish")
    assert "two people" in found["detail"]
    send_all(api, place)
    done(api, place)
    for method, path in (*ASKED[1:4],):
        api.problem("evaluation-not-ready", method, f"{place}{path}", **body_of(path))


def test_after_a_restart_it_is_gone(tmp_path: Path, clock: Clock) -> None:
    places: list[str] = []
    for _ in range(2):
        reader = cast("Analyzer", Reader())
        with (
            Sayso(tmp_path / "data", analyzer=reader, clock=clock) as app,
            serving(app, clock) as api,
        ):
            for place in places:
                for method, path in ASKED:
                    found = api.problem(
                        "evaluation-not-found", method, f"{place}{path}", **body_of(path)
                    )
                    assert "started anew" in found["detail"]
            assert api.get("/evaluations")["items"] == []
            places.append(begun(api))
            send_all(api, places[-1])


def test_it_takes_a_key_that_may_admin_everywhere(api: Api) -> None:
    place = begun(api)
    api.post("/collections", {"collection": "club"}, 201)
    for headers in (
        api.key("detect", "compare", "enrol", "search", "erase", "audit"),
        api.key("admin", collections=["club"]),
    ):
        api.problem("access-denied", "GET", "/evaluations", headers=headers)
        api.problem("access-denied", "POST", "/evaluations", headers=headers, json={"name": "x"})
        for method, path in ASKED:
            options = body_of(path)
            options["headers"] = {**options.get("headers", {}), **headers}
            api.problem("access-denied", method, f"{place}{path}", **options)
    send_all(api, place)
    assert api.get(place, headers=api.key("admin"))["pictures"]["pictures"] == 9


def test_limits_are_told(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluations, "MOST_PICTURES", 1)
    place = begun(api)
    send(api, place, "ada", "1.png", picture("ada"))
    options = body_of("/pictures")
    path = f"{place}/pictures"
    found = api.problem("request-refused", "POST", f"{path}?person=ada&file=2.png", **options)
    assert "no more than 1" in found["detail"]
    for query in ("person=ada", "file=1", f"person={'x' * 256}&file=1", "person=a/b&file=1"):
        api.problem("invalid-request", "POST", f"{path}?{query}", **options)
    for name in ("", "x" * 256, "a\0", None, 7):
        api.problem("invalid-request", "POST", "/evaluations", json={"name": name})
    for groups in ({}, {"ada": ""}, {"ada": "x" * 256}, {"": "day"}, ["ada"], {"ada": None}):
        api.problem("invalid-request", "POST", f"{place}/groups", json={"groups": groups})
    unknown = {"groups": {"bob": "day"}}
    found = api.problem("request-refused", "POST", f"{place}/groups", json=unknown)
    assert "no person 'bob'" in found["detail"]
    for _ in range(3):
        begun(api)
    api.problem("request-refused", "POST", "/evaluations", json={"name": "one more"})
    with serving(api.app, api.clock, max_body_bytes=4096) as small:
        large = {**options, "content": b"x" * 5000}
        small.problem("body-too-large", "POST", f"{path}?person=ada&file=1.png", **large)


def test_the_same_request_again_is_answered_again(api: Api) -> None:
    again = {"headers": {"Idempotency-Key": "once"}}
    made = [api.post("/evaluations", {"name": "people"}, 201, **again)["id"] for _ in range(2)]
    assert made[0] == made[1]
    assert len(api.get("/evaluations")["items"]) == 1
    place = f"/evaluations/{made[0]}"
    send_all(api, place)
    for expected in (None, "true"):
        answer = api("POST", f"{place}/finish", 202, **again)
        assert answer.headers.get("idempotency-replayed") == expected
