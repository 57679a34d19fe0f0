"""FindImage under load, measured from a process of its own against a running server.

    python -m benchmarks.speed.load --server http://127.0.0.1:8000 --username U --secretkey S \\
        --channel books --photos DIR --out load.json [--clients 1 4 16 64] [--seconds 30]

Each client is a thread with one connection that sends the next photo as soon as it has its answer; one told
busy waits as long as the server advises. For each number of clients the JSON holds answers a second, p50, p95
and p99 of those that were served, how many were told busy, and the server's memory before and after.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import json
import os
import platform
import subprocess
import threading
import time
import urllib.parse
import urllib.request
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path

BOUNDARY = "obverse-load-boundary"
BUSY = 20015
"""Code of an answer that asks to come again later."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """One measurement, with one number of clients."""

    clients: int
    """Clients that sent photos at once."""
    seconds: float
    """Time until the last of them was done."""
    served: int
    """Answers with code 0."""
    served_per_second: float
    """The same in a second."""
    matched: int
    """Answers that named a picture."""
    busy: int
    """Photos that were turned away because the server was busy."""
    other_codes: dict[str, int]
    """All other answers, by their code."""
    p50_ms: float | None
    """Median milliseconds of the answers with code 0; None where there was none."""
    p95_ms: float | None
    """Milliseconds within which 95 % of them came."""
    p99_ms: float | None
    """Milliseconds within which 99 % of them came."""
    memory_before: float
    """The server's resident bytes before the first photo."""
    memory_after: float
    """The server's resident bytes after the last one."""


@dataclass(frozen=True)
class Reply:
    """One answer of the server."""

    code: int
    matched: bool
    milliseconds: float


def multipart_body(fields: dict[str, str], photo: bytes) -> bytes:
    """The body of a request: made once for each photo, so that the client costs little of the cores that it shares with
    the server."""
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n{v}\r\n' for n, v in fields.items()]
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="photo"\r\n\r\n'
    return "".join(parts).encode() + head.encode() + photo + f"\r\n--{BOUNDARY}--\r\n".encode()


def client(server: str, bodies: list[bytes], *, first: int, until: float, replies: list[Reply]) -> None:
    """Sends photos one after the other until the time is over."""
    url = urllib.parse.urlsplit(server)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=120)
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    for number in itertools.count(first):
        if time.monotonic() >= until:
            break
        started = time.perf_counter()
        connection.request("POST", "/FindImage", bodies[number % len(bodies)], kind)
        response = connection.getresponse()
        answer = json.loads(response.read())
        spent = 1e3 * (time.perf_counter() - started)
        replies.append(Reply(answer["returncode"], "identifier" in answer, spent))
        if answer["returncode"] == BUSY:
            time.sleep(float(response.headers.get("Retry-After", "1")))
    connection.close()


def measure(server: str, bodies: list[bytes], *, clients: int, seconds: float) -> Load:
    """Sends photos with so many clients for so many seconds."""
    before, replies = memory(server), [list[Reply]() for _ in range(clients)]
    started = time.monotonic()
    threads = [
        threading.Thread(
            target=client,
            args=(server, bodies),
            kwargs={"first": n * len(bodies) // clients, "until": started + seconds, "replies": replies[n]},
        )
        for n in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    spent = time.monotonic() - started
    every = [reply for of_one in replies for reply in of_one]
    served = sorted(reply.milliseconds for reply in every if reply.code == 0)
    others = Counter(str(reply.code) for reply in every if reply.code not in (0, BUSY))
    return Load(
        clients=clients,
        seconds=round(spent, 1),
        served=len(served),
        served_per_second=round(len(served) / spent, 2),
        matched=sum(reply.matched for reply in every),
        busy=sum(reply.code == BUSY for reply in every),
        other_codes=dict(others),
        p50_ms=percentile(served, 0.50),
        p95_ms=percentile(served, 0.95),
        p99_ms=percentile(served, 0.99),
        memory_before=before,
        memory_after=memory(server),
    )


def percentile(ordered: list[float], share: float) -> float | None:
    """The value below which that share of the ascending values lies, to a tenth; None where there are none."""
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))], 1) if ordered else None


def memory(server: str) -> float:
    """Resident bytes of the server, from its metrics."""
    with urllib.request.urlopen(f"{server}/metrics", timeout=30) as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith("process_resident_memory_bytes "):
                return float(line.split()[1])
    return 0.0


def commit() -> str:
    """The commit of the folder that this is run in."""
    done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def main() -> None:
    parser = argparse.ArgumentParser(description="FindImage under load")
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    parser.add_argument("--username", required=True)
    parser.add_argument("--secretkey", required=True)
    parser.add_argument("--channel")
    parser.add_argument("--photos", type=Path, required=True, help="folder of JPEG or PNG files")
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--out", type=Path, help="file for the JSON; without it, standard output")
    chosen = parser.parse_args()
    fields = {"username": chosen.username, "secretkey": chosen.secretkey}
    fields |= {"channel": chosen.channel} if chosen.channel else {}
    files = sorted(f for f in chosen.photos.rglob("*") if f.suffix.lower() in (".jpg", ".jpeg", ".png"))
    if not files:
        parser.error(f"no photos in {chosen.photos}")
    bodies = [multipart_body(fields, file.read_bytes()) for file in files[:500]]
    measure(chosen.server, bodies, clients=1, seconds=min(3.0, chosen.seconds))  # warm-up, not reported
    results = []
    for clients in chosen.clients:
        results.append(asdict(measure(chosen.server, bodies, clients=clients, seconds=chosen.seconds)))
        print(json.dumps(results[-1]), flush=True)
    machine = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    report = {"machine": machine, "commit": commit(), "photos": len(bodies), "results": results}
    if chosen.out:
        chosen.out.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
