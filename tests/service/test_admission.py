"""Who is let in, who is refused, and whether what they are told comes true."""

from __future__ import annotations

import heapq
import random
from collections import Counter
from collections.abc import Iterator

import pytest

from sayso.service.admission import AGAIN, BURST, FRESH, HOLD, ONCE, TRIES, CountedGate, PatientGate
from sayso.service.overload import Overloaded, seconds_header
from sayso.service.turns import Piece, Turns
from tests.service.test_turns import Ticks


@pytest.fixture(autouse=True)
def nobody_tries_again() -> Iterator[None]:
    token = TRIES.set(None)
    yield
    TRIES.reset(token)


def made(
    workers: int, patience: float, *, interactive: tuple[str, ...] = (), usual: float = 0.1
) -> tuple[Ticks, Turns[Piece], PatientGate]:
    """Return a door, for work that usually takes so many seconds."""
    clock = Ticks()
    turns: Turns[Piece] = Turns(workers, clock=clock, interactive=interactive)
    turns.mean = usual
    return clock, turns, PatientGate(turns, patience)


def refused(door: PatientGate, key: str) -> bool:
    """Knock; where it is in vain, be refused."""
    if door.lets_in(key):
        return False
    door.refuse(key)
    return True


def come(turns: Turns[Piece], door: PatientGate, key: str, most: int = 10_000) -> int:
    """Ask until somebody is refused; return how many were let in."""
    for count in range(most):
        if refused(door, key):
            return count
        turns.enter(Piece(key))
        turns.begin_next()
    return most


def end_one(clock: Ticks, turns: Turns[Piece], running: list[Piece], seconds: float) -> None:
    """End the work that runs, after so many seconds, and begin the next."""
    clock.now += seconds
    for piece in running:
        turns.end(piece)
    running.clear()
    while (begun := turns.begin_next()) is not None:
        running.append(begun)


def test_a_batch_waits_as_long_as_its_clients_do_and_no_longer() -> None:
    clock, turns, door = made(2, 40)
    assert come(turns, door, "batch") == pytest.approx(ONCE * 40 * 2 / 0.1, rel=0.02)
    assert door.overloaded
    assert door.refused == Counter(patience=1)
    clock.now += HOLD
    assert not door.overloaded


def test_slow_work_makes_a_shorter_line() -> None:
    _, turns, door = made(2, 40, usual=2.0)
    assert come(turns, door, "batch") == pytest.approx(ONCE * 40 * 2 / 2.0, abs=3)


def test_the_long_line_of_one_key_shuts_out_no_other() -> None:
    _, turns, door = made(2, 40)
    come(turns, door, "batch")
    assert not refused(door, "person")
    assert come(turns, door, "another batch") > 100


def test_where_nobody_may_wait_only_a_free_worker_is_given() -> None:
    _, turns, door = made(2, 0)
    assert come(turns, door, "any") == 2


def test_who_will_come_again_may_wait_twice_and_then_finds_a_little_more_room() -> None:
    _, turns, door = made(2, 40)
    TRIES.set(0)
    assert come(turns, door, "batch") == pytest.approx(FRESH * 40 * 2 / 0.1, rel=0.02)
    TRIES.set(1)
    assert come(turns, door, "batch") == pytest.approx((AGAIN - FRESH) * 40 * 2 / 0.1, rel=0.05)


