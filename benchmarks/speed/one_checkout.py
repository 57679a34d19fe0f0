"""Runs one checkout's engine in a process of its own, for `benchmarks.speed.checkouts`.

    python one_checkout.py CHECKOUT < JOB > RESULT

A script of the standard library alone, so that it measures checkouts that know nothing of it: it takes the engine from
CHECKOUT and nowhere else, and calls what every version of `Recognizer` has had. JOB and RESULT are JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

CHANNEL = "speed"


def measure(checkout: Path, job: dict[str, Any]) -> dict[str, Any]:
    """job: "gallery", its folder, which is filled where it is empty; "pictures" and "photos", paths; "threads";
    "timed", False: only fill. Gives "photos": for each the answer's identifier (None without) and the milliseconds of
    processor and of wall-clock that it took. All photos are looked at once before any is timed."""
    take_from(checkout)
    recognizer_module = importlib.import_module("engine.recognizer")
    settings = getattr(recognizer_module, "EngineSettings")(threads=job["threads"])  # noqa: B009  # untyped on purpose
    errors = importlib.import_module("engine.errors")
    with recognizer_module.Recognizer.open(Path(job["gallery"]), settings) as recognizer:
        if CHANNEL not in recognizer.info()["channels"]:
            recognizer.add_channel(CHANNEL)
            for number, picture in enumerate(job["pictures"]):
                try:
                    recognizer.add(CHANNEL, f"p{number:06}", Path(picture).read_bytes())
                except errors.ImageError:
                    continue  # refused by both checkouts, or it is seen in what they answer
        photos = [Path(photo).read_bytes() for photo in job["photos"]] if job["timed"] else []
        for photo in photos:
            answer_to(recognizer, photo, errors.ImageError)
        rows = [answer_to(recognizer, photo, errors.ImageError) for photo in photos]
    check_origin(checkout)
    return {"photos": rows}


def answer_to(recognizer: Any, photo: bytes, refusal: type[Exception]) -> dict[str, Any]:
    """A photo that is refused counts as not answered: it takes time, too."""
    processor, clock = time.process_time(), time.perf_counter()
    try:
        answer = recognizer.recognise(photo, [CHANNEL]).answer
    except refusal:
        answer = None
    spent = {"processor": 1e3 * (time.process_time() - processor), "wall": 1e3 * (time.perf_counter() - clock)}
    return {"answer": answer.picture.identifier if answer else None, **spent}


def take_from(checkout: Path) -> None:
    """Imports come from the checkout, even where another one is installed to be edited: that one's finder would give
    the modules that this one lacks."""
    sys.meta_path[:] = [f for f in sys.meta_path if not getattr(f, "__module__", "").startswith("__editable__")]
    here = str(Path(__file__).resolve().parent)
    sys.path[:] = [str(checkout), *(p for p in sys.path if p != here and not (Path(p) / "engine").is_dir())]


def check_origin(checkout: Path) -> None:
    """Raises RuntimeError where a module of the engine came from elsewhere."""
    files = [m.__file__ for n, m in list(sys.modules.items()) if n.split(".")[0] == "engine" and m.__file__]
    strays = [f for f in files if not Path(f).resolve().is_relative_to(checkout)]
    if strays or not files:
        raise RuntimeError(f"measured something else than {checkout}: {strays[:3]}")


if __name__ == "__main__":
    json.dump(measure(Path(sys.argv[1]).resolve(), json.load(sys.stdin)), sys.stdout)
