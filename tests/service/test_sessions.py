from __future__ import annotations

from http.cookies import SimpleCookie

import pytest

from sayso.callers import Caller
from sayso.errors import AccessDenied
from sayso.service.sessions import (
    IDLE,
    LINK_LASTS,
    LONGEST,
    Session,
    Sessions,
    cookie,
    no_cookie,
    require_own_page,
    token_of,
)

ADA = Caller.local("user:ada")
BOB = Caller.local("user:bob")


class Seconds:
    def __init__(self) -> None:
        self.time = 50.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def sessions(seconds: Seconds) -> Sessions:
    return Sessions(clock=seconds)


# --- how long they last ----------------------------------------------------------------------


def test_a_session_is_found_by_its_token_alone(sessions: Sessions) -> None:
    token, other = sessions.begin(ADA), sessions.begin(BOB)
    assert token != other
    found = sessions.find(token)
    assert found is not None
    assert found.caller is ADA
    assert found.csrf not in {token, other}
    for wrong in (None, "", "x", token[:-1], token.upper(), token + "A"):
        assert sessions.find(wrong) is None


def test_a_session_ends_when_nothing_is_asked_for_long(
    sessions: Sessions, seconds: Seconds
) -> None:
    token = sessions.begin(ADA)
    seconds.time += IDLE
    assert sessions.find(token) is not None  # and with that it lasts again as long
    seconds.time += IDLE
    assert sessions.find(token) is not None
    seconds.time += IDLE + 1
    assert sessions.find(token) is None
    seconds.time -= IDLE  # and does not come back
    assert sessions.find(token) is None


def test_a_session_ends_however_busy_it_is(sessions: Sessions, seconds: Seconds) -> None:
    token = sessions.begin(ADA)
    began = seconds.time
    while seconds.time + IDLE / 2 <= began + LONGEST:
        seconds.time += IDLE / 2
        assert sessions.find(token) is not None
    seconds.time = began + LONGEST + 1
    assert sessions.find(token) is None


def test_signing_out_ends_one_session_and_no_other(sessions: Sessions) -> None:
    token, other = sessions.begin(ADA), sessions.begin(ADA)
    sessions.end(token)
    sessions.end(token)
    sessions.end(None)
    assert sessions.find(token) is None
    assert sessions.find(other) is not None


def test_the_one_least_lately_seen_makes_room(seconds: Seconds) -> None:
    sessions = Sessions(most=2, clock=seconds)
    first, second = sessions.begin(ADA), sessions.begin(ADA)
    assert sessions.find(first) is not None
    third = sessions.begin(ADA)
    assert sessions.find(second) is None
    assert sessions.find(first) is not None
    assert sessions.find(third) is not None


def test_a_key_has_only_so_many_and_pushes_nobody_else_out(seconds: Seconds) -> None:
    sessions = Sessions(most_of_key=2, clock=seconds)
    key = Caller("user:eve", "photos", frozenset({"search"}), key="EVE")
    local = sessions.begin(ADA)
    first, second = sessions.begin(key), sessions.begin(key)
    assert sessions.find(first) is not None
    third = sessions.begin(key)
    assert sessions.find(second) is None  # the one least lately seen
    assert sessions.find(first) is not None
    assert sessions.find(third) is not None
    assert sessions.find(local) is not None
    sessions.begin(BOB)
    assert sessions.find(local) is not None
    sessions.begin(BOB)  # whoever comes by a link is the same
    assert sessions.find(local) is not None
    sessions.begin(BOB)
    sessions.begin(BOB)
    assert sessions.find(local) is None


def test_no_token_is_kept(sessions: Sessions) -> None:
    token, link = sessions.begin(ADA), sessions.link(ADA)
    kept = repr(vars(sessions))
    assert token not in kept
    assert link not in kept


# --- links -----------------------------------------------------------------------------------


def test_a_link_signs_in_once(sessions: Sessions) -> None:
    token, other = sessions.link(ADA), sessions.link(BOB)
    assert sessions.find(token) is None  # it is no session by itself
    assert sessions.redeem("") is None
    assert sessions.redeem(token) is ADA
    assert sessions.redeem(token) is None
    assert sessions.redeem(other) is BOB


def test_a_link_is_good_for_a_quarter_of_an_hour(sessions: Sessions, seconds: Seconds) -> None:
    early, late = sessions.link(ADA), sessions.link(ADA)
    seconds.time += LINK_LASTS - 1
    assert sessions.redeem(early) is ADA
    seconds.time += 1
    assert sessions.redeem(late) is None
    seconds.time -= 2  # it was tried, and that was that
    assert sessions.redeem(late) is None


def test_there_are_only_so_many_links(sessions: Sessions) -> None:
    links = [sessions.link(ADA) for _ in range(101)]
    assert sessions.redeem(links[0]) is None
    assert sessions.redeem(links[1]) is ADA


# --- cookies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("secure", [False, True])
def test_no_script_reads_a_cookie_and_no_other_site_sends_it(secure: bool) -> None:
    (morsel,) = SimpleCookie(cookie("abc", secure=secure)).values()
    assert morsel.value == "abc"
    assert morsel["httponly"]
    assert morsel["samesite"] == "Strict"
    assert morsel["path"] == "/"
    assert morsel["domain"] == ""
    assert bool(morsel["secure"]) is secure
    assert morsel["max-age"] == ""  # it goes with the browser
    assert morsel.key.startswith("__Host-") is secure
    assert token_of({"cookie": f"other=1; {morsel.key}=abc"}, secure=secure) == "abc"
    (gone,) = SimpleCookie(no_cookie(secure=secure)).values()
    assert (gone.key, gone["max-age"], gone.value) == (morsel.key, "0", "")
    assert bool(gone["secure"]) is secure


@pytest.mark.parametrize(
    "header", ["", "x=1", "sayso-session", "=;;", "sayso-session2=abc", "\x00"]
)
def test_what_is_no_cookie_of_ours_names_no_session(header: str) -> None:
    for secure in (False, True):
        assert not token_of({"cookie": header}, secure=secure)
        assert token_of({}, secure=secure) is None


def test_with_tls_no_other_cookie_counts() -> None:
    header = "sayso-session=planted; __Host-sayso-session=own"
    assert token_of({"cookie": header}, secure=True) == "own"
    assert token_of({"cookie": "sayso-session=planted"}, secure=True) is None


# --- whose page asks -------------------------------------------------------------------------


SESSION = Session(ADA, "secret-of-the-page", 0, 0)


@pytest.mark.parametrize("where", ["same-origin", "none", None])
def test_a_page_of_the_session_may_ask(where: str | None) -> None:
    headers = {} if where is None else {"sec-fetch-site": where}
    for method in ("GET", "HEAD"):
        require_own_page(SESSION, method, headers, None)
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        require_own_page(SESSION, method, headers, SESSION.csrf)


@pytest.mark.parametrize(
    "token", [None, "", "wrong", "secret-of-the-pagE", "secret-of-the-page ", "ä"]
)
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "get"])
def test_nothing_is_changed_without_the_token(method: str, token: str | None) -> None:
    with pytest.raises(AccessDenied) as caught:
        require_own_page(SESSION, method, {}, token)
    assert SESSION.csrf not in str(caught.value)


@pytest.mark.parametrize("where", ["cross-site", "same-site", "", "anything"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_site_is_refused_whatever_it_knows(method: str, where: str) -> None:
    with pytest.raises(AccessDenied, match="another site"):
        require_own_page(SESSION, method, {"sec-fetch-site": where}, SESSION.csrf)
