"""Exact cosine search over unit-length templates, several times as fast as a plain product.

Most of a brute-force search is spent on writing out and sifting hundreds of scores per template.
Here the gallery lies in blocks that fit the cache, and a first pass (OpenVINO, or numpy where
that is not installed) keeps only the highest score of each group of 32 templates. A group whose
maximum is further below the k-th highest maximum than the first pass can err holds none of the
k best; the others are scored again, one by one, in float32. So the answer is exact by
construction, whatever computes the first pass, and does not depend on how many probes are asked
for together:

    A first-pass score a differs from the float32 score s by at most e from the inputs, and by
    at most u|a| from the rounding of the result. The k groups of highest maxima hold k different
    rows; with M the lowest of these maxima, the k best have s >= L = M - u|M| - e. Their
    first-pass scores, and so their groups' maxima, are at least L - e - u|L - e|.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import os
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sayso.vision import effort

Float32 = NDArray[np.float32]

#: Templates in a block. 4096 x 128 float32 are 2 MB: a block and its scores stay in a core's cache.
BLOCK: Final = 4096
#: Templates in a group. Row r of a block is in group r % (BLOCK // GROUP): neighbours, often of
#: one subject, fall into different groups.
GROUP: Final = 32
_GROUPS: Final = BLOCK // GROUP
#: Probes taken together; bounds the memory of the maxima to 16 bytes per template.
_PROBES: Final = 128
#: Added to the scores of rows that may not be found. Scores lie within -1 and 1.
_BARRED: Final = -4.0
_FLOOR: Final = -2.0

Precision = Literal["f32", "bf16"]

#: What sums of products in float32 may err by, in the first pass and afterwards together: each at
#: most d * 2**-24 for vectors of unit length.
_SUMMING: Final = 8e-5
#: The relative error of a result rounded to the 8 significant bits of a bfloat16.
_HALF_UNIT: Final = 2.0**-8
#: The longest vectors that can be searched, templates of 512 numbers and the two of a normaliser:
#: ``_SUMMING`` is derived for them.
LARGEST_DIMENSION: Final = 514
#: As far as the length of a vector may be from 1.
UNIT_TOLERANCE: Final = 1e-3


@dataclass(slots=True)
class _Block:
    rows: Float32  # (BLOCK, d), zero beyond the used ones
    half: NDArray[np.uint16] | None  # the same as bfloat16, for the first pass


class ExactSearch:
    """The templates of a gallery, searched exhaustively.

    Rows are numbered from 0 in the order they were added. ``threads`` is how many cores a search
    may use, None for all. ``precision`` is that of the first pass: results are the same,
    ``"bf16"`` takes half as much memory again and is the default where the CPU computes in it.
    ``engine`` is ``"openvino"``, ``"numpy"``, or None for the first of them that is installed.

    Safe to use from several threads; searches take turns, each using all its cores, and so do
    those of several galleries.
    """

    def __init__(
        self,
        dimension: int,
        *,
        threads: int | None = None,
        precision: Precision | None = None,
        engine: Literal["openvino", "numpy"] | None = None,
    ) -> None:
        if not 1 <= dimension <= LARGEST_DIMENSION:
            raise ValueError(f"dimension is {dimension}; 1 to {LARGEST_DIMENSION} can be searched")
        if threads is not None and threads < 1:
            raise ValueError(f"threads is {threads}; at least 1 is needed")
        self.dimension = dimension
        self._length = 0
        self._blocks: list[_Block] = []
        self._lock = threading.RLock()
        self._first_pass = _choose(engine, precision, dimension, threads)
        self._row_error = 0.0  # the largest distance of a row from its bfloat16 copy

    def __len__(self) -> int:
        return self._length

    def add(self, templates: ArrayLike) -> None:
        """Append float32 (m, d) templates of unit length; they get the rows from ``len()`` on.

        Raises ``ValueError`` when the shape is another or a row is not of unit length.
        """
        new = self._checked(templates, "templates")
        with self._lock:
            done = 0
            while done < len(new):
                at = self._length % BLOCK
                if at == 0:
                    self._blocks.append(self._new_block())
                part = new[done : done + BLOCK - at]
                error = _write(self._blocks[-1], at, part)
                self._row_error = max(self._row_error, error)
                self._length += len(part)
                done += len(part)

    def remove(self, rows: Iterable[int] | NDArray[Any]) -> None:
        """Remove rows. The others close up and keep their order, as with ``numpy.delete``.

        What was removed has been overwritten when this returns. Raises ``IndexError`` for a row
        that is not there; nothing is removed then. A row may be named twice.
        """
        gone = np.unique(np.asarray(list(rows), np.int64))
        with self._lock:
            if gone.size == 0:
                return
            if gone[0] < 0 or gone[-1] >= self._length:
                wrong = gone[0] if gone[0] < 0 else gone[-1]
                raise IndexError(f"there is no row {wrong}; rows go from 0 to {self._length - 1}")
            target = first = int(gone[0])
            for number in range(first // BLOCK, len(self._blocks)):
                base = number * BLOCK
                start, stop = max(base, first), min(base + BLOCK, self._length)
                stays = np.ones(stop - start, np.bool_)
                low, high = np.searchsorted(gone, (start, stop))
                stays[gone[low:high] - start] = False
                target = self._move(number, np.flatnonzero(stays) + start - base, target)
            for number in range(target // BLOCK, len(self._blocks)):
                _wipe(self._blocks[number], max(0, target - number * BLOCK))
            self._length = target
            del self._blocks[-(-target // BLOCK) :]

    def rows(self, rows: NDArray[np.int64]) -> Float32:
        """Return the templates of these rows, float32 (n, d), as a copy."""
        with self._lock:
            found = np.empty((len(rows), self.dimension), np.float32)
            numbers, places = np.divmod(rows, BLOCK)
            for number in np.unique(numbers):
                here = numbers == number
                found[here] = self._blocks[number].rows[places[here]]
            return found

    def search(
        self, probes: ArrayLike, k: int, allowed: NDArray[np.bool_] | None = None
    ) -> tuple[Float32, NDArray[np.int64]]:
        """Find each probe's ``k`` best rows: float32 cosines and int64 rows, both (p, k).

        ``probes`` are float32 (p, d) of unit length. With ``allowed``, bool (n,), only rows where
        it is true are looked at. The best comes first, of equal scores the lower row; where there
        are fewer than ``k``, scores are -inf and rows -1. Raises ``ValueError`` for a wrong shape.
        """
        wanted = self._checked(probes, "probes")
        if k < 1:
            raise ValueError(f"k is {k}; at least 1 row can be asked for")
        scores = np.full((len(wanted), k), -np.inf, np.float32)
        rows = np.full((len(wanted), k), -1, np.int64)
        with self._lock:
            if allowed is not None and np.shape(allowed) != (self._length,):
                raise ValueError(
                    f"allowed has shape {np.shape(allowed)}; there are {self._length} rows"
                )
            bars = self._bars(allowed)
            for start in range(0, len(wanted) if self._length else 0, _PROBES):
                effort.check()
                part = slice(start, start + _PROBES)
                self._search(wanted[part], scores[part], rows[part], bars)
        return scores, rows

    def _search(
        self,
        probes: Float32,
        scores: Float32,
        rows: NDArray[np.int64],
        bars: list[Float32],
    ) -> None:
        k = scores.shape[1]
        maxima = self._first_pass.maxima(self._blocks, bars, probes)  # (blocks, groups, p)
        least, limit = self._limits(_kth(maxima, k), probes)
        chosen = maxima >= limit
        # Where thousands of scores are nearly equal, as many are scored again: few probes at once.
        counts = np.cumsum(np.count_nonzero(chosen, axis=(0, 1))) // _CHOSEN
        for part in np.split(np.arange(len(probes)), np.flatnonzero(np.diff(counts)) + 1):
            span = slice(int(part[0]), int(part[-1]) + 1)
            found = self._rescore(chosen[:, :, span], probes[span], least[span], bars)
            _rank(*found, scores[span], rows[span])

    def _rescore(
        self, chosen: NDArray[np.bool_], probes: Float32, least: Float32, bars: list[Float32]
    ) -> tuple[NDArray[np.intp], Float32, NDArray[np.int64]]:
        """Score the rows of the chosen groups in float32: probes, scores and rows, all (n,)."""
        who, scores, rows = [], [], []
        within = np.arange(GROUP)[:, None] * _GROUPS
        for number, block in enumerate(self._blocks):
            groups, askers = np.nonzero(chosen[number])
            grouped = block.rows.reshape(GROUP, _GROUPS, self.dimension)
            barred = bars[number].reshape(GROUP, _GROUPS) < 0
            for start in range(0, len(groups), _RESCORED):
                group, asker = groups[start : start + _RESCORED], askers[start : start + _RESCORED]
                # One product after the other: what a row scores depends on nothing beside it.
                exact = np.vecdot(grouped[:, group], probes[asker])  # (GROUP, groups)
                keep = ~barred[:, group] & (exact >= least[asker])
                who.append(np.broadcast_to(asker, exact.shape)[keep])
                scores.append(exact[keep])
                rows.append((within + group + number * BLOCK)[keep])
        if not who:
            return np.empty(0, np.intp), np.empty(0, np.float32), np.empty(0, np.int64)
        return np.concatenate(who), np.concatenate(scores), np.concatenate(rows)

    def _limits(self, kth: Float32, probes: Float32) -> tuple[Float32, Float32]:
        """Return the least score and the least maximum, both (p,), that the k best may have."""
        unit, error = 0.0, np.full(len(probes), _SUMMING)
        if self._first_pass.precision == "bf16":
            # By the Cauchy-Schwarz inequality; every length here is 1 but for the tolerance.
            unit = _HALF_UNIT
            error += (1 + 2 * UNIT_TOLERANCE) * (self._row_error + _rounding(probes))
        least = np.maximum(kth - unit * np.abs(kth) - error, _FLOOR)
        limit = np.maximum(least - error - unit * np.abs(least - error), _FLOOR)
        return least.astype(np.float32), limit.astype(np.float32)

    def _bars(self, allowed: NDArray[np.bool_] | None) -> list[Float32]:
        """Return per block float32 (BLOCK, 1): 0 for rows that may be found."""
        bars = []
        for number in range(len(self._blocks)):
            start = number * BLOCK
            used = min(BLOCK, self._length - start)
            if used == BLOCK and (allowed is None or allowed[start : start + BLOCK].all()):
                bars.append(_OPEN)
                continue
            bar = np.full((BLOCK, 1), _BARRED, np.float32)
            bar[:used, 0] = 0 if allowed is None else ~allowed[start : start + used] * _BARRED
            bars.append(bar)
        return bars

    def _checked(self, vectors: ArrayLike, what: str) -> Float32:
        array = np.ascontiguousarray(vectors, np.float32)
        if array.ndim != 2 or array.shape[1] != self.dimension:
            raise ValueError(f"{what} have shape {array.shape}; (n, {self.dimension}) is needed")
        with np.errstate(invalid="ignore", over="ignore"):
            lengths = np.sqrt(np.vecdot(array, array))
        off = ~(np.abs(lengths - 1) <= UNIT_TOLERANCE)  # catches NaN too
        if off.any():
            row = int(np.argmax(off))
            raise ValueError(
                f"{what} must have unit length; row {row} has length {lengths[row]:.4g}"
            )
        return array

    def _new_block(self) -> _Block:
        half = None
        if self._first_pass.precision == "bf16":
            half = np.zeros((BLOCK, self.dimension), np.uint16)
        return _Block(np.zeros((BLOCK, self.dimension), np.float32), half)

    def _move(self, number: int, kept: NDArray[np.int64], target: int) -> int:
        """Move rows of a block, given within it, down to row ``target``; return the next."""
        source = self._blocks[number]
        while len(kept):
            into, at = self._blocks[target // BLOCK], target % BLOCK
            part, kept = kept[: BLOCK - at], kept[BLOCK - at :]
            into.rows[at : at + len(part)] = source.rows[part]
            if into.half is not None and source.half is not None:
                into.half[at : at + len(part)] = source.half[part]
            target += len(part)
        return target


#: Groups scored again in one go; bounds the copy that is made of them to 32 MB for d = 128.
_RESCORED: Final = 2048
#: Groups, over all probes, whose scores are kept to be ranked at once: 40 MB.
_CHOSEN: Final = 1 << 16
_OPEN: Final = np.zeros((BLOCK, 1), np.float32)


def _write(block: _Block, at: int, rows: Float32) -> float:
    """Write rows into a block; return how far its bfloat16 copy is from them at most."""
    block.rows[at : at + len(rows)] = rows
    if block.half is None:
        return 0.0
    block.half[at : at + len(rows)] = _bfloat16(rows)
    return float(_rounding(rows).max())


def _wipe(block: _Block, at: int) -> None:
    block.rows[at:] = 0
    if block.half is not None:
        block.half[at:] = 0


def _bfloat16(values: Float32) -> NDArray[np.uint16]:
    """Round to the nearest bfloat16, ties to even; none of the values may be NaN."""
    bits = values.view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def _widened(values: NDArray[np.uint16]) -> Float32:
    return (values.astype(np.uint32) << 16).view(np.float32)


def _rounding(rows: Float32) -> NDArray[np.float64]:
    """Return the distance (n,) of each row (n, d) from itself rounded to bfloat16."""
    off = rows - _widened(_bfloat16(rows))  # exact: the lower bits of each value
    return np.asarray(np.sqrt(np.vecdot(off, off)) * 1.0001, np.float64)


def _kth(maxima: Float32, k: int) -> Float32:
    """Return for each probe (p,) a lower bound of the k-th highest group maximum; tight mostly."""
    blocks, groups, probes = maxima.shape
    if blocks * groups >= 256 * k:
        # The maxima of 8 groups each are far fewer to sort, and the k best seldom share one.
        maxima = maxima.reshape(blocks * groups // 8, 8, probes).max(axis=1)
    flat = maxima.reshape(-1, probes)
    if k > len(flat):
        return np.full(probes, _FLOOR, np.float32)  # finite: it is multiplied by the unit error
    return np.asarray(np.partition(flat, len(flat) - k, axis=0)[len(flat) - k])


def _rank(
    who: NDArray[np.intp],
    found: Float32,
    found_rows: NDArray[np.int64],
    scores: Float32,
    rows: NDArray[np.int64],
) -> None:
    """Write each probe's best into ``scores`` and ``rows``, both (p, k)."""
    order = np.lexsort((found_rows, -found, who))
    ends = np.searchsorted(who[order], np.arange(len(scores) + 1))
    for number, (start, end) in enumerate(pairwise(ends)):
        best = order[start : min(start + scores.shape[1], end)]
        scores[number, : len(best)] = found[best]
        rows[number, : len(best)] = found_rows[best]


