from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sayso.audit import events
from sayso.audit.about import ANOTHER, about
from sayso.audit.events import Event, Found
from sayso.audit.log import Entry
from tests.audit.logs import ADA, BOB, CY, MORE, SAMPLES

TIME = datetime(2026, 5, 1, tzinfo=UTC)


def entry(event: Event) -> Entry:
    return Entry(7, TIME, "user:anna", "SAYS1", "photos", event, f"names {BOB}", "00", "00")


def test_whoever_else_was_found_is_left_out() -> None:
    found = (Found(BOB, 91), Found(ADA, 88.5), Found(CY, 80))
    told = about(entry(events.PictureSearched("club", "a1", 9, 80, found)), ADA)
    assert told.event == events.PictureSearched("club", "a1", 9, 80, (Found(ADA, 88.5),))
    assert (told.number, told.time, told.actor, told.purpose) == (7, TIME, "user:anna", "photos")


def test_whoever_else_was_enrolled_is_another() -> None:
    told = about(entry(events.TemplatesEnrolled("club", (ADA, BOB), 2)), ADA)
    assert told.event == events.TemplatesEnrolled("club", (ADA, ANOTHER), 2)
    told = about(entry(events.LookalikeRefused("club", BOB, ADA, "a1")), ADA)
    assert told.event == events.LookalikeRefused("club", ANOTHER, ADA, "a1")


@pytest.mark.parametrize("event", SAMPLES + MORE, ids=lambda event: event.kind)
def test_no_entry_tells_a_subject_of_anybody_else(event: Event) -> None:
    assert not [each for each in (ADA, BOB) if each in repr(about(entry(event), CY))]
