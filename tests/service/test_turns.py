"""Whose turn it is, with work that takes as long as the test says."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from sayso.service.turns import FEW, LONG, MEMORY, SLACK, Piece, Turns


class Ticks:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Paused(Piece):
    """A piece of work that has paused for as long as it runs."""

    def __init__(self, key: str, clock: Ticks) -> None:
        super().__init__(key)
        self._clock = clock

    @property
    def paused(self) -> float:
        return self._clock.now - self.began if self.key == "batch" and self.began else 0.0


class Hall:
    """Workers, and clients who ask again as soon as they are answered."""

    def __init__(self, workers: int, *, interactive: tuple[str, ...] = ()) -> None:
        self.clock = Ticks()
        self.turns: Turns[Piece] = Turns(workers, clock=self.clock, interactive=interactive)
        self.seconds: dict[str, float] = {}
        self.used: dict[str, float] = {}
        self.waits: dict[str, list[float]] = {}
        self._asked: dict[Piece, float] = {}
        self._ends: list[tuple[float, Piece]] = []
        self._again: list[tuple[float, str]] = []
        self.pause: dict[str, float] = {}

    def ask(self, key: str) -> None:
        piece = Piece(key)
        self._asked[piece] = self.clock.now
        self.turns.enter(piece)

    def come(self, key: str, clients: int, seconds: float, *, pause: float = 0.0) -> None:
        """Let clients of a key come, whose work takes so long; they pause before they ask again."""
        self.seconds[key], self.pause[key] = seconds, pause
        for _ in range(clients):
            self.ask(key)

    def run(self, seconds: float, *, until: Callable[[], bool] = lambda: False) -> None:
        ends = self.clock.now + seconds
        while self.clock.now < ends and not until():
            self._begin()
            moments = [at for at, _ in self._ends] + [at for at, _ in self._again]
            if self.turns.waiting:  # the line looks again, too
                moments.append(self.clock.now + LONG)
            self.clock.now = min([ends, *moments])
            for at, piece in sorted(self._ends, key=lambda each: each[0]):
                if at <= self.clock.now:
                    self._ends.remove((at, piece))
                    self.turns.end(piece)
                    self._again.append((at + self.pause[str(piece.key)], str(piece.key)))
            for at, key in list(self._again):
                if at <= self.clock.now:
                    self._again.remove((at, key))
                    self.ask(key)

    def _begin(self) -> None:
        while (piece := self.turns.begin_next()) is not None:
            key = str(piece.key)
            took = self.seconds[key]
            self._ends.append((self.clock.now + took, piece))
            self.used[key] = self.used.get(key, 0.0) + took
            self.waits.setdefault(key, []).append(self.clock.now - self._asked.pop(piece))


def test_keys_share_the_time_and_not_the_number_of_requests() -> None:
    hall = Hall(2)
    hall.come("costly", 10, 2.0)
    hall.come("cheap", 10, 0.1)
    hall.run(400)
    assert hall.used["cheap"] == pytest.approx(hall.used["costly"], rel=0.05)
    assert sum(hall.used.values()) == pytest.approx(800, rel=0.05)


def test_a_key_that_was_away_saves_up_nothing() -> None:
    hall = Hall(1)
    hall.come("a", 5, 0.5)
    hall.come("b", 1, 0.5, pause=1000)
    hall.run(100)
    hall.come("b", 5, 0.5)
    used = dict(hall.used)
    hall.run(50)
    assert hall.used["a"] - used["a"] == pytest.approx(25, abs=2)


def test_within_a_key_the_order_is_kept() -> None:
    turns: Turns[Piece] = Turns(1, clock=Ticks())
    pieces = [Piece("a") for _ in range(4)]
    for piece in pieces:
        turns.enter(piece)
    for piece in pieces:
        assert turns.begin_next() is piece
        assert turns.begin_next() is None
        turns.end(piece)
    assert turns.idle


@pytest.mark.parametrize("batches", [1, 3])
def test_an_interactive_key_finds_a_worker_free_beside_batches(batches: int) -> None:
    hall = Hall(2)
    for number in range(batches):
        hall.come(f"batch{number}", 100, 0.5)
    hall.run(20)
    hall.come("person", 1, 0.43, pause=2.17)  # never in step with the batches
    hall.run(600)
    waits = hall.waits["person"]
    assert len(waits) > 200
    assert max(waits[:2]) <= 0.5  # it had to find out first
    assert max(waits[2:]) == 0


def test_without_an_interactive_key_batches_have_every_worker() -> None:
    hall = Hall(2)
    hall.come("a", 50, 0.5)
    hall.come("b", 50, 0.5)
    hall.run(100)
    assert sum(hall.used.values()) == pytest.approx(200, rel=0.02)
    hall.come("person", 1, 0.5, pause=10_000)
    hall.run(MEMORY)
    hall.used.clear()
    hall.run(100)
    assert sum(hall.used.values()) == pytest.approx(200, rel=0.02)


def test_who_asks_little_and_takes_long_is_no_longer_interactive() -> None:
    hall = Hall(2)
    hall.come("costly", FEW, 30.0)
    hall.run(60)
    hall.come("batch", 20, 0.1)
    hall.run(600)
    assert hall.used["batch"] >= 0.9 * hall.used["costly"] * 600 / 660


def test_who_asks_without_a_break_goes_first_within_its_share_alone() -> None:
    """One request after the other, for which a batch that runs pauses each time."""
    clock = Ticks()
    turns: Turns[Paused] = Turns(2, clock=clock)
    for _ in range(8):
        turns.enter(Paused("batch", clock))
    held = turns.begin_next()
    assert held is not None
    first = 0
    for _ in range(50):
        asked = Paused("person", clock)
        turns.enter(asked)
        begun = turns.begin_next()
        if begun is not asked:
            break
        assert not begun.batch or first
        first += 1
        clock.now += 0.2
        turns.end(begun)
    assert SLACK <= 0.2 * first < 4 * SLACK  # and then it is the batch's turn


def test_long_work_holds_up_nobody_else() -> None:
    """Somebody sends the most costly pictures from many threads, and was here first."""
    hall = Hall(2)
    hall.come("costly", 40, 30.0)
    hall.run(5)
    hall.come("small", 1, 0.1, pause=0.5)
    hall.run(300)
    waits = hall.waits["small"]
    assert len(waits) > 250
    assert max(waits) <= LONG
    assert sorted(waits)[int(0.95 * len(waits))] <= 0.1


def test_beside_long_work_of_many_keys_only_so_much_runs() -> None:
    hall = Hall(2)
    for number in range(10):
        hall.come(f"costly{number}", 3, 30.0)
    most = 0

    def watch() -> bool:
        nonlocal most
        most = max(most, hall.turns.running)
        return False

    hall.run(300, until=watch)
    assert 2 <= most <= 4


def test_the_wait_that_is_expected_is_about_what_it_comes_to() -> None:
    hall = Hall(2)
    hall.come("a", 40, 0.5)
    hall.come("b", 10, 0.5)
    hall.run(100)
    hall.waits["a"].clear()
    expected = hall.turns.wait("a")
    hall.run(60)
    measured = hall.waits["a"][-1]
    assert expected == pytest.approx(measured, rel=0.2)
    assert hall.turns.wait("b") < expected
    assert hall.turns.wait("somebody new") <= 0.5


def test_a_marked_key_stays_interactive_however_much_it_asks() -> None:
    hall = Hall(2, interactive=("shop",))
    hall.come("shop", 10, 0.1)
    hall.come("batch", 10, 0.1)
    hall.run(50)
    account = hall.turns.account("shop")
    assert account is not None
    assert hall.turns.is_interactive(account)
    assert hall.used["shop"] == pytest.approx(hall.used["batch"], rel=0.2)


def test_keys_are_forgotten() -> None:
    hall = Hall(1)
    for number in range(500):
        hall.come(f"key{number}", 1, 0.01, pause=1e9)
        hall.run(1)
    assert len(list(hall.turns.accounts)) <= MEMORY + 2


def test_what_left_is_not_begun() -> None:
    turns: Turns[Piece] = Turns(1, clock=Ticks())
    first, second = Piece("a"), Piece("a")
    turns.enter(first)
    turns.enter(second)
    assert turns.begin_next() is first
    assert not turns.leave(first)
    assert turns.leave(second)
    assert not turns.leave(second)
    turns.end(first)
    assert turns.begin_next() is None
    assert turns.idle
