from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sayso.service.engine import Overloaded
from sayso.service.limits import IN_USE, WINDOW, FailedSignIns, KeyLimits
from sayso.settings import ServiceSettings


class Ticks:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await scenario()

    asyncio.run(bounded())


def limits_of(
    *,
    rate: float = 10,
    burst: float = 20,
    concurrency: int = 100,
    failures: int = 3,
    most: int = 100,
) -> tuple[KeyLimits, Ticks]:
    clock = Ticks()
    limits = KeyLimits(
        rate=rate, burst=burst, concurrency=concurrency, failures=failures, most=most, clock=clock
    )
    return limits, clock


async def ask(limits: KeyLimits, key: str | None = "k") -> None:
    async with limits.admit(key):
        pass


async def allowed(limits: KeyLimits, key: str | None = "k") -> int:
    """How many requests get through in a row."""
    count = 0
    try:
        while True:
            await ask(limits, key)
            count += 1
    except Overloaded:
        return count


def test_a_key_has_a_burst_and_then_its_rate() -> None:
    async def scenario() -> None:
        limits, clock = limits_of()
        assert await allowed(limits) == 20
        clock.now += 0.5
        assert await allowed(limits) == 5
        clock.now += 3600
        assert await allowed(limits) == 20
        assert limits.throttled == 3

    run(scenario)


def test_it_says_when_to_come_again_and_then_it_is_so() -> None:
    async def scenario() -> None:
        limits, clock = limits_of(rate=0.1, burst=1)
        await ask(limits)
        with pytest.raises(Overloaded, match="requests in a second") as caught:
            await ask(limits)
        clock.now += caught.value.retry_after - 0.01
        assert await allowed(limits) == 0
        clock.now += 0.02
        await ask(limits)

    run(scenario)


def test_keys_do_not_take_from_each_other() -> None:
    async def scenario() -> None:
        limits, _ = limits_of()
        assert await allowed(limits, "a") == 20
        assert await allowed(limits, "b") == 20
        assert await allowed(limits, None) == 20

    run(scenario)


def test_a_key_has_so_many_requests_at_once_whatever_becomes_of_them() -> None:
    async def scenario() -> None:
        limits, _ = limits_of(concurrency=1)
        async with limits.admit("k"):
            with pytest.raises(Overloaded, match="1 requests running"):
                await ask(limits)
            await ask(limits, "other")
        with pytest.raises(KeyError):
            async with limits.admit("k"):
                raise KeyError
        await ask(limits)

    run(scenario)


def test_only_so_many_keys_are_remembered_and_the_busy_ones_are() -> None:
    async def scenario() -> None:
        limits, _ = limits_of(most=3, burst=1, rate=0.001)
        for i in range(50):
            await ask(limits, f"key{i}")
            if i:
                assert await allowed(limits, "key0") == 0
        assert len(limits._buckets) == 3

    run(scenario)


def test_an_address_may_fail_so_often_in_a_minute() -> None:
    limits, clock = limits_of()
    for _ in range(3):
        limits.check_peer("192.0.2.1")
        limits.failed("192.0.2.1")
    with pytest.raises(Overloaded) as caught:
        limits.check_peer("192.0.2.1")
    assert caught.value.retry_after == pytest.approx(WINDOW)
    limits.check_peer("192.0.2.2")
    clock.now += WINDOW - 1
    with pytest.raises(Overloaded):
        limits.check_peer("192.0.2.1", "any key")
    clock.now += 1
    limits.check_peer("192.0.2.1")


def test_whoever_guesses_does_not_shut_out_keys_that_are_in_use() -> None:
    async def scenario() -> None:
        limits, clock = limits_of()
        await ask(limits, "good")
        for _ in range(10):
            limits.failed("192.0.2.1", "guessed")
        limits.check_peer("192.0.2.1", "good")
        for key in ("guessed", None):
            with pytest.raises(Overloaded):
                limits.check_peer("192.0.2.1", key)
        # Nor can its secret be guessed for ever, just because it is known to be a key.
        for _ in range(3):
            limits.failed("192.0.2.1", "good")
        with pytest.raises(Overloaded):
            limits.check_peer("192.0.2.1", "good")
        limits.check_peer("192.0.2.9", "good")
        clock.now += IN_USE
        for _ in range(3):
            limits.failed("192.0.2.1", "other")
        with pytest.raises(Overloaded):
            limits.check_peer("192.0.2.1", "good")

    run(scenario)


@pytest.mark.parametrize(
    ("failing", "asking", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "192.0.2.2", False),
        (None, "no address", True),
    ],
)
def test_who_counts_as_the_same(failing: str | None, asking: str | None, same: bool) -> None:
    limits, _ = limits_of(failures=1)
    limits.failed(failing)
    if same:
        with pytest.raises(Overloaded):
            limits.check_peer(asking)
    else:
        limits.check_peer(asking)


def test_addresses_are_forgotten_in_the_end() -> None:
    counted = FailedSignIns(1, most=3, clock=Ticks())
    for i in range(100):
        counted.count(str(i))
    assert len(counted._failures) == 3
    with pytest.raises(Overloaded):
        counted.check("99")


def test_the_settings_say_how_much() -> None:
    async def scenario() -> None:
        limits = KeyLimits.of(ServiceSettings(key_rate=0.5, key_concurrency=7, failed_sign_ins=2))
        assert await allowed(limits) == 1
        limits.failed("192.0.2.1")
        limits.check_peer("192.0.2.1")
        limits.failed("192.0.2.1")
        with pytest.raises(Overloaded):
            limits.check_peer("192.0.2.1")

    run(scenario)
