"""The page of events: what an entry of the audit log can tell, from the classes of the events."""

from __future__ import annotations

import dataclasses

from docs.writers.markdown import code, prose, table
from sayso.audit import events
from sayso.audit.events import EVENTS, Event

_INTRODUCTION = """\
# Audit events

What `sayso audit tail` and `export` show: one entry for each of these, in the order in which it was
written. Besides the fields below every entry has

| field | meaning |
| --- | --- |
| `number` | 1 for the first entry, then without a gap |
| `time` | when, ISO 8601 in UTC, to the microsecond |
| `previous` | what ties it to the entry before |
| `actor` | who did it; `retention` where time did: a consent ended, an evaluation was left lying |
| `key` | id of the access key that they came with, or null |
| `purpose` | what a search was for, or the purpose of the access key, or null |
| `event` | the kind: the headings of this page |

How entries are hashed, chained and signed, and how to check an export in any language:
[the audit log](../explanation/audit.md).

"""


def page() -> str:
    """Return the page."""
    # What the module says of all events; of its two paragraphs the second is for programmers.
    about = prose(events.__doc__).split("\n\n")[1]
    parts = [_INTRODUCTION + about + "\n"]
    parts += [_section(kind, event) for kind, event in EVENTS.items()]
    found = events.Found
    parts.append(f"## Within `found`\n\n{prose(found.__doc__)}\n\n{_fields(found)}\n")
    return "\n".join(parts)


def _section(kind: str, event: type[Event]) -> str:
    text = f"## {kind}\n\n{prose(event.__doc__)}\n"
    return f"{text}\n{_fields(event)}\n" if dataclasses.fields(event) else text


def _fields(thing: type) -> str:
    rows = [(code(field.name), _form(field.type)) for field in dataclasses.fields(thing)]
    return table(["field", "JSON"], rows)


_FORMS = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "tuple[str, ...]": "array of texts",
    "tuple[str, str]": "array of two texts",
    "tuple[tuple[int, int, int, int], ...]": "array of arrays of four whole numbers",
    "tuple[Found, ...]": "array of objects, [as below](#within-found)",
    "EndingReason": "text",
    "ErasureReason": "text",
    "FacesErasureReason": "text",
    "SubjectPart": "text",
    "AuditUse": "text",
    "SignInWay": "text",
    "EvaluationEnd": "text",
    "EvaluationPart": "text",
}


def _form(annotation: object) -> str:
    """Return an annotation in JSON's words; one that is not known here fails the generator."""
    name, _, optional = str(annotation).partition(" | ")
    return _FORMS[name] + (" or null" if optional else "")
