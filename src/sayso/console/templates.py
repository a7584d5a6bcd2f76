"""The templates of the pages, and what all of them may use."""

from __future__ import annotations

import functools
import json
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from sayso.console import assets, words
from sayso.service.place import at


@functools.cache
def environment() -> Environment:
    """Return the environment that every page is made in: all that is put in is escaped."""
    made = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals.update(
        t=words.say,
        asset=assets.address,
        at=at,
        sentences=_sentences,
        chance=words.chance,
        expected=words.expected,
        limit=words.limit,
        figure=words.figure,
    )
    made.filters.update(day=words.day, minute=words.minute, number=words.number)
    return made


def render(template: str, **told: Any) -> str:
    """Return a page, or a part of one."""
    return environment().get_template(template).render(**told)


def _sentences(*prefixes: str) -> Markup:
    """Return sentences as JSON to be put into a script element of data, which none can leave."""
    text = json.dumps(words.sentences(*prefixes), ensure_ascii=True)
    return Markup(text.replace("<", "\\u003c").replace("&", "\\u0026"))  # noqa: S704 - escaped above
