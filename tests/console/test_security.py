"""What every page promises: nothing is done unless a page of the session itself asks for it."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from sayso.analyzer import Analyzer
from sayso.console.application import PAGES
from sayso.console.assets import ROOT, version
from sayso.core import Sayso
from sayso.errors import StoreUnavailable
from sayso.results import Consent, NewAccessKey
from tests.console.checking import check_page
from tests.console.conftest import visiting
from tests.console.visiting import HOST, OWN_PAGE, Console
from tests.gallery.clock import Clock
from tests.service.rest.conftest import make_key
from tests.service.rest.people import Reader, picture

SUBJECT = "ada-lovelace"
#: What pages may be asked for; each takes what it knows. The fixture adds what it makes.
ASKED = {"collection": "club", "subject": SUBJECT, "purpose": "photos"}
PATHS = sorted(page.path for page in PAGES)
DEEDS = [(page.path, deed) for page in PAGES for deed in sorted(page.deeds or ())]
CROSS = {**OWN_PAGE, "Sec-Fetch-Site": "cross-site"}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A gallery with somebody in it, which no test of this module may change."""
    clock = Clock()
    folder: Path = tmp_path_factory.mktemp("furnished") / "data"
    reader = cast("Analyzer", Reader())
    with Sayso(folder, actor="user:test", analyzer=reader, clock=clock) as app:
        app.create_collection("club")
        app.enroll(
            "club",
            subject=SUBJECT,
            pictures=[picture("ada")],
            consent=Consent(["photos"], "form 17"),
        )
        app.declare_purpose("club", "photos", notice="Pictures of the day")
        app.create_collection("empty")
        ASKED["key"] = make_key(app, "search").key.id
        ASKED["evaluation"] = app.begin_evaluation("first").id
        with visiting(app, clock, failed_sign_ins=1_000_000) as browser:
            browser.enter()
            yield browser


@pytest.fixture(scope="module")
def key(furnished: Console) -> NewAccessKey:
    return make_key(furnished.app, "search")


def entries(console: Console) -> int:
    """How much is on record; with each time that this is asked, it is one more."""
    (last,) = console.app.audit_entries(newest_first=True, limit=1)
    return last.number


# --- what pages are --------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_shown_as_all_are(furnished: Console, key: NewAccessKey, path: str) -> None:
    page = furnished.see(path, ASKED)  # and with that, it is checked
    assert key.secret not in page.response.text
    assert page.status == 200
    assert page.title.endswith("· Sayso") or page.response.headers["content-disposition"]
    head = furnished.send("HEAD", f"/console/{path}", params=ASKED)
    assert head.status_code in (200, 303)
    assert head.content == b""
    assert "content-security-policy" in head.headers


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_shown_to_nobody_else(furnished: Console, path: str) -> None:
    stranger = furnished.stranger()
    before = entries(furnished)
    for method in ("GET", "HEAD", "POST"):
        answered = stranger.send(method, f"/console/{path}", params=ASKED)
        assert answered.status_code in (303, 405), (method, answered.status_code)
        assert SUBJECT not in answered.text
        if answered.status_code == 303:
            assert answered.headers["location"].startswith("/console/sign-in")
    assert entries(furnished) == before + 1


@pytest.mark.parametrize("path", PATHS)
def test_a_page_says_what_a_key_may_not_see(furnished: Console, path: str) -> None:
    """Every page answers whoever has any right, with what it is for or with why not."""
    for action in ("detect", "search", "audit"):
        other = furnished.as_key(action, purpose="door", collections=["empty"])
        shown = other.see(path, ASKED)
        assert shown.status in (200, 403, 404), shown.text
        assert SUBJECT not in shown.text.replace(f"'{SUBJECT}'", "")


def test_every_page_is_in_the_menu_or_on_a_page_that_is(furnished: Console) -> None:
    linked: set[str] = set()
    for path in PATHS:
        page = furnished.see(path, ASKED)
        for each in [*page.all("a"), *page.all("form")]:
            target = each.get("href") or each.get("action")
            linked.add(target.partition("?")[0].removeprefix("/console/"))
        for source in ROOT.glob("js/*.js"):
            linked |= {each for each in PATHS if f"/console/{each}" in source.read_text("utf-8")}
    assert set(PATHS) <= linked


