"""A browser without a screen, for tests: who is signed in, the pages they see, the forms they send.

A page is asked for as people do, by its place in the console, and read by what is on it::

    page = console.get("people", collection="club")
    assert "ada" in page.text
    page = console.post("people/subject", do="withdraw", collection="club", subject="ada")
    assert page.came_to == "/console/people/subject?collection=club&subject=ada"

Whatever is answered is held against what all pages promise (``checking``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from starlette.types import ASGIApp

from sayso.callers import Action
from sayso.core import Sayso
from sayso.service.state import ServiceState
from tests.console.checking import check
from tests.console.markup import Element, parse
from tests.gallery.clock import Clock
from tests.service.loop import Loop
from tests.service.rest.conftest import make_key

HOST = "http://sayso.test"
#: What a browser says of a request that a page makes.
OWN_PAGE = {"Origin": HOST, "Sec-Fetch-Site": "same-origin"}
#: Files of a form: the field, and what is in the file.
Files = Sequence[tuple[str, bytes]]


class Seconds:
    """A clock of seconds that tests move."""

    def __init__(self) -> None:
        self.time = 1000.0

    def __call__(self) -> float:
        return self.time


@dataclass
class Shown:
    """A page as it was answered."""

    response: httpx.Response
    page: Element

    @classmethod
    def of(cls, response: httpx.Response) -> Shown:
        """Return what was answered; only pages have elements."""
        is_page = response.headers.get("content-type", "").startswith("text/html")
        return cls(response, parse(response.text if is_page else ""))

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def came_to(self) -> str:
        """The address of the page, with what was asked of it."""
        url = self.response.url
        return url.raw_path.decode()

    @property
    def text(self) -> str:
        """What people read of the page's own content, without the menu."""
        mains = self.page.all("main")
        return (mains[0] if mains else self.page).text

    @property
    def title(self) -> str:
        return self.page.one("title").text if self.page.all("title") else ""

    @property
    def problem(self) -> str:
        """What was refused, or an empty text."""
        return " ".join(each.text for each in self.page.all(class_="problem"))

    @property
    def notes(self) -> list[str]:
        """What is told of what was just done."""
        return [each.text for each in self.page.all("p", class_="note")]

    @property
    def links(self) -> list[str]:
        """Where the page's own content leads to."""
        return [each["href"] for each in self.page.one("main").all("a") if each.get("href")]

    @property
    def menu(self) -> list[str]:
        """The pages that the menu offers."""
        return [each.text for each in self.page.one("nav").all("a")]

    @property
    def deeds(self) -> set[str]:
        """What the forms of the page do."""
        return {each["value"] for each in self.page.all("input", name="do")}

    def form(self, deed: str, place: int = 0) -> Element:
        """Return a form by what it does; the first one, or another."""
        forms = [each for each in self.page.all("form") if each.all("input", name="do")]
        found = [each for each in forms if each.all("input", name="do", value=deed)]
        assert len(found) > place, f"no form {deed!r} among {sorted(self.deeds)}: {self.text}"
        return found[place]

    def fields(self, deed: str, place: int = 0) -> dict[str, str]:
        """Return what a form has in its fields, as it was shown."""
        return filled(self.form(deed, place))

    def all(self, tag: str | None = None, **attributes: str) -> list[Element]:
        return self.page.all(tag, **attributes)

    def one(self, tag: str | None = None, **attributes: str) -> Element:
        return self.page.one(tag, **attributes)


def filled(form: Element) -> dict[str, str]:
    """Return what a browser would send of a form that nobody filled in any further."""
    found: dict[str, str] = {}
    for each in form.walk():
        name = each.get("name")
        if not name or "disabled" in each.attributes:
            continue
        if each.tag == "textarea":
            found[name] = each.source
        elif each.tag == "select":
            options = each.all("option")
            chosen = [option for option in options if "selected" in option.attributes]
            if options:
                picked = (chosen or options)[0]
                found[name] = picked.get("value", picked.text)
        elif each.tag == "input" and each.get("type") not in {"file", "submit", "button"}:
            if each.get("type") in {"checkbox", "radio"} and "checked" not in each.attributes:
                continue
            found[name] = each.get("value", "on")
    return found


