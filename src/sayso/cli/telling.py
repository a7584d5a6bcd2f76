"""Entries of the audit log told to the person they are about: in plain words, naming nobody else.

A sentence begins with when it was and who did it. Nothing in it tells one other subject from
another, nor gives an id away.
"""

from __future__ import annotations

from datetime import datetime
from functools import singledispatch
from typing import TYPE_CHECKING

from sayso.audit.events import (
    ConflictRefused,
    ConsentRecorded,
    ConsentsImported,
    ConsentWithdrawn,
    Event,
    FacesEnrolled,
    FacesErased,
    FacesTaken,
    InteractionRecorded,
    LookalikeRefused,
    PictureRedacted,
    PictureSearched,
    SubjectErased,
    SubjectRead,
    TemplatesEnrolled,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sayso.results import EntryAbout

_LOOKED_AT = {
    "subject": "looked at your entry: your name, your number, and what you agree to",
    "faces": "looked at the list of the descriptions of your face",
    "consents": "looked at what you agreed to",
    "report": "made a report like this one",
}


def day(moment: datetime) -> str:
    """Return a day as people write it, in local time."""
    here = moment.astimezone()
    return f"{here.day} {here:%B %Y}"


def minute(moment: datetime) -> str:
    """Return a day and a time of it, in local time."""
    return f"{day(moment)} at {moment.astimezone():%H:%M}"


def who(actor: str) -> str:
    """Return an actor as people would say it."""
    kind, _, name = actor.partition(":")
    if kind == "user" and name:
        return f"the user {name}"
    if kind == "uid" and name:
        return f"the user number {name}"
    return "the rule on how long things are kept" if actor == "retention" else actor


def found_in(entry: EntryAbout, subject: str) -> str | None:
    """Tell of a search that found the subject; None of anything else."""
    event, scores = entry.event, similarities(entry, subject)
    if not isinstance(event, PictureSearched) or not scores:
        return None
    what = "a picture" if event.picture else "descriptions of faces"
    times = "" if len(scores) == 1 else f" {len(scores)} times"
    best = (
        f"similarity {scores[0]:.1f}" if len(scores) == 1 else f"similarity up to {scores[0]:.1f}"
    )
    there = "it" if event.picture else "them"
    return (
        f"On {minute(entry.time)} {who(entry.actor)} searched {what} for {entry.purpose} and you "
        f"were found in {there}{times} ({best})."
    )


def done_to(entry: EntryAbout, subject: str) -> str | None:
    """Tell of what was done to the subject, or looked at; None of a search."""
    if isinstance(entry.event, PictureSearched):
        return None
    return f"On {minute(entry.time)} {who(entry.actor)} {_tell(entry.event, subject)}."


def similarities(entry: EntryAbout, subject: str) -> list[float]:
    """Return how similar the faces were that a search found the subject in, the highest first."""
    event = entry.event
    if not isinstance(event, PictureSearched):
        return []
    return sorted((hit.similarity for hit in event.found if hit.subject == subject), reverse=True)


@singledispatch
def _tell(event: Event, subject: str) -> str:  # noqa: ARG001 - those below need it
    return f"did something about you that is called {event.kind} in the record"


@_tell.register
def _(event: ConsentRecorded, subject: str) -> str:  # noqa: ARG001
    until = "" if event.until is None else f", until {minute(datetime.fromisoformat(event.until))}"
    return f"put on record that you agree to {_listed(event.purposes)}{until}"


@_tell.register
def _(event: ConsentsImported, subject: str) -> str:  # noqa: ARG001
    return (
        f"put on record that you agree to {_listed(event.purposes)}, for several people at once"
        if len(event.subjects) > 1
        else f"put on record that you agree to {_listed(event.purposes)}"
    )


@_tell.register
def _(event: ConsentWithdrawn, subject: str) -> str:  # noqa: ARG001
    return f"put on record that you took back your consent to {_listed(event.purposes)}"


@_tell.register
def _(event: InteractionRecorded, subject: str) -> str:  # noqa: ARG001
    at = datetime.fromisoformat(event.at)
    return f"put on record that you were in touch on {minute(at)}"


@_tell.register
def _(event: FacesEnrolled, subject: str) -> str:
    if event.subject != subject:
        return "enrolled somebody else from a picture that looks like you, knowing that it does"
    if not event.faces:
        return "gave pictures of you that had been used before, so nothing was added"
    pictures = "a picture" if len(event.faces) == 1 else f"{len(event.faces)} pictures"
    alike = ", though one looks more like somebody else" if event.lookalikes else ""
    return f"enrolled you from {pictures}{alike}"


@_tell.register
def _(event: LookalikeRefused, subject: str) -> str:
    if event.lookalike == subject:
        return "wanted to enrol somebody from a picture that looks like you; it was refused"
    return "wanted to enrol you from a picture that looks more like somebody else; it was refused"


@_tell.register
def _(event: ConflictRefused, subject: str) -> str:  # noqa: ARG001
    return "wanted to enrol somebody under your name who does not look like you; it was refused"


@_tell.register
def _(event: FacesTaken, subject: str) -> str:  # noqa: ARG001
    return "deleted descriptions of your face for that purpose; they stay for others"


@_tell.register
def _(event: TemplatesEnrolled, subject: str) -> str:
    if subject not in event.subjects:
        return (
            "enrolled somebody else from descriptions that were made elsewhere and look like you, "
            "knowing that they do"
        )
    return "enrolled you from descriptions of your face that were made elsewhere"


@_tell.register
def _(event: FacesErased, subject: str) -> str:  # noqa: ARG001
    what = "a description" if event.faces == 1 else f"{event.faces} descriptions"
    how = "taken back" if event.reason == "withdrawn" else "over"
    return f"erased {what} of your face, since the consent that allowed it is {how}"


@_tell.register
def _(event: PictureRedacted, subject: str) -> str:  # noqa: ARG001
    return (
        "made a copy of a picture, the one searched just then, in which you can be seen, since you "
        "agreed; whoever did not is covered"
    )


@_tell.register
def _(event: SubjectErased, subject: str) -> str:  # noqa: ARG001
    return "erased you"


@_tell.register
def _(event: SubjectRead, subject: str) -> str:  # noqa: ARG001
    return _LOOKED_AT[event.what]


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "nothing"
