"""The audit log: searched, checked, and taken away."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.responses import Response, StreamingResponse

from sayso.audit.brief import in_brief
from sayso.audit.events import EVENTS
from sayso.audit.heads import Head
from sayso.audit.verification import Verification
from sayso.console import words
from sayso.console.forms import FormRefused
from sayso.console.routing import Page
from sayso.console.security import saved_as
from sayso.console.visits import Visit
from sayso.errors import AuditError
from sayso.results import Entry
from sayso.service.lines import chunks

#: Entries on a page.
_SHOWN: Final = 50
#: Entries are numbered with 64 bits.
_LARGEST_NUMBER: Final = 2**63 - 1
_FILTERS: Final = ("collection", "actor", "kind", "subject", "first", "last")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is searched for: ``values`` as they were given, and the numbers among them."""

    values: dict[str, str]
    after: int
    before: int | None

    @property
    def about(self) -> tuple[str, str] | None:
        """The subject that the entries are about, with their collection."""
        subject = self.values["subject"]
        return (self.values["collection"], subject) if subject else None

    def older(self, found: tuple[Entry, ...]) -> str | None:
        """Return the query of the page after this one, if there can be one."""
        if len(found) < _SHOWN or found[-1].number <= self.after + 1:
            return None
        given = {name: value for name, value in self.values.items() if value}
        return urlencode(given | {"before": str(found[-1].number)})


async def _show(visit: Visit, verified: Verification | None = None) -> Response:
    everywhere = visit.may_everywhere("audit")
    collections = await visit.light(visit.app.collections)
    values = {name: visit.asked(name) for name in _FILTERS}
    if not everywhere and not values["collection"] and collections:
        values["collection"] = collections[0].name
    asked = _asked(values, visit.asked("before"))
    found = await visit.light(
        lambda: visit.app.audit_entries(
            after=asked.after,
            before=asked.before,
            limit=_SHOWN,
            newest_first=True,
            collection=values["collection"] or None,
            actor=values["actor"] or None,
            kind=values["kind"] or None,
            subject=asked.about,
        )
    )
    return visit.page(
        "audit.html",
        collections=collections,
        everywhere=everywhere,
        asked=values,
        filtered=any(values.values()),
        paged=bool(visit.asked("before")),
        kinds=sorted(((kind, kind_in_words(kind)) for kind in EVENTS), key=lambda each: each[1]),
        entries=[_told(each) for each in found],
        older=asked.older(found),
        verified=verified,
    )


def _asked(values: dict[str, str], before: str) -> _Asked:
    """Return what is searched for; raises FormRefused for what cannot be."""
    if values["subject"] and not values["collection"]:
        raise FormRefused(words.say("audit.search.which_collection"))
    first, last = _number(values["first"]), _number(values["last"])
    page = _number(before)
    ends = [each for each in (page, None if last is None else last + 1) if each is not None]
    return _Asked(values, max(0, (first or 1) - 1), min(ends) if ends else None)


def _number(text: str) -> int | None:
    """Return the number of an entry, None for no text; raises FormRefused."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) < _LARGEST_NUMBER):
        raise FormRefused(words.say("audit.search.no_number", given=text[:40]))
    return int(text)


def kind_in_words(kind: str) -> str:
    """Return a kind of event in words; one that has none yet by its own name."""
    name = f"audit.kind.{kind}"
    return words.say(name) if name in words.catalogue() else kind.replace("-", " ").capitalize()


def _told(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.number,
        "time": entry.time,
        "actor": entry.actor,
        "key": entry.key,
        "purpose": entry.purpose,
        "kind": kind_in_words(entry.event.kind),
        "brief": in_brief(entry.event),
        "body": json.dumps(json.loads(entry.body), indent=2, ensure_ascii=False),
        "hash": entry.hash,
        "signature": entry.signature,
    }


async def _verify(visit: Visit) -> Response:
    files = await visit.files("head_file")
    head = _saved(files[0] if files else visit.given("head").encode())
    found = await visit.heavy(lambda: visit.app.audit_verify(head))
    return await _show(visit, found)


def _saved(text: bytes) -> Head | None:
    """Return the head that was saved, if there is one; raises FormRefused for what is none."""
    if not text:
        return None
    try:
        head = Head.parse(text)
        head.check()
    except AuditError as error:  # of what was given here, not of the log
        raise FormRefused(str(error)) from None
    return head


async def _head(visit: Visit) -> Response:
    head = await visit.light(visit.app.audit_head)
    return Response(
        head.to_json(),
        media_type="application/json",
        headers=saved_as(f"sayso-audit-head-{head.number}.json"),
    )


async def _export(visit: Visit) -> Response:
    after = _number(visit.asked("after")) or 0
    lines = await visit.light(lambda: visit.app.audit_export(after))
    return StreamingResponse(
        chunks(visit.state.engine, lines),
        media_type="application/x-ndjson",
        headers=saved_as("sayso-audit.ndjson"),
    )


PAGES = (
    Page("audit", _show, {"verify": _verify}),
    Page("audit/head", _head),
    Page("audit/export", _export),
)
