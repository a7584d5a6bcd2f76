from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.errors import InvalidName
from sayso.gallery.names import (
    check_collection,
    check_purpose,
    check_purposes,
    check_subject,
    known_collection,
    known_subject,
)


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "x" * 255])
def test_names_that_rekognition_takes_are_taken(name: str) -> None:
    assert check_collection(name) == name
    assert check_subject(name) == name


def test_only_subjects_may_have_colons() -> None:
    assert check_subject("badge:17") == "badge:17"
    with pytest.raises(InvalidName, match="badge:17"):
        check_collection("badge:17")


@pytest.mark.parametrize("name", ["", "x" * 256, "a b", "a\n", "é", "../up", "a/b", "\0"])
def test_other_names_are_refused_with_what_was_given(name: str) -> None:
    for check in (check_collection, check_subject, known_collection, known_subject):
        with pytest.raises(InvalidName, match=r"is no name for a .*letters a-z and A-Z") as caught:
            check(name)
        assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", [".", "..", "...", "." * 255])
def test_a_name_of_only_dots_may_be_there_and_is_not_given(name: str) -> None:
    assert (known_collection(name), known_subject(name)) == (name, name)
    for check in (check_collection, check_subject):
        with pytest.raises(InvalidName, match="and not only dots"):
            check(name)
    for other in (f"{name}a"[-255:], f"a{name}"[:255], f"{name}-"[-255:]):
        assert check_collection(other) == check_subject(other) == other


@given(st.text(max_size=80))
def test_purposes_are_small_letters_digits_and_hyphens(name: str) -> None:
    good = 0 < len(name) <= 64 and all(c in "abcdefghijklmnopqrstuvwxyz0123456789-" for c in name)
    if good:
        assert check_purpose(name) == name
    else:
        with pytest.raises(InvalidName):
            check_purpose(name)


def test_a_lone_text_is_not_taken_for_a_list_of_letters() -> None:
    with pytest.raises(InvalidName, match="list"):
        check_purposes("abc")


def test_no_purpose_is_refused() -> None:
    with pytest.raises(InvalidName, match="at least one"):
        check_purposes([])