# --- forms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("path", "deed"), DEEDS)
def test_nothing_is_done_without_the_token_of_the_session(
    furnished: Console, path: str, deed: str
) -> None:
    other = furnished.as_key("admin", "enrol", "erase", "search", "audit", "detect", "compare")
    before = entries(furnished)
    fields = {"do": deed, **ASKED}
    tokens = [{}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": other.csrf}]
    for token in tokens:
        for form in ({"data": {**fields, **token}}, {"data": {**fields, **token}, "files": FILE}):
            answered = furnished.send("POST", f"/console/{path}", headers=OWN_PAGE, **form)
            assert answered.status_code == 403, (path, deed, token)
    # Nor by a script, nor by a token in the address.
    for headers in ({"X-Sayso-Csrf": "wrong"}, {"X-Sayso-Csrf": ""}):
        data = {**fields, "csrf": furnished.csrf}
        answered = furnished.send(
            "POST", f"/console/{path}", headers={**OWN_PAGE, **headers}, data=data
        )
        assert answered.status_code == 403
    answered = furnished.send(
        "POST", f"/console/{path}", params={"csrf": furnished.csrf, **fields}, headers=OWN_PAGE
    )
    assert answered.status_code == 403
    assert entries(furnished) == before + 1


FILE = {"picture": ("a.png", picture("bob"))}


@pytest.mark.parametrize(("path", "deed"), DEEDS)
def test_nothing_is_done_for_another_site(furnished: Console, path: str, deed: str) -> None:
    before = entries(furnished)
    for where in ("cross-site", "same-site"):
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": where}
        data = {"csrf": furnished.csrf, "do": deed, **ASKED}
        answered = furnished.send("POST", f"/console/{path}", headers=headers, data=data)
        assert answered.status_code == 403
    assert entries(furnished) == before + 1


@pytest.mark.parametrize("path", PATHS)
def test_no_address_does_anything(furnished: Console, path: str) -> None:
    """A GET leaves nothing behind but that something was read."""
    deeds = [deed for at, deed in DEEDS if at == path] or ["none"]
    for deed in deeds:
        asked = {"csrf": furnished.csrf, "do": deed, **ASKED}
        furnished.send("GET", f"/console/{path}", params=asked)
    assert [each.name for each in furnished.app.collections()] == ["club", "empty"]
    assert [each.name for each in furnished.app.subjects("club")] == [SUBJECT]
    kinds = {each.event.kind for each in furnished.app.audit_entries(newest_first=True, limit=20)}
    changes = {"-erased", "-deleted", "-withdrawn", "-set", "-met", "key-revoked", "-declared"}
    assert not [kind for kind in kinds if kind.endswith(tuple(changes))]


@pytest.mark.parametrize("path", sorted({path for path, _ in DEEDS}))
def test_what_a_page_does_not_do_is_refused(furnished: Console, path: str) -> None:
    for deed in ("", "none", "__init__", "\x00"):
        data = {"csrf": furnished.csrf, "do": deed}
        answered = furnished.send("POST", f"/console/{path}", headers=OWN_PAGE, data=data)
        assert answered.status_code == 422


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_are_refused(furnished: Console, path: str) -> None:
    methods = ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
    if path not in {at for at, _ in DEEDS}:
        methods.append("POST")
    for method in methods:
        answered = furnished.send(method, f"/console/{path}", headers=OWN_PAGE)
        assert answered.status_code == 405, method


def test_bodies_are_limited_as_on_the_api(tmp_path: Path, clock: Clock) -> None:
    reader = cast("Analyzer", Reader())
    with (
        Sayso(tmp_path / "data", analyzer=reader, clock=clock) as app,
        visiting(app, clock, max_body_bytes=4096) as browser,
    ):
        browser.enter()
        headers = {**OWN_PAGE, "Content-Type": "application/x-www-form-urlencoded"}

        async def parts() -> object:
            for _ in range(10):
                yield b"a" * 1000

        for path in (*sorted({path for path, _ in DEEDS}), "sign-in", "enter", "sign-out"):
            for content in (b"a" * 5000, parts()):
                answered = browser.send(
                    "POST", f"/console/{path}", content=content, headers=headers
                )
                assert answered.status_code == 413, path


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=a", b"--a\r\nbroken"),
        (
            "multipart/form-data; boundary=a",
            b"--a\r\nContent-Disposition: form-data\r\n\r\n1\r\n--a--",
        ),
        ("application/x-www-form-urlencoded", b"&".join(b"a%d=1" % each for each in range(999))),
        ("application/x-www-form-urlencoded", b"\xff\xfe=%ff%zz"),
        ("application/json", b'{"csrf": 1}'),
        ("text/plain", b"csrf=1"),
    ],
)
def test_what_is_no_form_is_refused(furnished: Console, kind: str, content: bytes) -> None:
    for path in ("start", "sign-in", "enter", "sign-out"):
        answered = furnished.send(
            "POST", f"/console/{path}", content=content, headers={**OWN_PAGE, "Content-Type": kind}
        )
        assert 400 <= answered.status_code < 500, (path, answered.status_code)


