"""A camera that sends frames of the same scene: what remembering the last miss saves, and what it delays.

    python -m benchmarks.speed.frames --pictures DIR... --photos DIR... --out frames.json [--most 60] [--frames 10]

Each photo becomes a stream of frames, moved, turned and zoomed a little, as a hand moves a camera. Frames follow each
other by a tenth of a second of a clock that the benchmark moves, so that streams are the same on every machine. Each
is recognised twice, with and without `Frames`: processor time of a frame that is not answered, and how many frames pass
until the first answer.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.speed.checkouts import evenly, machine
from engine.errors import ImageError
from engine.image import encode_jpeg
from engine.image_files import list_pictures, read_rgb
from engine.recognise.frames import Frames
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from engine.upkeep.bulk_import import add_all, plan
from engine.values import ColorImage

CHANNEL = "pictures"
SIDE = 1_000
"""Pixels of a frame's long side."""
STEP = 0.1
"""Seconds between frames."""


def frames_of(photo: ColorImage, count: int, rng: np.random.Generator) -> list[bytes]:
    """Frames as a hand holds a camera: moved by up to 6 % of the sides, zoomed by 5 %, turned by 3 degrees, 8 %
    brighter or darker, with a sensor's noise."""
    height, width = photo.shape[:2]
    frames = []
    for _ in range(count):
        warp = cv2.getRotationMatrix2D((width / 2, height / 2), rng.uniform(-3, 3), 1 + rng.uniform(-0.05, 0.05))
        warp = warp + np.pad((rng.uniform(-0.06, 0.06, 2) * (width, height))[:, None], ((0, 0), (2, 0)))
        seen = cv2.warpAffine(photo, warp, (width, height), borderMode=cv2.BORDER_REFLECT).astype(np.float32)
        seen = seen * (1 + rng.uniform(-0.08, 0.08)) + rng.normal(0, 4, seen.shape)
        frames.append(encode_jpeg(np.clip(seen, 0, 255).astype(np.uint8), quality=80))
    return frames


def run(recognizer: Recognizer, streams: Sequence[Sequence[bytes]]) -> dict[str, Any]:
    """Figures of all streams, remembering (`with`) and not (`without`)."""
    found: dict[str, dict[str, list[float]]] = {
        side: {"missed_ms": [], "until_answer": []} for side in ("with", "without")
    }
    for stream in streams:
        for side, figures in found.items():
            now = 0.0
            frames = Frames(clock=lambda: now) if side == "with" else None  # noqa: B023  used within its turn only
            answered = None
            for number, frame in enumerate(stream):
                now = number * STEP
                started = time.process_time()
                try:
                    answer = recognizer.recognise(frame, [CHANNEL], frames=frames).answer
                except ImageError:
                    answer = None
                if answer is None:
                    figures["missed_ms"].append(1000 * (time.process_time() - started))
                elif answered is None:
                    answered = number
            if answered is not None:
                figures["until_answer"].append(answered)
    missed = {side: statistics.fmean(figures["missed_ms"]) for side, figures in found.items()}
    return {
        "streams": len(streams),
        "frames": sum(map(len, streams)),
        "missed_frames": len(found["without"]["missed_ms"]),
        "missed_ms": {side: round(value, 2) for side, value in missed.items()},
        "ratio": round(missed["with"] / missed["without"], 3),
        "answered_streams": {side: len(figures["until_answer"]) for side, figures in found.items()},
        "mean_frames_until_answer": {
            side: round(statistics.fmean(figures["until_answer"] or [0.0]), 2) for side, figures in found.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--pictures", nargs="+", type=Path, required=True, help="folders of the gallery's pictures")
    parser.add_argument("--photos", nargs="+", type=Path, required=True, help="folders of photos")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--most", type=int, default=60, help="photos of each folder, evenly spread")
    parser.add_argument("--frames", type=int, default=10, help="frames of each photo")
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    streams = []
    for folder in given.photos:
        for file in evenly(list_pictures(folder), given.most):
            photo = read_rgb(file, SIDE)
            if photo is not None:
                streams.append(frames_of(photo, given.frames, rng))
    with (
        tempfile.TemporaryDirectory() as folder,
        Recognizer.open(Path(folder), EngineSettings(threads=1)) as recognizer,
    ):
        recognizer.add_channel(CHANNEL)
        files = [file for root in given.pictures for file in list_pictures(root)]
        for _ in add_all(recognizer, CHANNEL, plan(files, []), workers=2):
            pass
        recognizer.warm_up()
        result = {"machine": machine(), "pictures": recognizer.index.pictures, **run(recognizer, streams)}
    given.out.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
