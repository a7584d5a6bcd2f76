"""What an operation of the API is, and how it is registered and described."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, get_type_hints

from pydantic import BaseModel
from starlette.responses import Response

from sayso.service.rest import kinds
from sayso.service.rest.bodies import Takes
from sayso.service.rest.calls import Changing, IfMatch, Reading
from sayso.service.rest.kinds import Kind
from sayso.service.rest.pages import Paged

#: Lines of JSON: what is answered where it is no one document.
NDJSON: Final = "application/x-ndjson"
HTML: Final = "text/html"
Endpoint = Callable[..., Awaitable[Response]]
_ALWAYS = (
    kinds.UNAUTHENTICATED,
    kinds.ACCESS_DENIED,
    kinds.INVALID_REQUEST,
    kinds.TOO_MANY_REQUESTS,
    kinds.INTERNAL_ERROR,
    kinds.UNAVAILABLE,
)
_WITH_A_BODY = (
    kinds.MALFORMED,
    kinds.BODY_TIMEOUT,
    kinds.BODY_TOO_LARGE,
    kinds.UNSUPPORTED_MEDIA_TYPE,
)
#: What may be wrong with any picture.
OF_PICTURES = (
    kinds.PICTURE_TOO_LARGE,
    kinds.PICTURE_TOO_COSTLY,
    kinds.UNSUPPORTED_PICTURE,
    kinds.UNREADABLE_PICTURE,
    kinds.UNUSABLE_PICTURE,
    kinds.TOO_MANY_FACES,
)
#: What may be wrong with any search.
OF_SEARCHES = (kinds.CONSENT_REQUIRED, kinds.INVALID_NAME, kinds.MODEL_CONFLICT, kinds.REFUSED)
#: What may be wrong with any enrolment.
OF_ENROLMENTS = (
    kinds.CONSENT_REQUIRED,
    kinds.PURPOSE_NOT_DECLARED,
    kinds.INVALID_NAME,
    kinds.MODEL_CONFLICT,
    kinds.REFUSED,
)


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation: how it is called, what it takes, what it answers, and what may be wrong.

    ``answer`` is None where it answers no document but text of the type ``media``; ``also`` are
    other statuses that have it. ``files`` are the media types of a file that it answers with
    instead, where that is asked for.
    """

    method: str
    path: str
    endpoint: Endpoint
    id: str
    tag: str
    summary: str
    answer: type[BaseModel] | None
    media: str
    status: HTTPStatus
    also: tuple[HTTPStatus, ...]
    takes: Takes | None
    problems: tuple[Kind, ...]
    files: tuple[str, ...] = ()

    @property
    def description(self) -> str:
        """The words of whoever wrote it, as one line for each paragraph."""
        paragraphs = (self.endpoint.__doc__ or "").strip().split("\n\n")
        return "\n\n".join(" ".join(each.split()) for each in paragraphs)

    @property
    def reads(self) -> bool:
        """Whether what it answers has an ETag."""
        return self._depends_on(Reading)

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self._depends_on(Changing)

    @property
    def paged(self) -> bool:
        """Whether it answers a page of a list."""
        return self._depends_on(Paged)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Every kind of problem that it may answer with."""
        found = [*_ALWAYS, *self.problems]
        if "{collection}" in self.path:
            found.append(kinds.COLLECTION_NOT_FOUND)
        if self.takes is not None:
            found += _WITH_A_BODY
        if self.paged:
            found.append(kinds.INVALID_CURSOR)
        if self.changes:
            found += [kinds.KEY_REUSED, kinds.IN_PROGRESS]
        if self._depends_on(IfMatch):
            found.append(kinds.PRECONDITION_FAILED)
        return tuple(sorted(set(found), key=lambda kind: (kind.status, kind.name)))

    def _depends_on(self, what: Any) -> bool:
        return what in get_type_hints(self.endpoint, include_extras=True).values()


class Resource:
    """The operations of a resource, in the order that they are described in."""

    def __init__(self, tag: str, about: str) -> None:
        self.tag, self.about = tag, about
        self.operations: list[Operation] = []

    def operation(
        self,
        method: str,
        path: str,
        summary: str,
        *,
        answer: type[BaseModel] | None,
        media: str = NDJSON,
        status: HTTPStatus = HTTPStatus.OK,
        also: tuple[HTTPStatus, ...] = (),
        takes: Takes | None = None,
        problems: tuple[Kind, ...] = (),
        files: tuple[str, ...] = (),
    ) -> Callable[[Endpoint], Endpoint]:
        """Register a handler; its name is the operation's id."""

        def register(endpoint: Endpoint) -> Endpoint:
            self.operations.append(
                Operation(
                    method=method,
                    path=path,
                    endpoint=endpoint,
                    id=getattr(endpoint, "__name__", ""),
                    tag=self.tag,
                    summary=summary,
                    answer=answer,
                    media=media,
                    status=status,
                    also=also,
                    takes=takes,
                    problems=problems,
                    files=files,
                )
            )
            return endpoint

        return register
