from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections.abc import Awaitable, Callable

import pytest

from sayso.service.engine import (
    CLIENT_GONE,
    LIGHT_QUEUE,
    LIGHT_WORKERS,
    SHUTTING_DOWN,
    TRIES,
    Engine,
    Overloaded,
)
from sayso.vision import effort
from sayso.vision.errors import PictureTooCostly


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


async def refused(engine: Engine, key: str | None = "k") -> Overloaded:
    with pytest.raises(Overloaded) as caught:
        await engine.run(key, lambda: "done though there was no room")
    return caught.value


def test_what_the_work_returns_and_raises_comes_back() -> None:
    async def scenario() -> None:
        engine = Engine(1, 60)
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
        engine = Engine(1, 60)

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
        engine = Engine(1, 60)
        asked.set("this")
        assert await engine.run("k", asked.get) == "this"
        await engine.close()

    run(scenario)


def test_so_much_runs_at_once_and_no_more_and_the_rest_waits_in_order() -> None:
    async def scenario() -> None:
        engine, hands = Engine(2, 60), Hands()
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


def test_heavy_work_does_not_hold_up_light_work_which_is_bounded_too() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 60), Hands()
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


def test_what_would_wait_longer_than_its_client_is_refused_before_anything_is_read() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 20), Hands()
        engine.require_room("k")
        tasks = [ask(engine, hands, "k") for _ in range(400)]
        await until(lambda: any(task.done() for task in tasks))
        accepted = [task for task in tasks if not task.done()]
        assert 100 < len(accepted) < 200  # each is thought to take a tenth of a second
        assert engine.overloaded
        began = time.monotonic()
        error = await refused(engine)
        assert time.monotonic() - began < 0.1
        assert error.retry_after > 0
        assert error.cause == "patience"
        assert engine.heavy_gauges.causes == {"patience": 401 - len(accepted)}
        engine.require_room("other")
        hands.let_go(len(accepted))
        await asyncio.gather(*tasks, return_exceptions=True)
        assert {task.result() for task in accepted} == {"k"}
        await engine.close()
        with pytest.raises(Overloaded, match=SHUTTING_DOWN):
            engine.require_room("k")

    run(scenario)


def test_what_has_waited_as_long_as_clients_do_is_refused_and_not_begun() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 0.3), Hands()
        tasks = await fill(engine, hands, 3)
        for task in tasks[1:]:
            with pytest.raises(Overloaded) as caught:
                await task
            assert caught.value.cause == "expired"
        hands.let_go(1)
        assert await tasks[0] == "k0"
        assert hands.began == ["k0"]
        assert engine.idle
        await engine.close()

    run(scenario)


