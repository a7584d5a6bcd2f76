"""The page of the library: signatures and docstrings of what programs may rely on."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Iterator
from typing import Any, get_args

import sayso
from docs.writers.markdown import prose
from sayso import callers, redacted, results
from sayso.audit import heads, verification
from sayso.evaluation import folder
from sayso.redaction import types as redaction
from sayso.vision import detections, picture, types

_INTRODUCTION = """\
# The library

What programs may rely on. `import sayso` gives the names of the first part; the data classes of
the second are in `sayso.results`. All data classes are frozen. Colours are RGB, boxes are
`x1, y1, x2, y2` in pixels of the upright picture, times are in UTC. The errors have
[a page of their own](errors.md).
"""

_LONGEST_LINE = 96

_MAIN: tuple[tuple[str, Any], ...] = (
    ("sayso.open", sayso.open),
    ("sayso.restore", sayso.restore),
    ("sayso.Sayso", sayso.Sayso),
    ("sayso.Analyzer", sayso.Analyzer),
    ("sayso.Consent", sayso.Consent),
    ("sayso.FalseMatchRule", sayso.FalseMatchRule),
    ("sayso.Picture", sayso.Picture),
    ("sayso.Analysis", sayso.Analysis),
    ("sayso.Face", sayso.Face),
    ("sayso.Quality", sayso.Quality),
    ("sayso.callers.Action", callers.Action),
    ("sayso.callers.Caller", callers.Caller),
    ("sayso.audit.heads.Head", heads.Head),
    ("sayso.audit.verification.Verification", verification.Verification),
    ("sayso.audit.verification.Problem", verification.Problem),
    ("sayso.evaluation.folder.LabelledFolder", folder.LabelledFolder),
    ("sayso.evaluation.folder.labelled_folder", folder.labelled_folder),
    ("sayso.evaluation.folder.Measured", folder.Measured),
    ("sayso.redacted.Reason", redacted.Reason),
    ("sayso.redaction.types.Style", redaction.Style),
    ("sayso.vision.detections.Detections", detections.Detections),
    ("sayso.vision.types.Mode", types.Mode),
    ("sayso.vision.picture.PictureLimits", picture.PictureLimits),
)


def page() -> str:
    """Return the page."""
    shown = {id(thing) for _, thing in _MAIN}
    answers = [
        (f"sayso.results.{name}", getattr(results, name))
        for name in results.__all__
        if id(getattr(results, name)) not in shown
    ]
    parts = [_INTRODUCTION, *(_section(name, thing) for name, thing in _MAIN)]
    parts += ["\n# What the application answers\n", *(_section(*each) for each in answers)]
    return "\n".join(parts)


def documented() -> set[str]:
    """Return the names of ``sayso`` that the page has, but for the root of the errors."""
    return {name.removeprefix("sayso.") for name, _ in _MAIN}


def _section(name: str, thing: Any) -> str:
    if not inspect.isclass(thing) and not inspect.isfunction(thing):
        choices = ", ".join(map(_default, get_args(thing)))
        return f"\n## {name}\n\n```python\nLiteral[{choices}]\n```\n"
    text = f"\n## {name}\n\n```python\n{_signature(name, thing)}\n```\n\n{prose(thing.__doc__)}\n"
    if inspect.isclass(thing):
        text += "".join(_member(thing, *each) for each in _members(thing))
    return text


def _members(thing: type) -> Iterator[tuple[str, Any]]:
    """Yield what a class and those that it is made of define, in the order of their sources."""
    fields = (
        {field.name for field in dataclasses.fields(thing)}
        if dataclasses.is_dataclass(thing)
        else set()
    )
    for part in (each for each in thing.__mro__ if each.__module__.startswith("sayso.")):
        for name, member in vars(part).items():
            if name.startswith("_") or name in fields:
                continue
            if isinstance(member, property | classmethod) or inspect.isfunction(member):
                yield name, member


def _member(owner: type, name: str, member: Any) -> str:
    heading = f"\n### {owner.__name__}.{name}\n\n"
    if isinstance(member, property):
        result = inspect.signature(member.fget).return_annotation if member.fget else ""
        return f"{heading}```python\n{name}: {result}\n```\n\n{prose(member.__doc__)}\n"
    function = member.__func__ if isinstance(member, classmethod) else member
    return f"{heading}```python\n{_signature(name, function)}\n```\n\n{prose(function.__doc__)}\n"


def _signature(name: str, thing: Any) -> str:
    """Return a signature, one parameter a line when it is long; annotations as in the source."""
    signature = inspect.signature(thing)
    given = [each for each in signature.parameters.values() if each.name not in {"self", "cls"}]
    parts: list[str] = []
    for parameter in given:
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in parts:
            parts.append("*")
        parts.append(_parameter(parameter))
    result = signature.return_annotation
    arrow = "" if inspect.isclass(thing) or result is inspect.Signature.empty else f" -> {result}"
    line = f"{name}({', '.join(parts)}){arrow}"
    if len(line) <= _LONGEST_LINE:
        return line
    inner = "".join(f"    {part},\n" for part in parts)
    return f"{name}(\n{inner}){arrow}"


def _parameter(parameter: inspect.Parameter) -> str:
    text = parameter.name
    if parameter.annotation is not inspect.Parameter.empty:
        text += f": {parameter.annotation}"
    if parameter.default is not inspect.Parameter.empty:
        text += f" = {_default(parameter.default)}"
    return text


def _default(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value)
    # Sets and functions print differently from run to run; their types and names do not.
    if isinstance(value, frozenset):
        return f"frozenset({{{', '.join(_default(each) for each in sorted(value))}}})"
    if inspect.isfunction(value):
        return value.__name__
    return "..." if "object at" in repr(value) or "factory" in repr(value) else repr(value)
