"""What a disk, or a hand, may do to a file; and a process of its own that meets it: compiled code may die of it."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.paths import ROOT

Harm = Callable[[Path, random.Random], None]


def flip(path: Path, rng: random.Random) -> None:
    """One bit."""
    with path.open("r+b") as file:
        at = rng.randrange(path.stat().st_size)
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 1 << rng.randrange(8)]))


def zero(path: Path, rng: random.Random) -> None:
    """A sector that reads as nothing, as of a sparse copy."""
    size = path.stat().st_size
    start = rng.randrange(size) // 512 * 512
    with path.open("r+b") as file:
        file.seek(start)
        # A sector that was nothing before would be no damage.
        if not any(file.read(512)):
            start = 0
        file.seek(start)
        file.write(bytes(min(512, size - start)))


def cut(path: Path, rng: random.Random) -> None:
    """Ends too early."""
    content = path.read_bytes()
    path.write_bytes(content[: rng.randrange(1, len(content))])


def grow(path: Path, rng: random.Random) -> None:
    """Goes on behind its end."""
    with path.open("ab") as file:
        file.write(rng.randbytes(100))


def garble_start(path: Path, rng: random.Random) -> None:
    """Another file's beginning."""
    with path.open("r+b") as file:
        file.write(rng.randbytes(min(8192, path.stat().st_size)))


def empty(path: Path, _: random.Random) -> None:
    path.write_bytes(b"")


def lose(path: Path, _: random.Random) -> None:
    path.unlink()


HARMS: tuple[Harm, ...] = (flip, zero, cut, grow, empty, lose)


class Victim:
    """A process that opens damaged folders one after the other."""

    def __init__(self, module: str) -> None:
        """module: its `main` calls `serve`."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", module], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def meet(self, folder: Path) -> Any:
        """What it has to say of the folder. Fails where it died of it."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            print(folder, file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        assert line, f"the process ended with {self._process.wait(timeout=60)}"
        return json.loads(line)

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait(timeout=60)
        self._process.stdout.close()


@contextlib.contextmanager
def victim(module: str) -> Iterator[Victim]:
    started = Victim(module)
    try:
        yield started
    finally:
        started.close()


def serve(look: Callable[[Path], Any]) -> None:
    """Answers each folder of standard input with one line of JSON."""
    for line in sys.stdin:
        print(json.dumps(look(Path(line.rstrip("\n")))), flush=True)