@dataclass
class Console:
    """Somebody signed in, in a browser of their own. ``app`` is the gallery as its host has it."""

    client: httpx.AsyncClient
    loop: Loop
    asgi: ASGIApp
    app: Sayso
    state: ServiceState
    clock: Clock
    seconds: Seconds
    others: list[Console] = field(default_factory=list)

    # --- pages ----------------------------------------------------------------------------------

    def get(self, page: str = "", *, expect: int = 200, **asked: str | Sequence[str]) -> Shown:
        """Return a page, where redirects lead to."""
        shown = self._shown("GET", page, params=asked or None)
        assert shown.status == expect, f"{shown.status}: {shown.text}"
        return shown

    def see(self, page: str, asked: Mapping[str, str]) -> Shown:
        """Return a page, whatever its status."""
        return self._shown("GET", page, params=asked)

    def post(
        self,
        page: str,
        *,
        do: str,
        files: Files = (),
        expect: int = 200,
        follow: bool = True,
        **fields: str | Sequence[str],
    ) -> Shown:
        """Send a form of a page, with the session's token, and return the page that it leads to.

        ``expect`` is the status of that page. Unless it is followed, of the answer itself: 303.
        """
        options: dict[str, Any] = {"data": {"csrf": self.csrf, "do": do, **fields}}
        if files:
            options["files"] = [(name, (f"{name}.png", content)) for name, content in files]
        shown = self._shown("POST", page, headers=OWN_PAGE, follow_redirects=follow, **options)
        assert shown.status == expect, f"{shown.status}: {shown.text}"
        return shown

    def script(self, page: str, *, do: str, expect: int = 200, **options: Any) -> Shown:
        """Do as a script of a page does: ``data`` and ``files`` as httpx has them."""
        data = {"do": do, **options.pop("data", {})}
        headers = {**OWN_PAGE, "X-Sayso-Csrf": self.csrf}
        shown = self._shown("POST", page, data=data, headers=headers, **options)
        assert shown.status == expect, f"{shown.status}: {shown.response.text}"
        return shown

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to any path of the service, and follow no redirect unless told to."""
        return self.loop.run(self.client.request(method, path, **options))

    # --- who ------------------------------------------------------------------------------------

    @property
    def token(self) -> str | None:
        """The token of the session, as the browser keeps it."""
        return self.client.cookies.get("sayso-session")

    @property
    def csrf(self) -> str:
        """What pages of the session have in their forms."""
        session = self.state.sessions.find(self.token)
        assert session is not None, "nobody is signed in"
        return session.csrf

    def enter(self) -> Shown:
        """Sign in as whoever runs the service, by a link."""
        link = self.state.sessions.link(self.app.caller)
        return self.sign_in("enter", token=link)

    def sign_in(self, door: str = "sign-in", **fields: str) -> Shown:
        """Send the form of a door: by a key with its secret, or by the token of a link."""
        return self._shown("POST", door, data=fields, headers=OWN_PAGE)

    def stranger(self) -> Console:
        """Return another browser, with nobody signed in."""
        made = open_browser(self.asgi, self.loop, self.app, self.state, self.clock, self.seconds)
        self.others.append(made)
        return made

    def as_key(self, *actions: Action, purpose: str = "photos", **more: Any) -> Console:
        """Return another browser, signed in with a new key that has these rights, or all."""
        made = make_key(self.app, *actions, purpose=purpose, **more)
        other = self.stranger()
        came = other.sign_in(key=made.key.id, secret=made.secret)
        assert other.token, came.text
        return other

    async def close(self) -> None:
        """Close every browser."""
        for each in (*self.others, self):
            await each.client.aclose()

    def _shown(self, method: str, page: str, **options: Any) -> Shown:
        options.setdefault("follow_redirects", True)
        path = page if page.startswith("/") else f"/console/{page}"
        return Shown.of(self.loop.run(self.client.request(method, path, **options)))


def open_browser(
    asgi: ASGIApp, loop: Loop, app: Sayso, state: ServiceState, clock: Clock, seconds: Seconds
) -> Console:
    """Return a browser with nobody signed in."""
    transport = httpx.ASGITransport(asgi, raise_app_exceptions=False)
    hooks = {"response": [_check]}
    client = httpx.AsyncClient(transport=transport, base_url=HOST, event_hooks=hooks)
    return Console(client, loop, asgi, app, state, clock, seconds)


async def _check(response: httpx.Response) -> None:
    await response.aread()
    check(response)
