from __future__ import annotations

from datetime import timedelta
from http.cookies import SimpleCookie
from typing import Any

import pytest

from sayso.core import Sayso
from sayso.service.sessions import IDLE, LINK_LASTS, LONGEST
from tests.console.conftest import visiting
from tests.console.visiting import HOST, OWN_PAGE, Console, Shown
from tests.gallery.clock import Clock
from tests.service.rest.conftest import bearer, make_key

START = "/console/start"


def on_record(app: Sayso, kind: str) -> list[Any]:
    return [each for each in app.audit_entries() if each.event.kind == kind]


def at_the_door(shown: Shown) -> bool:
    """Whether somebody was sent to sign in."""
    return shown.came_to.startswith("/console/sign-in") and shown.title.startswith("Sign in")


# --- by a key --------------------------------------------------------------------------------


def test_a_key_signs_in_and_that_is_on_record(stranger: Console) -> None:
    made = make_key(stranger.app, "search", "audit")
    page = stranger.get("start")
    assert at_the_door(page)
    came = stranger.sign_in(
        key=made.key.id, secret=made.secret, next=page.one("input", name="next")["value"]
    )
    assert came.came_to == START
    assert "tester" in came.page.text
    assert "photos" in came.page.text
    (entry,) = on_record(stranger.app, "signed-in")
    assert (entry.actor, entry.key, entry.purpose) == ("tester", made.key.id, "photos")
    assert entry.event.by == "key"
    assert stranger.token
    assert stranger.token not in came.response.text


@pytest.mark.parametrize("apart", [".", ":"])
@pytest.mark.parametrize("field", ["secret", "key"])
def test_both_may_be_pasted_as_one(stranger: Console, field: str, apart: str) -> None:
    made = make_key(stranger.app, "search")
    stranger.sign_in(**{field: f"  {made.key.id}{apart}{made.secret} "})
    assert stranger.token


def test_a_wrong_key_is_refused_and_on_record(stranger: Console) -> None:
    made = make_key(stranger.app, "search")
    revoked = make_key(stranger.app, "search")
    stranger.app.revoke_key(revoked.key.id)
    ended = make_key(stranger.app, "search", until=stranger.clock.time + timedelta(hours=1))
    stranger.clock.time += timedelta(hours=2)
    wrong = [
        (made.key.id, "x" * 40),
        ("nobody", made.secret),
        (made.key.id, made.secret.swapcase()),
        (revoked.key.id, revoked.secret),
        (ended.key.id, ended.secret),
        ("ä", "\x00"),
    ]
    for count, (key, secret) in enumerate(wrong, 1):
        page = stranger.sign_in(key=key, secret=secret)
        assert page.status == 401
        assert page.problem
        assert "set-cookie" not in page.response.headers
        assert secret not in page.response.text
        assert stranger.token is None
        assert len(on_record(stranger.app, "call-refused")) == count
    assert on_record(stranger.app, "signed-in") == []


@pytest.mark.parametrize("fields", [{}, {"key": "a"}, {"secret": "b"}, {"key": " ", "secret": " "}])
def test_half_a_key_is_asked_for_again(stranger: Console, fields: dict[str, str]) -> None:
    page = stranger.sign_in(**fields)
    assert page.status == 422
    assert page.problem
    assert on_record(stranger.app, "call-refused") == []


def test_who_guesses_has_to_wait_whichever_way_they_come(app: Sayso, clock: Clock) -> None:
    with visiting(app, clock, failed_sign_ins=3) as browser:
        made = make_key(app, "search")
        assert browser.sign_in(key=made.key.id, secret="wrong").status == 401
        assert browser.sign_in(key="nobody", secret="wrong").status == 401
        headers = {"Authorization": f"Bearer {made.key.id}.wrong"}
        assert browser.send("GET", "/v1/collections", headers=headers).status_code == 401
        page = browser.sign_in(key=made.key.id, secret=made.secret)
        assert page.status == 429
        assert page.problem
        assert browser.token is None
        found = browser.send("GET", "/v1/collections", headers=bearer(made))
        assert found.status_code == 429
        assert len(on_record(app, "call-refused")) == 3


