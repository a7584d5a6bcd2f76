"""Processes that are killed at any moment, and what the next one finds.

``kill -9`` stops a process between two of its instructions. What it had written is in the files,
as the kernel has it: this is no test of a power cut.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.checking import Checker
from tests.faults.model import Model
from tests.faults.planning import MAIN, Planner
from tests.faults.processes import Running, Zygote, zygote
from tests.faults.worker import OPENING, Job

pytestmark = pytest.mark.long

_log = logging.getLogger(__name__)

_SEEDS, _KILLS = 8, 32
_KILLS_BESIDE = 20
#: Of so many kills one falls into the opening of the gallery; the first one into its making.
_OPENING = 16
#: It falls into one of so many calls; mostly into one that enrols, withdraws or erases.
_CALLS = 8
_MAIN = 0.92
#: Seconds that no call is taken to last, although some do while the disk is slow.
_USUAL = 0.15
_BETWEEN_CALLS = 0.2
#: More calls than the other process makes meanwhile, and seconds that none of them may take: it
#: waits for its turn, and never until the 60 seconds of SQLite's own patience are over.
_MANY, _PATIENCE = 3000, 20

Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def forked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zygote]:
    with zygote(tmp_path_factory.mktemp("zygote")) as found:
        yield found


class Killer:
    """Kills workers at moments that are spread over their calls, and counts what was hit.

    Each time it waits for some call to begin, and then for some part of the time that such a call
    takes, as those before took.
    """

    def __init__(self, chance: random.Random, kills: int) -> None:
        self._chance = chance
        # Every part of a call is hit as often, in an order of chance.
        self._parts = [(step + chance.random()) / kills for step in range(kills)]
        chance.shuffle(self._parts)
        self._seconds: dict[str, float] = {OPENING: 0.02}
        self._number = 0
        self.hit: Counter[str] = Counter()

    def kill(self, worker: Running) -> None:
        opening = self._number % _OPENING == 0
        target = 0 if opening else self._target(worker)
        worker.await_call(target)
        usual = self._seconds.get(worker.kind(target), 0.02)
        time.sleep(self._parts[self._number] * min(usual, _USUAL))
        worker.kill()
        self._number += 1
        self.hit[worker.in_flight or "between calls"] += 1
        for number, seconds in enumerate(worker.seconds):
            kind = worker.kind(number)
            self._seconds[kind] = (self._seconds.get(kind, seconds) + seconds) / 2

    def _target(self, worker: Running) -> int:
        numbers = list(range(1, _CALLS + 1))
        main = [number for number in numbers if worker.kind(number) in MAIN]
        return self._chance.choice(main if main and self._chance.random() < _MAIN else numbers)


def _report(record: Record, killer: Killer, outcomes: Counter[tuple[str, bool]]) -> None:
    for kind, count in sorted(killer.hit.items()):
        done, undone = outcomes[kind, True], outcomes[kind, False]
        _log.info("killed in %s: %d (%d done, %d undone)", kind, count, done, undone)
        record(f"killed in: {kind}", count)


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_a_kill_loses_nothing_acknowledged_and_leaves_nothing_half_done(
    tmp_path: Path, forked: Zygote, seed: int, record_property: Record
) -> None:
    folder, chance, model = tmp_path / "data", random.Random(seed), Model("worker")
    planner, killer, checker = Planner(model, chance), Killer(chance, _KILLS), Checker(folder)
    outcomes: Counter[tuple[str, bool]] = Counter()
    for _ in range(_KILLS):
        keys = {actor: key.id for actor, key in model.keys.items()}
        calls = planner.plan(4 * _CALLS)
        worker = forked.start(Job(str(folder), model.actor, calls, keys, str(tmp_path / "stop")))
        killer.kill(worker)
        done = checker.check(model, worker)
        if done is not None:
            outcomes[worker.in_flight or "", done] += 1
    checker.check_tidied()
    _report(record_property, killer, outcomes)
    assert killer.hit["between calls"] <= _BETWEEN_CALLS * _KILLS
    assert any(not done for _, done in outcomes)  # else none was killed while it mattered


def test_a_kill_does_not_disturb_another_process(
    tmp_path: Path, forked: Zygote, record_property: Record
) -> None:
    folder, stop, chance = tmp_path / "data", tmp_path / "stop", random.Random(100)
    killed, steady = Model("killed"), Model("steady")
    planner, killer, checker = (
        Planner(killed, chance),
        Killer(chance, _KILLS_BESIDE),
        Checker(folder),
    )
    outcomes: Counter[tuple[str, bool]] = Counter()
    calls = Planner(steady, chance, keys=False).plan(_MANY)
    beside = forked.start(Job(str(folder), steady.actor, calls, {}, str(stop)))
    for _ in range(_KILLS_BESIDE):
        keys = {actor: key.id for actor, key in killed.keys.items()}
        calls = planner.plan(4 * _CALLS)
        worker = forked.start(Job(str(folder), killed.actor, calls, keys, str(stop)))
        killer.kill(worker)
        before = len(beside.results)
        done = checker.check(killed, worker, alone=False)
        if done is not None:
            outcomes[worker.in_flight or "", done] += 1
        beside.await_call(before + 1)  # it goes on
    stop.touch()
    beside.join()
    assert checker.check(steady, beside, alone=False) is None
    checker.check_together([killed, steady])
    assert max(beside.seconds) < _PATIENCE
    _report(record_property, killer, outcomes)
    _log.info(
        "beside it: %d calls, the longest of %.2f s", len(beside.results), max(beside.seconds)
    )
    assert killer.hit["between calls"] <= _BETWEEN_CALLS * _KILLS_BESIDE
