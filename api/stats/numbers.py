"""How the counting goes, for Prometheus and for /ready."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.stats.store import CountState, CountStore


class CountNumbers(Collector):
    """Asks the store when scraped."""

    def __init__(self, store: CountStore) -> None:
        self._store = store

    def collect(self) -> Iterator[Metric]:
        state = self._store.state()
        family = GaugeMetricFamily("obverse_counts", "What is wrong with the counts of matches", labels=["what"])
        family.add_metric(["failing"], float(bool(state.failing)))
        family.add_metric(["missing"], state.missing)
        family.add_metric(["set_aside"], len(state.aside))
        yield family


def in_words(state: CountState) -> str:
    """For who reads /ready; empty where all is well. No path of the machine is told."""
    said = []
    if state.failing:
        said.append("matches cannot be counted at the moment, and are refused")
    if state.missing:
        said.append(f"{state.missing} counts are missing")
    if state.aside:
        said.append(f"damaged counts were set aside: {', '.join(state.aside)}")
    return "; ".join(said)
