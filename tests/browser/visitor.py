"""Somebody with a browser at the console of a real server, and what must hold on every page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import ConsoleMessage, Locator, Page, Request, expect

_RUN_AXE = """async () => (await axe.run(document, {resultTypes: ["violations"]})).violations.map(
    (each) => ({id: each.id, impact: each.impact, nodes: each.nodes.map((node) => node.html)}))"""
_WIDER_THAN_SEEN = "() => document.documentElement.scrollWidth - window.innerWidth"
PHONE, DESK, WALL = (360, 780), (1280, 900), (2560, 1440)


@dataclass
class Visitor:
    """A page in a browser, and what went wrong in it so far."""

    page: Page
    url: str
    axe: str
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("request", self._asked)

    def open(self, path: str) -> None:
        """Go to a page of the console."""
        self.page.goto(f"{self.url}/console/{path}")

    def press(self, name: str, role: Any = "button") -> None:
        """Press a button, or follow a link, by what it says."""
        self.page.get_by_role(role, name=name, exact=True).click()

    def menu(self, name: str) -> None:
        """Go to a page by the menu."""
        button = self.page.get_by_role("button", name="Menu", exact=True)
        if button.is_visible():  # on narrow screens
            button.click()
        menu = self.page.get_by_role("navigation", name="Pages", exact=True)
        menu.get_by_role("link", name=name, exact=True).click()
        expect(self.main.get_by_role("heading", level=1)).to_have_text(name)
        self.page.wait_for_load_state()  # and with that, its scripts have begun

    @property
    def main(self) -> Locator:
        """The content of the page, without the menu."""
        return self.page.get_by_role("main")

    def fill(self, **values: str) -> None:
        """Fill in fields by their labels, written with ``_`` for blanks."""
        for label, value in values.items():
            pattern = re.compile(rf"^{label.replace('_', ' ')}\b", re.IGNORECASE)
            self.main.get_by_label(pattern).first.fill(value)

    def says(self, text: str | re.Pattern[str]) -> None:
        """Wait until the page says something, or fail."""
        expect(self.main).to_contain_text(text)

    def looks_well(self, *, at: tuple[int, int] = DESK, scheme: Any = "light") -> None:
        """Fail where axe-core finds anything, or the page is wider than the window."""
        width, height = at
        self.page.set_viewport_size({"width": width, "height": height})
        self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        self.fits()
        if not self.page.evaluate("() => 'axe' in window"):
            self.page.evaluate(self.axe)
        found = self.page.evaluate(_RUN_AXE)
        assert found == [], f"{self.page.url} at {width}, {scheme}: {found}"
        self.page.set_viewport_size({"width": DESK[0], "height": DESK[1]})
        self.page.emulate_media(color_scheme="light")

    def fits(self) -> None:
        """Fail where the page has to be scrolled sideways."""
        over = self.page.evaluate(_WIDER_THAN_SEEN)
        assert over <= 0, f"{self.page.url} is {over} pixels wider than the window"

    def expected(self, pattern: str) -> None:
        """Take back what went wrong as it should."""
        wrong = [each for each in self.problems if not re.search(pattern, each)]
        assert len(wrong) < len(self.problems), f"{pattern} was expected: {self.problems}"
        self.problems[:] = wrong

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.problems.append(f"{message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        asked = urlsplit(request.url)
        own = urlsplit(self.url)
        if asked.scheme not in {"blob", "data"} and asked.netloc != own.netloc:
            self.problems.append(f"asked another host: {request.url}")
