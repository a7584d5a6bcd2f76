"""The page on differences from Amazon leaves no operation out, and tells the numbers that hold."""

from __future__ import annotations

import re
from pathlib import Path

from sayso.service.rekognition.pictures import QUALITY
from tests.service.rekognition.conftest import HANDLERS
from tests.service.rekognition.shapes import model

_PAGE = (Path(__file__).parents[3] / "docs" / "differences.md").read_text(encoding="utf-8")
_SERVED, _REFUSED = _PAGE.split("## Operations that are refused")


def _named(text: str) -> list[str]:
    operations = set(model().operation_names)
    first_columns = re.findall(r"^\| (?:`[a-z-]+` \| )?([^|`]+) \|", text, re.MULTILINE)
    return [word for column in first_columns for word in column.split(", ") if word in operations]


def test_every_operation_is_on_the_page_once() -> None:
    served = _named(_SERVED.split("## Operation by operation")[1])
    refused = _named(_REFUSED)
    assert sorted(served) == sorted(HANDLERS)
    assert sorted(served + refused) == sorted(model().operation_names)


def test_the_levels_of_the_filter_are_those_of_the_code() -> None:
    told = ", ".join(f"`{level}` {least:g}" for level, least in QUALITY.items())
    assert told in _PAGE
