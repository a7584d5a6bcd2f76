"""What people come for, done as they do it: from the first start to the record of it all."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

from tests.browser.conftest import PORTRAIT, PURPOSE, SECOND, Running
from tests.browser.visitor import PHONE, Visitor

Visiting = Callable[..., Visitor]


def test_the_sample_leads_from_consent_to_the_log_and_is_gone_in_the_end(visitor: Visitor) -> None:
    visitor.menu("First steps")
    visitor.press("Record the consent and enrol")
    visitor.says("Eileen Collins is enrolled")
    visitor.press("Look at the second picture")
    visitor.says("How sure: about 1 in")
    expect(visitor.main.locator("strong", has_text="eileen-collins")).to_be_visible()
    visitor.press("Make the copies")
    expect(visitor.main.get_by_role("img", name="visible", exact=True)).to_be_visible()
    expect(visitor.main.get_by_role("img", name="covered", exact=True)).to_be_visible()
    expect(visitor.main.get_by_role("cell", name="picture-redacted").first).to_be_visible()
    visitor.looks_well()
    visitor.looks_well(at=PHONE, scheme="dark")
    visitor.press("Remove the sample")
    visitor.says("The sample is gone")
    visitor.menu("People")
    expect(visitor.main.get_by_text("eileen-collins")).to_have_count(0)


def test_somebody_agrees_is_enrolled_is_named_and_withdraws(
    visitor: Visitor, running: Running
) -> None:
    visitor.menu("Collections")
    visitor.fill(Name="choir")
    visitor.press("Make the collection")
    visitor.says("choir")

    visitor.open("people/add?collection=choir")
    pictures = visitor.main.get_by_label("Pictures", exact=True)
    expect(pictures).to_be_disabled()  # the consent form comes first
    visitor.fill(Name_or_number="eileen", Purpose=PURPOSE, How_do_you_know="signed form 17")
    expect(pictures).to_be_enabled()
    pictures.set_input_files(PORTRAIT)
    expect(visitor.main.get_by_role("list", name="Pictures to be sent")).to_contain_text("portrait")
    visitor.looks_well()
    visitor.press("Add this person")
    visitor.says("1 picture of eileen was enrolled.")
    assert running.people("choir") == ["eileen"]

    look_at(visitor, "choir", SECOND)
    named = visitor.main.get_by_role("button", name=re.compile("^eileen"))
    expect(named).to_contain_text("similarity")
    visitor.says("about 1 in")
    visitor.says("1 face, 1 named")
    visitor.looks_well()
    visitor.looks_well(at=PHONE, scheme="dark")

    visitor.open("people?collection=choir")
    visitor.press("eileen", role="link")
    visitor.press(f"Withdraw “{PURPOSE}”", role="button")
    visitor.says("So this person is erased")
    visitor.looks_well()
    visitor.press("Withdraw, and erase this person")
    visitor.says("The consent of eileen was withdrawn")
    assert running.people("choir") == []

    look_at(visitor, "choir", SECOND)
    visitor.says("1 face, 0 named")
    expect(visitor.main.get_by_text("eileen")).to_have_count(0)


def test_the_camera_takes_a_picture_of_somebody_who_agreed(
    visitor: Visitor, running: Running
) -> None:
    running.collection("desk")
    visitor.open("people/add?collection=desk")
    visitor.fill(Name_or_number="eileen", Purpose=PURPOSE, How_do_you_know="signed form 17")
    visitor.press("Use the camera")
    visitor.says("The camera is on")
    visitor.looks_well()
    visitor.press("Take the picture")
    visitor.says("the camera is off")
    visitor.press("Add this person")
    visitor.says("1 picture of eileen was enrolled.")
    look_at(visitor, "desk", SECOND)
    visitor.says("1 face, 1 named")


def look_at(visitor: Visitor, collection: str, *pictures: Path) -> None:
    """Choose pictures on Look, and wait until they were looked at."""
    visitor.open(f"look?collection={collection}")
    purpose = visitor.main.get_by_label("What for")
    if purpose.get_attribute("value") is not None:
        purpose.fill(PURPOSE)
    visitor.main.get_by_label("Choose pictures").set_input_files(pictures)
    count = len(pictures)
    visitor.says(f"{count} picture{'s were' if count > 1 else ' was'} looked at")


def test_faces_of_a_crowd_are_all_there_to_be_reached(
    visitor: Visitor, running: Running, wider: Path
) -> None:
    benchmarks = pytest.importorskip("benchmarks.wider", reason="needs the bench requirements")
    labels = benchmarks.load()
    # About a hundred faces, as large as there are with so many.
    sizes = {name: labels[name].boxes[:, 3] - labels[name].boxes[:, 1] for name in labels}
    crowds = [name for name, heights in sizes.items() if 95 <= len(heights) <= 130]
    chosen = max(crowds, key=lambda name: float(sorted(sizes[name])[len(sizes[name]) // 4]))
    running.collection("crowd", "eileen")

    look_at(visitor, "crowd", wider / "images" / chosen)
    faces = visitor.main.get_by_role("list").locator("li[data-face]")
    found = faces.count()
    assert 0.6 * len(sizes[chosen]) < found < 1.5 * len(sizes[chosen])
    visitor.says(f"{found} faces, 0 named")
    # Each box on the picture has its place in the list, and leads there.
    assert visitor.main.locator("svg g[data-face]").count() == found
    last = visitor.main.get_by_role("button", name=re.compile(rf"^Face {found}\b"))
    last.focus()
    visitor.page.keyboard.press("Enter")
    expect(last).to_have_attribute("aria-pressed", "true")
    expect(visitor.main.locator(f'svg g[data-face="{found}"]')).to_have_class(re.compile("chosen"))
    visitor.main.get_by_label("Only named").check()
    expect(last).to_be_hidden()
    visitor.main.get_by_label("All faces").check()
    visitor.press("Enlarge")
    visitor.looks_well()
    visitor.looks_well(at=PHONE)


def test_a_file_that_is_no_picture_keeps_no_other_from_being_looked_at(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    running.collection("mixed", "eileen")
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no picture")
    visitor.open("look?collection=mixed")
    visitor.main.get_by_label("Choose pictures").set_input_files([broken, SECOND])
    visitor.says("1 picture was looked at")
    visitor.says("not looked at")
    visitor.says("1 face, 1 named")
    visitor.press("broken.jpg not looked at")
    visitor.says("no picture")
    visitor.expected("422")


DROPPED = """(encoded) => {
    const bytes = Uint8Array.from(atob(encoded), (each) => each.charCodeAt(0));
    const dropped = new DataTransfer();
    dropped.items.add(new File([bytes], "dropped.jpg", {type: "image/jpeg"}));
    dropped.items.add(new File(["no picture"], "list.txt", {type: "text/plain"}));
    return dropped;
}"""


def test_pictures_are_dropped_and_a_long_line_of_them_is_cancelled(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    running.collection("line", "eileen")
    visitor.open("look?collection=line")
    encoded = base64.b64encode(SECOND.read_bytes()).decode()
    dropped = visitor.page.evaluate_handle(DROPPED, encoded)
    visitor.page.dispatch_event("#drop", "drop", {"dataTransfer": dropped})
    visitor.says("1 picture was looked at")
    visitor.press("dropped.jpg 1 face, 1 named")

    pictures = [tmp_path / f"{number:03}.jpg" for number in range(100)]
    for each in pictures:
        shutil.copy(SECOND, each)
    visitor.main.get_by_label("Choose pictures").set_input_files(pictures)
    expect(visitor.main.get_by_role("progressbar")).to_be_visible()
    visitor.says("Looking at picture")
    visitor.press("Cancel")
    visitor.says(re.compile(r"Cancelled\. \d+ of 101 pictures were looked at"))
    expect(visitor.main.get_by_role("progressbar")).to_be_hidden()


def test_pictures_are_covered_and_taken_away_as_an_archive(
    visitor: Visitor, running: Running, tmp_path: Path
) -> None:
    running.collection("paper", "eileen")
    blank = tmp_path / "nobody.png"
    Image.new("RGB", (300, 200), "navy").save(blank)
    visitor.menu("Publish")
    visitor.open("publish?collection=paper")
    visitor.main.get_by_label("Choose pictures").set_input_files([SECOND, blank])
    visitor.says("2 pictures are ready")
    visitor.says("0 covered, 1 kept")
    visitor.says("0 covered, 0 kept")
    visitor.looks_well()
    visitor.looks_well(at=PHONE, scheme="dark")

    # A second look: the head is covered by hand, though she agreed.
    visitor.press("second.jpg 0 covered, 1 kept")
    visitor.press("Cover: eileen")
    visitor.says("1 covered, 0 kept")
    with visitor.page.expect_download() as download:
        visitor.press("Download all as one archive")
    archive = zipfile.ZipFile(download.value.path())
    assert sorted(archive.namelist()) == ["nobody.png", "second.jpg"]  # and nobody's name
    with visitor.page.expect_download() as download:
        visitor.press("Save the list of what was covered and why")
    listed = json.loads(download.value.path().read_text("utf-8"))["pictures"]
    assert {each["file"]: each["covered"] for each in listed} == {"second.jpg": 1, "nobody.png": 0}
    (head,) = next(each for each in listed if each["file"] == "second.jpg")["faces"]
    assert head["reason"] == "by-hand"
    with Image.open(io.BytesIO(archive.read("second.jpg"))) as copy, Image.open(SECOND) as own:
        assert copy.size == own.size
        left, top, right, bottom = (round(side) for side in head["box"])
        middle = ((left + right) // 2, (top + bottom) // 2)
        assert copy.convert("RGB").getpixel(middle) != own.convert("RGB").getpixel(middle)
        assert len(copy.convert("RGB").crop((left, top, right, bottom)).getcolors(9999) or []) < 50
    asked = {"collection": "paper", "kind": "picture-redacted"}
    assert len(running.call("GET", "/audit", params=asked)["items"]) == 3


def test_the_record_is_checked(visitor: Visitor) -> None:
    visitor.menu("Audit log")
    visitor.main.get_by_text("Is the audit log whole?").click()
    visitor.press("Check the audit log")
    visitor.says("The audit log is whole")
    visitor.looks_well()


def test_a_folder_of_people_is_measured(visitor: Visitor, lfw: Path, tmp_path: Path) -> None:
    folder = tmp_path / "our-school"
    several = [path for path in sorted((lfw / "images").iterdir()) if len(list(path.iterdir())) > 2]
    for person in several[:6]:
        (folder / person.name).mkdir(parents=True)
        for picture in sorted(person.iterdir())[:2]:
            shutil.copy(picture, folder / person.name)
    (folder / "list.txt").write_text("no picture")
    visitor.menu("Reports")
    visitor.main.get_by_label("Folder of pictures").set_input_files(folder)
    visitor.says("12 pictures of 6 people")
    visitor.says("1 other file is passed over")
    visitor.looks_well()
    visitor.press("Start")
    report = visitor.main.get_by_title("Report of our-school")
    expect(report).to_be_visible(timeout=60_000)
    # It is there to be read, in a frame that runs nothing and reaches nothing.
    inside = report.content_frame
    expect(inside.get_by_role("heading", level=1)).to_be_visible()
    visitor.looks_well()
    visitor.looks_well(at=PHONE, scheme="dark")


# --- who may ---------------------------------------------------------------------------------


def test_a_wrong_key_is_refused_in_words(visiting: Visiting, running: Running) -> None:
    stranger = visiting(signed_in=False)
    stranger.open("people")
    assert "/console/sign-in" in stranger.page.url
    stranger.looks_well()
    stranger.fill(Key=running.server.key()[0], Secret="wrong")
    stranger.press("Sign in")
    expect(stranger.main.get_by_role("alert")).to_be_visible()
    stranger.looks_well(at=PHONE, scheme="dark")
    stranger.fill(Key="", Secret=".".join(running.server.key()))
    stranger.press("Sign in")
    expect(stranger.page.get_by_role("navigation", name="Pages")).to_be_visible()
    stranger.press("Sign out")
    stranger.open("people")
    assert "/console/sign-in" in stranger.page.url
    stranger.expected("401")


FORGED = """async ([path, method, form]) => {
    const csrf = document.querySelector("meta[name=csrf]").content;
    const body = form && new URLSearchParams({...form, csrf});
    const headers = {"x-sayso-csrf": csrf};
    return (await fetch(path, {method, body, headers})).status;
}"""


def test_what_a_key_may_not_is_not_offered_and_not_done(
    visiting: Visiting, running: Running
) -> None:
    running.collection("team", "eileen")
    key, secret = running.key("search")
    other = visiting(signed_in=False)
    other.open("sign-in")
    other.fill(Key=key, Secret=secret)
    other.press("Sign in")
    expect(other.page.get_by_role("navigation", name="Pages")).to_be_visible()
    offered = other.page.get_by_role("navigation", name="Pages").get_by_role("link")
    assert "Keys" not in offered.all_inner_texts()
    other.open("people/subject?collection=team&subject=eileen")
    other.says("eileen")
    for name in ("Erase this person", "Add pictures", "Report to this person"):
        expect(other.main.get_by_role("button", name=name)).to_have_count(0)
        expect(other.main.get_by_role("link", name=name)).to_have_count(0)
    where = {"collection": "team", "subject": "eileen"}
    forged = [
        ("/console/people/erase", "POST", {"do": "erase", **where}),
        ("/console/people/withdraw", "POST", {"do": "withdraw", "purpose": PURPOSE, **where}),
        ("/v1/collections/team/subjects/eileen", "DELETE", None),
        ("/v1/collections/team", "DELETE", None),
        ("/v1/keys", "GET", None),
    ]
    for call in forged:
        assert other.page.evaluate(FORGED, list(call)) == 403, call
    assert running.people("team") == ["eileen"]
    other.expected("403")


def test_a_key_that_is_revoked_is_out_at_once(visiting: Visiting, running: Running) -> None:
    running.collection("gone", "eileen")
    key, secret = running.key("search")
    other = visiting(signed_in=False)
    other.open("sign-in")
    other.fill(Key=key, Secret=secret)
    other.press("Sign in")
    expect(other.page.get_by_role("navigation", name="Pages")).to_be_visible()

    host = visiting()
    host.open(f"keys/revoke?key={key}")
    host.main.get_by_role("button", name=re.compile("Revoke")).click()
    host.says("revoked")
    other.open("people")
    assert "/console/sign-in" in other.page.url
    other.says("Your session has ended")


# --- without a mouse ---------------------------------------------------------------------------


def test_the_keyboard_is_enough(visiting: Visiting, running: Running) -> None:
    running.collection("keys-only", "eileen")
    visitor = visiting(signed_in=False)
    keyboard = visitor.page.keyboard
    # From now on the browser lets the test choose files: asked only then, it may be too late.
    visitor.page.on("filechooser", lambda _: None)
    visitor.open("look?collection=keys-only")
    expect(visitor.main.get_by_label("Key", exact=True)).to_be_focused()
    id_, secret = running.key("search", "detect")
    keyboard.type(id_)
    keyboard.press("Tab")
    keyboard.type(secret)
    keyboard.press("Enter")
    expect(visitor.main.get_by_role("heading", level=1)).to_have_text("Look")

    # The way to the content is the first thing there is, and leads past the menu.
    keyboard.press("Tab")
    skip = visitor.page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    reached = tab_to(visitor, "Choose pictures")
    assert "Look" in reached  # the menu was on the way
    with visitor.page.expect_file_chooser() as chooser:
        keyboard.press("Space")
    chooser.value.set_files(SECOND)
    visitor.says("1 face, 1 named")
    tab_to(visitor, "eileen")
    keyboard.press("Enter")
    pressed = visitor.main.get_by_role("button", name=re.compile("^eileen"))
    expect(pressed).to_have_attribute("aria-pressed", "true")


FOCUSED = """() => {
    const on = document.activeElement;
    const label = on.getAttribute("aria-label") || (on.labels && on.labels[0]?.innerText);
    const told = label || on.innerText;
    const style = getComputedStyle(on.matches("input[type=file]") ? on.closest("label") ?? on : on);
    const seen = style.outlineStyle !== "none" || style.boxShadow !== "none";
    return [(told || on.tagName).trim(), seen];
}"""


def tab_to(visitor: Visitor, name: str, *, most: int = 60) -> list[str]:
    """Press Tab until something of that name has the focus; return what had it before.

    Fails where the focus cannot be seen.
    """
    passed: list[str] = []
    for _ in range(most):
        visitor.page.keyboard.press("Tab")
        told, seen = visitor.page.evaluate(FOCUSED)
        assert seen, f"nobody sees that {told!r} has the focus"
        if told.startswith(name):
            return passed
        passed.append(told)
    raise AssertionError(f"{name!r} was not reached: {passed}")