class _Numpy:
    """The first pass in numpy, for where OpenVINO is not installed."""

    precision: Precision = "f32"

    def maxima(self, blocks: list[_Block], bars: list[Float32], probes: Float32) -> Float32:
        """Return float32 (blocks, groups, p): the highest score of each group."""
        out = np.empty((len(blocks), _GROUPS, len(probes)), np.float32)
        scores = np.empty((BLOCK, len(probes)), np.float32)
        for number, (block, bar) in enumerate(zip(blocks, bars, strict=True)):
            np.matmul(block.rows, probes.T, out=scores)
            scores += bar
            scores.reshape(GROUP, _GROUPS, -1).max(axis=0, out=out[number])
        return out


@dataclass(frozen=True, slots=True)
class _Requests:
    """Ready to run: for blocks all of whose rows may be found, and for the others."""

    free: list[Any]
    barred: list[Any]


class _OpenVINO:
    """The first pass as a small graph, compiled once per number of probes, never for the rows.

    Where the graph computes less exactly than it should, numpy takes its place. Searches of
    several galleries share one, and take turns.
    """

    def __init__(self, precision: Precision, dimension: int, threads: int) -> None:
        self._ov = importlib.import_module("openvino")
        self._core = self._ov.Core()
        self.precision: Precision = precision
        self._dimension = dimension
        self._threads = threads
        self._lock = threading.Lock()
        self._compiled: dict[int, _Requests] = {}
        self._instead: _Numpy | None = None
        self._idle = _Block(np.zeros((BLOCK, dimension), np.float32), None)
        if precision == "bf16":
            self._idle.half = np.zeros((BLOCK, dimension), np.uint16)

    def maxima(self, blocks: list[_Block], bars: list[Float32], probes: Float32) -> Float32:
        """Return float32 (blocks, groups, p): the highest score of each group."""
        with self._lock:
            count = _rounded(len(probes))
            if self._instead is None and count not in self._compiled:
                requests = _Requests(self._compile(count, False), self._compile(count, True))
                if self._exact(requests, count):
                    self._compiled[count] = requests
                else:
                    self._instead = _Numpy()
            if self._instead is None:
                return self._maxima(self._compiled[count], count, blocks, bars, probes)
        return self._instead.maxima(blocks, bars, probes)

    def _maxima(
        self,
        requests: _Requests,
        count: int,
        blocks: list[_Block],
        bars: list[Float32],
        probes: Float32,
    ) -> Float32:
        padded = np.zeros((count, self._dimension), np.float32)
        half = self.precision == "bf16"
        padded[: len(probes)] = _widened(_bfloat16(probes)) if half else probes
        out = np.empty((len(blocks), _GROUPS, count), np.float32)
        shared = self._ov.Tensor(padded, shared_memory=True)
        every = [*requests.free, *requests.barred]
        for request in every:
            request.set_input_tensor(1, shared)
        try:
            for number, (block, bar) in enumerate(zip(blocks, bars, strict=True)):
                open_to_all = bar is _OPEN
                turn = requests.free if open_to_all else requests.barred
                request = turn[number % len(turn)]
                request.wait()
                request.set_input_tensor(0, self._tensor(block))
                if not open_to_all:
                    request.set_input_tensor(2, self._ov.Tensor(bar, shared_memory=True))
                request.set_output_tensor(0, self._ov.Tensor(out[number], shared_memory=True))
                request.start_async()
        finally:
            for request in every:
                request.wait()
            # The requests outlive the gallery: they must not hold its templates, nor the probes.
            idle, nobody = self._tensor(self._idle), self._ov.Tensor(np.zeros_like(padded))
            for request in every:
                request.set_input_tensor(0, idle)
                request.set_input_tensor(1, nobody)
        return out[:, :, : len(probes)]

    def _tensor(self, block: _Block) -> Any:
        if block.half is None:
            return self._ov.Tensor(block.rows, shared_memory=True)
        return self._ov.Tensor(block.half, list(block.half.shape), self._ov.Type.bf16)

    def _compile(self, probes: int, barred: bool) -> list[Any]:
        """Return requests for so many probes, one per core: each works on a block alone.

        Adding bars to every score takes time, so blocks without any have a graph of their own.
        """
        ov, half = self._ov, self.precision == "bf16"
        op = importlib.import_module("openvino.opset13")
        element = ov.Type.bf16 if half else ov.Type.f32
        rows = op.parameter([BLOCK, self._dimension], element)
        wanted = op.parameter([probes, self._dimension], ov.Type.f32)
        bars = op.parameter([BLOCK, 1], ov.Type.f32)
        values = op.convert(rows, ov.Type.f32) if half else rows
        scores = op.matmul(values, wanted, False, True)
        if barred:
            scores = op.add(scores, bars)
        flat = op.reshape(scores, np.array([GROUP, _GROUPS * probes]), False)
        best = op.reduce_max(flat, np.array([0]), False)
        result = op.reshape(best, np.array([_GROUPS, probes]), False)
        inputs = [rows, wanted, bars] if barred else [rows, wanted]
        model = ov.Model([op.result(result)], inputs, "exact_search")
        options = {
            "INFERENCE_PRECISION_HINT": self.precision,
            "INFERENCE_NUM_THREADS": self._threads,
            "NUM_STREAMS": self._threads,
        }
        compiled = self._core.compile_model(model, "CPU", options)
        return [compiled.create_infer_request() for _ in range(self._threads)]

    def _exact(self, requests: _Requests, probes: int) -> bool:
        """Tell whether a graph keeps to the precision that exactness is derived from."""
        chance = np.random.default_rng(1)
        rows = chance.standard_normal((BLOCK, self._dimension), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        half, unit = None, 0.0
        if self.precision == "bf16":
            half, unit = _bfloat16(rows), _HALF_UNIT
            rows = _widened(half)
        # The same block through both graphs: one bar that bars nobody is not _OPEN itself.
        block, bars = _Block(rows, half), [_OPEN, _OPEN.copy()]
        found = self._maxima(requests, probes, [block, block], bars, rows[:probes])
        expected = (rows @ rows[:probes].T).reshape(GROUP, _GROUPS, probes).max(axis=0)
        return bool((np.abs(found - expected) <= unit * np.abs(expected) + _SUMMING).all())


def _rounded(probes: int) -> int:
    """Round up to one of a few numbers of probes, so that few graphs get compiled."""
    sizes: tuple[int, ...] = (1, 4, 8, *range(16, _PROBES + 1, 8))
    return next(size for size in sizes if probes <= size)


def usable_cores() -> int:
    """Count the cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@functools.cache
def _computes_bf16() -> bool:
    """Tell whether the CPU multiplies bfloat16 itself; emulated it is slower than float32."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


@functools.cache
def _shared(precision: Precision, dimension: int, threads: int) -> _OpenVINO:
    """Return the one first pass of this kind in the process: its graphs take time and memory."""
    return _OpenVINO(precision, dimension, threads)


def _choose(
    engine: str | None, precision: Precision | None, dimension: int, threads: int | None
) -> _OpenVINO | _Numpy:
    if engine != "numpy" and (engine or importlib.util.find_spec("openvino")):
        precision = precision or ("bf16" if _computes_bf16() else "f32")
        return _shared(precision, dimension, threads or usable_cores())
    if precision == "bf16":
        raise ValueError("a first pass in bf16 needs the openvino engine")
    return _Numpy()
