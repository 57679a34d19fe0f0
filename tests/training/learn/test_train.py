"""The losses, and a training small enough for a test."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from engine.image import encode_jpeg
from engine.image_files import list_pictures
from engine.recognizer import Recognizer
from engine.settings import EngineSettings
from tests.support.training_pictures import drawn
from training.pairs.in_processes import generate
from training.simulation.photographs import simulate

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'obverse[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'obverse[train]'")

from training.export.patch_model import PARITY, export, load_checkpoint  # noqa: E402  # both need torch
from training.learn.train import (  # noqa: E402
    TrainingSettings,
    hardest_triplets,
    second_order,
    soft_signs,
    train,
    validate,
)


class TestLoss:
    def test_hardest_triplets(self) -> None:
        """No loss where pairs are equal and everything else is far; a large one where pairs are mixed up."""
        points = torch.eye(8)
        assert hardest_triplets(points, points, 1.0) < 0.01
        assert hardest_triplets(points, points.roll(1, 0), 1.0) > 1

    def test_twins_are_no_negatives(self) -> None:
        """The same patch twice in a batch costs nothing."""
        points = torch.eye(8)[[0, 0, 1, 2, 3]]
        assert hardest_triplets(points, points, 1.0) < 0.01

    def test_second_order(self) -> None:
        """Nothing where both sides have the same distances, turned or not; by hand for two pairs."""
        generator = torch.Generator().manual_seed(0)
        points = torch.nn.functional.normalize(torch.randn(50, 64, generator=generator), dim=1)
        turn = torch.linalg.qr(torch.randn(64, 64, generator=generator))[0]
        assert second_order(points, points @ turn) < 1e-3
        noisy = torch.nn.functional.normalize(points + 0.1 * torch.randn(50, 64, generator=generator), dim=1)
        assert second_order(points, noisy) > 0.05
        # The two points of one side are sqrt(2) apart, those of the other 2; the neighbour counts on both sides.
        a, b = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
        assert second_order(a, b).item() == pytest.approx(2**0.5 * (2 - 2**0.5), rel=1e-3)

    def test_soft_signs(self) -> None:
        """Softened signs are unit vectors near the signs."""
        points = torch.nn.functional.normalize(torch.randn(50, 64, generator=torch.Generator().manual_seed(0)), dim=1)
        signs = soft_signs(points)
        assert torch.allclose(signs.norm(dim=1), torch.ones(50), atol=1e-5)
        assert ((signs * torch.sign(points)).sum(1) / 8).min() > 0.8


@pytest.fixture(scope="module")
def shards(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Patch pairs of 80 pictures to learn from and of 20 to judge by."""
    folder = tmp_path_factory.mktemp("pairs")
    paths = list_pictures(pictures)
    for kind, chosen, wanted in (("train", paths[:80], 6000), ("val", paths[80:], 2100)):
        parts, count = [], 0
        for batch in generate(chosen, seed=len(chosen), strength=0.6, invented=0.5):
            parts.append(batch)
            count += len(batch.source)
            if count >= wanted:
                break
        np.savez(
            folder / f"{kind}_0.npz",
            a=np.concatenate([p.picture for p in parts]),
            b=np.concatenate([p.photo for p in parts]),
        )
    return folder


SETTINGS = TrainingSettings(
    channels=(8, 16, 32, 32),
    strides=(2, 1, 2, 2),
    dimension=64,
    steps=180,
    runs=8,
    run_length=24,
    validate_every=60,
    bfloat16=False,
)


