"""Reading from buckets: one that is slow holds up no other, and no key holds up another."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sayso.service import fetching
from sayso.service.engine import Overloaded
from sayso.service.fetching import AT_ONCE, WAITING, Fetches
from sayso.service.s3 import ObjectUnavailable
from sayso.settings import Bucket, FolderBucket


class Slow:
    """A bucket whose objects come when a gate is opened; others come as they are."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.asked: list[str] = []

    def __call__(
        self, buckets: dict[str, Bucket], bucket: str, name: str, _version: str | None, _limit: int
    ) -> bytes:
        if bucket not in buckets:
            raise ObjectUnavailable("no such bucket")
        if bucket == "slow":
            self.asked.append(name)
            assert self.gate.wait(60)
        return name.encode()


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> Iterator[Slow]:
    found = Slow()
    monkeypatch.setattr(fetching, "read_object", found)
    yield found
    found.gate.set()


BUCKETS: dict[str, Bucket] = {
    name: FolderBucket(folder=Path("/nowhere")) for name in ("slow", "fast")
}


def run(scenario: Callable[[Fetches], object]) -> None:
    async def whole() -> None:
        fetches = Fetches(BUCKETS)
        async with asyncio.timeout(30):
            await scenario(fetches)  # type: ignore[misc]
            await fetches.close()
        assert fetches.idle

    asyncio.run(whole())


def test_a_slow_bucket_holds_up_no_other(slow: Slow) -> None:
    async def scenario(fetches: Fetches) -> None:
        def ask(key: str, bucket: str, name: str) -> asyncio.Task[bytes]:
            return asyncio.create_task(fetches.read(key, bucket, name, None, 100))

        held = [ask("a", "slow", f"{number}") for number in range(AT_ONCE + WAITING)]
        while len(slow.asked) < AT_ONCE:
            await asyncio.sleep(0.01)
        assert await ask("a", "fast", "ada.jpg") == b"ada.jpg"
        # Nor does it hold up what else runs in threads, such as the hashing of large bodies.
        assert await asyncio.to_thread(lambda: "hashed") == "hashed"
        with pytest.raises(Overloaded):
            await fetches.read("a", "slow", "one more", None, 100)
        assert len(slow.asked) == AT_ONCE
        slow.gate.set()
        assert await asyncio.gather(*held) == [f"{n}".encode() for n in range(len(held))]

    run(scenario)


def test_keys_take_turns_at_a_bucket(slow: Slow) -> None:
    async def scenario(fetches: Fetches) -> None:
        def ask(key: str, name: str) -> asyncio.Task[bytes]:
            return asyncio.create_task(fetches.read(key, "slow", name, None, 100))

        held = [ask("many", f"m{number}") for number in range(20)]
        while len(slow.asked) < AT_ONCE:
            await asyncio.sleep(0.01)
        held.append(ask("one", "mine"))
        await asyncio.sleep(0)
        slow.gate.set()
        await asyncio.gather(*held)
        assert slow.asked.index("mine") <= AT_ONCE + 1

    run(scenario)


def test_a_bucket_that_does_not_answer_is_given_up(
    slow: Slow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PATIENCE", 0.1)

    async def scenario(fetches: Fetches) -> None:
        with pytest.raises(ObjectUnavailable, match="did not answer within"):
            await fetches.read("a", "slow", "ada.jpg", None, 100)
        slow.gate.set()

    run(scenario)


def test_an_unknown_bucket_takes_no_thread(slow: Slow) -> None:
    async def scenario(fetches: Fetches) -> None:
        for number in range(1000):
            with pytest.raises(ObjectUnavailable):
                await fetches.read("a", f"no-{number}", "x", None, 100)
        assert threading.active_count() < 50

    run(scenario)
