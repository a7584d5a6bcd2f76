"""A mixed run: kills in everything that changes a gallery, restores it, or follows it.

Each round forks a worker that makes calls by chance, kills it at some moment, and then looks what
is there: whoever was acknowledged is found, whoever was erased, withdrew or had their faces deleted
is found never again, whatever backup is restored, and the call that was killed was done or not.
Every name and every template is used once, so that whoever is back shows.
"""

from __future__ import annotations

import copy
import json
import logging
import random
import shutil
import sqlite3
import time
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sayso.audit.heads import Head
from sayso.core import Sayso
from sayso.keyring.store import Keyring
from tests.faults.processes import Running, Zygote
from tests.faults.worker import SAME, Call, Job, faces
from tests.gallery.synthetic import PURPOSE, VERSION

_log = logging.getLogger(__name__)
CLUB = "club"
#: Rounds until a new gallery is begun: what is searched for grows with each.
_ROUNDS = 60
_CALLS = 10
_CROWD = 40
_WEIGHTS = {
    "enrol": 30,
    "withdraw": 12,
    "erase": 12,
    "delete faces": 12,
    "rotate": 6,
    "backup": 10,
    "restore": 8,
}
#: How often a round begins with the loss of the gallery, or ends with the standby's following.
_LOSE, _FOLLOW = 0.1, 0.25
_USUAL = 0.15


@dataclass
class State:
    """Who is in a gallery: the seeds of the templates of each name."""

    people: dict[str, list[int]] = field(default_factory=dict)

    def without(self, gone: set[int], ended: set[str]) -> State:
        left = {name: seeds for name, seeds in self.people.items() if name not in ended}
        return State(
            {name: [seed for seed in seeds if seed not in gone] for name, seeds in left.items()}
        )

    def found(self, seeds: list[int]) -> list[str | None]:
        owner = {seed: name for name, theirs in self.people.items() for seed in theirs}
        return [owner.get(seed) for seed in seeds]


@dataclass
class Kept:
    """A backup, the copy of the keyring that came with it, and who was in the gallery then."""

    backup: Path
    keyring: Path
    state: State


