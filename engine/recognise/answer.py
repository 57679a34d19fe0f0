"""What a recognition answers with."""

from __future__ import annotations

from dataclasses import dataclass

from engine.catalogue import Picture
from engine.values import FloatArray


@dataclass(frozen=True, kw_only=True)
class Match:
    """A verified candidate. match_ratio: calibrated probability in percent, 0-100; quad: (4, 2) float32,
    the picture's corners (without its plain margins) in pixels of the full, upright photo, clockwise
    from its top left; figures: of each check; points: (M, 2, 2) float32, inliers as (photo pixel, picture
    pixel at the kept size); accepted: the ratio reaches the picture's threshold or the default."""

    picture: Picture
    match_ratio: float
    quad: FloatArray
    inliers: int
    accepted: bool
    figures: dict[str, float]
    points: FloatArray


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """answer: None where nothing matched or look-alikes cannot be told apart; results: verified candidates,
    best first; timings_ms: by stage, in order; photo_size: width and height, upright."""

    answer: Match | None
    results: tuple[Match, ...]
    timings_ms: dict[str, float]
    photo_size: tuple[int, int]
