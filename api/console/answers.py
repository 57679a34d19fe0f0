"""An answer as a page shows it: the photo with the outline, and the candidates with what speaks for each."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from api.console.console import Console
from engine.errors import ObverseError
from engine.image import decode, encode_jpeg
from engine.recognise.answer import Match, Recognition
from engine.settings import ImageLimits

PHOTO_SIDE = 1000
"""Longer side, in pixels, of the photo in the page."""
REASONS_SIDE = 1460
"""Of a drawing of the reasons, as the engine makes it: it is sent as JPEG, a tenth of its PNG."""
MOST_CANDIDATES, MOST_DRAWN = 5, 3
FIGURES = (
    "share", "similarity", "spread", "structure", "structure_share", "colour", "content", "content_differs", "wide",
    "region", "print_median", "print_hidden", "print_enclosed", "detail", "contrast",
)  # fmt: skip
"""Those that a page explains, of all that the engine computes; each by a text of its own."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One of the verified candidates."""

    identifier: str
    channel: str
    uuid: str
    number: int
    level: int
    match_ratio: float
    needed: float
    """The least ratio at which it is an answer."""
    accepted: bool
    inliers: int
    points: str
    """Its outline in the photo, for SVG."""
    label: tuple[float, float]
    """Where its name stands in the photo: at the outline's top, and inside the photo."""
    reason: str
    """Why it is the answer or none: the name of a text."""
    figures: list[tuple[str, float]]
    drawing: str
    """The reasons as a data address; empty where none is drawn."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """All that the page of an answer shows."""

    identifier: str
    """Empty where nothing matched."""
    width: int
    height: int
    """Of the photo, upright, in pixels."""
    photo: str
    """As a data address."""
    candidates: list[Candidate]
    timings: list[tuple[str, float]]
    total: float
    """Milliseconds of all stages."""


async def shown(console: Console, photo: bytes, recognition: Recognition, *, reasons: bool) -> Shown:
    """reasons: with drawings of them. Raises the ImageErrors, Busy."""
    return await console.service.door.long.run(lambda: _shown(console, photo, recognition, reasons=reasons))


def _shown(console: Console, photo: bytes, recognition: Recognition, *, reasons: bool) -> Shown:
    image, _ = decode(photo, long_side=PHOTO_SIDE, limits=console.service.recognizer.settings.limits)
    found = recognition.results[:MOST_CANDIDATES]
    drawn = MOST_DRAWN if reasons else 0
    return Shown(
        identifier="" if recognition.answer is None else recognition.answer.picture.identifier,
        width=recognition.photo_size[0],
        height=recognition.photo_size[1],
        photo=_data(encode_jpeg(image, quality=82)),
        candidates=[
            _candidate(console, photo, match, size=recognition.photo_size, draw=place < drawn)
            for place, match in enumerate(found)
        ],
        timings=list(recognition.timings_ms.items()),
        total=sum(recognition.timings_ms.values()),
    )


def _candidate(console: Console, photo: bytes, match: Match, *, size: tuple[int, int], draw: bool) -> Candidate:
    picture = match.picture
    return Candidate(
        identifier=picture.identifier,
        channel=picture.channel,
        uuid=picture.uuid,
        number=picture.id,
        level=picture.level,
        match_ratio=match.match_ratio,
        needed=console.service.pictures.threshold(picture),
        accepted=match.accepted,
        inliers=match.inliers,
        points=" ".join(f"{x:.1f},{y:.1f}" for x, y in match.quad),
        label=_label(match, size),
        reason=match.reason,
        figures=[(name, match.figures[name]) for name in FIGURES if name in match.figures],
        drawing=_drawing(console, photo, match) if draw else "",
    )


def _label(match: Match, size: tuple[int, int]) -> tuple[float, float]:
    """Above the outline, in the middle of it, where the photo has room there."""
    (x, _), y = match.quad.mean(0), match.quad[:, 1].min()
    width, height = size
    return min(max(float(x), 0.3 * width), 0.7 * width), min(max(float(y), 0.08 * height), 0.95 * height)


def _drawing(console: Console, photo: bytes, match: Match) -> str:
    try:
        drawn, _ = decode(
            console.service.recognizer.explain(photo, match), long_side=REASONS_SIDE, limits=ImageLimits()
        )
    except ObverseError:  # removed meanwhile
        return ""
    return _data(encode_jpeg(drawn, quality=80))


def _data(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def as_json(console: Console, recognition: Recognition, *, everything: bool) -> dict[str, Any]:
    """For the camera. everything: the best candidate below its threshold, too."""
    found: dict[str, Any] = {
        "identifier": "",
        "photo_size": list(recognition.photo_size),
        "milliseconds": round(sum(recognition.timings_ms.values()), 1),
    }
    best = recognition.results[0] if recognition.results else None
    if best is not None and (best.accepted or everything):
        found |= {
            "identifier": best.picture.identifier if best.accepted else "",
            "candidate": best.picture.identifier,
            "channel": best.picture.channel,
            "match_ratio": best.match_ratio,
            "needed": console.service.pictures.threshold(best.picture),
            "quad": [[round(float(x), 1), round(float(y), 1)] for x, y in best.quad],
        }
    return found
