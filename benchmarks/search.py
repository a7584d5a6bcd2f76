"""Exact search against FAISS and USearch: ``python -m benchmarks.search``.

Well-spread synthetic identities (unit-length Gaussian vectors) and probes that are noisy copies
of gallery rows. All run in one process, one after the other, on as many threads. FAISS and
USearch's exact searches are exact too; HNSW is there to show what giving that up would buy;
building its graph for the large gallery takes minutes, so that is done with ``--hnsw`` only.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray
from usearch import index as usearch

from sayso.gallery.search import ExactSearch, usable_cores

Float32 = NDArray[np.float32]
Search = Callable[[Float32], NDArray[np.int64]]

DIMENSION = 128
TOP = 10
#: Up to this size of gallery an HNSW graph is always built.
SMALL = 20_000
#: Length of the noise on a probe relative to its row: cosine to it of about .72, between what two
#: photographs of one person and what two different people give.
NOISE = 0.95


@dataclass(frozen=True)
class Row:
    gallery: int
    probes: int
    engine: str
    milliseconds: float
    slower: float
    recall_1: float
    recall_10: float


def unit(chance: np.random.Generator, count: int) -> Float32:
    rows = chance.standard_normal((count, DIMENSION), dtype=np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def truth(gallery: Float32, probes: Float32) -> NDArray[np.int64]:
    scores = probes.astype(np.float64) @ gallery.T.astype(np.float64)
    return np.argsort(-scores, axis=1, kind="stable")[:, :TOP]


@contextmanager
def faiss_threads(threads: int) -> Iterator[None]:
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(threads)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def engines(gallery: Float32, threads: int, *, approximate: bool) -> dict[str, Search]:
    ours = ExactSearch(DIMENSION, threads=threads)
    ours.add(gallery)
    flat: Any = faiss.IndexFlatIP(DIMENSION)
    flat.add(gallery)

    def faiss_flat(probes: Float32) -> NDArray[np.int64]:
        with faiss_threads(threads):
            return np.asarray(flat.search(probes, TOP)[1])

    def usearch_flat(probes: Float32) -> NDArray[np.int64]:
        found = usearch.search(gallery, probes, TOP, "ip", exact=True, threads=threads)
        return np.asarray(found.keys, np.int64).reshape(len(probes), TOP)

    found: dict[str, Search] = {
        "Sayso ExactSearch": lambda probes: ours.search(probes, TOP)[1],
        "FAISS IndexFlatIP": faiss_flat,
        "USearch exact f32": usearch_flat,
    }
    if approximate:
        graph = usearch.Index(ndim=DIMENSION, metric="ip", dtype="f32")
        graph.add(np.arange(len(gallery)), gallery, threads=threads)

        def usearch_hnsw(probes: Float32) -> NDArray[np.int64]:
            found = graph.search(probes, TOP, threads=threads)
            return np.asarray(found.keys, np.int64).reshape(len(probes), TOP)

        found["USearch HNSW f32 (approximate)"] = usearch_hnsw
    return found


def measure(search: Search, probes: Float32, repeats: int) -> float:
    """Return the median of the milliseconds, after two rounds of warm-up."""
    search(probes)
    search(probes)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        search(probes)
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def run(
    sizes: tuple[int, ...] = (10_000, 300_000), *, repeats: int = 9, hnsw: bool = False
) -> list[Row]:
    """Measure every engine at every size of gallery, with 1 and with 100 probes."""
    rows = []
    threads = usable_cores()
    for size in sizes:
        chance = np.random.default_rng(size)
        gallery = unit(chance, size)
        all_probes = gallery[chance.integers(0, size, 100)] + np.float32(NOISE) * unit(chance, 100)
        all_probes /= np.linalg.norm(all_probes, axis=1, keepdims=True)
        best = truth(gallery, all_probes)
        candidates = engines(gallery, threads, approximate=hnsw or size <= SMALL)
        for count in (1, 100):
            probes = all_probes[:count]
            ours = 0.0
            for name, search in candidates.items():
                milliseconds = measure(search, probes, repeats)
                ours = ours or milliseconds
                # Recall is always taken over all hundred probes: one says nothing about it.
                found = search(all_probes)
                hits = (found[:, :, None] == best[:, None, :]).any(axis=2)
                recall_1 = float((found[:, 0] == best[:, 0]).mean())
                recall_10 = float(hits.mean())
                rows.append(
                    Row(size, count, name, milliseconds, milliseconds / ours, recall_1, recall_10)
                )
    return rows


def main(*, hnsw: bool = False) -> str:
    """Run, and return the section for ``benchmarks/results.md``."""
    intro = (
        f"{DIMENSION}-dimensional unit vectors, top {TOP}, {usable_cores()} threads, medians of 9"
        " runs after warm-up. The ratio is that engine's time to ours."
    )
    lines = [
        "## Search",
        "",
        intro,
        "",
        "| gallery | probes | engine | ms | ratio | recall@1 | recall@10 |",
        "|---:|---:|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {row.gallery:,} | {row.probes} | {row.engine} | {row.milliseconds:.1f} |"
        f" {row.slower:.1f} | {row.recall_1:.3f} | {row.recall_10:.3f} |"
        for row in run(hnsw=hnsw)
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(main(hnsw="--hnsw" in sys.argv[1:]))
