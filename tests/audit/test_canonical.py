from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sayso.audit.canonical import canonical, parse

NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(-1e9, 1e9).map(lambda x: round(x, 4))
DOCUMENTS = st.dictionaries(
    st.text(st.characters(max_codepoint=127), max_size=5),
    st.recursive(
        st.none() | st.booleans() | NUMBERS | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc"), inner),
        max_leaves=8,
    ),
)


def test_the_example_of_rfc_8785() -> None:
    # Section 3.2.2 and 3.2.3, without its numbers, which are never in the log.
    document = {"string": "\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", "literals": [None, True]}
    expected = '{"literals":[null,true],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    assert canonical(document) == expected


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (0.0, "0"),
        (-0.0, "0"),
        (100.0, "100"),
        (87.5, "87.5"),
        (0.0001, "0.0001"),
        (0.00004, "0"),
        (99.12344999, "99.1234"),
        (123456789012.25, "123456789012.25"),
        (2**53 - 1, "9007199254740991"),
        (True, "true"),
    ],
)
def test_numbers_are_written_as_ecmascript_does(number: float, written: str) -> None:
    assert canonical({"n": number}) == f'{{"n":{written}}}'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**53, -(2**53), 1e300, "\ud800"])
def test_what_has_no_one_form_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"number|surrogate"):
        canonical({"deep": [{"value": value}]})


@pytest.mark.parametrize("value", [b"bytes", {1, 2}, object()])
def test_what_json_has_no_word_for_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="no word for"):
        canonical({"value": value})


@given(DOCUMENTS)
def test_a_canonical_text_reads_back_and_is_its_own_form(document: dict[str, Any]) -> None:
    text = canonical(document)
    assert json.loads(text) == document
    assert canonical(json.loads(text)) == text


@given(DOCUMENTS)
def test_the_order_of_the_fields_is_lost(document: dict[str, Any]) -> None:
    assert canonical(dict(reversed(document.items()))) == canonical(document)


@pytest.mark.parametrize("text", ["", "[1]", "3", "{", b"\xff", "[" * 100_000, '{"a":' * 100_000])
def test_what_is_no_object_is_none(text: str | bytes) -> None:
    assert parse(text) is None