def test_another_sites_page_cannot_even_look(furnished: Console) -> None:
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}):
        answered = furnished.send("GET", "/console/start", headers=headers)
        assert answered.status_code == 403


# --- the API with a session --------------------------------------------------------------------


def test_a_page_of_the_session_may_use_the_api(console: Console) -> None:
    assert console.send("GET", "/v1/collections").json()["items"] == []
    made = {"json": {"collection": "club"}}
    refused = [
        {},
        {"X-Sayso-Csrf": ""},
        {"X-Sayso-Csrf": "wrong"},
        {"X-Sayso-Csrf": console.csrf, "Sec-Fetch-Site": "cross-site"},
        {"X-Sayso-Csrf": console.as_key("admin").csrf},
    ]
    for headers in refused:
        answered = console.send("POST", "/v1/collections", headers=headers, **made)
        assert answered.status_code == 403, headers
        assert answered.json()["type"] == "/v1/problems/access-denied"
        assert console.csrf not in answered.text
    assert console.app.collections() == ()
    headers = {**OWN_PAGE, "X-Sayso-Csrf": console.csrf}
    assert console.send("POST", "/v1/collections", headers=headers, **made).status_code == 201
    assert [each.name for each in console.app.collections()] == ["club"]
    answered = console.send("DELETE", "/v1/collections/club", headers=OWN_PAGE)
    assert answered.status_code == 403
    cross = console.send("GET", "/v1/collections", headers={"Sec-Fetch-Site": "cross-site"})
    assert cross.status_code == 403


def test_a_session_may_on_the_api_what_its_key_may(console: Console) -> None:
    console.app.create_collection("club")
    other = console.as_key("search")
    headers = {**OWN_PAGE, "X-Sayso-Csrf": other.csrf}
    answered = other.send("DELETE", "/v1/collections/club", headers=headers)
    assert answered.status_code == 403
    assert "admin" in answered.json()["detail"]
    assert [each.name for each in console.app.collections()] == ["club"]


def test_a_key_goes_before_the_cookie(console: Console) -> None:
    for header in ("Bearer a.b", "Bearer", "Basic eDp5", ""):
        answered = console.send("GET", "/v1/collections", headers={"Authorization": header})
        assert answered.status_code == 401, header
    made = make_key(console.app, "detect")
    headers = {"Authorization": f"Bearer {made.key.id}.{made.secret}"}
    assert console.send("GET", "/v1/keys", headers=headers).status_code == 403
    assert console.send("GET", "/v1/keys").status_code == 200


def test_a_cookie_opens_nothing_else(console: Console) -> None:
    target = {"X-Amz-Target": "RekognitionService.ListCollections"}
    answered = console.send("POST", "/", content=b"{}", headers={**OWN_PAGE, **target})
    assert answered.status_code in (400, 403)
    assert "CollectionIds" not in answered.text


# --- what is not there, files, the log ----------------------------------------------------------


