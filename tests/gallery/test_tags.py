"""The rules for tags are Amazon's own."""

from __future__ import annotations

import botocore.session
import pytest
import regex
from hypothesis import example, given
from hypothesis import strategies as st

from sayso.errors import InvalidTag
from sayso.gallery import tags

_MODEL = botocore.session.get_session().get_service_model("rekognition")


def _amazon_takes(shape: str, text: str) -> bool:
    rule = _MODEL.shape_for(shape).metadata
    return rule["min"] <= len(text) <= rule["max"] and bool(
        # Amazon's $ is Java's, and its own service takes no line feed at the end.
        regex.fullmatch(rule["pattern"].removesuffix("$"), text)
    )


def _taken(key: str, value: str) -> bool:
    try:
        tags._check(key, value)
    except InvalidTag:
        return False
    return True


texts = st.text(max_size=300) | st.text("aws:AWS._:/=+-@ é赤\n\u2028", max_size=12)


@given(texts)
@example("")
@example("a" * 128)
@example("a" * 129)
@example("aws:a")
@example("a\n")
@example("\u2028")
def test_a_key_is_good_where_amazon_takes_it(key: str) -> None:
    if key.lower().startswith("aws:"):
        assert not _taken(key, "")  # in capitals, too
    else:
        assert _taken(key, "") == _amazon_takes("TagKey", key)


@given(texts)
@example("a" * 256)
@example("a" * 257)
@example("aws:a")
def test_a_value_is_good_where_amazon_takes_it(value: str) -> None:
    assert _taken("key", value) == _amazon_takes("TagValue", value)


def test_a_message_is_short_however_long_the_tag() -> None:
    with pytest.raises(InvalidTag) as caught:
        tags._check("é\n" * 5000, "")
    assert len(str(caught.value)) < 300
