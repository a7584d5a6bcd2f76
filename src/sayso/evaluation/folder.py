"""A labelled folder: one subfolder of pictures for each person, and what was measured of it.

Groups are the user's own labels, from a file of theirs; nothing here infers any.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sayso.errors import SaysoError
from sayso.folders import PassedOver, look_through, reason_by_name

_HEADER = ["person", "group"]
#: Far more than a line for each of a million people.
_LONGEST_CSV = 1 << 26


class EvaluationError(SaysoError):
    """The folder or its labels cannot be evaluated."""


@dataclass(frozen=True, slots=True)
class LabelledFolder:
    """The pictures of each person.

    ``files`` are relative to ``root``, as ``PERSON/PICTURE``; ``people`` has for each the place of
    its person in ``names``. ``groups`` has a label, or None, for each of ``names``. ``passed_over``
    says what was not taken for a picture, and why, ``nobody`` which folders have no picture, and
    ``unread`` what could not be looked at.
    """

    root: Path
    files: tuple[str, ...]
    people: tuple[int, ...]
    names: tuple[str, ...]
    groups: tuple[str | None, ...]
    passed_over: tuple[PassedOver, ...] = ()
    nobody: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def left_out(self) -> tuple[str, ...]:
        """What was not taken for a picture or a person, by its name within the folder."""
        passed_over = (str(each.path.relative_to(self.root)) for each in self.passed_over)
        return tuple(sorted((*passed_over, *self.nobody)))


@dataclass(frozen=True, slots=True)
class Measured:
    """What one model made of the pictures of a labelled folder.

    ``files`` and ``people``, int64 (n,), as in LabelledFolder, and so ``names`` and ``groups``, one
    for each identity. ``templates`` is float32 (n, d) of unit-length rows, zero where none could
    be made; ``quality`` float32 (n,), 0 to 100. ``failures`` are pairs of a file and why it has no
    template.
    """

    files: tuple[str, ...]
    people: NDArray[np.int64]
    names: tuple[str, ...]
    groups: tuple[str | None, ...]
    templates: NDArray[np.float32] = field(repr=False)
    quality: NDArray[np.float32] = field(repr=False)
    failures: tuple[tuple[str, str], ...]

    @property
    def found(self) -> NDArray[np.bool_]:
        """Bool (n,): where there is a template."""
        return np.asarray(self.templates.any(axis=1))


def labelled_folder(
    root: Path, groups: Path | None = None, *, pairs: bool = True, recursive: bool = False
) -> LabelledFolder:
    """Read which pictures of whom a folder holds; raises EvaluationError when it is of no use.

    Without ``pairs`` one picture of one person is enough: for searches in another folder. Each
    subfolder is a person, also one that is a link; folders within those are entered only with
    ``recursive``, and hold pictures of the same person. See ``sayso.folders`` for what is a
    picture.
    """
    names: list[str] = []
    files: list[str] = []
    people: list[int] = []
    passed_over: list[PassedOver] = []
    nobody: list[str] = []
    unread: list[str] = []
    for name, is_folder in _entries(root):
        if name.startswith(".") or not is_folder:
            passed_over.append(_no_person(root / name))
            continue
        found = look_through([root / name], recursive=recursive)
        passed_over += found.passed_over
        unread += map(str, found.failures)
        if found.pictures:
            people += [len(names)] * len(found.pictures)
            names.append(name)
            files += [str(each.relative_to(root)) for each in found.pictures]
        else:
            nobody.append(name)
    _require_people(root, names)
    if pairs:
        _require_pairs(root, names, people)
    labels = _read_groups(groups, names) if groups is not None else {}
    return LabelledFolder(
        root,
        tuple(files),
        tuple(people),
        tuple(names),
        tuple(labels.get(name) for name in names),
        tuple(passed_over),
        tuple(nobody),
        tuple(unread),
    )


def _no_person(path: Path) -> PassedOver:
    """Return why something directly in a labelled folder is not a person's folder."""
    try:
        reason = reason_by_name(path)
    except OSError:  # whatever it is, it is not a picture of a person
        reason = None
    return PassedOver(path, reason or "not-of-a-person")


def _entries(folder: Path) -> Iterator[tuple[str, bool]]:
    """Yield the names in a folder in order, and whether each is a folder."""
    try:
        found = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except ValueError as error:  # a name with a null character
        raise EvaluationError(f"{str(folder)!r}: {error}") from None
    except OSError as error:
        raise EvaluationError(
            f"{folder}: {error.strerror or error}; name a folder with one subfolder for each person"
        ) from None
    yield from ((each.name, each.is_dir()) for each in found)


def _require_people(root: Path, names: list[str]) -> None:
    if not names:
        raise EvaluationError(f"{root}: no subfolder with pictures in it; {_WANTED}")


def _require_pairs(root: Path, names: list[str], people: list[int]) -> None:
    if len(names) < 2:
        raise EvaluationError(
            f"{root}: only one subfolder with pictures in it; an evaluation needs two people or "
            f"more: {_WANTED}"
        )
    if len(set(people)) == len(people):
        raise EvaluationError(
            f"{root}: all {len(names)} people have one picture each, so there is no genuine pair "
            "to compare; add a second picture of some of them"
        )


_WANTED = "one subfolder for each person, with that person's pictures directly in it"


def _read_groups(path: Path, names: list[str]) -> dict[str, str]:
    """Return the label of each person that has one; raises EvaluationError for a wrong file."""
    labels: dict[str, str] = {}
    known = set(names)
    rows = list(csv.reader(_text(path).splitlines()))
    if not rows or [cell.strip().lower() for cell in rows[0]] != _HEADER:
        first = ",".join(rows[0]) if rows else ""
        raise EvaluationError(f"{path}: the first line is {first!r}; it must be 'person,group'")
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(_HEADER):
            raise EvaluationError(
                f"{path}, line {number}: {len(row)} fields; give a person and a group, in quotes "
                "where they have a comma"
            )
        person, group = row[0], row[1].strip()
        if person not in known:
            raise EvaluationError(
                f"{path}, line {number}: there is no person {person!r} with pictures in the "
                "folder; persons are named as their subfolders are"
            )
        if labels.get(person, group) != group:
            raise EvaluationError(
                f"{path}, line {number}: {person!r} is in {group!r} here and in "
                f"{labels[person]!r} above; give each person one group"
            )
        if group:
            labels[person] = group
    if not labels:
        raise EvaluationError(f"{path}: no person has a group in it; leave --groups out, then")
    return labels


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_CSV + 1)
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise EvaluationError(f"{path} cannot be read: {why}") from None
    if len(content) > _LONGEST_CSV:
        raise EvaluationError(f"{path} has more than {_LONGEST_CSV:,} bytes, which no labels need")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise EvaluationError(f"{path} is not a text in UTF-8; save it as one") from None