def test_the_rate_of_a_key_is_that_of_its_session_too(app: Sayso, clock: Clock) -> None:
    with visiting(app, clock, key_rate=0.001) as browser:
        other = browser.as_key("search", "admin")
        answered = [
            other.send("GET", START).status_code,
            other.send("GET", "/v1/collections").status_code,
        ]
        assert 429 in answered


def test_signing_in_takes_from_the_rate_of_the_key(app: Sayso, clock: Clock) -> None:
    with visiting(app, clock, key_rate=0.5) as browser:  # and so one at once
        made, other = make_key(app, "search"), make_key(app, "search")
        data = {"key": made.key.id, "secret": made.secret}
        assert browser.send("POST", "/console/sign-in", data=data).status_code == 303
        refused = browser.send("POST", "/console/sign-in", data=data)
        assert refused.status_code == 429
        assert "set-cookie" not in refused.headers
        assert len(on_record(app, "signed-in")) == 1
        data = {"key": other.key.id, "secret": other.secret}
        assert browser.send("POST", "/console/sign-in", data=data).status_code == 303


# --- by a link -------------------------------------------------------------------------------


def test_a_link_signs_in_as_whoever_runs_the_service(stranger: Console) -> None:
    door = stranger.get("enter")
    (script,) = door.all("script")
    assert script["src"].endswith("js/enter.js")
    link = stranger.state.sessions.link(stranger.app.caller)
    form = door.one("form", id="enter")
    assert form["action"] == "/console/enter"
    came = stranger.sign_in("enter", token=link)
    assert came.came_to.startswith("/console/")
    assert came.status == 200
    assert "user:test" in came.page.text
    (entry,) = on_record(stranger.app, "signed-in")
    assert (entry.actor, entry.key, entry.event.by) == ("user:test", None, "link")


def test_a_link_is_used_up_by_one_and_by_time(stranger: Console) -> None:
    link = stranger.state.sessions.link(stranger.app.caller)
    late = stranger.state.sessions.link(stranger.app.caller)
    stranger.sign_in("enter", token=link)
    other = stranger.stranger()
    for token in (link, "", "x", "ä\x00"):
        page = other.sign_in("enter", token=token)
        assert page.status == 403
        assert page.problem
    stranger.seconds.time += LINK_LASTS
    assert other.sign_in("enter", token=late).status == 403
    assert other.token is None
    assert len(on_record(stranger.app, "signed-in")) == 1


def test_a_get_uses_no_link_up(stranger: Console) -> None:
    link = stranger.state.sessions.link(stranger.app.caller)
    for path in (f"enter?token={link}", f"enter/{link}"):
        stranger.send("GET", f"/console/{path}")
        stranger.send("HEAD", f"/console/{path}")
    assert stranger.token is None
    stranger.sign_in("enter", token=link)
    assert stranger.token


# --- the session -----------------------------------------------------------------------------


def test_a_session_ends_by_itself(console: Console) -> None:
    assert console.get("start").came_to == START
    console.seconds.time += IDLE + 1
    assert at_the_door(console.get("start"))
    console.enter()
    for _ in range(int(LONGEST / IDLE * 2)):
        console.seconds.time += IDLE / 2
        assert console.get("start").came_to == START
    console.seconds.time += 1
    assert at_the_door(console.get("start"))
    assert console.send("GET", "/v1/collections").status_code == 401


def test_a_revoked_key_ends_its_session_at_once(console: Console) -> None:
    other = console.as_key("search", "audit")
    assert other.get("look").came_to == "/console/look"
    key = on_record(console.app, "signed-in")[-1].key
    console.app.revoke_key(key)
    assert other.send("GET", "/v1/collections").status_code == 401
    came = other.get("")
    assert at_the_door(came)
    assert came.all("p", class_="note")
    assert other.state.sessions.find(other.token) is None
    assert console.get("start").came_to == START


