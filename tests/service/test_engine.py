from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from sayso.service.engine import (
    CLIENT_GONE,
    HOLD,
    LIGHT_QUEUE,
    LIGHT_WORKERS,
    SHUTTING_DOWN,
    Engine,
    Overloaded,
    seconds_header,
)
from sayso.settings import ServiceSettings


class Hands:
    """Work that is held until it is let go, and says in which order it began."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.ended: list[str] = []
        self._gate = threading.Semaphore(0)

    def work(self, name: str) -> Callable[[], str]:
        def held() -> str:
            self.began.append(name)
            assert self._gate.acquire(timeout=30)
            self.ended.append(name)
            return name

        return held

    def have_begun(self, count: int) -> bool:
        return len(self.began) == count

    def let_go(self, count: int = 1) -> None:
        self._gate.release(count)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():
            await asyncio.sleep(0.001)


class Ticks:
    """A clock that only moves when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


Scenario = Callable[[], Awaitable[None]]


def run(scenario: Scenario) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(60):
            await scenario()

    asyncio.run(bounded())


def ask(engine: Engine, hands: Hands, name: str, key: str | None = "k") -> asyncio.Task[str]:
    return asyncio.get_running_loop().create_task(engine.run(key, hands.work(name)))


async def fill(engine: Engine, hands: Hands, count: int, key: str = "k") -> list[asyncio.Task[str]]:
    """Ask for so much, and wait until all of it runs or waits."""
    before = engine.heavy_gauges
    tasks = [ask(engine, hands, f"{key}{i}", key) for i in range(count)]
    wanted = before.running + before.waiting + count
    await until(lambda: engine.heavy_gauges.running + engine.heavy_gauges.waiting == wanted)
    return tasks


async def make_usual(seconds: float, engine: Engine, hands: Hands, clock: Ticks) -> None:
    """Do work that takes so long until that is about the mean."""
    for _ in range(60):
        tasks = await fill(engine, hands, 1)
        clock.now += seconds
        hands.let_go()
        await asyncio.gather(*tasks)


async def refused(engine: Engine, key: str | None = "k") -> Overloaded:
    with pytest.raises(Overloaded) as caught:
        await engine.run(key, lambda: "done though there was no room")
    return caught.value


def test_what_the_work_returns_and_raises_comes_back() -> None:
    async def scenario() -> None:
        engine = Engine(1, 0)
        assert await engine.run("k", lambda: 7) == 7
        assert await engine.light(lambda: 8) == 8
        with pytest.raises(ValueError, match="no number"):
            await engine.run("k", lambda: int("no number"))
        await engine.close()

    run(scenario)


@pytest.mark.parametrize("error", [StopIteration, SystemExit, KeyboardInterrupt])
def test_what_cannot_be_raised_through_a_future_is_raised_as_something_else(
    error: type[BaseException],
) -> None:
    async def scenario() -> None:
        engine = Engine(1, 0)

        def work() -> None:
            raise error

        with pytest.raises(RuntimeError, match=error.__name__):
            await engine.run("k", work)
        assert engine.idle
        await engine.close()

    run(scenario)


def test_work_sees_the_context_of_its_request() -> None:
    asked = contextvars.ContextVar("asked", default="nothing")

    async def scenario() -> None:
        engine = Engine(1, 0)
        asked.set("this")
        assert await engine.run("k", asked.get) == "this"
        await engine.close()

    run(scenario)


def test_so_much_runs_at_once_and_no_more_and_the_rest_waits_in_order() -> None:
    async def scenario() -> None:
        engine, hands = Engine(2, 4), Hands()
        tasks = await fill(engine, hands, 6)
        await until(lambda: len(hands.began) == 2)
        assert (engine.heavy_gauges.running, engine.heavy_gauges.waiting) == (2, 4)
        hands.let_go()
        await until(lambda: len(hands.began) == 3)
        assert hands.began[2] == "k2"
        hands.let_go(5)
        assert await asyncio.gather(*tasks) == [f"k{i}" for i in range(6)]
        assert hands.began[2:] == ["k2", "k3", "k4", "k5"]
        assert engine.idle
        await engine.close()

    run(scenario)


def test_what_has_no_room_is_refused_at_once() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 2), Hands()
        tasks = await fill(engine, hands, 3)
        began = time.monotonic()
        error = await refused(engine)
        assert time.monotonic() - began < 0.1
        assert error.retry_after > 0
        assert error.header == seconds_header(error.retry_after)
        assert engine.heavy_gauges.refused == 1
        hands.let_go(3)
        await asyncio.gather(*tasks)
        await engine.close()

    run(scenario)


