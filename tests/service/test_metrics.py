from __future__ import annotations

import asyncio
import threading

from prometheus_client.parser import text_string_to_metric_families

from sayso.service.engine import Engine
from sayso.service.limits import KeyLimits
from sayso.service.metrics import Metrics
from sayso.settings import ServiceSettings


def metrics_of(*, templates: int = 0, patience: float = 0) -> tuple[Metrics, Engine, KeyLimits]:
    engine, limits = Engine(1, patience), KeyLimits.of(ServiceSettings())
    return Metrics(engine, limits, lambda: templates), engine, limits


def values(metrics: Metrics) -> dict[tuple[str, tuple[str, ...]], float]:
    """Every number, by its name and the values of its labels, in the order of their names."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status() -> None:
    metrics, *_ = metrics_of()
    metrics.answered("POST / DetectFaces", 200, 0.03, faces=3)
    metrics.answered("POST / DetectFaces", 200, 0.3, faces=2)
    metrics.answered("POST / DetectFaces", 400, 0.001)
    metrics.answered(None, 404, 0.001)
    found = values(metrics)
    route = "POST / DetectFaces"
    assert found["sayso_requests_total", (route, "200")] == 2
    assert found["sayso_requests_total", (route, "400")] == 1
    assert found["sayso_requests_total", ("other", "404")] == 1
    assert found["sayso_faces_total", (route,)] == 5
    assert found["sayso_request_seconds_count", (route,)] == 3
    assert found["sayso_request_seconds_bucket", ("0.05", route)] == 2
    assert found["sayso_request_seconds_bucket", ("+Inf", route)] == 3


def test_routes_without_end_are_not_counted_one_by_one() -> None:
    metrics, *_ = metrics_of()
    for i in range(1000):
        metrics.answered(f"POST / Made{i}", 400, 0.001)
    counted = [labels for name, labels in values(metrics) if name == "sayso_requests_total"]
    assert len(counted) <= 251
    assert ("other", "400") in counted


def test_lines_throttles_and_the_index_are_looked_at_when_asked() -> None:
    metrics, engine, limits = metrics_of(templates=42)
    limits.throttled = 5

    async def work() -> None:
        await engine.run("k", lambda: None)
        texts.append(await engine.light(metrics.text))
        await engine.close()

    texts: list[bytes] = []
    asyncio.run(work())
    assert b'sayso_work_running{line="light"} 1.0' in texts[0]
    found = values(metrics)
    assert found["sayso_index_templates", ()] == 42
    assert found["sayso_throttled_total", ()] == 5
    assert found["sayso_work_running", ("heavy",)] == 0
    assert found["sayso_work_waiting", ("heavy", "batch")] == 0
    assert found["sayso_work_waiting", ("heavy", "interactive")] == 0
    assert found["sayso_work_refused_total", ("full", "light")] == 0
    assert found["sayso_work_abandoned_total", ("heavy",)] == 0
    assert found["sayso_overloaded", ()] == 0


def test_what_waits_and_what_was_refused_is_counted_by_kind_and_names_no_key() -> None:
    metrics, engine, _ = metrics_of(patience=20)
    go_on = threading.Event()
    texts: list[dict[tuple[str, tuple[str, ...]], float]] = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        many = [loop.create_task(engine.run("SECRET-ID", go_on.wait)) for _ in range(400)]
        await asyncio.sleep(0.01)
        other = loop.create_task(engine.run("OTHER-ID", go_on.wait))
        await asyncio.sleep(0.01)
        assert b"-ID" not in metrics.text()
        texts.append(values(metrics))
        go_on.set()
        await asyncio.gather(*many, other, return_exceptions=True)
        await engine.close()

    asyncio.run(work())
    found = texts[0]
    assert found["sayso_work_waiting", ("heavy", "interactive")] == 1
    waiting = found["sayso_work_waiting", ("heavy", "batch")]
    assert 100 < waiting < 200
    assert found["sayso_work_refused_total", ("patience", "heavy")] == 399 - waiting
    assert found["sayso_overloaded", ()] == 1


def test_the_process_is_measured_too() -> None:
    metrics, *_ = metrics_of()
    assert values(metrics)["process_resident_memory_bytes", ()] > 1e6


def test_two_services_in_a_process_do_not_count_together() -> None:
    one, *_ = metrics_of()
    other, *_ = metrics_of()
    one.answered("POST /", 200, 0.1)
    assert ("sayso_requests_total", ("POST /", "200")) not in values(other)
