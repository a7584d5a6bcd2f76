"""Exact search finds what brute force finds, whatever computes its first pass."""

from __future__ import annotations

import importlib
import threading
import tracemalloc
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from sayso.gallery.search import BLOCK, ExactSearch, _OpenVINO
from sayso.vision.effort import Effort, bounded
from sayso.vision.errors import WorkAbandoned

Float32 = NDArray[np.float32]
WAYS: list[tuple[Literal["openvino", "numpy"], Literal["f32", "bf16"]]] = [
    ("openvino", "f32"),
    ("openvino", "bf16"),
    ("numpy", "f32"),
]
way = pytest.mark.parametrize(("engine", "precision"), WAYS)


def unit(count: int, dimension: int = 128, seed: int = 0) -> Float32:
    rows = np.random.default_rng(seed).standard_normal((count, dimension), dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def noisy(rows: Float32, seed: int = 1) -> Float32:
    near = rows + 0.5 * unit(len(rows), rows.shape[1], seed)
    return np.asarray(near / np.linalg.norm(near, axis=1, keepdims=True), np.float32)


def brute(
    gallery: Float32, probes: Float32, k: int, allowed: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    scores = probes.astype(np.float64) @ gallery.astype(np.float64).T
    if allowed is not None:
        scores[:, ~allowed] = -np.inf
    rows = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    best = np.take_along_axis(scores, rows, axis=1)
    rows[np.isneginf(best)] = -1
    return best, rows


def assert_exact(
    search: ExactSearch,
    gallery: Float32,
    probes: Float32,
    k: int,
    allowed: NDArray[np.bool_] | None = None,
) -> None:
    scores, rows = search.search(probes, k, allowed)
    expected, expected_rows = brute(gallery, probes, k, allowed)
    found = expected.shape[1]
    assert scores.shape == rows.shape == (len(probes), k)
    assert scores.dtype == np.float32
    assert rows.dtype == np.int64
    assert np.isneginf(scores[:, found:]).all()
    assert (rows[:, found:] == -1).all()
    np.testing.assert_allclose(scores[:, :found], expected, atol=1e-6)
    # Only rows whose exact scores float32 cannot tell apart may change places.
    for probe, rank in np.argwhere(rows[:, :found] != expected_rows):
        row = rows[probe, rank]
        assert row >= 0
        assert abs(float(gallery[row] @ probes[probe]) - expected[probe, rank]) < 1e-6


@way
def test_equals_brute_force(engine: Any, precision: Any) -> None:
    gallery = unit(3 * BLOCK + 77)
    probes = np.vstack([noisy(gallery[::1000]), unit(20, seed=5)])
    search = ExactSearch(128, engine=engine, precision=precision)
    search.add(gallery)
    assert len(search) == len(gallery)
    for k in (1, 10, 100):
        assert_exact(search, gallery, probes, k)
    _, rows = search.search(gallery[::1000], 1)
    assert rows[:, 0].tolist() == list(range(0, len(gallery), 1000))


@way
def test_near_ties_that_a_coarse_first_pass_confuses(engine: Any, precision: Any) -> None:
    # Thousands of rows whose scores differ by less than bfloat16 resolves.
    centre = unit(1, seed=3)
    close = centre + 0.01 * unit(BLOCK + 500, seed=4)
    close = np.asarray(close / np.linalg.norm(close, axis=1, keepdims=True), np.float32)
    gallery = np.vstack([unit(5000), close])
    search = ExactSearch(128, engine=engine, precision=precision)
    search.add(gallery)
    assert_exact(search, gallery, np.vstack([centre, close[::1500]]), 25)


@way
def test_equal_scores_come_in_the_order_of_their_rows(engine: Any, precision: Any) -> None:
    one, other = unit(2)
    gallery = np.vstack([other, np.tile(one, (BLOCK + 10, 1)), other])
    search = ExactSearch(128, engine=engine, precision=precision)
    search.add(gallery)
    scores, rows = search.search(np.vstack([one, other, one]), 12)
    assert rows[0].tolist() == rows[2].tolist() == list(range(1, 13))
    assert np.ptp(scores[0]) == 0
    assert rows[1].tolist()[:3] == [0, BLOCK + 11, 1]


def test_a_gallery_of_one_face_in_bounded_memory() -> None:
    gallery = np.tile(unit(1), (20 * BLOCK, 1))
    search = ExactSearch(128)
    search.add(gallery)
    tracemalloc.start()
    _, rows = search.search(gallery[:100], 3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (rows == [0, 1, 2]).all()
    assert peak < 250 << 20


@way
def test_answers_do_not_depend_on_company(engine: Any, precision: Any) -> None:
    gallery = unit(BLOCK + 100)
    probes = noisy(gallery[:300])
    search = ExactSearch(128, engine=engine, precision=precision, threads=1)
    search.add(gallery)
    scores, rows = search.search(probes, 5)
    for number in (0, 63, 299):
        alone = search.search(probes[number : number + 1], 5)
        assert np.array_equal(alone[0][0], scores[number])
        assert np.array_equal(alone[1][0], rows[number])


@way
@pytest.mark.parametrize("share", [0.0, 0.0005, 0.1, 0.9])
def test_only_allowed_rows_are_found(engine: Any, precision: Any, share: float) -> None:
    gallery = unit(2 * BLOCK + 5)
    allowed = np.random.default_rng(2).random(len(gallery)) < share
    search = ExactSearch(128, engine=engine, precision=precision)
    search.add(gallery)
    _, rows = search.search(gallery[:40], 10, allowed)
    assert allowed[rows[rows >= 0]].all()
    assert_exact(search, gallery, gallery[:40], 10, allowed)


@way
@pytest.mark.parametrize("k", [129, 300, 1000])
def test_more_asked_for_than_there_are_groups(engine: Any, precision: Any, k: int) -> None:
    gallery = unit(300)
    search = ExactSearch(128, engine=engine, precision=precision)
    search.add(gallery)
    assert_exact(search, gallery, gallery[:5], k)


def test_more_asked_for_than_there_is() -> None:
    gallery = unit(7)
    search = ExactSearch(128)
    assert_exact(search, gallery[:0], gallery, 3)
    search.add(gallery)
    assert_exact(search, gallery, gallery, 50)
    assert search.search(gallery[:0], 3)[0].shape == (0, 3)


@pytest.mark.parametrize("dimension", [1, 3, 64, 512])
def test_other_dimensions(dimension: int) -> None:
    gallery = unit(BLOCK + 9, dimension)
    search = ExactSearch(dimension)
    search.add(gallery)
    scores, _ = search.search(gallery[:9], 4)
    np.testing.assert_allclose(scores, brute(gallery, gallery[:9], 4)[0], atol=1e-6)


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_adding_and_removing_in_any_order(data: st.DataObject) -> None:
    pool, used = unit(3 * BLOCK, 8), 0
    search, expected = ExactSearch(8), np.empty((0, 8), np.float32)
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()) or not len(expected):
            new = pool[used : used + data.draw(st.sampled_from([1, 5, BLOCK - 1, BLOCK + 1]))]
            used += len(new)
            search.add(new)
            expected = np.vstack([expected, new])
        else:
            rows = st.integers(0, len(expected) - 1)
            spans = data.draw(st.lists(st.tuples(rows, st.sampled_from([1, 3, BLOCK])), max_size=5))
            gone = [row for at, n in spans for row in range(at, min(at + n, len(expected)))]
            search.remove(gone)
            expected = np.delete(expected, np.unique(gone).astype(int), axis=0)
        assert len(search) == len(expected)
    if len(expected):
        number = data.draw(st.integers(0, len(expected) - 1))
        scores, rows_found = search.search(expected[number : number + 1], 1)
        assert rows_found[0, 0] == number
        assert scores[0, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("precision", ["f32", "bf16"])
def test_removed_rows_are_overwritten(precision: Any) -> None:
    gallery = unit(2 * BLOCK + 50)
    search = ExactSearch(128, engine="openvino", precision=precision)
    search.add(gallery)
    blocks = list(search._blocks)
    gone = [0, 7, BLOCK - 1, BLOCK, 2 * BLOCK + 49]
    search.remove(np.array(gone))
    held = np.vstack([block.rows for block in blocks])
    assert (held[: len(search)] == np.delete(gallery, gone, axis=0)).all()
    assert not held[len(search) :].any()
    if precision == "bf16":
        halves = [block.half for block in blocks if block.half is not None]
        assert len(halves) == 3
        assert not np.vstack(halves)[len(search) :].any()
    assert gone[1] not in search.search(gallery[7:8], 1)[1]
    assert search.search(gallery[7:8], 1)[0][0, 0] < 0.9
    search.remove(range(len(search)))
    assert len(search) == 0
    assert not np.vstack([block.rows for block in blocks]).any()


def test_an_engine_that_computes_too_coarsely_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    opset = importlib.import_module("openvino.opset13")
    exact = opset.matmul

    def coarse(*inputs: Any) -> Any:
        return opset.multiply(exact(*inputs), np.float32(0.9))

    monkeypatch.setattr(opset, "matmul", coarse)
    gallery = unit(BLOCK + 9, 37)  # a length that no other test has graphs for
    search = ExactSearch(37, engine="openvino", precision="bf16")
    search.add(gallery)
    assert_exact(search, gallery, gallery[:9], 4)


def test_galleries_share_their_graphs_and_leave_nothing_in_them() -> None:
    first, second = (ExactSearch(128, engine="openvino", threads=1) for _ in range(2))
    assert first._first_pass is second._first_pass
    galleries = unit(50), unit(50, seed=1)
    first.add(galleries[0])
    second.add(galleries[1])
    assert_exact(first, galleries[0], galleries[0][:3], 4)
    assert_exact(second, galleries[1], galleries[1][:3], 4)
    assert isinstance(first._first_pass, _OpenVINO)
    for requests in first._first_pass._compiled.values():
        for request in (*requests.free, *requests.barred):
            for number in (0, 1):
                assert not np.any(np.asarray(request.get_input_tensor(number).data).view(np.uint8))


def test_wrong_input_is_refused_and_changes_nothing() -> None:
    search = ExactSearch(128)
    search.add(unit(5))
    with pytest.raises(ValueError, match=r"row 1 has length 2"):
        search.add(np.vstack([unit(1), 2 * unit(1)]))
    with pytest.raises(ValueError, match=r"row 0 has length nan"):
        search.search(np.full((1, 128), np.nan, np.float32), 1)
    with pytest.raises(ValueError, match=r"shape \(1, 64\)"):
        search.search(unit(1, 64), 1)
    with pytest.raises(ValueError, match=r"k is 0"):
        search.search(unit(1), 0)
    with pytest.raises(ValueError, match=r"shape \(4,\); there are 5 rows"):
        search.search(unit(1), 1, np.ones(4, np.bool_))
    for rows in ([2, 5], [-1, 2]):
        with pytest.raises(IndexError, match=r"rows go from 0 to 4"):
            search.remove(rows)
    assert len(search) == 5
    assert_exact(search, unit(5), unit(5), 5)


def test_searches_and_changes_from_several_threads() -> None:
    gallery = unit(BLOCK + 500)
    search = ExactSearch(128)
    search.add(gallery)
    errors: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for number in range(8):
                row = (seed * 97 + number * 13) % len(gallery)
                _, rows = search.search(gallery[row : row + 1], 1)
                assert rows[0, 0] == row
                search.add(unit(3, seed=1000 + seed * 10 + number))
        except BaseException as error:  # noqa: BLE001 - the main thread raises it
            errors.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(search) == len(gallery) + 6 * 8 * 3


def test_a_search_for_many_faces_stops_when_nobody_waits_for_it() -> None:
    search = ExactSearch(4)
    search.add(np.eye(4, dtype=np.float32))
    with bounded(Effort()) as work:
        work.abandon()
        with pytest.raises(WorkAbandoned):
            search.search(np.eye(4, dtype=np.float32), 1)
    assert search.search(np.eye(4, dtype=np.float32), 1)[1].ravel().tolist() == [0, 1, 2, 3]
