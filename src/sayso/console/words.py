"""Sentences in the language of the reader, and numbers, times and chances in words.

Every sentence is in ``locale/LANGUAGE``, a file of TOML for each page. A translation is a folder
beside ``en`` with the same keys.
"""

from __future__ import annotations

import functools
import math
import tomllib
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any, Final

LANGUAGE: Final = "en"
_FEWEST_DIGITS = 2
#: From which expected number on a chance is told as that number, and from which on as a whole one.
_AS_IT_IS, _WHOLE = 0.5, 10


class UnknownWords(LookupError):
    """There is no sentence of that name: a mistake in a page."""


@functools.cache
def catalogue(language: str = LANGUAGE) -> Mapping[str, str]:
    """Return every sentence by its name: the file's, a dot, and the keys within it."""
    found: dict[str, str] = {}
    folder = resources.files(__package__ or "").joinpath("locale", language)
    for file in folder.iterdir():
        if file.name.endswith(".toml"):
            _gather(file.name.removesuffix(".toml"), tomllib.loads(file.read_text("utf-8")), found)
    return found


def _gather(prefix: str, table: Mapping[str, Any], found: dict[str, str]) -> None:
    for key, value in table.items():
        name = f"{prefix}.{key}"
        if isinstance(value, dict):
            _gather(name, value, found)
        else:
            found[name] = str(value)


def say(name: str, /, **values: object) -> str:
    """Return a sentence with values put into it; raises UnknownWords.

    Where there are the names ``NAME.one`` and ``NAME.other``, ``count`` decides between them.
    """
    words = catalogue()
    if name not in words and "count" in values:
        name = f"{name}.{'one' if values['count'] == 1 else 'other'}"
    if name not in words:
        raise UnknownWords(f"locale/{LANGUAGE} has no sentence {name!r}")
    shown = {
        key: number(value) if isinstance(value, int) else value for key, value in values.items()
    }
    return words[name].format(**shown)


def sentences(*prefixes: str) -> dict[str, str]:
    """Return the sentences that a script needs, by name, with their places for values."""
    starts = tuple(f"{each}." for each in prefixes)
    return {name: text for name, text in catalogue().items() if name.startswith(starts)}


def number(value: int) -> str:
    """Return a whole number with its thousands apart."""
    return f"{value:,}"


def figure(value: float, digits: int = 1) -> str:
    """Return a number with so many digits after its point."""
    return f"{value:,.{digits}f}"


def day(moment: datetime | None) -> str:
    """Return a date, in UTC as everything on record."""
    return "" if moment is None else f"{moment:%Y-%m-%d}"


def minute(moment: datetime | None) -> str:
    """Return a time to the minute, in UTC."""
    return "" if moment is None else f"{moment:%Y-%m-%d %H:%M} UTC"


def chance(expected: float) -> str:
    """Say what an expected number of false matches means, for a match that is shown.

    The number is an upper bound; it is rounded up, so that no more is claimed than was measured.
    From a half on it is told as it is: 1 in less than two is no chance that anybody can picture.
    """
    if expected >= _AS_IT_IS:
        digits = 0 if expected >= _WHOLE else 1
        return say("words.chance.many", number=figure(_rounded_up(expected, digits), digits))
    if expected <= 0:
        return say("words.chance.unknown")
    return say("words.chance.one_in", number=one_in(expected))


def expected(value: float) -> str:
    """Return an expected number of false matches in short."""
    if value >= 100:
        return number(round(value))
    if value >= 0.01:
        return f"{value:.2g}"
    return say("words.chance.short", number=one_in(value)) if value > 0 else "0"


def limit(expected: float, per: str) -> str:
    """Say how many false matches a rule allows, such as "at most one mistake in 100 pictures".

    ``expected`` is how many in a ``per``: a "picture" or a "face".
    """
    if expected > _AS_IT_IS:
        return say(f"words.limit.{per}_many", number=f"{expected:.2g}")
    return say(f"words.limit.{per}_one_in", number=one_in(expected))


def one_in(value: float) -> str:
    """Return in how many there is one, of something that comes so often; rounded down."""
    return _rounded_down(1 / value)


def _rounded_up(value: float, digits: int) -> float:
    """Return a number that has so many digits after its point, and is not less."""
    shift = int(10**digits)
    return math.ceil(round(value * shift, 6)) / shift  # 1.1 * 10 is a bit more than 11


def _rounded_down(value: float) -> str:
    """Return a number with two digits that count: 4,067 is 4,000."""
    whole = int(value)
    unit = 10 ** max(0, len(str(whole)) - _FEWEST_DIGITS)
    return number(whole // unit * unit)