def test_where_work_is_slow_the_line_stays_short_for_longer() -> None:
    async def scenario() -> None:
        clock, hands = Ticks(), Hands()
        engine = Engine(1, 1, clock=clock)
        await make_usual(2, engine, hands, clock)
        tasks = await fill(engine, hands, 2)
        await refused(engine)
        clock.now += 5 * HOLD
        assert engine.overloaded
        clock.now += 2 * HOLD
        assert not engine.overloaded
        hands.let_go(2)
        await asyncio.gather(*tasks)
        await engine.close()

    run(scenario)


def test_the_line_is_short_until_nobody_was_refused_for_a_while() -> None:
    async def scenario() -> None:
        clock, hands = Ticks(), Hands()
        engine = Engine(2, 16, clock=clock)
        tasks = await fill(engine, hands, 18)
        await refused(engine)
        assert engine.overloaded
        hands.let_go(16)
        await until(lambda: engine.heavy_gauges.running == 2 and not engine.heavy_gauges.waiting)
        await refused(engine)
        # A key of which nothing runs may wait, or else it would never have its turn; but one only.
        tasks += await fill(engine, hands, 1, "other")
        await refused(engine, "other")
        await refused(engine, "third")
        clock.now += 0.9 * HOLD
        await refused(engine)  # and a second begins anew
        clock.now += 0.9 * HOLD
        await refused(engine)
        clock.now += HOLD
        assert not engine.overloaded
        hands.let_go(3)
        await asyncio.gather(*tasks)
        await engine.close()

    run(scenario)


def test_after_overload_the_line_grows_no_faster_than_work_is_done() -> None:
    async def scenario() -> None:
        clock, hands = Ticks(), Hands()
        engine = Engine(1, 16, clock=clock)
        await make_usual(0.3, engine, hands, clock)
        tasks = await fill(engine, hands, 17)
        await refused(engine)
        for _ in range(16):
            clock.now += 0.3
            begun = len(hands.began) + 1
            hands.let_go()
            await until(functools.partial(hands.have_begun, begun))
            await refused(engine)
        clock.now += HOLD + 0.33  # in the 0.33 s one would have been done
        tasks += await fill(engine, hands, 2)
        await refused(engine)
        clock.now += 10 * HOLD
        tasks += await fill(engine, hands, 14)
        assert engine.heavy_gauges.waiting == 16
        await refused(engine)
        hands.let_go(17)
        await asyncio.gather(*tasks)
        await engine.close()

    run(scenario)


def test_it_can_be_asked_for_room_before_anything_is_read() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 2), Hands()
        engine.require_room("k")
        tasks = await fill(engine, hands, 3)
        with pytest.raises(Overloaded):
            engine.require_room("k")
        assert engine.overloaded
        assert engine.heavy_gauges.refused == 1
        engine.require_room("other")  # somebody would give way, but nobody has yet
        assert engine.heavy_gauges.waiting == 2
        hands.let_go(3)
        await asyncio.gather(*tasks)
        await engine.close()
        with pytest.raises(Overloaded, match=SHUTTING_DOWN):
            engine.require_room("k")

    run(scenario)


def test_eight_clients_that_wait_for_their_answers_are_never_refused() -> None:
    defaults = ServiceSettings.model_fields

    async def scenario() -> None:
        engine = Engine(defaults["workers"].default, defaults["queue"].default)

        async def client() -> None:
            for _ in range(100):
                await engine.run("k", lambda: time.sleep(0.0002))

        await asyncio.gather(*(client() for _ in range(8)))
        assert engine.heavy_gauges.refused == 0
        await engine.close()

    run(scenario)


def test_under_overload_what_is_accepted_is_answered_soon() -> None:
    work = 0.02

    async def scenario() -> None:
        engine = Engine(2, 16)
        waits: list[float] = []
        refusals: list[float] = []

        async def client(until: float) -> None:
            while (began := time.monotonic()) < until:
                try:
                    await engine.run("k", lambda: time.sleep(work))
                    waits.append(time.monotonic() - began)
                except Overloaded:
                    refusals.append(time.monotonic() - began)
                    await asyncio.sleep(0.005)

        ends = time.monotonic() + 1.5
        await asyncio.gather(*(client(ends) for _ in range(40)))
        await engine.close()
        # What waited already when the overload began is no part of it.
        settled = sorted(waits[18:])
        assert len(settled) > 50
        assert settled[int(0.95 * len(settled))] < 4 * work
        assert max(refusals) < 0.1
        assert len(refusals) > len(waits)

    run(scenario)


