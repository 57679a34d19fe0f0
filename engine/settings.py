"""The engine's settings. Every default lives here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

DEFAULT_MODEL = Path(__file__).resolve().parent.parent / "models"


@dataclass(frozen=True, kw_only=True)
class ImageLimits:
    """What is accepted. formats: by content, never by file name; max_bytes: of the file; max_pixels:
    width x height in the header; min_side: pixels."""

    formats: tuple[str, ...] = ("JPEG", "PNG")
    max_bytes: int = 20_000_000
    max_pixels: int = 64_000_000
    min_side: int = 32


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """model: folder of the patch network; providers: ONNX Runtime's execution providers, tried in order.

    threads: cores that one recognition may use.
    limits: what images are accepted.
    use_votes, use_global: the two lists of the shortlist; each can be switched off.
    votes_depth, global_depth: candidates that each list passes on.
    exhaustive_up_to: channels of so many pictures are ranked whole, so that nothing can be lost.
    verified: candidates, best first, that are verified.
    second_look: when nothing comes near to an answer, the photo is described again, finer and fainter, and
        windows of it are searched too; such photos take about three times as long.
    keep_pictures: store a normalised JPEG of each picture (long side at most 640 pixels); without it
        there is no structure and colour check, and `reindex` needs the source folder.
    store_orb: also keep ORB's own 256 bits (32 bytes a keypoint) for verifier "orb".
    verifier: what is matched: "descriptor", or "orb" for ORB's bits where a picture has them stored.
    min_keypoints: a picture or photo with fewer is refused.
    default_threshold: least match ratio of an answer where the picture has none of its own; None takes
        the calibration's.
    similar_threshold: least match ratio, 0-100, at which a picture is reported as similar; 100 and more: never.
    calibration: file of a fit by `obverse calibrate`; None takes the shipped one.
    """

    model: Path = DEFAULT_MODEL
    providers: tuple[str, ...] = ("CPUExecutionProvider",)
    threads: int = 2
    limits: ImageLimits = field(default_factory=ImageLimits)
    use_votes: bool = True
    use_global: bool = True
    votes_depth: int = 700
    global_depth: int = 300
    exhaustive_up_to: int = 1000
    verified: int = 8
    second_look: bool = True
    keep_pictures: bool = True
    store_orb: bool = False
    verifier: Literal["descriptor", "orb"] = "descriptor"
    min_keypoints: int = 20
    default_threshold: float | None = None
    similar_threshold: float = 85.0
    calibration: Path | None = None
