"""What the server does at this moment, read from its metrics and its gallery."""

from __future__ import annotations

from typing import Any

from api.service import Service
from engine.catalogue import last_backup

_PAGE_BYTES = 4096
"""Of memory, on every Linux that Obverse runs on; where it is another, only the shown memory is wrong."""


def photos(service: Service) -> dict[str, float]:
    """Photos since the start by what came of them, and how many came a second in the last minute."""
    counted = {"answered": 0.0, "missed": 0.0, "refused": 0.0}
    for family in service.metrics.photos.collect():
        for sample in family.samples:
            if sample.name.endswith("_total"):
                counted[sample.labels["outcome"]] = sample.value
    return {**counted, "a_second": service.metrics.last_minute.a_second()}


def stages(service: Service) -> list[tuple[str, float, float]]:
    """(stage, p50, p95) in milliseconds since the start, in the order in which stages were first seen."""
    buckets: dict[str, list[tuple[float, float]]] = {}
    for family in service.metrics.stage_seconds.collect():
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                edge = float(sample.labels["le"])
                buckets.setdefault(sample.labels["stage"], []).append((edge, sample.value))
    return [(stage, 1000 * quantile(found, 0.5), 1000 * quantile(found, 0.95)) for stage, found in buckets.items()]


def quantile(buckets: list[tuple[float, float]], share: float) -> float:
    """Of a histogram's cumulative buckets (upper edge, count), as Prometheus' `histogram_quantile` has it: evenly
    spread inside a bucket; in the last one, which is open, its lower edge. 0 where nothing was counted."""
    total = buckets[-1][1] if buckets else 0.0
    if not total:
        return 0.0
    lower, below = 0.0, 0.0
    for edge, count in buckets:
        if count >= share * total:
            if edge == float("inf"):
                return lower
            return lower + (edge - lower) * (share * total - below) / (count - below)
        lower, below = edge, count
    return lower


def lanes(service: Service) -> list[dict[str, Any]]:
    """Calls inside each lane to the engine, how many may be, and how many were turned away."""
    return [
        {"name": lane.name, "inside": lane.inside, "capacity": lane.capacity, "refused": lane.refused + lane.overdue}
        for lane in service.door.lanes
    ]


def memory_bytes() -> int | None:
    """Of this process; None where the system does not tell (`/proc`)."""
    try:
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (a Path would be made each second)
            return int(file.read().split()[1]) * _PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return None


def gallery(service: Service) -> dict[str, Any]:
    """Its sizes, how much of it the saved index lacks, and when it was backed up."""
    info = service.recognizer.info()
    return {
        "pictures": info["pictures"],
        "channels": len(info["channels"]),
        "index_bytes": sum(info["memory_bytes"].values()),
        "disk_bytes": info["disk_bytes"],
        "unsaved": max(0, info["log_position"] - (info["saved_log_position"] or 0)),
        "backup": last_backup(service.catalogue.folder),
    }
