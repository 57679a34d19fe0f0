"""The engine's settings. Every default lives here and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

DEFAULT_MODEL = Path(__file__).resolve().parent.parent / "models"


DEFAULT_PROVIDERS = ("CPUExecutionProvider",)
"""ONNX Runtime's execution providers, tried in order."""


FORMATS = ("JPEG", "PNG", "WebP", "AVIF", "HEIC", "GIF", "TIFF", "BMP")
"""All that can be read where a caller says so: of a GIF the first picture, of a TIFF the first page; HEIC needs the
extra `heic`."""


@dataclass(frozen=True, kw_only=True)
class ImageLimits:
    """What images are accepted."""

    formats: tuple[str, ...] = ("JPEG", "PNG")
    """By content, never by file name."""
    max_bytes: int = 20_000_000
    """Size of the file."""
    max_pixels: int = 64_000_000
    """Width times height in the header, whatever the format: a PNG of so many takes 320 MB while it is decoded."""
    min_side: int = 32
    """Pixels."""


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """What a caller may choose of the engine."""

    model: Path = DEFAULT_MODEL
    """Folder of the patch network."""
    comparator: Path = DEFAULT_MODEL
    """Folder of the network that compares prints."""
    providers: tuple[str, ...] = DEFAULT_PROVIDERS
    threads: int = 2
    """Cores that one recognition may use."""
    limits: ImageLimits = field(default_factory=ImageLimits)
    use_votes: bool = True
    use_global: bool = True
    """The two lists of the shortlist; each can be switched off."""
    votes_depth: int = 700
    global_depth: int = 300
    """Candidates that each list passes on."""
    exhaustive_up_to: int = 1000
    """Small channels that hold so many pictures together are ranked whole, so that nothing can be lost."""
    verified: int = 8
    """Candidates, best first, that are verified."""
    compared: int = 4
    """Verified candidates that are compared with the kept pictures: what is further behind does not answer."""
    second_look: bool = True
    """When nothing comes near to an answer, the photo is described again, finer and fainter, where that may find
    something (`engine.recognise.second_look`); such photos take about twice as long."""
    keep_pictures: bool = True
    """Store a normalised JPEG of each picture (long side at most 640 pixels); without it there is no structure and
    colour check, and `reindex` needs the source folder."""
    store_orb: bool = False
    """Also keep ORB's own 256 bits (32 bytes a keypoint) for the verifier "orb"."""
    verifier: Literal["descriptor", "orb"] = "descriptor"
    """What is matched: the descriptor, or ORB's bits where a picture has them stored."""
    min_keypoints: int = 20
    """A picture or photo with fewer is refused."""
    default_threshold: float | None = None
    """Least match ratio of an answer where the picture has none of its own; None: the calibration's."""
    similar_threshold: float = 50.0
    """Least match ratio, 0-100, at which a picture is reported as similar; 100 and more: never."""
    calibration: Path | None = None
    """File of a fit by `obverse calibrate`; None: the shipped one."""
    own_shard: int = 5_000
    """Pictures above which a channel has lists of its own; smaller channels share theirs."""
    tail: int = 512
    """Newest pictures of a shard that are ranked whole, about 3 ms a photo, before a segment is made of them."""
    save_every: int = 4_000
    """Additions after which the indexes are saved in the background, so that memory holds few records of its own and a
    start after a crash replays few."""
