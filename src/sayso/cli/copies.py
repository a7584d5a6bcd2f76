"""The copies of a redaction: where they go, their manifest, and those of an earlier run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sayso.cli.files import written
from sayso.cli.lines import Line, Lines
from sayso.cli.output import complain, shown
from sayso.cli.pictures import Job, OutputError, place_of, require_others, targets_of
from sayso.cli.standing import Standing
from sayso.models.files import sha256_of, sweep_unfinished, write_atomically

if TYPE_CHECKING:
    from sayso.redacted import Redacted

OUTPUT = "OUTPUT"
#: Which part of a line is the manifest of a copy.
_COPY = "copy"


class Copies:
    """Where the copies of a job's pictures and their manifest go, decided before any work is done.

    Nothing that is there is replaced unless ``force``, even if it comes while the job runs; and
    never one of the pictures. With ``resume`` copies that an earlier run is on record to have made
    may be replaced, too, but none that was changed since. ``done`` has the manifest of each copy.
    """

    def __init__(
        self,
        output: Path,
        manifest: Path | None,
        record: Path | None,
        job: Job,
        *,
        force: bool,
        resume: bool,
    ) -> None:
        from sayso.redacted import MEDIA_TYPES

        self.targets = targets_of(output, job, tuple(MEDIA_TYPES), OUTPUT)
        self.done: dict[Path, dict[str, Any]] = {}
        self.lines: Lines[Redacted] | None = None
        self._job, self._force, self._resume = job, force, resume
        self._manifest = _beside(output) if manifest is None else manifest
        self._record = self._manifest.with_name(f"{self._manifest.name}l")
        self._record = self._record if record is None else record
        self._require_room()
        if not resume:
            recorded = (self._record,) if job.many else ()
            for file in (*self.targets.values(), self._manifest, *recorded):
                if not force and os.path.lexists(file):
                    raise OutputError(self._taken(file))
        self._earlier = {target for target in self.targets.values() if os.path.lexists(target)}
        for path, target in self.targets.items():
            if target != output and path.suffix.lower() not in MEDIA_TYPES:
                complain(shown(f"{path} becomes {target.name}: {path.suffix} cannot be written"))

    def open(self, asked: str, standing: Callable[[], Standing]) -> None:
        """Take what an earlier run made, where it still holds, and record what this one makes.

        A copy holds while it is unchanged, and while all who are shown in it may be: whoever
        withdrew since must be covered in it, so it is made anew.
        """
        if self._force and not self._resume:
            self._record.unlink(missing_ok=True)

        def line_of(path: Path, redacted: Redacted) -> Line:
            return {_COPY: redacted.manifest(str(path), str(self.targets[path]))}

        lines = Lines(str(self._record), asked, line_of, resume=self._resume)
        self.lines = lines
        if not self._resume:
            return
        made: dict[str, set[str]] = {}
        for line in lines.before:
            if _COPY in line:
                made.setdefault(line[_COPY]["file"], set()).add(line[_COPY]["sha256"])
        sweep_unfinished(self.targets.values())
        there = {target: _sha256(target) for target in self._earlier}
        for target, sha256 in there.items():
            if not self._force and sha256 not in made.get(target.name, set()):
                raise OutputError(
                    f"{target} is there already, and not as an earlier run made it: move it away, "
                    "or replace it with --force"
                )
        now = standing() if lines.before else Standing({})

        def holds(path: Path, line: Line) -> bool:
            copy, target = line[_COPY], self.targets[path]
            same = (copy["file"], copy["sha256"]) == (target.name, there.get(target))
            return same and now.holds(_shown_in(copy), copy["made"])

        lines.keep(self._job.paths, self._job.read, holds)
        self.done = {path: lines[path][_COPY] for path in self.targets if path in lines}

    def close(self) -> None:
        """Let another run have the record."""
        if self.lines is not None:
            self.lines.close()

    @property
    def document(self) -> Any:
        """The manifest: of one picture, or an array of those of several, in their order."""
        told = [self.done[path] for path in self.targets if path in self.done]
        return told if self._job.many else told[0]

    def write(self, path: Path, redacted: Redacted) -> None:
        """Write the copy of a picture; raises OutputError."""
        target = self.targets[path]
        replace = self._force or (self._resume and target in self._earlier)
        try:
            write_atomically(target, redacted.data, replace=replace)
        except FileExistsError:
            raise OutputError(self._taken(target)) from None
        except OSError as error:
            raise OutputError(f"{target} cannot be written: {error.strerror or error}") from error
        self.done[path] = redacted.manifest(str(path), str(target))

    def tell_earlier(self) -> None:
        """Name the copies of an earlier run whose pictures gave none in this one.

        Somebody in them may have withdrawn since, so nobody should take them for new ones.
        """
        for path, target in self.targets.items():
            if target in self._earlier and path not in self.done and os.path.isfile(target):  # noqa: PTH113
                complain(
                    f"{shown(target)}: the copy of an earlier run is still there, and was not made "
                    "anew"
                )

    def write_manifest(self) -> None:
        """Write the manifest, for its owner alone, if there is anything to tell."""
        if not self.done:
            return
        with written(self._manifest, replace=self._force or self._resume) as file:
            json.dump(self.document, file, allow_nan=False, indent=1)
            file.write("\n")

    def _require_room(self) -> None:
        """Raise a usage error for a manifest or a record in the place of a picture or a copy."""
        places = {place_of(target) for target in self.targets.values()}
        for file, option in ((self._manifest, "--manifest"), (self._record, "--jsonl")):
            require_others([file], self._job, option)
            if place_of(file) in places:
                raise click.BadParameter(
                    f"{file} is where a copy goes; name another file", param_hint=option
                )
            places.add(place_of(file))

    def _taken(self, file: Path) -> str:
        resume = "go on with --resume, " if os.path.lexists(self._record) else ""
        return f"{file} is there already: {resume}name another, or use --force"


def _shown_in(copy: dict[str, Any]) -> set[str]:
    """Return the subjects who are shown in a copy."""
    return {face["subject"] for face in copy["faces"] if face["subject"] is not None}


def _sha256(file: Path) -> str | None:
    """Return the sha256 of a file in hex; None where it cannot be read."""
    try:
        return sha256_of(file.read_bytes()) if file.is_file() else None
    except OSError:
        return None


def _beside(output: Path) -> Path:
    """Return where the manifest goes unless it is said: not into a folder that is published."""
    whole = Path(os.path.abspath(output)) if output.name in {"", ".."} else output  # noqa: PTH100
    if not whole.name:
        raise click.UsageError(f"say with --manifest where the manifest goes, not into {output}")
    return whole.with_name(f"{whole.name}.json")
