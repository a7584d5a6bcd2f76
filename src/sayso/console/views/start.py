"""The first page, and the first steps: a sample of one person, from consent to the audit log."""

from __future__ import annotations

import base64
from dataclasses import dataclass, replace
from typing import Final

from starlette.responses import Response

from sayso.callers import KNOWING
from sayso.console import assets
from sayso.console.routing import Page
from sayso.console.visits import Visit
from sayso.console.words import say
from sayso.core import Sayso
from sayso.errors import GalleryError
from sayso.results import Consent, Entry, Recognition, Redacted

COLLECTION: Final = "first-steps"
SUBJECT: Final = "eileen-collins"
#: What she agrees to, and what she does not.
AGREED, OTHER = "photo-delivery", "newsletter"
_ENTRIES = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """How far the sample is: who is enrolled, what was recognised and published, what is on record.

    ``agreed`` and ``other`` are the purposes; whoever came with a key has only their own. ``there``
    tells that the person of the sample is in its collection, and ``others`` that somebody else is,
    who has nothing to do with it.
    """

    agreed: str
    other: str | None
    there: bool = False
    enrolled: bool = False
    others: bool = False
    seen: Recognition | None = None
    published: tuple[tuple[str, Redacted], ...] = ()
    entries: tuple[Entry, ...] = ()


async def _first(visit: Visit) -> Response:
    """Send them where they can begin: an empty installation to the first steps."""
    if visit.may_everywhere("admin") and not await visit.light(visit.app.collections):
        return visit.go("start")
    return visit.go("look" if visit.may("search", "detect") else "collections")


async def _show(visit: Visit) -> Response:
    visit.require("admin")
    return _page(visit, await visit.light(lambda: _so_far(visit)))


def _page(visit: Visit, sample: Sample) -> Response:
    return visit.page(
        "start.html", sample=sample, subject=SUBJECT, collection=COLLECTION, as_data=_as_data
    )


async def _enrol(visit: Visit) -> Response:
    await visit.heavy(lambda: _enrolled(visit.app, _so_far(visit)))
    return visit.go("start", say("start.enrol.done"))


async def _look(visit: Visit) -> Response:
    def work() -> Sample:
        sample = _so_far(visit)
        return replace(sample, seen=_seen(visit.app, sample))

    return _page(visit, await visit.heavy(work))


async def _publish(visit: Visit) -> Response:
    def work() -> Sample:
        sample = _so_far(visit)
        seen = _seen(visit.app, sample)
        purposes = [each for each in (sample.agreed, sample.other) if each is not None]
        published = tuple(
            (each, visit.app.redact(COLLECTION, _picture("second"), purpose=each))
            for each in purposes
        )
        entries = visit.app.audit_entries(collection=COLLECTION, newest_first=True, limit=_ENTRIES)
        return replace(sample, seen=seen, published=published, entries=entries[::-1])

    return _page(visit, await visit.heavy(work))


async def _remove(visit: Visit) -> Response:
    stays = await visit.light(lambda: _removed(visit))
    return visit.go("start", say("start.remove.stays") if stays else say("start.remove.done"))


def _removed(visit: Visit) -> bool:
    """Erase the person of the sample, and its collection; tell whether that stays, for others."""
    sample = _so_far(visit)
    if not sample.others:
        visit.app.delete_collection(COLLECTION, erase_subjects=True)
        return False
    if not sample.there:
        raise GalleryError(say("start.taken", name=COLLECTION))
    visit.app.erase_subject(COLLECTION, SUBJECT)
    return True


def _so_far(visit: Visit) -> Sample:
    own = visit.caller.purpose
    sample = Sample(own or AGREED, OTHER if own is None else None)
    found = next((each for each in visit.app.collections() if each.name == COLLECTION), None)
    if found is None or not found.subjects or not visit.may(*KNOWING):
        return sample
    first, *more = visit.app.subjects(COLLECTION, limit=2)  # she came first, or it is not hers
    hers = first.name == SUBJECT
    return replace(
        sample,
        there=hers,
        enrolled=hers and first.faces > 0,
        others=not hers or bool(more),
    )


def _enrolled(app: Sayso, sample: Sample) -> None:
    """Make the collection, say what it is for, and enrol the portrait on a consent.

    Raises GalleryError where it has people who are not of the sample.
    """
    if sample.others:
        raise GalleryError(say("start.taken", name=COLLECTION))
    if COLLECTION not in {each.name for each in app.collections()}:
        app.create_collection(COLLECTION)
    for purpose in (sample.agreed, sample.other):
        if purpose is not None:
            app.declare_purpose(COLLECTION, purpose, notice=say("start.notice", purpose=purpose))
    consent = Consent([sample.agreed], say("start.evidence"))
    app.enroll(COLLECTION, subject=SUBJECT, pictures=[_picture("portrait")], consent=consent)


def _seen(app: Sayso, sample: Sample) -> Recognition:
    if not sample.enrolled:
        raise GalleryError(say("start.not_yet"))
    return app.recognize(COLLECTION, _picture("second"), purpose=sample.agreed)


def _picture(name: str) -> bytes:
    """Return a picture of the sample: the portrait by NASA is in the public domain."""
    return (assets.ROOT / "sample" / f"{name}.jpg").read_bytes()


def _as_data(redacted: Redacted) -> str:
    """Return a redacted picture as the address of an image that holds it."""
    return f"data:{redacted.media_type};base64,{base64.b64encode(redacted.data).decode()}"


PAGES = (
    Page("", _first),
    Page(
        "start",
        _show,
        {"enrol": _enrol, "look": _look, "publish": _publish, "remove": _remove},
    ),
)
