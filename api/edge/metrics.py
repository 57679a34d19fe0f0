"""Numbers for Prometheus, in a registry of their own so that two servers may live in one process."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from typing import Literal, Protocol

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.edge.door import Door

_SECONDS = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0)


Outcome = Literal["answered", "missed", "refused"]


class LastMinute:
    """How many photos came in the last 60 seconds. Safe for use by many threads."""

    def __init__(self) -> None:
        self._seconds: dict[int, int] = {}
        self._lock = threading.Lock()

    def count(self) -> None:
        now = int(time.monotonic())
        with self._lock:
            self._forget(now)
            self._seconds[now] = self._seconds.get(now, 0) + 1

    def a_second(self) -> float:
        """Photos a second, on average."""
        with self._lock:
            self._forget(int(time.monotonic()))
            return sum(self._seconds.values()) / 60

    def _forget(self, now: int) -> None:
        for second in [second for second in self._seconds if second <= now - 60]:
            del self._seconds[second]


class Metrics:
    """All names begin with `obverse_`; docs/operations.md explains each."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("obverse_requests", "Answered requests", ["method", "code"], registry=self.registry)
        self.request_seconds = Histogram(
            "obverse_request_seconds",
            "Time of a request, body included",
            ["method"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "obverse_stage_seconds",
            "Time of a stage of recognition",
            ["stage"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.photos = Counter(
            "obverse_photos", "Photos that were searched for, by what came of them", ["outcome"], registry=self.registry
        )
        self.last_minute = LastMinute()
        self.in_flight = Gauge("obverse_requests_in_flight", "Requests being answered", registry=self.registry)
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)

    def observe_stages(self, timings_ms: Mapping[str, float]) -> None:
        for stage, milliseconds in timings_ms.items():
            self.stage_seconds.labels(stage).observe(milliseconds / 1000)

    def saw(self, outcome: Outcome) -> None:
        """One more photo."""
        self.photos.labels(outcome).inc()
        self.last_minute.count()

    def text(self) -> bytes:
        """The exposition format that Prometheus scrapes."""
        return generate_latest(self.registry)


class Sized(Protocol):
    """What has sizes to tell."""

    def info(self) -> Mapping[str, object]: ...


class GallerySizes(Collector):
    """Asks the gallery when scraped, so that nothing has to be kept up to date."""

    def __init__(self, gallery: Sized) -> None:
        self._gallery = gallery

    def collect(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("obverse_gallery", "Counts and sizes of the gallery", labels=["what"])
        for name, value in self._gallery.info().items():
            if isinstance(value, int | float):
                family.add_metric([name], float(value))
        yield family


class DoorNumbers(Collector):
    """Places taken in each lane, and requests that were turned away."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def collect(self) -> Iterator[Metric]:
        inside = GaugeMetricFamily("obverse_lane_inside", "Calls running or waiting", labels=["lane"])
        places = GaugeMetricFamily("obverse_lane_places", "Calls that may run or wait", labels=["lane"])
        refused = GaugeMetricFamily("obverse_lane_refused", "Calls turned away since the start", labels=["lane"])
        overdue = GaugeMetricFamily("obverse_lane_overdue", "Calls past the deadline since the start", labels=["lane"])
        for lane in self._door.lanes:
            for family, value in (
                (inside, lane.inside), (places, lane.capacity), (refused, lane.refused), (overdue, lane.overdue)
            ):  # fmt: skip
                family.add_metric([lane.name], value)
        yield from (inside, places, refused, overdue)
