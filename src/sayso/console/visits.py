"""A request of somebody signed in: who they are, what they may, and what they are shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar
from urllib.parse import urlencode

from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from sayso.callers import Action, Caller, permit
from sayso.console import templates
from sayso.console.security import HEADERS
from sayso.core import Sayso
from sayso.service.place import at
from sayso.service.sessions import Session
from sayso.service.state import ServiceState

Result = TypeVar("Result")
BASE: Final = "/console"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of a form, and what it was called where it came from."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Visit:
    """A request of somebody signed in; ``app`` is the gallery as they may use it.

    ``form`` is what a form sent. ``problem`` is what was refused of it, in the words of the core,
    and ``problem_kind`` what the API calls that: then the page is shown again, with what was given.
    """

    request: Request
    state: ServiceState
    session: Session
    app: Sayso
    form: FormData = field(default_factory=FormData)
    problem: str | None = None
    problem_kind: str = ""

    @property
    def caller(self) -> Caller:
        """Who visits."""
        return self.app.caller

    def may(self, *any_of: Action) -> bool:
        """Tell whether they have one of these rights: a page need not offer what is refused."""
        return bool(self.caller.actions & set(any_of))

    def require(self, *any_of: Action) -> None:
        """Raise AccessDenied, as the core does, unless they have one of these rights.

        For pages whose forms nobody else can send: better told before than after filling them in.
        """
        permit(self.caller, any_of, None)

    def may_everywhere(self, *any_of: Action) -> bool:
        """Tell whether they have one of these rights in every collection."""
        return self.may(*any_of) and self.caller.collections is None

    async def light(self, work: Callable[[], Result]) -> Result:
        """Run what asks the database."""
        return await self.state.engine.light(work)

    async def heavy(self, work: Callable[[], Result]) -> Result:
        """Run what decodes a picture or searches; they take turns with everybody else."""
        return await self.state.engine.run(self.caller.key, work)

    # --- what came in -----------------------------------------------------------------------------

    def asked(self, name: str, default: str = "") -> str:
        """Return a value of the address, without blanks around it."""
        return self.request.query_params.get(name, default).strip()

    def given(self, name: str, default: str = "") -> str:
        """Return a text of the form, without blanks around it."""
        value = self.form.get(name, default)
        return value.strip() if isinstance(value, str) else default

    def all_given(self, name: str) -> list[str]:
        """Return every text of that name in the form, without the empty ones."""
        texts = (each.strip() for each in self.form.getlist(name) if isinstance(each, str))
        return [each for each in texts if each]

    async def files(self, name: str) -> list[bytes]:
        """Return what ``uploads`` does, without the names."""
        return [each.content for each in await self.uploads(name)]

    async def uploads(self, name: str) -> list[Upload]:
        """Return the files of the form, in memory; empty fields are left out."""
        files = [each for each in self.form.getlist(name) if isinstance(each, UploadFile)]
        read = [(each.filename or "", await each.read()) for each in files]
        return [Upload(name, content) for name, content in read if content]

    # --- what goes out ----------------------------------------------------------------------------

    def page(self, template: str, status: int = HTTPStatus.OK, **told: Any) -> Response:
        """Show a page; what was noted for this visitor is told on it."""
        notes, self.session.notes[:] = list(self.session.notes), []
        html = templates.render(template, visit=self, notes=notes, **told)
        return HTMLResponse(html, status, headers=HEADERS)

    def fragment(self, template: str, **told: Any) -> Response:
        """Show a part of a page, for a script that puts it there."""
        return HTMLResponse(templates.render(template, visit=self, **told), headers=HEADERS)

    def go(self, page: str, note: str | None = None, **asked: str) -> Response:
        """Send them to a page, such as ``people``; ``note`` is told there."""
        if note is not None:
            self.session.notes.append(note)
        return RedirectResponse(address(page, asked), HTTPStatus.SEE_OTHER, headers=HEADERS)


def address(page: str, asked: Mapping[str, str] | None = None) -> str:
    """Return the address of a page, with values that it is asked for."""
    query = f"?{urlencode(asked)}" if asked else ""
    return at(f"{BASE}/{page}{query}")