def test_a_key_that_ends_ends_its_session(console: Console) -> None:
    other = console.as_key("search", until=console.clock.time + timedelta(hours=1))
    assert other.send("GET", "/v1/collections").status_code == 200
    console.clock.time += timedelta(hours=2)
    assert other.send("GET", "/v1/collections").status_code == 401


def test_signing_out_ends_the_session_not_just_the_cookie(console: Console) -> None:
    token = console.token
    assert token is not None
    page = console.get("start")
    (form,) = [each for each in page.all("form") if each["action"] == "/console/sign-out"]
    field = form.one("input", name="csrf")
    came = console.sign_in("sign-out", csrf=field["value"])
    assert at_the_door(came)
    assert console.token is None
    assert console.state.sessions.find(token) is None
    console.client.cookies.set("sayso-session", token)
    assert at_the_door(console.get("start"))


def test_nobody_else_signs_a_browser_out(console: Console) -> None:
    for fields in ({}, {"csrf": "x"}):
        assert console.sign_in("sign-out", **fields).status == 403
    evil = {"Origin": "https://evil.example"}
    data = {"csrf": console.csrf}
    answered = console.send("POST", "/console/sign-out", data=data, headers=evil)
    assert answered.status_code == 403
    assert console.send("GET", "/console/sign-out").status_code == 405
    assert console.get("start").came_to == START


def test_a_new_session_ends_the_one_before_in_that_browser(console: Console) -> None:
    first = console.token
    console.enter()
    assert console.token != first
    assert console.state.sessions.find(first) is None


def test_a_token_is_never_one_that_a_browser_brought(stranger: Console) -> None:
    stranger.client.cookies.set("sayso-session", "planted")
    made = make_key(stranger.app, "search")
    answered = stranger.send(
        "POST", "/console/sign-in", data={"key": made.key.id, "secret": made.secret}
    )
    (morsel,) = SimpleCookie(answered.headers["set-cookie"]).values()
    assert morsel.value != "planted"
    assert stranger.state.sessions.find("planted") is None


# --- cookies and addresses -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "public", "secure"),
    [
        ("http", None, False),
        ("http", "http://faces.test", False),
        ("https", None, True),
        ("http", "https://faces.test", True),
    ],
)
def test_where_there_is_tls_the_cookie_is_for_nothing_else(
    app: Sayso, clock: Clock, scheme: str, public: str | None, secure: bool
) -> None:
    with visiting(app, clock, public_url=public) as browser:
        made = make_key(app, "search")
        answered = browser.send(
            "POST",
            f"{scheme}://sayso.test/console/sign-in",
            data={"key": made.key.id, "secret": made.secret},
        )
        assert answered.status_code == 303
        (morsel,) = SimpleCookie(answered.headers["set-cookie"]).values()
        assert morsel.key == ("__Host-sayso-session" if secure else "sayso-session")
        assert bool(morsel["secure"]) is secure
        assert morsel["httponly"]
        assert morsel["samesite"] == "Strict"
        assert (morsel["path"], morsel["domain"]) == ("/", "")


@pytest.mark.parametrize(("scheme", "public"), [("https", None), ("http", "https://faces.test")])
def test_where_there_is_tls_the_other_cookie_names_nobody(
    app: Sayso, clock: Clock, scheme: str, public: str | None
) -> None:
    with visiting(app, clock, public_url=public) as browser:
        token = browser.state.sessions.begin(app.caller)
        for name, status, page in [("sayso-session", 401, 303), ("__Host-sayso-session", 200, 200)]:
            headers = {"Cookie": f"{name}={token}"}
            host = f"{scheme}://sayso.test"
            listed = browser.send("GET", f"{host}/v1/collections", headers=headers)
            assert listed.status_code == status
            shown = browser.send("GET", f"{host}/console/start", headers=headers)
            assert shown.status_code == page


