from __future__ import annotations

import inspect
import re
from dataclasses import fields

import pytest

from sayso.audit import events
from sayso.audit.chain import ENVELOPE
from sayso.audit.events import EVENTS, Event, LogBegun
from tests.audit.logs import MORE, SAMPLES


def test_every_class_of_event_is_a_kind() -> None:
    classes = {
        each
        for _, each in inspect.getmembers(events, inspect.isclass)
        if issubclass(each, Event) and each is not Event
    }
    assert set(EVENTS.values()) == classes
    assert len(EVENTS) == len(classes)


def test_the_tests_have_an_event_of_every_kind() -> None:
    assert {LogBegun.kind, *(event.kind for event in SAMPLES + MORE)} == set(EVENTS)


@pytest.mark.parametrize("kind", EVENTS)
def test_a_kind_is_documented_and_named_after_its_class(kind: str) -> None:
    each = EVENTS[kind]
    words = re.findall("[A-Z][a-z]+", each.__name__)
    assert kind == "-".join(words).lower()
    assert each.__doc__ is not None
    assert not each.__doc__.startswith(each.__name__)  # what dataclasses write themselves


@pytest.mark.parametrize("kind", EVENTS)
def test_no_field_is_named_like_those_of_every_entry(kind: str) -> None:
    assert not {field.name for field in fields(EVENTS[kind])} & set(ENVELOPE)


@pytest.mark.parametrize("kind", EVENTS)
def test_no_event_has_room_for_what_must_not_be_logged(kind: str) -> None:
    names = {field.name for field in fields(EVENTS[kind])}
    assert not names & {"name", "secret", "template", "templates", "evidence", "text", "image"}