def test_keys_take_turns() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 8), Hands()
        tasks = await fill(engine, hands, 4, "a")
        tasks += await fill(engine, hands, 2, "b")
        tasks += await fill(engine, hands, 1, "c")
        hands.let_go(7)
        await asyncio.gather(*tasks)
        assert hands.began == ["a0", "a1", "b0", "c0", "a2", "b1", "a3"]
        await engine.close()

    run(scenario)


def test_a_key_that_has_it_all_gives_way_to_one_that_has_nothing() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 2), Hands()
        greedy = await fill(engine, hands, 3, "a")
        modest = ask(engine, hands, "b0", "b")
        with pytest.raises(Overloaded):
            await greedy[2]
        # Now it has two and the other one: that is as even as it gets.
        await refused(engine, "a")
        await refused(engine, "b")
        hands.let_go(3)
        assert await asyncio.gather(*greedy[:2], modest) == ["a0", "a1", "b0"]
        await engine.close()

    run(scenario)


def test_cancelled_work_leaves_the_line_but_what_runs_is_finished() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 2), Hands()
        running, waiting, last = await fill(engine, hands, 3)
        await until(lambda: hands.began == ["k0"])
        running.cancel()
        waiting.cancel()
        await asyncio.gather(running, waiting, return_exceptions=True)
        assert (engine.heavy_gauges.running, engine.heavy_gauges.waiting) == (1, 1)
        hands.let_go(2)
        assert await last == "k2"
        assert hands.ended == ["k0", "k2"]
        await engine.close()

    run(scenario)


def test_work_whose_client_leaves_is_not_begun() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 2), Hands()
        tasks = await fill(engine, hands, 1)
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        CLIENT_GONE.set(gone)
        tasks += await fill(engine, hands, 1, "left")
        CLIENT_GONE.set(None)
        tasks += await fill(engine, hands, 1, "stays")
        gone.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            await tasks[1]
        hands.let_go(2)
        assert await tasks[2] == "stays0"
        assert hands.began == ["k0", "stays0"]
        # What is light is done all the same: it may put on record what was done.
        CLIENT_GONE.set(gone)
        assert await engine.light(lambda: "on record") == "on record"
        await engine.close()

    run(scenario)


def test_heavy_work_does_not_hold_up_light_work_which_is_bounded_too() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 0), Hands()
        (heavy,) = await fill(engine, hands, 1)
        assert await engine.light(lambda: "read") == "read"
        loop = asyncio.get_running_loop()
        room = LIGHT_WORKERS + LIGHT_QUEUE
        light = [loop.create_task(engine.light(hands.work("l"))) for _ in range(room)]
        await until(lambda: engine.light_gauges.waiting == LIGHT_QUEUE)
        with pytest.raises(Overloaded):
            await engine.light(lambda: None)
        assert engine.light_gauges.refused == 1
        hands.let_go(room + 1)
        await asyncio.gather(heavy, *light)
        await engine.close()

    run(scenario)


def test_closing_finishes_what_was_accepted_and_refuses_the_rest() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 2), Hands()
        tasks = await fill(engine, hands, 3)
        closing = asyncio.get_running_loop().create_task(engine.close())
        await asyncio.sleep(0)
        assert (await refused(engine)).reason == SHUTTING_DOWN
        assert await engine.light(lambda: "on record") == "on record"
        assert not closing.done()
        hands.let_go(3)
        await closing
        with pytest.raises(Overloaded):
            await engine.light(lambda: None)
        assert await asyncio.gather(*tasks) == ["k0", "k1", "k2"]

    run(scenario)


def test_how_long_to_stay_away_follows_how_long_work_takes() -> None:
    async def scenario() -> None:
        clock, hands = Ticks(), Hands()
        engine = Engine(1, 1, clock=clock)
        for _ in range(30):
            task = ask(engine, hands, "slow")
            await until(lambda: engine.heavy_gauges.running == 1)
            clock.now += 20
            hands.let_go()
            await task
        tasks = await fill(engine, hands, 2)
        error = await refused(engine)
        assert error.retry_after == pytest.approx(40, rel=0.05)
        hands.let_go(2)
        await asyncio.gather(*tasks)
        await engine.close()

    run(scenario)


@pytest.mark.parametrize(("seconds", "told"), [(0, "1"), (0.2, "1"), (1, "1"), (1.01, "2")])
def test_the_header_has_whole_seconds(seconds: float, told: str) -> None:
    assert seconds_header(seconds) == told
    assert told in str(Overloaded(seconds, "busy"))
