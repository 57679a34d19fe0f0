"""The shipped model: an ONNX patch network, its card and its vocabulary, run by ONNX Runtime."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from engine.describe.vocabulary import Vocabulary, load_vocabulary
from engine.errors import ModelError
from engine.onnx_session import open_session
from engine.settings import DEFAULT_MODEL, DEFAULT_PROVIDERS
from engine.values import ByteArray, FloatArray

BATCH = 64
"""Patches of an inference: few enough that what passes between two layers stays in the processor's cache."""


class PatchModel:
    """Patches to descriptors. Safe for use by many threads."""

    def __init__(
        self,
        folder: Path = DEFAULT_MODEL,
        *,
        threads: int = 1,
        providers: tuple[str, ...] = DEFAULT_PROVIDERS,
    ) -> None:
        """folder: with card.json; threads: of one inference. Raises ModelError."""
        self.card = read_card(folder / "card.json")
        network = folder / str(self.card["network"])
        vocabulary = folder / str(self.card["vocabulary"])
        self.vocabulary: Vocabulary = load_vocabulary(vocabulary)
        self.dimension = int(self.card["dimension"])
        self._session = open_session(network, threads=threads, providers=providers)
        self._input = self._session.get_inputs()[0].name
        digest = hashlib.sha256(network.read_bytes() + vocabulary.read_bytes())
        self.fingerprint = f"{self.card['name']}-{digest.hexdigest()[:12]}"

    def describe(self, patches: ByteArray) -> FloatArray:
        """(N, D) float32 unit vectors of (N, 32, 32) uint8 patches; N may be 0."""
        if not len(patches):
            return np.zeros((0, self.dimension), np.float32)
        batches = (patches[start : start + BATCH] for start in range(0, len(patches), BATCH))
        return np.concatenate([self._session.run(None, {self._input: batch})[0] for batch in batches])


def read_card(path: Path) -> dict[str, Any]:
    """card.json. Raises ModelError where it is missing or lacks a field."""
    try:
        card = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    missing = {"name", "network", "vocabulary", "dimension", "input"} - set(card)
    if missing:
        raise ModelError(f"{path} lacks {', '.join(sorted(missing))}")
    return dict(card)