def test_a_batch_of_128_is_not_refused_and_a_person_is_served_beside_it() -> None:
    work = 0.005

    async def scenario() -> None:
        engine = Engine(2, 55)
        waits: list[float] = []

        async def thread() -> None:
            for _ in range(6):
                await engine.run("batch", lambda: time.sleep(work))

        batch = [asyncio.get_running_loop().create_task(thread()) for _ in range(128)]
        while not all(each.done() for each in batch):
            began = time.monotonic()
            await engine.run("person", lambda: time.sleep(work))
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.01)
        await asyncio.gather(*batch)
        await engine.close()
        assert engine.heavy_gauges.refused == 0
        assert len(waits) > 20
        # In line behind all of them it would take 64 times as long as alone.
        assert sorted(waits)[len(waits) // 2] < 16 * work

    run(scenario)


def steps(seen: threading.Event, done: list[str]) -> Callable[[], None]:
    """Return work in steps without end, for as long as somebody waits for it."""

    def work() -> None:
        while True:
            try:
                effort.check()
            except Exception as error:
                done.append(type(error).__name__)
                raise
            seen.set()
            time.sleep(0.001)

    return work


def test_work_that_runs_is_stopped_when_its_client_leaves_and_its_worker_is_free() -> None:
    async def scenario() -> None:
        engine, hands, seen = Engine(1, 60), Hands(), threading.Event()
        done: list[str] = []
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        CLIENT_GONE.set(gone)
        task = asyncio.get_running_loop().create_task(engine.run("left", steps(seen, done)))
        CLIENT_GONE.set(None)
        await until(seen.is_set)
        waiting = ask(engine, hands, "stays", "stays")
        gone.set_result(None)
        with pytest.raises(asyncio.CancelledError):
            await task
        hands.let_go()
        assert await waiting == "stays"
        assert done == ["WorkAbandoned"]
        assert engine.heavy_gauges.abandoned == 1
        await engine.close()

    run(scenario)


def test_work_of_a_request_that_is_cancelled_is_stopped() -> None:
    async def scenario() -> None:
        engine, seen = Engine(1, 60), threading.Event()
        done: list[str] = []
        task = asyncio.get_running_loop().create_task(engine.run("k", steps(seen, done)))
        await until(seen.is_set)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await engine.close()
        assert done == ["WorkAbandoned"]

    run(scenario)


def test_work_that_takes_longer_than_it_may_is_stopped() -> None:
    async def scenario() -> None:
        engine, seen = Engine(1, 60, seconds=0.05), threading.Event()
        done: list[str] = []
        with pytest.raises(PictureTooCostly, match=r"0\.05 s"):
            await engine.run("k", steps(seen, done))
        assert done == ["PictureTooCostly"]
        # The time in the line does not count.
        await engine.run("k", effort.check)
        await engine.close()

    run(scenario)


def test_what_was_finished_when_its_client_left_stays_so() -> None:
    """It may have been committed, and then it must not look as if it had not been done."""

    async def scenario() -> None:
        engine, hands = Engine(1, 60), Hands()
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        CLIENT_GONE.set(gone)
        (task,) = await fill(engine, hands, 1)
        await until(lambda: hands.began == ["k0"])
        gone.set_result(None)
        await asyncio.sleep(0.01)
        hands.let_go()
        assert await task == "k0"
        await engine.close()

    run(scenario)


def test_cancelled_work_leaves_the_line() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 60), Hands()
        running, waiting, last = await fill(engine, hands, 3)
        await until(lambda: hands.began == ["k0"])
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert (engine.heavy_gauges.running, engine.heavy_gauges.waiting) == (1, 1)
        assert engine.heavy_gauges.abandoned == 0
        hands.let_go(2)
        assert (await running, await last) == ("k0", "k2")
        await engine.close()

    run(scenario)


def test_work_whose_client_leaves_is_not_begun() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 60), Hands()
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


def test_others_do_not_wait_for_long_work() -> None:
    async def scenario() -> None:
        engine, hands = Engine(2, 60), Hands()
        costly = await fill(engine, hands, 8, "costly")
        await until(lambda: len(hands.began) == 2)
        async with asyncio.timeout(20):
            for _ in range(5):
                assert await engine.run("small", lambda: "served") == "served"
        assert len(hands.began) == 2
        hands.let_go(8)
        await asyncio.gather(*costly)
        await engine.close()

    run(scenario)


def test_closing_finishes_what_was_accepted_and_refuses_the_rest() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 60), Hands()
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


def test_what_has_waited_has_its_old_place_when_it_comes_again() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 0.5), Hands()
        tasks = await fill(engine, hands, 1)
        TRIES.set(0)
        early = ask(engine, hands, "early")
        await asyncio.sleep(0.3)
        late = ask(engine, hands, "late")
        with pytest.raises(Overloaded):
            await early
        TRIES.set(1)
        again = ask(engine, hands, "again")
        await asyncio.sleep(0)
        hands.let_go(3)
        await asyncio.gather(*tasks, late, again)
        assert hands.began == ["k0", "again", "late"]
        await engine.close()

    run(scenario)


def test_a_marked_key_is_refused_at_once() -> None:
    async def scenario() -> None:
        engine, hands = Engine(1, 50, interactive=["shop"]), Hands()
        tasks = [ask(engine, hands, "shop", "shop") for _ in range(20)]
        await until(lambda: any(task.done() for task in tasks))
        began = time.monotonic()
        with pytest.raises(Overloaded) as caught:
            engine.require_room("shop")
        assert time.monotonic() - began < 0.1
        assert caught.value.cause == "interactive"
        hands.let_go(20)
        await asyncio.gather(*tasks, return_exceptions=True)
        await engine.close()

    run(scenario)
