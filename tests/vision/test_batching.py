from __future__ import annotations

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from sayso.vision.batching import Batcher
from sayso.vision.effort import Effort, bounded
from sayso.vision.errors import WorkAbandoned

MOST = 8


class Held:
    """A session that waits to be let go, and remembers what went through it together."""

    precision = "f32"

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.entered, self.go = threading.Semaphore(0), threading.Semaphore(0)

    def run(self, pictures: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        numbers = pictures[:, 0, 0, 0].tolist()
        self.entered.release()
        assert self.go.acquire(timeout=10)
        self.batches.append(numbers)
        if 255 in numbers:
            raise RuntimeError("this one cannot be computed")
        return [np.array([[number, number + 1] for number in numbers], np.float32)]


def faces(*numbers: int) -> NDArray[np.uint8]:
    return np.array(numbers, np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 3), np.uint8)


class Asker(threading.Thread):
    def __init__(self, batcher: Batcher, *numbers: int) -> None:
        super().__init__(daemon=True)
        self.batcher, self.numbers = batcher, numbers
        self.found: list[NDArray[np.float32]] = []
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.found = self.batcher.run(faces(*self.numbers))
        except Exception as error:  # noqa: BLE001 - the test looks at it
            self.error = error

    def answered(self) -> list[list[float]]:
        self.join(10)
        assert not self.is_alive()
        return [row.tolist() for row in self.found]


def waiting(batcher: Batcher, number: int) -> None:
    """Wait until so many requests wait."""
    for _ in range(2000):
        with batcher._changed:
            if len(batcher._waiting) >= number:
                return
        threading.Event().wait(0.005)
    raise AssertionError("they did not come")


def expected(*numbers: int) -> list[list[float]]:
    return [[float(number), float(number + 1)] for number in numbers]


def test_a_lone_request_waits_for_nobody() -> None:
    session = Held()
    batcher = Batcher(session, MOST)
    session.go.release()
    assert [row.tolist() for row in batcher.run(faces(3))] == expected(3)
    assert session.batches == [[3]]


def test_no_faces_need_no_run() -> None:
    session = Held()
    assert Batcher(session, MOST).run(faces()) == []
    assert session.batches == []


def test_those_who_wait_share_a_run_and_get_their_own() -> None:
    session = Held()
    batcher = Batcher(session, MOST)
    first = Asker(batcher, 1)
    assert session.entered.acquire(timeout=10)
    others = [Asker(batcher, number, number + 100) for number in (10, 20, 30)]
    waiting(batcher, 3)
    for _ in range(2):
        session.go.release()
    assert first.answered() == expected(1)
    for asker in others:
        assert asker.answered() == expected(*asker.numbers)
    assert len(session.batches) == 2
    assert sorted(session.batches[1]) == [10, 20, 30, 110, 120, 130]


def test_a_crowd_does_not_keep_a_single_face_waiting() -> None:
    session = Held()
    batcher = Batcher(session, MOST)
    crowd = Asker(batcher, *range(40))
    assert session.entered.acquire(timeout=10)
    single = Asker(batcher, 200)
    waiting(batcher, 2)
    for _ in range(2):
        session.go.release()
    assert single.answered() == expected(200)
    assert len(session.batches) == 2
    for _ in range(10):
        session.go.release()
    assert crowd.answered() == expected(*range(40))
    assert max(map(len, session.batches)) == MOST


@pytest.mark.parametrize("bad_first", [True, False])
def test_a_face_that_fails_fails_for_its_own_request_only(bad_first: bool) -> None:
    session = Held()
    batcher = Batcher(session, MOST)
    first = Asker(batcher, 1)
    assert session.entered.acquire(timeout=10)
    numbers = (255, 7) if bad_first else (7, 255)
    askers = [Asker(batcher, number) for number in numbers]
    waiting(batcher, 2)
    for _ in range(8):
        session.go.release()
    assert first.answered() == expected(1)
    for number, asker in zip(numbers, askers, strict=True):
        found = asker.answered()
        if number == 255:
            assert isinstance(asker.error, RuntimeError)
        else:
            assert found == expected(number)
            assert asker.error is None


def test_after_a_failure_it_goes_on() -> None:
    session = Held()
    batcher = Batcher(session, MOST)
    for _ in range(4):
        session.go.release()
    with pytest.raises(RuntimeError):
        batcher.run(faces(255))
    assert [row.tolist() for row in batcher.run(faces(4))] == expected(4)


def test_the_faces_of_abandoned_work_are_not_run_and_others_are() -> None:
    session = Held()
    batcher = Batcher(session, MOST)
    first = Asker(batcher, 1)
    assert session.entered.acquire(timeout=10)
    work = Effort()
    work.abandon()
    with bounded(work), pytest.raises(WorkAbandoned):
        batcher.run(faces(*range(30)))
    for _ in range(2):
        session.go.release()
    assert first.answered() == expected(1)
    assert [row.tolist() for row in batcher.run(faces(4))] == expected(4)
    assert [len(batch) for batch in session.batches] == [1, 1]
