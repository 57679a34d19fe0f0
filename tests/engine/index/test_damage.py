"""Derived files that are missing or damaged."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.catalogue import Catalogue
from engine.describe.vocabulary import Vocabulary
from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from tests.support.made_index import (
    SETTINGS,
    assert_found,
    filled,
    reopened,
)


def lose(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def garble(path: Path) -> None:
    path.write_bytes(np.random.default_rng(0).bytes(path.stat().st_size))


KINDS = (
    "manifest.json",
    "records.bin",
    "vectors.bin",
    "slots-*.npz",
    "segment-*-offsets.npy",
    "segment-*-slots.npy",
    "segment-*-signatures.npy",
    "segment-*-norms.npy",
    "segment-*-vectors.faiss",
    "segment-*-vector-slots.npy",
)
QUICK = {
    ("manifest.json", lose),
    ("manifest.json", cut),
    ("records.bin", lose),
    ("records.bin", cut),
    ("slots-*.npz", empty),
    ("slots-*.npz", cut),
    ("segment-*-offsets.npy", lose),
    ("segment-*-offsets.npy", empty),
    ("segment-*-vectors.faiss", garble),
}
CASES = [
    pytest.param(kind, harm, marks=[] if (kind, harm) in QUICK else [pytest.mark.slow])
    for kind in KINDS
    for harm in (lose, empty, cut, garble)
    # A file of numbers without any structure cannot be told from another of the same size.
    if (kind, harm) not in {("records.bin", garble), ("vectors.bin", garble)}
]


@pytest.fixture(scope="module")
def saved(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with saved indexes."""
    folder = tmp_path_factory.mktemp("saved")
    catalogue = Catalogue(folder / "data")
    index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    filled(index)
    snapshot.save(index, catalogue.folder)
    index.close()
    catalogue.close()
    return folder / "data"


class TestDamaged:
    @pytest.mark.parametrize(
        ("kind", "harm"),
        CASES,
        ids=lambda v: v if isinstance(v, str) else v.__name__,
    )
    def test_rebuilt(
        self,
        saved: Path,
        vocabulary: Vocabulary,
        tmp_path: Path,
        kind: str,
        harm: Callable[[Path], None],
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """A derived file that is missing, empty, cut off or garbage costs a rebuild, and nothing else."""
        shutil.copytree(saved, tmp_path / "copy")
        harm(next((tmp_path / "copy" / "index").glob(kind)))
        catalogue = Catalogue(tmp_path / "copy")
        with caplog.at_level(logging.WARNING):
            again = reopened(catalogue, vocabulary)
        assert again.seq == 0
        assert harm is lose or "built anew" in caplog.text
        again.refresh()
        again.wait_for_builds()
        assert_found(again)
        snapshot.save(again, catalogue.folder)
        again.close()
        once_more = reopened(catalogue, vocabulary)
        assert once_more.seq == catalogue.last_seq()
        assert_found(once_more)
        once_more.close()
        catalogue.close()
