"""How long the console's pages take, measured from a process of its own against a running server.

    python -m benchmarks.speed.console --server http://127.0.0.1:8000 --username U --secretkey S \\
        --channel books --out console.json [--rounds 20]

Each page is asked for `--rounds` times on one connection. The JSON holds median and slowest in milliseconds by page.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from pathlib import Path

import httpx

PAGES = {
    "overview": "/console",
    "channels": "/console/channels",
    "channel": "/console/channels/one?channel={channel}",
    "pictures, first page": "/console/pictures?channel={channel}",
    "pictures, a later page": "/console/pictures?channel={channel}&after=m..",
    "pictures, a list": "/console/pictures?channel={channel}&view=list",
    "search without a hit": "/console/pictures?channel={channel}&search=no-such-text",
    "never matched": "/console/pictures?channel={channel}&matched=never",
    "statistics": "/console/statistics?channel={channel}",
    "try": "/console/try?channel={channel}",
    "users": "/console/users",
}
"""Addresses by page; a later page is the one behind the identifier `m..`."""


def measure(client: httpx.Client, *, channel: str, rounds: int) -> dict[str, dict[str, float]]:
    """Median and slowest milliseconds by page, for who has signed in."""
    measured = {}
    for name, address in PAGES.items():
        times = []
        for _ in range(rounds):
            started = time.perf_counter()
            answer = client.get(address.format(channel=channel))
            times.append(1000 * (time.perf_counter() - started))
            answer.raise_for_status()
        measured[name] = {"median_ms": round(statistics.median(times), 1), "slowest_ms": round(max(times), 1)}
    return measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("server", "username", "secretkey", "channel"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    with httpx.Client(base_url=asked.server, timeout=60, follow_redirects=True) as client:
        keys = {"username": asked.username, "secretkey": asked.secretkey}
        client.post("/console/sign-in", data=keys).raise_for_status()
        measured = measure(client, channel=asked.channel, rounds=asked.rounds)
    asked.out.write_text(
        json.dumps({"machine": platform.processor() or platform.machine(), "pages": measured}, indent=2)
    )
    for name, times in measured.items():
        print(f"{name:24} median {times['median_ms']:7.1f} ms, slowest {times['slowest_ms']:7.1f} ms")


if __name__ == "__main__":
    main()
