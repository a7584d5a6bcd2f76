"""Publish: what the page offers; the API that it asks has tests of its own."""

from __future__ import annotations

import base64
import io

from PIL import Image

from sayso.results import Consent
from tests.console.visiting import Console
from tests.service.rest.people import picture


def test_without_a_collection_the_page_says_what_is_missing(console: Console) -> None:
    page = console.get("publish")
    assert "There is no collection yet" in page.text
    assert not page.all("select", name="style")


def test_the_page_offers_purposes_and_styles(console: Console) -> None:
    console.app.create_collection("club")
    console.app.declare_purpose("club", "website", notice="You are seen on our website.")
    page = console.get("publish")
    assert page.one("select", name="purpose").text == "website"
    styles = [each["value"] for each in page.one("select", name="style").all("option")]
    assert styles == ["solid", "mosaic", "ellipse"]
    # What the API reads as a yes; a box that is not ticked sends nothing.
    assert page.one("input", name="thorough")["value"] == "true"


def test_the_page_of_a_session_covers_by_the_api(console: Console) -> None:
    console.app.create_collection("club")
    consent = Consent(["website"], "form 17")
    console.app.enroll("club", subject="ada", pictures=[picture("ada")], consent=consent)
    asked = {
        "content": picture("ada", "bob"),
        "params": {"purpose": "website", "style": "solid"},
        "headers": {"Content-Type": "application/octet-stream"},
    }
    path = "/v1/collections/club/redact"
    assert console.send("POST", path, **asked).status_code == 403  # no page of the session's
    asked["headers"] |= {"X-Sayso-Csrf": console.csrf}  # type: ignore[operator]
    answer = console.send("POST", path, **asked).json()
    assert {face["subject"]: face["covered"] for face in answer["faces"]} == {
        "ada": False,
        None: True,
    }
    copy = Image.open(io.BytesIO(base64.b64decode(answer["data"])))
    assert copy.size == Image.open(io.BytesIO(picture("ada", "bob"))).size


def test_who_may_not_search_is_not_offered_it(console: Console) -> None:
    assert "Publish" in console.get("publish").menu
    theirs = console.as_key("audit")
    assert "Publish" not in theirs.get("collections").menu
