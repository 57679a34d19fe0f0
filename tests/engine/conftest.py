"""The default model and a gallery of drawn posters, made once for all tests of the engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.describe.patch_model import PatchModel
from engine.describe.vocabulary import Vocabulary
from engine.image import encode_jpeg
from engine.recognizer import Recognizer
from tests.support.drawn import POSTERS, poster


@pytest.fixture(scope="session")
def patch_model() -> PatchModel:
    return PatchModel()


@pytest.fixture(scope="session")
def vocabulary(patch_model: PatchModel) -> Vocabulary:
    return patch_model.vocabulary


@pytest.fixture(scope="session")
def posters(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recognizer]:
    """Thirty posters in the channel "posters", as poster.0 to poster.29; tests only read it."""
    with Recognizer.open(tmp_path_factory.mktemp("posters")) as recognizer:
        recognizer.add_channel("posters")
        for seed in range(POSTERS):
            recognizer.add("posters", f"poster.{seed}", encode_jpeg(poster(seed)))
        yield recognizer


@pytest.fixture
def recognizer(tmp_path: Path) -> Iterator[Recognizer]:
    """An empty gallery with the channel "one"."""
    with Recognizer.open(tmp_path / "data") as made:
        made.add_channel("one")
        yield made
