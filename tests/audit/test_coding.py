from __future__ import annotations

import types
import typing
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.audit import events
from sayso.audit.canonical import canonical
from sayso.audit.chain import START as NO_LINK
from sayso.audit.chain import write_body
from sayso.audit.coding import from_json, subjects_in, to_fields
from sayso.audit.events import EVENTS, Event, Found
from sayso.audit.log import Who
from sayso.errors import AuditError
from tests.audit.logs import ADA, BOB, CY, GUEST, MORE, SAMPLES, START

FLOATS = st.floats(0, 100).map(lambda value: round(value, 4))


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Values of a field of that type."""
    simple = {
        str: st.text(max_size=20),
        int: st.integers(0, 2**53 - 1),
        bool: st.booleans(),
        float: FLOATS,
        types.NoneType: st.none(),
        Found: st.builds(Found, st.text(max_size=8), FLOATS),
    }
    if hint in simple:
        return simple[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is types.UnionType:
        return st.one_of([values(each) for each in inner])
    if origin is tuple and inner[-1] is Ellipsis:
        return st.lists(values(inner[0]), max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*(values(each) for each in inner))
    raise TypeError(hint)


def made(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = typing.get_type_hints(kind)
    del hints["kind"]
    return st.builds(kind, **{name: values(hint) for name, hint in hints.items()})


ANY_EVENT = st.sampled_from(list(EVENTS.values())).flatmap(made)
ANYBODY = st.builds(Who, st.text(), st.none() | st.text(), st.none() | st.text())


@given(ANY_EVENT, ANYBODY)
def test_every_event_comes_back_from_its_entry(event: Event, who: Who) -> None:
    body = write_body(7, START, NO_LINK, who, event.kind, to_fields(event))
    assert from_json(event.kind, body) == event


@given(ANY_EVENT)
def test_every_event_has_one_text(event: Event) -> None:
    text = canonical(to_fields(event))
    assert canonical(to_fields(from_json(event.kind, text))) == text


@pytest.mark.parametrize("event", SAMPLES + MORE, ids=lambda event: event.kind)
def test_an_event_comes_back_as_its_own_class(event: Event) -> None:
    body = write_body(1, START, NO_LINK, GUEST, event.kind, to_fields(event))
    again = from_json(event.kind, body)
    assert type(again) is type(event)
    assert again == event


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(AuditError, match="no event 'door-opened'"):
        from_json("door-opened", "{}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"collection":"club"}', "subjects"),
        ('{"collection":"club","subjects":"2"}', "subjects"),
        ('{"collection":null,"subjects":2}', "collection"),
        ("[]", "content"),
        ("{", "content"),
    ],
)
def test_other_fields_than_the_kinds_are_refused(text: str, said: str) -> None:
    with pytest.raises(AuditError, match=f"event collection-deleted: {said}"):
        from_json("collection-deleted", text)


def test_a_value_that_is_none_of_the_listed_is_refused() -> None:
    fields = to_fields(events.SubjectErased("club", ADA, "asked", 1, 1)) | {"reason": "whim"}
    with pytest.raises(AuditError, match="reason"):
        from_json("subject-erased", canonical(fields))


@pytest.mark.parametrize(
    ("event", "subjects"),
    [
        (events.ConsentsImported("club", (ADA, BOB), ("door",)), {ADA, BOB}),
        (events.LookalikeRefused("club", None, ADA, "a1"), {ADA}),
        (events.FacesEnrolled("club", ADA, "c", ("f",), ("p",), (BOB, CY)), {ADA, BOB, CY}),
        (events.PictureSearched("club", None, 2, 80, (Found(ADA, 90), Found(CY, 81))), {ADA, CY}),
        (events.PictureSearched("club", None, 2, 80, (Found(ADA, 90), Found(ADA, 85))), {ADA}),
        (events.CollectionDeleted("club", 5), set()),
        (events.KeysRead(), set()),
        (events.SignedIn("key"), set()),
    ],
)
def test_an_event_is_about_all_subjects_in_it(event: Event, subjects: set[str]) -> None:
    assert subjects_in(to_fields(event)) == subjects


@given(st.dictionaries(st.sampled_from(["subject", "subjects", "found"]), st.from_type(object)))
def test_damaged_fields_are_about_nobody_or_some_text(fields: dict[str, object]) -> None:
    assert all(isinstance(subject, str) for subject in subjects_in(fields))


def test_a_search_of_an_earlier_version_has_no_threshold() -> None:
    text = '{"collection":"club","picture":null,"probes":1,"min_similarity":80,"found":[]}'
    assert from_json("picture-searched", text) == events.PictureSearched("club", None, 1, 80, ())
