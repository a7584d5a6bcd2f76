"""Pictures on Publish and Look: what is decided late, refused or cut off is not lost."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Dialog, Error, Route, expect

from tests.browser.conftest import PORTRAIT, PURPOSE, SECOND, Running
from tests.browser.test_jobs import Visiting
from tests.browser.visitor import PHONE, Visitor

REDACT = re.compile("/redact\\?")


@contextmanager
def held(visitor: Visitor) -> Iterator[list[Route]]:
    """Keep requests to cover a picture on their way, as long as this lasts."""
    routes: list[Route] = []

    def hold(route: Route) -> None:
        routes.append(route)

    visitor.page.route(REDACT, hold)
    yield routes
    visitor.page.unroute(REDACT)
    for each in routes:
        with suppress(Error):  # one that the page has called off
            each.continue_()


def published(visitor: Visitor, collection: str, *pictures: Path) -> None:
    """Choose pictures on Publish, and wait until they are ready."""
    visitor.open(f"publish?collection={collection}&purpose={PURPOSE}")
    visitor.main.get_by_label("Choose pictures").set_input_files(pictures)
    visitor.says(re.compile(rf"{len(pictures)} pictures? (is|are) ready"))


def newsletter(running: Running, collection: str) -> None:
    """Declare a purpose that nobody agreed to."""
    notice = {"notice": "You are seen in our newsletter."}
    running.call("PUT", f"/collections/{collection}/purposes/newsletter", json=notice)


def archive(visitor: Visitor) -> dict[str, Image.Image]:
    """Download the archive; return its pictures by their names."""
    with visitor.page.expect_download() as download:
        visitor.press("Download all as one archive")
    with zipfile.ZipFile(download.value.path()) as file:
        return {
            name: Image.open(io.BytesIO(file.read(name))).convert("RGB") for name in file.namelist()
        }


def is_plain(picture: Image.Image, left: float, top: float, width: float, height: float) -> bool:
    """Tell whether a place, given in shares of the picture, is of one colour."""
    w, h = picture.size
    box = (left * w, top * h, (left + width) * w, (top + height) * h)
    part = picture.crop(box)
    return all(high - low < 24 for low, high in part.getextrema())  # type: ignore[misc]


@pytest.fixture
def pair(tmp_path: Path) -> Path:
    """Her two pictures side by side, as a PNG."""
    with Image.open(PORTRAIT) as one, Image.open(SECOND) as other:
        height = min(one.height, other.height)
        both = [each.convert("RGB").resize((height, height)) for each in (one, other)]
    made = Image.new("RGB", (2 * height, height))
    for place, each in enumerate(both):
        made.paste(each, (place * height, 0))
    made.save(tmp_path / "pair.png")
    return tmp_path / "pair.png"


def test_what_is_covered_while_the_picture_is_on_its_way_is_covered_in_the_archive(
    visitor: Visitor, running: Running, pair: Path
) -> None:
    running.collection("quick", "eileen")
    published(visitor, "quick", pair)
    visitor.says("1 covered, 1 kept")  # two faces of one person: a picture has her once
    visitor.press("Cover another place")
    with held(visitor):
        visitor.press("Cover: eileen")
        visitor.says("to be covered")
        visitor.says("1 picture is not ready, and is left out")
        expect(visitor.main.get_by_role("button", name="Download all")).to_be_disabled()
        visitor.press("Cover another place")
        visitor.fill(From_the_left="2", From_the_top="2", Width="4", Height="4")
        # The first of both is called off: the second has what it had, and more.
        with visitor.page.expect_request(REDACT) as second:
            visitor.press("Cover it")
        assert second.value.url.count("cover=") == 2
        expect(visitor.main.get_by_role("button", name="Undo: eileen")).to_be_visible()
    visitor.says("3 covered, 0 kept")
    (copy,) = archive(visitor).values()
    assert is_plain(copy, 0.025, 0.025, 0.03, 0.03)
    asked = {"collection": "quick", "kind": "picture-redacted"}
    told = running.call("GET", "/audit", params=asked)["items"]
    assert max(len(each["entry"]["covered_by_hand"]) for each in told) == 2


def test_another_purpose_makes_all_pictures_again_and_covers_who_was_uncovered(
    visitor: Visitor, running: Running, pair: Path
) -> None:
    running.collection("two", "eileen")
    newsletter(running, "two")
    published(visitor, "two", pair)
    visitor.says(f"For the purpose {PURPOSE}. Covered with: A plain block.")
    visitor.main.get_by_role("button", name=re.compile("^Uncover: ")).click()
    visitor.page.get_by_role("dialog").get_by_role("button", name="Uncover", exact=True).click()
    visitor.says("0 covered, 2 kept")
    visitor.page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    visitor.fits()
    visitor.looks_well()

    visitor.main.get_by_label("How heads are covered").select_option("ellipse")
    visitor.says("All pictures are made again for the purpose")
    visitor.says("Covered with: A plain ellipse.")
    visitor.says("0 covered, 2 kept")  # for the same purpose

    visitor.main.get_by_label("What for").select_option("newsletter")
    visitor.says("Whoever you uncovered for another purpose is covered again")
    visitor.says("For the purpose newsletter. Covered with: A plain ellipse.")
    visitor.says("2 covered, 0 kept")
    assert len(archive(visitor)) == 1


def test_a_picture_is_looked_at_more_closely_where_that_is_asked(
    visitor: Visitor, running: Running
) -> None:
    running.collection("close", "eileen")
    published(visitor, "close", SECOND)
    with visitor.page.expect_request(REDACT) as asked:
        visitor.main.get_by_label("Look especially closely").check()
    assert "thorough=true" in asked.value.url
    visitor.says("Looked at especially closely.")
    with visitor.page.expect_request(REDACT) as asked:
        visitor.main.get_by_label("Look especially closely").uncheck()
    assert "thorough" not in asked.value.url
    visitor.says("1 picture is ready")


def test_a_refused_change_leaves_the_copy_and_can_be_taken_back(
    visitor: Visitor, running: Running
) -> None:
    running.collection("refused", "eileen")
    published(visitor, "refused", SECOND)

    def fail(route: Route) -> None:
        problem = '{"type": "about:blank", "detail": "The disk is full."}'
        route.fulfill(status=507, content_type="application/problem+json", body=problem)

    visitor.page.route(REDACT, fail)
    visitor.press("Cover: eileen")
    visitor.says("The disk is full.")
    visitor.says("This is the copy as it was before")
    expect(visitor.main.get_by_role("img", name="second.jpg")).to_be_visible()
    expect(visitor.main.get_by_role("button", name="Download all")).to_be_disabled()
    visitor.looks_well()
    visitor.press("Undo what was changed by hand")
    expect(visitor.main.get_by_role("button", name="Download all")).to_be_enabled()
    visitor.press("Cover: eileen")
    visitor.says("The disk is full.")
    visitor.page.unroute(REDACT)
    visitor.press("Try again")
    visitor.says("1 covered, 0 kept")
    visitor.expected("507")


def test_what_was_cancelled_goes_on(visitor: Visitor, running: Running, pair: Path) -> None:
    running.collection("halt", "eileen")
    visitor.open("publish?collection=halt")
    with held(visitor) as routes:
        visitor.main.get_by_label("Choose pictures").set_input_files([SECOND, pair])
        visitor.says("Covering picture 1 of 2")
        visitor.press("Cancel")
        visitor.says("Cancelled. 0 of 2 pictures are ready.")
        visitor.says("This picture was cancelled before it was done.")
        assert len(routes) == 1
    visitor.looks_well()
    visitor.press("Go on")
    visitor.says("2 pictures are ready")
    expect(visitor.main.get_by_role("button", name="Go on")).to_be_hidden()


def test_leaving_with_what_was_not_downloaded_is_asked_about(
    visitor: Visitor, running: Running
) -> None:
    running.collection("stay", "eileen")
    published(visitor, "stay", SECOND)
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    visitor.page.on("dialog", stay)
    visitor.page.get_by_role("link", name="People", exact=True).click(no_wait_after=True)
    visitor.says("1 picture is ready")
    visitor.page.wait_for_timeout(200)
    assert asked == ["beforeunload"]
    archive(visitor)
    visitor.menu("People")
    assert asked == ["beforeunload"]


def test_signed_out_the_page_stays_and_goes_on_when_somebody_signed_in(
    visiting: Visiting, running: Running
) -> None:
    running.collection("cut", "eileen")
    key, secret = running.key("search")
    other = visiting(signed_in=False)

    def sign_in(visitor: Visitor, id_: str, secret: str) -> None:
        visitor.fill(Key=id_, Secret=secret)
        visitor.press("Sign in")
        expect(visitor.page.get_by_role("navigation", name="Pages")).to_be_visible()

    other.open("sign-in")
    sign_in(other, key, secret)
    other.open("publish?collection=cut")
    other.main.get_by_label("Choose pictures").set_input_files(SECOND)
    other.says("0 covered, 1 kept")
    window = other.page.context.new_page()
    beside = Visitor(window, other.url, other.axe)
    beside.open("collections")
    beside.press("Sign out")

    other.press("Cover: eileen")
    other.says("Stopped, since you are signed out")
    other.looks_well()
    other.looks_well(at=PHONE, scheme="dark")
    with other.page.context.expect_page() as opened:
        other.main.get_by_role("link", name="Sign in in a new window").click()
    door = Visitor(opened.value, other.url, other.axe)
    sign_in(door, key, secret)
    other.press("Go on")
    other.says("1 covered, 0 kept")
    expect(other.main.get_by_role("link", name="Sign in in a new window")).to_have_count(0)

    # Somebody else may go on with it, who is told that it is them.
    door.press("Sign out")
    actor = {"actor": "colleague", "purpose": PURPOSE, "actions": ["search"]}
    made = running.call("POST", "/keys", 201, json=actor)
    door.open("sign-in")
    sign_in(door, made["id"], made["secret"])
    other.main.get_by_role("button", name=re.compile("^Undo: ")).click()
    other.says("There is another session in this browser now")
    expect(other.page.get_by_role("banner")).to_contain_text("colleague")
    other.press("Go on")
    other.says("0 covered, 1 kept")
    other.expected("401|403")


def test_a_tiff_can_be_seen_before_it_is_published(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    running.collection("scans", "eileen")
    scan = tmp_path / "scan.tiff"
    with Image.open(SECOND) as picture:
        picture.save(scan)
    published(visitor, "scans", scan)
    shown = visitor.main.get_by_role("img", name="scan.tiff")
    expect(shown).to_be_visible()
    visitor.main.get_by_label("Before").check()
    visitor.says("This browser cannot show this kind of picture")
    expect(shown).to_be_hidden()
    visitor.main.get_by_label("After").check()
    expect(shown).to_be_visible()
    expect(visitor.main.get_by_text("This browser cannot show")).to_be_hidden()
    assert list(archive(visitor)) == ["scan.jpg"]


def test_look_says_what_a_picture_was_looked_at_for_and_looks_again(
    visitor: Visitor, running: Running
) -> None:
    running.collection("sight", "eileen")
    newsletter(running, "sight")
    visitor.open("look?collection=sight")
    visitor.main.get_by_label("What for").select_option(PURPOSE)
    visitor.main.get_by_label("Choose pictures").set_input_files(SECOND)
    visitor.says(f"Looked at for the purpose {PURPOSE}. Normally.")
    visitor.says("1 face, 1 named")
    again = visitor.main.get_by_role("button", name="Look at all again")
    expect(again).to_be_hidden()
    visitor.main.get_by_label("What for").select_option("newsletter")
    visitor.says("looked at as it was chosen before")
    visitor.says("1 face, 1 named")
    visitor.looks_well()
    again.click()
    visitor.says("Looked at for the purpose newsletter. Normally.")
    visitor.says("1 face, 0 named")
    expect(again).to_be_hidden()
