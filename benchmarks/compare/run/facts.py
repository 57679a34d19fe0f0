"""What run.json tells about the run and about each of its methods: machine, versions, arguments, and what a method
costs beside the time of a photo."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import os
import platform
import shutil
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from benchmarks.compare.material import Material
from benchmarks.compare.methods import Method, Verifier
from benchmarks.compare.parts.local_features import fingerprint
from benchmarks.compare.parts.workshop import Workshop, needs_gallery, picture_features, verifier_features
from benchmarks.compare.run.pipeline import Pipeline
from benchmarks.compare.settings import RunSettings
from engine.describe.patch_model import PatchModel
from engine.settings import DEFAULT_MODEL

_PACKAGES = ("numpy", "opencv-python-headless", "faiss-cpu", "onnxruntime", "numba", "scipy", "imagehash", "pdqhash")
"""Packages whose versions decide what methods answer and how fast."""
_SOURCE = Path(__file__).resolve().parents[3]
"""The folder above `benchmarks`: the source tree, where the package was not installed from elsewhere."""


def describe_run(material: Material, settings: RunSettings, *, command: str) -> dict[str, Any]:
    """run.json without its methods. `arguments` is what an earlier run in the folder must share."""
    gallery = hashlib.sha256("\n".join(f"{p.set}/{p.ref} {p.sha}" for p in material.pictures).encode())
    photos = hashlib.sha256("\n".join(f"{p.set}/{p.query} {p.sha}" for p in material.photos).encode())
    truth = hashlib.sha256(repr([(p.query, sorted(p.right)) for p in material.photos]).encode())
    return {
        "command": command,
        "commit": _commit(),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "system": platform.platform(),
            "threads": settings.threads,
        },
        "versions": {"python": platform.python_version(), **_versions()},
        "seed": settings.seed,
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "arguments": {
            "pictures": gallery.hexdigest()[:16],
            "photos": photos.hexdigest()[:16],
            "truth": truth.hexdigest()[:16],
            "seed": settings.seed,
            "threads": settings.threads,
            "ceiling_queries": settings.ceiling_queries,
            "matcher": _digest(settings.matcher) if settings.matcher else None,
            # Answers of another network, other keypoints or another fit must not stand beside these.
            "model": f"{fingerprint(PatchModel())}-{_digest(DEFAULT_MODEL / 'calibration.json')}",
        },
    }


def _versions() -> dict[str, str]:
    """Of the packages that are there: what a method does not use need not be installed."""
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def describe_method(method: Method, workshop: Workshop, pipeline: Pipeline, photos: int) -> dict[str, Any]:
    """A method's entry in run.json. photos: how many it is run on."""
    threshold = method.threshold
    if method.verifier == "obverse":
        threshold = workshop.gallery().recognizer.default_threshold
    verifier = dataclasses.asdict(method.verifier) if isinstance(method.verifier, Verifier) else method.verifier
    return {
        "name": method.name,
        "about": method.about,
        "shortlists": list(method.shortlists),
        "ranking": method.ranking,
        "verifier": {"features": "obverse"} if verifier == "obverse" else verifier,
        "threshold": threshold,
        "threshold_source": method.threshold_source,
        "ceiling": method.ceiling,
        "sample": photos if photos < len(workshop.material.photos) else None,
        "depth": method.depth,
        "verified": method.verified if verifier else None,
        "bytes_per_picture": round(_bytes(method, workshop, pipeline), 1),
        "adds_per_second": round(_adds_per_second(method, workshop), 2),
    }


def _bytes(method: Method, workshop: Workshop, pipeline: Pipeline) -> float:
    """What a picture takes in the method's lists, and in what ranks and verifies it."""
    pictures = workshop.material.pictures
    if method.verifier == "obverse":
        return workshop.gallery().bytes_per_picture()
    lists = sum(one.bytes_per_picture() for one in pipeline.lists)
    if method.ranking == "geometry":
        lists += workshop.gallery().recognizer.index.memory()["records"] / max(len(pictures), 1)
    return lists + sum(workshop.bytes(name, pictures) for name in verifier_features(method))


def _adds_per_second(method: Method, workshop: Workshop) -> float:
    """Pictures added one after the other: decoding, describing, and the share of what builds the index."""
    pictures, names = workshop.material.pictures, picture_features(method)
    seconds = sum(workshop.build_seconds.get(name, 0.0) for name in method.shortlists) / len(pictures)
    if names:
        seconds += sum(sum(workshop.ms(names, p)) for p in pictures) / 1e3 / len(pictures)
    if needs_gallery(method):
        seconds += 1 / max(workshop.gallery().adds_per_second, 1e-9)
    return 1 / max(seconds, 1e-9)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _commit() -> str:
    """The commit of the source tree that runs, with a mark for changes; empty for an installed package."""
    git = shutil.which("git")
    if git is None or not (_SOURCE / ".git").exists():
        return ""
    words = [git, "-C", str(_SOURCE), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    return subprocess.run(words, capture_output=True, text=True, check=False).stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