ORIGINS: list[tuple[dict[str, str], int]] = [
    ({}, 303),
    ({"Origin": HOST}, 303),
    ({"Origin": HOST, "Sec-Fetch-Site": "same-origin"}, 303),
    ({"Origin": "https://faces.test"}, 303),
    ({"Origin": "https://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Origin": f"{HOST}.evil.example"}, 403),
    ({"Origin": f"{HOST}:81"}, 403),
    ({"Origin": "https://faces.test.evil.example"}, 403),
    ({"Sec-Fetch-Site": "cross-site"}, 403),
    ({"Sec-Fetch-Site": "same-site"}, 403),
    ({"Origin": HOST, "Sec-Fetch-Site": "cross-site"}, 403),
]


@pytest.mark.parametrize("door", ["sign-in", "enter"])
def test_no_other_site_signs_a_browser_in(app: Sayso, clock: Clock, door: str) -> None:
    with visiting(app, clock, public_url="https://faces.test") as browser:
        made = make_key(app, "search")
        for headers, status in ORIGINS:
            data = {
                "key": made.key.id,
                "secret": made.secret,
                "token": browser.state.sessions.link(app.caller),
            }
            answered = browser.send("POST", f"/console/{door}", data=data, headers=headers)
            assert answered.status_code == status, headers
            assert ("set-cookie" in answered.headers) is (status == 303), headers


ELSEWHERE = [
    "https://evil.example/",
    "//evil.example",
    "/\\evil.example",
    "/console/\\evil.example\r\nX: y",
    "javascript:alert(1)",
    "/v1/collections",
    "/consolex",
    "console/look",
    "/console/ä",
    "/console/ look",
    "",
]


def test_signing_in_leads_to_no_other_place(stranger: Console) -> None:
    made = make_key(stranger.app, "search")
    for where in ELSEWHERE:
        data = {"key": made.key.id, "secret": made.secret, "next": where}
        answered = stranger.send("POST", "/console/sign-in", data=data)
        assert answered.headers["location"] == "/console/", where
        door = stranger.get("sign-in", next=where)
        assert door.one("input", name="next")["value"] == "/console/", where


def test_signing_in_leads_back_to_the_page_that_was_wanted(stranger: Console) -> None:
    wanted = "/console/start?collection=club&name=a+b"
    door = stranger.get(wanted)
    field = door.one("input", name="next")["value"]
    made = make_key(stranger.app, "search")
    came = stranger.sign_in(key=made.key.id, secret=made.secret, next=field)
    assert came.came_to == wanted


def test_a_mistyped_key_does_not_forget_the_page_that_was_wanted(stranger: Console) -> None:
    door = stranger.get("sign-in", next="/console/people?collection=club")
    wanted = door.one("input", name="next")["value"]
    for fields in ({"key": "a", "secret": "b"}, {"key": "a"}):
        again = stranger.sign_in(**fields, next=wanted)
        assert again.problem
        assert again.one("input", name="next")["value"] == "/console/people?collection=club"
    evil = stranger.sign_in(key="a", next="https://evil.example/")
    assert evil.one("input", name="next")["value"] == "/console/"


def test_the_console_is_found_without_its_slash(console: Console) -> None:
    assert console.send("GET", "/console").headers["location"] == "/console/"
    assert console.get("/console").status == 200


def test_a_form_at_the_door_is_small(stranger: Console) -> None:
    forms: tuple[dict[str, Any], ...] = (
        {"data": {"key": "k" * 70_000}},
        {"files": {"key": ("key", b"k" * 70_000)}},
    )
    for form in forms:
        refused = stranger.send("POST", "/console/sign-in", headers=OWN_PAGE, **form)
        assert refused.status_code == 413
        assert "65,536 bytes, which is the limit" in refused.text