class World:
    """A gallery, its backups and its standby, and what must be in each of them."""

    def __init__(self, folder: Path, home: Zygote, chance: random.Random) -> None:
        self.folder, self.home, self.chance = folder, home, chance
        self.data, self.standby = folder / "data", folder / "standby"
        for name in ("backups", "keys", "standby"):
            (folder / name).mkdir(parents=True)
        self.state = State()
        self.gone: set[int] = set()
        self.ended: set[str] = set()
        self.backups: list[Kept] = []
        self.head: Head | None = None
        self.kills: Counter[str] = Counter()
        self.seconds: dict[str, float] = {}
        self._next = 0
        self._ids: dict[str, str] = {}
        with Sayso(self.data) as app:
            app.create_collection(CLUB)

    # -- a round --------------------------------------------------------------------------------

    def round(self) -> None:
        """Let a worker work, kill it, and check what it left."""
        lost = None
        if self.backups and self.chance.random() < _LOSE:
            lost = self.chance.choice(self.backups)
            calls = [self._restoring(lost)]
            self._lose()
        else:
            calls = self._plan()
        worker = self.home.start(self._job(calls, opens=lost is None))
        self._kill(worker, 1 if lost else self.chance.randrange(len(calls) + 1))
        for call, _ in worker.acknowledged:
            self._take(call)
        if lost is not None:
            self._restore_lost(lost)
            self.head = None  # what came after the backup is lost
            # But the standby may have it: it follows no primary that forgot.
            for file in self.standby.glob("gallery.sqlite*"):
                file.unlink()
            (self.standby / "master.key").unlink(missing_ok=True)
        self._check(worker.left)
        if self.backups and self.chance.random() < _FOLLOW:
            self._follow()

    def _job(self, calls: list[Call], *, opens: bool = True) -> Job:
        return Job(str(self.data), "worker", calls, {}, str(self.folder / "stop"), opens)

    def _plan(self) -> list[Call]:
        planned = copy.deepcopy(self.state)
        backups = list(self.backups)
        calls: list[Call] = []
        while len(calls) < _CALLS:
            kinds, weights = list(_WEIGHTS), list(_WEIGHTS.values())
            kind = self.chance.choices(kinds, weights)[0]
            if len(planned.people) > _CROWD and kind == "enrol":
                kind = "erase"
            names = [name for name, seeds in planned.people.items() if seeds]
            if kind in ("withdraw", "erase", "delete faces") and not names:
                kind = "enrol"
            if kind == "restore" and not backups:
                kind = "backup"
            calls.append(self._call(kind, planned, names, backups))
            if kind == "restore":
                break  # who is there then depends on what has ended by then
        return calls

    def _call(self, kind: str, planned: State, names: list[str], backups: list[Kept]) -> Call:
        match kind:
            case "enrol":
                new = [f"person-{self._number()}" for _ in range(self.chance.randint(1, 4))]
                each = [name for name in new for _ in range(self.chance.randint(1, 2))]
                seeds = [self._number() for _ in each]
                for name, seed in zip(each, seeds, strict=True):
                    planned.people.setdefault(name, []).append(seed)
                arguments = {"names": each, "seeds": seeds, "purposes": [PURPOSE], "evidence": "x"}
                return Call(kind, "enrol", {"collection": CLUB} | arguments)
            case "withdraw" | "erase":
                name = self.chance.choice(names)
                del planned.people[name]
                more = {"purpose": None} if kind == "withdraw" else {}
                return Call(kind, kind, {"collection": CLUB, "name": name} | more)
            case "delete faces":
                name = self.chance.choice(names)
                planned.people[name] = []
                return Call(kind, "delete_faces", {"collection": CLUB, "name": name})
            case "rotate":
                return Call(kind, "rotate", {})
            case "backup":
                number = self._number()
                paths = [self.folder / "backups" / f"{number}", self.folder / "keys" / f"{number}"]
                target, keyring = map(str, paths)
                return Call(kind, "backup", {"target": target, "keyring": keyring})
            case _:
                return self._restoring(self.chance.choice(backups))

    def _restoring(self, kept: Kept) -> Call:
        return Call("restore", "restore", {"backup": str(kept.backup)})

    def _kill(self, worker: Running, target: int) -> None:
        worker.await_call(target)
        kind = worker.kind(target)
        usual = min(self.seconds.get(kind, 0.02), _USUAL)
        time.sleep(self.chance.random() * 1.1 * usual)
        worker.kill()
        self.kills[worker.in_flight or "between calls"] += 1
        for number, seconds in enumerate(worker.seconds):
            known = self.seconds.get(worker.kind(number), seconds)
            self.seconds[worker.kind(number)] = (known + seconds) / 2

    # -- what a call does -----------------------------------------------------------------------

    def _take(self, call: Call) -> None:
        """Take over what a call that was done has done."""
        arguments, people = call.arguments, self.state.people
        match call.method:
            case "enrol":
                for name, seed in zip(arguments["names"], arguments["seeds"], strict=True):
                    people.setdefault(name, []).append(seed)
            case "withdraw" | "erase":
                self.gone |= set(people.pop(arguments["name"]))
                self.ended.add(arguments["name"])
            case "delete_faces":
                self.gone |= set(people[arguments["name"]])
                people[arguments["name"]] = []
            case "backup":
                paths = Path(arguments["target"]), Path(arguments["keyring"])
                self.backups.append(Kept(*paths, copy.deepcopy(self.state)))
            case "restore":
                self.state = self._restored(arguments["backup"])

    def _restored(self, backup: str) -> State:
        [kept] = [each for each in self.backups if str(each.backup) == backup]
        return kept.state.without(self.gone, self.ended)

    # -- checks ---------------------------------------------------------------------------------

    def _check(self, left: Call | None) -> None:
        """Check that what is there is what must be, with the call that was killed or without."""
        seeds = self._seeds()
        with Sayso(self.data, actor="checker") as app:
            found = self._there(app, seeds)
            if found != self._expected(seeds):
                assert left is not None, self._difference(found[0], seeds)
                self._take(left)
                assert found == self._expected(seeds), (
                    f"{left.kind} was killed: {self._difference(found[0], seeds)}"
                )
            elif left is not None and left.method == "backup":
                self._take_backup(left)
            self._check_ids(app)
            verified = app.audit_verify(self.head)
            assert verified.ok, verified.problems
            self.head = app.audit_head()
        self._check_files()

    def _check_ids(self, app: Sayso) -> None:
        """Whoever has ended has no key."""
        for each in app.subjects(CLUB, limit=1000):
            self._ids[each.name] = each.id
        gone = {self._ids[name] for name in self.ended if name in self._ids}
        with closing(Keyring(self.data, create=False)) as keyring:
            assert not keyring.find(gone)
            assert gone <= set(keyring.ended("subject"))

    def _check_files(self) -> None:
        for name in ("gallery", "keyring"):
            with closing(sqlite3.connect(self.data / f"{name}.sqlite", timeout=30)) as raw:
                assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]

    def _take_backup(self, left: Call) -> None:
        """Keep a backup that was killed, if it got as far as that with its keyring."""
        if all(Path(left.arguments[each]).exists() for each in ("target", "keyring")):
            self._take(left)

    def _expected(self, seeds: list[int]) -> tuple[list[str | None], set[str]]:
        return self.state.found(seeds), set(self.state.people)

    @staticmethod
    def _there(app: Sayso, seeds: list[int]) -> tuple[list[str | None], set[str]]:
        """Return whom each template finds, and who is listed."""
        names = {each.name for each in app.subjects(CLUB, limit=1000)}
        if not seeds:
            return [], names
        found = app.recognize_templates(
            CLUB, faces(seeds), purpose=PURPOSE, min_similarity=SAME, version=VERSION
        )
        return [each[0].subject if each else None for each in found], names

    def _difference(self, found: list[str | None], seeds: list[int]) -> str:
        wrong = [
            (seed, is_, must)
            for seed, is_, must in zip(seeds, found, self.state.found(seeds), strict=True)
            if is_ != must
        ]
        back = [seed for seed, is_, _ in wrong if is_ is not None and seed in self.gone]
        return f"back: {back}; wrong (seed, is, must be): {wrong[:10]}"

    # -- losses and the standby -----------------------------------------------------------------

    def _lose(self) -> None:
        for file in self.data.glob("gallery.sqlite*"):
            file.unlink()

    def _restore_lost(self, kept: Kept) -> None:
        """Restore again where the one who did was killed before the gallery had its name."""
        if not (self.data / "gallery.sqlite").exists():
            kept = self.chance.choice(self.backups)
            self._finish(self._job([self._restoring(kept)], opens=False))
        self.state = self._restored(str(kept.backup))
        # Those that were made since are of a course that the gallery will not take now.
        del self.backups[self.backups.index(kept) + 1 :]

    def _finish(self, job: Job) -> None:
        """Let a worker do all that it is told, and end by itself."""
        worker = self.home.start(job)
        limit = time.monotonic() + 60
        while len(worker.results) <= len(job.calls):
            assert worker.read(1), "the worker is gone"
            assert time.monotonic() < limit
        worker.kill()
        for call, _ in worker.acknowledged:
            if call.method != "follow":
                self._take(call)

    def _follow(self) -> None:
        """Let the standby follow a new backup: killed once, and then to the end."""
        self._finish(self._job([self._call("backup", self.state, [], [])]))
        kept = self.backups[-1]
        self._prepare_standby()
        arguments = {
            "standby": str(self.standby),
            "backup": str(kept.backup),
            "keyring": str(kept.keyring),
        }
        call = Call("follow", "follow", arguments)
        job = self._job([call], opens=False)
        worker = self.home.start(job)
        self._kill(worker, 1)
        self._finish(job)
        seeds = self._seeds()
        with Sayso(self.standby, actor="checker") as app:
            assert self._there(app, seeds) == (kept.state.found(seeds), set(kept.state.people))
            verified = app.audit_verify()
            assert verified.ok, verified.problems
        assert not list(self.standby.glob(".restoring-*"))

    def _prepare_standby(self) -> None:
        """After a rotation its master key is another one, and its keyring is made anew."""
        key = (self.data / "master.key").read_bytes()
        own = self.standby / "master.key"
        if own.exists() and own.read_bytes() == key:
            return
        for file in self.standby.glob("keyring.sqlite*"):
            file.unlink()
        own.write_bytes(key)
        own.chmod(0o600)

    def _seeds(self) -> list[int]:
        return list(range(1, self._next + 1))

    def _number(self) -> int:
        self._next += 1
        return self._next


def run(
    folder: Path, home: Zygote, seed: int, *, seconds: float, rounds: int | None = None
) -> Counter[str]:
    """Run for so many seconds, or rounds; return how often what was killed.

    Raises AssertionError for whatever is lost or back; the folder is left then, to be looked at.
    """
    chance, kills = random.Random(seed), Counter[str]()
    end, done, number = time.monotonic() + seconds, 0, 0
    while time.monotonic() < end and done != rounds:
        number += 1
        world = World(folder / f"world-{number}", home, chance)
        for _ in range(_ROUNDS):
            if time.monotonic() >= end or done == rounds:
                break
            world.round()
            done += 1
        kills += world.kills
        _log.info("%d rounds; killed in %s", done, json.dumps(dict(kills.most_common())))
        shutil.rmtree(world.folder)
    return kills