@pytest.fixture(scope="module")
def trained(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the checkpoint and the log of a short training."""
    out = tmp_path_factory.mktemp("run")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    train(shards, out, SETTINGS)
    yield out
    torch.set_num_threads(threads)


def log_of(out: Path) -> list[dict[str, float]]:
    with (out / "log.csv").open(newline="") as file:
        return [{k: float(v) for k, v in row.items()} for row in csv.DictReader(file)]


@pytest.mark.slow
class TestTrain:
    def test_learns(self, trained: Path) -> None:
        """After 180 steps the right neighbour is found for a tenth more of the held-out pairs than untrained,
        by floats and by bits."""
        log = log_of(trained)
        assert [row["step"] for row in log] == [0, 60, 120, 180]
        assert log[-1]["right_float"] > log[0]["right_float"] + 0.1
        assert log[-1]["right_bits"] > log[0]["right_bits"] + 0.1
        assert log[-1]["positive"] > log[-1]["nearest_negative"] > log[-1]["negative"]
        assert np.isnan(log[0]["loss"])
        assert log[1]["loss"] > log[-1]["loss"] > 0

    def test_checkpoint(self, trained: Path, shards: Path) -> None:
        """The checkpoint holds the network that the log tells of."""
        network, state = load_checkpoint(trained / "checkpoint.pt")
        assert state["step"] == 180
        assert tuple(state["settings"]["channels"]) == SETTINGS.channels
        with np.load(shards / "val_0.npz") as held:
            pairs = [torch.from_numpy(held[k][:2048]) for k in "ab"]
        assert validate(network, *pairs)["right_float"] == pytest.approx(log_of(trained)[-1]["right_float"], abs=0.02)

    def test_resume(self, trained: Path, shards: Path, tmp_path: Path) -> None:
        """A training that is resumed goes on at its step, and does not begin anew."""
        (tmp_path / "checkpoint.pt").write_bytes((trained / "checkpoint.pt").read_bytes())
        settings = TrainingSettings(**{**vars(SETTINGS), "steps": 240})
        told: list[tuple[float, str]] = []
        train(shards, tmp_path, settings, resume=True, watch=lambda *state: told.append(state))
        assert [share for share, _ in told] == pytest.approx([step / 240 for step in range(180, 240)])
        assert told[0][1].startswith("step 181, loss ")
        log = log_of(tmp_path)
        assert [row["step"] for row in log] == [180, 240]
        assert log[0]["right_float"] == pytest.approx(log_of(trained)[-1]["right_float"], abs=0.02)
        assert log[-1]["right_float"] > log[0]["right_float"] - 0.05

    def test_start(self, trained: Path, shards: Path, tmp_path: Path) -> None:
        """A training may begin with another's weights, at step 0 of its own schedule; other shapes are refused."""
        settings = TrainingSettings(**{**vars(SETTINGS), "steps": 1})
        train(shards, tmp_path, settings, start=trained / "checkpoint.pt")
        first = log_of(tmp_path)[0]
        assert first["step"] == 0
        assert first["right_float"] == pytest.approx(log_of(trained)[-1]["right_float"], abs=0.02)
        wider = TrainingSettings(**{**vars(SETTINGS), "channels": (8, 16, 32, 64)})
        with pytest.raises(ResearchError, match="holds no network of channels"):
            train(shards, tmp_path / "wider", wider, start=trained / "checkpoint.pt")

    def test_teacher(self, trained: Path, shards: Path, tmp_path: Path) -> None:
        """With a teacher the network comes near to its descriptors, which without one it has no reason to, and it
        still learns to tell the pairs apart."""
        teacher = PatchModel()
        settings = TrainingSettings(**{**vars(SETTINGS), "steps": 120})
        taught = train(shards, tmp_path, settings, teacher=teacher).eval()
        alone, _ = load_checkpoint(trained / "checkpoint.pt")
        with np.load(shards / "val_0.npz") as held, torch.no_grad():
            patches = held["a"][:512]
            near = [(n(torch.from_numpy(patches)).numpy() * teacher.describe(patches)).sum(1) for n in (taught, alone)]
        assert near[0].mean() > near[1].mean() + 0.3
        log = log_of(tmp_path)
        assert log[-1]["right_float"] > log[0]["right_float"]

    def test_exported_folder_works(self, trained: Path, pictures: Path, tmp_path: Path) -> None:
        """What is exported is a model of the engine: parity is kept, pictures are added and recognised."""
        card = export(
            trained / "checkpoint.pt",
            list_pictures(pictures)[:80],
            tmp_path / "model",
            name="tiny",
            card={"licence": "none"},
            global_dimension=64,
        )
        assert card["parity_to_pytorch"] <= PARITY
        assert card["cosine_of_int8_to_float32"] > 0.98
        assert {"name", "network", "vocabulary", "dimension", "input", "licence"} <= set(card)
        with Recognizer.open(tmp_path / "data", EngineSettings(model=tmp_path / "model")) as recognizer:
            assert recognizer.fingerprint.startswith("tiny-")
            recognizer.add_channel("one")
            for seed in range(90, 100):
                recognizer.add("one", f"pic.{seed}", encode_jpeg(drawn(seed)))
            photos = [simulate(drawn(s), [], np.random.default_rng(s), strength=0.15)[0] for s in range(90, 100)]
            first = [recognizer.recognise(encode_jpeg(p), ["one"], k=1).results for p in photos]
        right = [bool(r) and r[0].picture.identifier == f"pic.{s}" for s, r in zip(range(90, 100), first, strict=True)]
        assert sum(right) >= 8

    def test_without_pairs(self, tmp_path: Path) -> None:
        """Without pairs there is nothing to learn from, and the error says so."""
        with pytest.raises(FileNotFoundError, match="make patch pairs first"):
            train(tmp_path, tmp_path / "out", SETTINGS)
