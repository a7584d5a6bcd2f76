"""The sentences of a report, event by event."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sayso.audit.about import EntryAbout
from sayso.audit.events import (
    ConsentRecorded,
    ConsentsImported,
    Event,
    FacesEnrolled,
    FacesErased,
    Found,
    InteractionRecorded,
    LookalikeRefused,
    PictureRedacted,
    PictureSearched,
    SubjectErased,
    SubjectRead,
    TemplatesEnrolled,
)
from sayso.cli.telling import done_to, found_in, who

ME, OTHER, CONSENT = (f"{n}f0d1c52-7a43-4d0e-9b6a-3f1d2c4b5a69" for n in range(3))
DIGEST = "ab" * 32
TIME = datetime(2026, 5, 3, 14, 5).astimezone()


def entry(event: Event, actor: str = "user:anna", purpose: str | None = None) -> EntryAbout:
    return EntryAbout(7, TIME.astimezone(UTC), actor, purpose, event)


def search(*found: tuple[str, float], picture: str | None = DIGEST) -> EntryAbout:
    hits = tuple(Found(subject, similarity) for subject, similarity in found)
    return entry(PictureSearched("club", picture, 3, 80.0, hits), purpose="photo-delivery")


def test_a_search_is_told_with_who_when_what_for_and_how_similar() -> None:
    assert found_in(search((OTHER, 99.1), (ME, 93.44)), ME) == (
        "On 3 May 2026 at 14:05 the user anna searched a picture for photo-delivery and you were "
        "found in it (similarity 93.4)."
    )


def test_several_faces_of_one_picture_are_one_sentence() -> None:
    assert found_in(search((ME, 81.0), (ME, 97.0)), ME) == (
        "On 3 May 2026 at 14:05 the user anna searched a picture for photo-delivery and you were "
        "found in it 2 times (similarity up to 97.0)."
    )
    told = found_in(search((ME, 81.0), picture=None), ME)
    assert told is not None
    assert "searched descriptions of faces for photo-delivery and you were found in them" in told


def test_a_search_that_found_others_is_not_told() -> None:
    assert found_in(search((OTHER, 99.0)), ME) is None
    assert done_to(search((ME, 99.0)), ME) is None


@pytest.mark.parametrize(
    ("event", "said"),
    [
        (
            ConsentRecorded("club", ME, CONSENT, ("door",), "2027-01-31T12:00:00+00:00"),
            "put on record that you agree to door, until 31 January 2027 at ",
        ),
        (
            ConsentsImported("club", (ME, OTHER), ("a", "b", "c")),
            "agree to a, b and c, for several people at once.",
        ),
        (InteractionRecorded("club", ME, TIME.isoformat()), "in touch on 3 May 2026 at 14:05."),
        (FacesEnrolled("club", ME, CONSENT, ("f",), (DIGEST,)), "enrolled you from a picture."),
        (
            FacesEnrolled("club", ME, CONSENT, ("f", "g"), (DIGEST,) * 2, (OTHER,)),
            "enrolled you from 2 pictures, though one looks more like somebody else.",
        ),
        (FacesEnrolled("club", ME, CONSENT, (), ()), "used before, so nothing was added."),
        (
            FacesEnrolled("club", OTHER, CONSENT, ("f",), (DIGEST,), (OTHER, ME)),
            "enrolled somebody else from a picture that looks like you, knowing that it does.",
        ),
        (
            LookalikeRefused("club", None, ME, DIGEST),
            "wanted to enrol somebody from a picture that looks like you; it was refused.",
        ),
        (
            LookalikeRefused("club", ME, OTHER, DIGEST),
            "wanted to enrol you from a picture that looks more like somebody else; it was refused",
        ),
        (TemplatesEnrolled("club", (ME, OTHER), 2), "descriptions of your face that were made"),
        (
            TemplatesEnrolled("club", (OTHER,), 1, (ME,)),
            "enrolled somebody else from descriptions that were made elsewhere and look like you",
        ),
        (
            FacesErased("club", ME, 1, "withdrawn"),
            "erased a description of your face, since the consent that allowed it is taken back.",
        ),
        (FacesErased("club", ME, 3, "expired"), "erased 3 descriptions of your face, since the"),
        (
            PictureRedacted("club", DIGEST, "solid", 9, 8, (OTHER, ME)),
            "made a copy of a picture, the one searched just then, in which you can be seen",
        ),
        (SubjectRead("club", ME, "report"), "made a report like this one."),
        (SubjectErased("club", ME, "asked", 1, 1), "erased you."),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Event) else "",
)
def test_every_event_about_a_person_has_its_sentence(event: Event, said: str) -> None:
    told = done_to(entry(event), ME)
    assert told is not None
    assert told.startswith("On 3 May 2026 at 14:05 the user anna ")
    assert said in told
    for hidden in (ME, OTHER, CONSENT, DIGEST, "club"):
        assert hidden not in told


@pytest.mark.parametrize(
    ("actor", "said"),
    [
        ("user:anna", "the user anna"),
        ("uid:1000", "the user number 1000"),
        ("photo-desk", "photo-desk"),
        ("retention", "the rule on how long things are kept"),
        ("user:", "user:"),
    ],
)
def test_actors_in_words(actor: str, said: str) -> None:
    assert who(actor) == said
