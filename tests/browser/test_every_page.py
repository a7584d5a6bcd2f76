"""Every page, on a phone, at a desk and on a wall; in light and in dark."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from sayso.console.application import PAGES
from tests import npm
from tests.browser.conftest import AXE, PURPOSE, Running
from tests.browser.visitor import DESK, PHONE, WALL, Visitor

#: What is there is a file to be kept.
FILES = {"audit/export", "audit/head", "people/report/file"}
PATHS = sorted({page.path for page in PAGES} - FILES | {"nothing"})


@pytest.fixture(scope="module")
def asked(running: Running) -> dict[str, str]:
    """Furnish the gallery; what pages may be asked for of it."""
    running.collection("club", "eileen", *(f"somebody-{number}" for number in range(12)))
    running.call("DELETE", "/collections/club/subjects/somebody-0")
    running.collection("a-name-that-is-as-long-as-names-may-be-" + "x" * 200)
    running.collection("empty")
    key, _ = running.key("search", "detect", collections=["club"])
    made = running.call("POST", "/evaluations", 201, json={"name": "The first one"})
    return {
        "collection": "club",
        "subject": "eileen",
        "purpose": PURPOSE,
        "key": key,
        "evaluation": made["id"],
    }


@pytest.mark.parametrize("path", PATHS)
def test_a_page_shuts_nobody_out(
    visiting: Callable[..., Visitor], asked: dict[str, str], path: str
) -> None:
    visitor = visiting()
    query = "&".join(f"{name}={value}" for name, value in asked.items())
    answered = visitor.page.goto(f"{visitor.url}/console/{path}?{query}")
    assert answered
    for scheme in ("light", "dark"):
        for at in (PHONE, DESK):
            visitor.looks_well(at=at, scheme=scheme)
    visitor.page.set_viewport_size({"width": WALL[0], "height": WALL[1]})
    visitor.fits()
    if path == "nothing":
        assert answered.status == 404
        visitor.expected("404")
    else:
        assert answered.status == 200, answered.text()


@pytest.mark.parametrize("path", ["sign-in", "sign-in?why=ended", "enter"])
def test_the_doors_shut_nobody_out(visiting: Callable[..., Visitor], path: str) -> None:
    stranger = visiting(signed_in=False)
    stranger.open(path)
    for scheme in ("light", "dark"):
        for at in (PHONE, DESK):
            stranger.looks_well(at=at, scheme=scheme)


def test_without_scripts_a_page_is_there_with_its_menu(
    context: Callable[..., BrowserContext], running: Running
) -> None:
    window = context(scripts=False)
    page = window.new_page()
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    page.goto(f"{running.url}/console/people")
    menu = page.get_by_role("navigation", name="Pages", exact=True)
    menu.get_by_role("link", name="Collections").click()
    assert page.url.endswith("/console/collections")


def test_the_lock_names_no_host() -> None:
    assert npm.names_no_host(AXE)
