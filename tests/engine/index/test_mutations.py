"""Whatever happens to a file of the index: the same answers, at once or after it was built anew; never a crash, a loss
or a wrong answer, and once it was built anew the next start has nothing to say."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.catalogue import Catalogue
from engine.describe.vocabulary import Vocabulary
from engine.index import snapshot
from engine.index.embedded import EmbeddedIndex
from tests.support.damage import HARMS, Harm, Victim, cut, empty, flip, lose, victim, zero
from tests.support.damaged_index import LIVING
from tests.support.made_index import SETTINGS, filled

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
    ("manifest.json", flip),
    ("records.bin", zero),
    ("vectors.bin", flip),
    ("slots-*.npz", cut),
    ("segment-*-offsets.npy", flip),
    ("segment-*-slots.npy", flip),
    ("segment-*-norms.npy", empty),
    ("segment-*-vectors.faiss", flip),
    ("segment-*-vector-slots.npy", lose),
}
CASES = [
    pytest.param(kind, harm, times, marks=[pytest.mark.slow] if slow else [], id=f"{kind}-{harm.__name__}-{times}")
    for kind in KINDS
    for harm in HARMS
    for times, slow in ((1, (kind, harm) not in QUICK), *(((6, True),) if harm in (flip, cut) else ()))
]


@pytest.fixture(scope="module")
def saved(vocabulary: Vocabulary, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with tail, segments, a shard of its own, removed and inactive pictures, saved twice."""
    folder = tmp_path_factory.mktemp("saved") / "data"
    catalogue = Catalogue(folder)
    index = EmbeddedIndex(catalogue, vocabulary, SETTINGS)
    filled(index)
    snapshot.save(index, folder)
    snapshot.save(index, folder)
    index.close()
    catalogue.close()
    return folder


@pytest.fixture(scope="module")
def process() -> Iterator[Victim]:
    with victim("tests.support.damaged_index") as started:
        yield started


def harmed(saved: Path, copy: Path, kind: str, harm: Harm, seed: int) -> Path:
    """A copy of the folder in which one file of that kind is harmed."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(saved, copy)
    rng = random.Random(f"{kind} {harm.__name__} {seed}")
    harm(rng.choice(sorted((copy / "index").glob(kind))), rng)
    return copy


def without_sums(folder: Path) -> None:
    """The manifest as versions wrote it that knew neither sums nor the number of a save."""
    path = folder / "index" / "manifest.json"
    content = json.loads(path.read_text())
    kept = {key: value for key, value in content.items() if key not in ("save", "files", "blocks", "sum")}
    path.write_text(json.dumps(kept))


def assert_mended(process: Victim, folder: Path) -> None:
    seen = process.meet(folder)
    assert seen["found"] == list(LIVING)
    assert seen["wrong"] == []
    assert not any("traceback" in message for message in seen["said"])
    again = process.meet(folder)
    assert again == {"found": list(LIVING), "wrong": [], "said": []}


class TestFiles:
    def test_whole(self, saved: Path, process: Victim, tmp_path: Path) -> None:
        """Without damage there is nothing to say."""
        shutil.copytree(saved, tmp_path / "copy")
        assert process.meet(tmp_path / "copy") == {"found": list(LIVING), "wrong": [], "said": []}

    @pytest.mark.parametrize(("kind", "harm", "times"), CASES)
    def test_harmed(self, saved: Path, process: Victim, tmp_path: Path, kind: str, harm: Harm, times: int) -> None:
        for seed in range(times):
            assert_mended(process, harmed(saved, tmp_path / "copy", kind, harm, seed))

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("harm", [flip, cut, zero])
    def test_harmed_without_sums(self, saved: Path, process: Victim, tmp_path: Path, kind: str, harm: Harm) -> None:
        """Files of before there were sums are read with care: they cost no crash, and show no removed picture."""
        old = tmp_path / "old"
        shutil.copytree(saved, old)
        without_sums(old)
        for seed in range(4):
            seen = process.meet(harmed(old, tmp_path / "copy", kind, harm, seed))
            assert seen["wrong"] == []
            assert not any("traceback" in message for message in seen["said"])
