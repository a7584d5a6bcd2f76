"""Numbers about the service, in the format of Prometheus."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

from sayso.service.engine import Engine
from sayso.service.limits import KeyLimits
from sayso.service.overload import CAUSES

CONTENT_TYPE = CONTENT_TYPE_LATEST
#: Upper bounds of the histogram, in seconds: from an answer of the database to a big crowd.
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
#: Routes that are counted by name; they are few, and what is not known to be one is "other".
_MOST_ROUTES = 250
OTHER = "other"


class Metrics:
    """What is counted. Labels are routes and statuses only, never names of anybody."""

    def __init__(self, engine: Engine, limits: KeyLimits, index_size: Callable[[], int]) -> None:
        self._registry = CollectorRegistry()
        self._routes: set[str] = set()
        self._requests = Counter(
            "sayso_requests", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self._seconds = Histogram(
            "sayso_request_seconds",
            "Time from the headers of a request to the end of its answer.",
            ["route"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._faces = Counter(
            "sayso_faces", "Faces found in pictures.", ["route"], registry=self._registry
        )
        self._registry.register(_Standing(engine, limits, index_size))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def answered(self, route: str | None, status: int, seconds: float, faces: int = 0) -> None:
        """Count a request, by its route."""
        route = self._known(route)
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)
        if faces:
            self._faces.labels(route).inc(faces)

    def text(self) -> bytes:
        """Return all numbers, as Prometheus reads them."""
        return generate_latest(self._registry)

    def _known(self, route: str | None) -> str:
        if route is None or (route not in self._routes and len(self._routes) >= _MOST_ROUTES):
            return OTHER
        self._routes.add(route)
        return route


class _Standing(Collector):
    """What is not counted but looked at when somebody asks."""

    def __init__(self, engine: Engine, limits: KeyLimits, index_size: Callable[[], int]) -> None:
        self._engine, self._limits, self._index_size = engine, limits, index_size

    def collect(self) -> Iterable[Metric]:
        yield from self._lines()
        yield GaugeMetricFamily(
            "sayso_overloaded",
            "1 while heavy work is refused because there is too much.",
            value=float(self._engine.overloaded),
        )
        yield CounterMetricFamily(
            "sayso_throttled",
            "Requests over the limits of their access key.",
            value=self._limits.throttled,
        )
        yield GaugeMetricFamily(
            "sayso_index_templates",
            "Templates in memory of this process.",
            value=self._index_size(),
        )

    def _lines(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("sayso_work_running", "Work that runs.", labels=["line"])
        waiting = GaugeMetricFamily(
            "sayso_work_waiting", "Work that waits.", labels=["line", "pace"]
        )
        refused = CounterMetricFamily(
            "sayso_work_refused", "Work refused, by why.", labels=["line", "cause"]
        )
        abandoned = CounterMetricFamily(
            "sayso_work_abandoned", "Work that ran when its client left.", labels=["line"]
        )
        lines = {"heavy": self._engine.heavy_gauges, "light": self._engine.light_gauges}
        for name, gauges in lines.items():
            running.add_metric([name], gauges.running)
            waiting.add_metric([name, "interactive"], gauges.interactive)
            waiting.add_metric([name, "batch"], gauges.waiting - gauges.interactive)
            for cause in CAUSES:
                refused.add_metric([name, cause], gauges.causes.get(cause, 0))
            abandoned.add_metric([name], gauges.abandoned)
        yield from (running, waiting, refused, abandoned)