@pytest.mark.parametrize("path", ["nothing", "look/x/y", "%2e%2e/v1/keys", "ä", "static"])
def test_what_is_not_there_is_told_in_a_page(console: Console, path: str) -> None:
    for browser in (console, console.stranger()):
        answered = browser.send("GET", f"/console/{path}", follow_redirects=True)
        assert answered.status_code == 404
        check_page(answered.text, whole=True)
        assert "no such page" in answered.text
        assert browser.send("HEAD", f"/console/{path}", follow_redirects=True).content == b""


def test_files_may_be_kept_for_good_by_their_version(stranger: Console) -> None:
    for name in ("console.css", "js/menu.js", "icon.svg", "vendor/pico/pico.min.css"):
        now = stranger.send("GET", f"/console/static/{version()}/{name}")
        assert now.status_code == 200
        assert "immutable" in now.headers["cache-control"]
        assert now.headers["x-content-type-options"] == "nosniff"
        old = stranger.send("GET", f"/console/static/old/{name}")
        assert "immutable" not in old.headers["cache-control"]
    kinds = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
    for suffix, kind in kinds.items():
        file = next(ROOT.glob(f"*.{suffix}"), None) or next(ROOT.rglob(f"*.{suffix}"))
        address = f"/console/static/x/{file.relative_to(ROOT).as_posix()}"
        assert stranger.send("GET", address).headers["content-type"].startswith(kind)


@pytest.mark.parametrize(
    "name",
    ["..%2fapplication.py", "js/..%2f..%2f..%2fsettings.py", "", "js", "js/"],
)
def test_only_files_are_served(stranger: Console, name: str) -> None:
    answered = stranger.send("GET", f"/console/static/{version()}/{name}")
    assert answered.status_code in (404, 405)
    assert "import" not in answered.text


def test_no_name_is_in_the_log(furnished: Console, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    before = len(caplog.records)
    for path in [*PATHS, f"people/{SUBJECT}", f"static/x/{SUBJECT}.css"]:
        furnished.send("GET", f"/console/{path}", params=ASKED)
        furnished.send("POST", f"/console/{path}", data=ASKED, headers=OWN_PAGE)
    said = [record for record in caplog.records[before:] if record.name.startswith("sayso")]
    routes = {getattr(record, "fields", {}).get("route") for record in said}
    assert {f"console:{path}" for path in PATHS} <= routes
    for record in said:
        told = f"{record.getMessage()} {getattr(record, 'fields', {})}"
        for hidden in (SUBJECT, "club", furnished.csrf, furnished.token):
            assert str(hidden) not in told


def test_what_nobody_expected_is_told_without_details(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: Sayso) -> tuple[()]:
        raise ValueError("hush, in /home/ada/gallery.sqlite")

    monkeypatch.setattr(Sayso, "collections", broken)
    answered = console.send("GET", "/console/")
    assert answered.status_code == 500
    assert "hush" not in answered.text
    assert "The log of the service tells more" in answered.text
    assert answered.headers["x-request-id"]


def test_what_is_wrong_with_the_service_itself_is_told_without_details(
    console: Console, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise StoreUnavailable("hush, in /home/ada/gallery.sqlite")

    monkeypatch.setattr(Sayso, "create_collection", broken)
    page = console.post("collections", do="create", name="club", expect=503)
    assert "hush" not in page.response.text
    assert "The log of the service tells more" in page.problem
    monkeypatch.setattr(Sayso, "collections", broken)
    assert "hush" not in console.send("GET", "/console/collections").text
    assert "unavailable" in caplog.text


def test_the_host_of_a_request_is_in_no_page(stranger: Console) -> None:
    for path in ("sign-in", "enter", "nothing"):
        answered = stranger.send("GET", f"/console/{path}", headers={"Host": "evil.example"})
        assert "evil.example" not in answered.text
    answered = stranger.send("GET", "/console/", headers={"Host": "evil.example"})
    assert answered.headers["location"].startswith("/console/sign-in")
    assert isinstance(answered, httpx.Response)
    assert HOST not in answered.text
