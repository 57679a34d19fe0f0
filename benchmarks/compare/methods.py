"""Retrieval methods as values: which lists give candidates, what ranks them, what verifies them.

A method is data. The names in it are resolved by others: `shortlists` by the table
`benchmarks.compare.parts.shortlists.SHORTLISTS`, `ranking` by `benchmarks.compare.run.pipeline`. To add a method: one
file for its shortlist where it has a new one, and one line in METHODS (docs/methods.md).
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from engine.errors import ResearchError

Features = Literal["orb", "sift", "akaze", "patches", "words", "matcher"]
Estimator = Literal["ransac", "usac_magsac", "prosac"]
FEATURES: tuple[Features, ...] = ("orb", "sift", "akaze", "patches")
ESTIMATORS: tuple[Estimator, ...] = ("ransac", "usac_magsac", "prosac")


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """How a candidate is checked: matches of local features, then a homography; the score is its inliers."""

    features: Features
    """What is matched: "patches" are Obverse's learned descriptors as floats, "words" pairs that share an ORB visual
    word, and "matcher" is a learned matcher, given with --matcher."""
    estimator: Estimator
    """What finds the homography."""
    ratio: float | None
    """A match's distance over that of the next best keypoint, at most (Lowe 2004, section 7.1); None: any."""
    mutual: bool
    """Whether both keypoints must be each other's nearest."""


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way from a photo to a ranking of pictures, and to an answer where the method has a threshold."""

    name: str
    """What it is called in commands and files."""
    about: str
    """What it is, for people, with the source of its parts."""
    shortlists: tuple[str, ...]
    """Names of the lists that give candidates, merged in turns; "everything" is every picture."""
    ranking: str | None = None
    """What orders the candidates: "geometry" is Obverse's, "orientation" Pastec's check; None: the list."""
    verifier: Verifier | Literal["obverse"] | None = None
    """How candidates are checked; "obverse" is the whole default with its match ratio, None: not at all."""
    depth: int | None = 1000
    """Candidates that the shortlist passes on; None: all."""
    verified: int = 20
    """How many of them are verified, best first; 0: all."""
    threshold: float | None = None
    """Least score of an answer; None where the field has no convention: then the method gives no answers."""
    threshold_source: str = ""
    """Who says so."""
    ceiling: bool = False
    """Whether it is so slow that it is run on a sample of the photos only."""


_LOWE = 0.8
"""Ratio at which 90 % of the false matches go and fewer than 5 % of the right ones (Lowe 2004, section 7.1)."""
_FIFTEEN = "15 inliers: a common choice, not fitted here; published systems use 10 to 20"
_ORB = Verifier(features="orb", estimator="ransac", ratio=_LOWE, mutual=False)
_SIFT = Verifier(features="sift", estimator="ransac", ratio=_LOWE, mutual=False)
# OpenCV's plain RANSAC is ten times slower on a wrong candidate: too slow for every picture.
_EVERY_ORB = Verifier(features="orb", estimator="usac_magsac", ratio=_LOWE, mutual=False)
_EVERY_SIFT = Verifier(features="sift", estimator="usac_magsac", ratio=_LOWE, mutual=False)
_WORDS = Verifier(features="words", estimator="ransac", ratio=None, mutual=False)

METHODS: tuple[Method, ...] = (
    Method(name="phash", about="perceptual hash, 64 bits of a DCT (package imagehash)", shortlists=("phash",),
           threshold=54, threshold_source="10 bits of 64 or fewer differ: the usual limit of pHash's users"),
    Method(name="pdq", about="perceptual hash, 256 bits (PDQ of Meta's ThreatExchange, package pdqhash)",
           shortlists=("pdq",), threshold=225, threshold_source="31 bits of 256 or fewer differ: PDQ's own advice"),
    Method(name="hog", about="histogram of oriented gradients (Dalal & Triggs 2005) and a colour histogram",
           shortlists=("hog",)),
    Method(name="orb-words", about="the Pastec recipe: visual words of ORB in an inverted file with tf-idf, 300 "
           "candidates, orientation check, RANSAC", shortlists=("orb_words",), ranking="orientation",
           verifier=_WORDS, depth=300, verified=300, threshold=12, threshold_source="12 inliers: Pastec's own"),
    Method(name="orb-vlad", about="VLAD (Jegou et al. 2010) of ORB's bits, PCA to 512 dimensions",
           shortlists=("orb_vlad",)),
    Method(name="global", about="Obverse's global descriptor alone, every picture compared", shortlists=("global",)),
    Method(name="global+orb", about="the classical shape: global descriptor, ORB with ratio test, RANSAC",
           shortlists=("global",), verifier=_ORB, threshold=15, threshold_source=_FIFTEEN),
    Method(name="global+sift", about="global descriptor, SIFT with ratio test, RANSAC",
           shortlists=("global",), verifier=_SIFT, threshold=15, threshold_source=_FIFTEEN),
    Method(name="votes", about="votes of Obverse's descriptors in its inverted file, alone", shortlists=("votes",)),
    Method(name="votes+geometry", about="votes, ranked by Obverse's geometry", shortlists=("votes",),
           ranking="geometry"),
    Method(name="union+geometry", about="votes and global descriptor, ranked by Obverse's geometry",
           shortlists=("votes", "global"), ranking="geometry"),
    Method(name="obverse", about="Obverse's default: both lists, geometry, verification, calibrated match ratio",
           shortlists=("votes", "global"), ranking="geometry", verifier="obverse",
           threshold_source="the calibration's own"),
    Method(name="exhaustive-orb", about="ceiling: ORB, ratio test and USAC-MAGSAC on every picture",
           shortlists=("everything",), verifier=_EVERY_ORB, depth=None, verified=0, threshold=15,
           threshold_source=_FIFTEEN, ceiling=True),
    Method(name="exhaustive-sift", about="ceiling: SIFT, ratio test and USAC-MAGSAC on every picture",
           shortlists=("everything",), verifier=_EVERY_SIFT, depth=None, verified=0, threshold=15,
           threshold_source=_FIFTEEN, ceiling=True),
    Method(name="exhaustive-geometry", about="ceiling: Obverse's geometry ranks every picture",
           shortlists=("everything",), ranking="geometry", depth=None, ceiling=True),
)  # fmt: skip
"""All methods that are compared unless others are named; the ceilings stand last."""


def find_method(name: str) -> Method:
    """The method of METHODS with that name, or one made of onnx:PATH. Raises ResearchError that names the nearest."""
    if name.startswith("onnx:"):
        return parse_method(name)
    table = {method.name: method for method in METHODS}
    if name in table:
        return table[name]
    close = difflib.get_close_matches(name, table, 1, 0)
    raise ResearchError(f"no method {name!r}; did you mean {close[0]!r}? There are {', '.join(table)}, onnx:PATH")


def parse_method(text: str) -> Method:
    """The method of onnx:PATH: the descriptor of an image network with its card alone gives the list. Raises
    ResearchError for other text."""
    kind, _, path = text.partition(":")
    if kind != "onnx" or not path:
        raise ResearchError(f"{text!r} is no method; write onnx:PATH, with the ONNX file's path")
    return Method(
        name=f"onnx-{Path(path).stem}", about=f"full-image network {Path(path).name} alone", shortlists=(text,)
    )


def matcher_method(path: str, *, shortlist: str = "global") -> Method:
    """A learned matcher behind a shortlist; its verifier reads the file that the comparison was given."""
    verifier = Verifier(features="matcher", estimator="usac_magsac", ratio=None, mutual=False)
    return Method(
        name=f"{shortlist}+matcher", about=f"learned matcher {Path(path).name} on the first 10 candidates",
        shortlists=(shortlist,), verifier=verifier, verified=10, threshold=15, threshold_source=_FIFTEEN,
    )  # fmt: skip


def grid(shortlist: str) -> tuple[Method, ...]:
    """Every combination of features, estimator, ratio and mutual check behind one shortlist."""
    combinations = [
        Verifier(features=features, estimator=estimator, ratio=ratio, mutual=mutual)
        for features in FEATURES
        for estimator in ESTIMATORS
        for ratio in (None, _LOWE)
        for mutual in (False, True)
    ]
    return tuple(
        Method(
            name=verifier_name(shortlist, verifier), about=f"grid: {verifier_name(shortlist, verifier)}",
            shortlists=(shortlist,), verifier=verifier, verified=10, threshold=15, threshold_source=_FIFTEEN,
        )
        for verifier in combinations
    )  # fmt: skip


def verifier_name(shortlist: str, verifier: Verifier) -> str:
    """A name that tells all choices, such as global+sift+magsac+ratio+mutual."""
    checks = [name for name, on in (("ratio", verifier.ratio is not None), ("mutual", verifier.mutual)) if on]
    return "+".join([shortlist, verifier.features, verifier.estimator.removeprefix("usac_"), *checks])