@pytest.mark.parametrize("threads", [400, 1000])
def test_who_waits_as_long_as_they_are_told_is_let_in(threads: int) -> None:
    """More threads than there is room for, each of which asks again as soon as it is answered."""
    clock, turns, door = made(1, 20)
    chance = random.Random(1)
    moments = [(clock.now, number, 1) for number in range(threads)]
    asking: dict[Piece, int] = {}
    running: list[Piece] = []
    ends = clock.now
    tries: Counter[int] = Counter()
    while clock.now < 700:
        clock.now = min(moments[0][0], ends if running else moments[0][0])
        if running and ends <= clock.now:
            turns.end(running[0])
            heapq.heappush(moments, (clock.now + 0.01, asking.pop(running.pop()), 1))
        if moments[0][0] <= clock.now:
            _, number, attempt = heapq.heappop(moments)
            TRIES.set(attempt - 1)
            if door.lets_in("batch"):
                piece = Piece("batch")
                asking[piece] = number
                turns.enter(piece)
                if clock.now > 200:
                    tries[attempt] += 1
            else:
                wait = int(door.refuse("batch").header) + chance.uniform(0, 0.2)
                heapq.heappush(moments, (clock.now + wait, number, attempt + 1))
        while (begun := turns.begin_next()) is not None:
            running.append(begun)
            ends = clock.now + 0.1
    assert tries.total() > 1000
    assert max(tries) <= 5, tries  # the SDKs of AWS come up to five times, some three
    assert sum(n for attempt, n in tries.items() if attempt <= 2) >= 0.95 * tries.total(), tries


def test_what_waited_too_long_is_told_when_to_come() -> None:
    _, turns, door = made(1, 10)
    come(turns, door, "batch")
    assert door.refuse("batch", late=True).header == "1"  # it keeps its place
    assert door.refused["expired"] == 1


def test_a_claim_of_a_key_makes_no_account() -> None:
    _, turns, door = made(1, 1)
    come(turns, door, "batch")
    for number in range(1000):
        refused(door, f"claimed{number}")
    assert len(list(turns.accounts)) == 1


# --- keys that are marked interactive -------------------------------------------------------------


def test_a_few_who_ask_together_with_a_marked_key_wait_for_each_other() -> None:
    _, turns, door = made(2, 40, interactive=("shop",))
    assert come(turns, door, "shop") == 2 + BURST * 2
    assert door.refused == Counter(interactive=1)


def test_the_line_of_marked_keys_is_short_until_nobody_was_refused_for_a_while() -> None:
    clock, turns, door = made(2, 40, interactive=("shop", "other", "third"))
    running: list[Piece] = []
    come(turns, door, "shop")
    running += [each for account in turns.accounts for each in account.running]
    while turns.waiting:
        end_one(clock, turns, running, 0.01)
        assert refused(door, "shop") or len(running) < 2
    assert len(running) == 2
    assert refused(door, "shop")
    # A key of which nothing runs may wait, or else it would never have its turn; but one only.
    assert come(turns, door, "other") == 1
    assert refused(door, "third")
    clock.now += 0.9 * HOLD
    assert refused(door, "third")  # and a second begins anew
    clock.now += 0.9 * HOLD
    assert refused(door, "shop")
    clock.now += 2 * HOLD
    assert not refused(door, "shop")


def test_after_overload_the_line_of_marked_keys_grows_no_faster_than_work_is_done() -> None:
    clock, turns, door = made(1, 40, interactive=("shop",), usual=0.3)
    come(turns, door, "shop")
    running = [each for account in turns.accounts for each in account.running]
    while turns.waiting:
        end_one(clock, turns, running, 0.3)
    assert refused(door, "shop")
    turns.mean = 0.3
    clock.now += HOLD + 0.33  # in the 0.33 s one would have been done
    assert come(turns, door, "shop") == 2


def test_marked_keys_do_not_wait_behind_a_batch() -> None:
    _, turns, door = made(2, 40, interactive=("shop",))
    come(turns, door, "batch")
    assert come(turns, door, "shop") == 2 + BURST * 2


# --- counted --------------------------------------------------------------------------------------


def test_a_counted_door_lets_in_so_many() -> None:
    turns: Turns[Piece] = Turns(2, clock=Ticks())
    door = CountedGate(turns, 3)
    for _ in range(5):
        assert door.lets_in(None)
        turns.enter(Piece(None))
        turns.begin_next()
    assert door.overloaded
    assert not door.lets_in(None)
    assert door.refuse(None).cause == "full"


@pytest.mark.parametrize(("seconds", "told"), [(0, "1"), (0.2, "1"), (1, "1"), (1.01, "2")])
def test_the_header_has_whole_seconds(seconds: float, told: str) -> None:
    assert seconds_header(seconds) == told
    assert told in str(Overloaded(seconds, "busy"))
