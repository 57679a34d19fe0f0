"""`obverse train`, end to end on a handful of posters. Needs torch."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from cli.demo.posters import name_of
from cli.options import engine_settings
from engine.describe.patch_model import PatchModel
from engine.recognizer import Recognizer
from engine.settings import DEFAULT_MODEL
from tests.support.commands import photograph, run, write

pytest.importorskip("torch", reason="needs the train extra; CI installs it")


def test_unknown_settings_are_refused_with_the_nearest(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    arguments = ("train", "--data", tmp_path, "--out", tmp_path / "out", "--config", config)
    for text, expected in (
        ("lerning_rate = 0.1", "learning_rate"),
        ('steps = "many"', "steps"),
        ("strides = [2, 2, 2]", "one each"),
    ):
        config.write_text(text)
        done = run(*arguments)
        assert done.status == 2
        assert expected in done.err


def test_too_few_pictures(tmp_path: Path) -> None:
    write(tmp_path / "one.jpg", 1)
    done = run("train", "--data", tmp_path, "--out", tmp_path / "out")
    assert done.status == 1
    assert "are needed; give more" in done.err
    assert not (tmp_path / "out" / "checkpoint.pt").exists()


def test_a_teacher_that_cannot_teach(tmp_path: Path) -> None:
    """It is refused before anything is made: one of another dimension, and a folder without a model."""
    config = tmp_path / "settings.toml"
    config.write_text("dimension = 32\n")
    arguments = ("train", "--data", tmp_path, "--out", tmp_path / "out", "--config", config)
    done = run(*arguments, "--teacher", DEFAULT_MODEL)
    assert (done.status, "gives 64 numbers a patch, the network to be trained 32" in done.err) == (1, True)
    done = run(*arguments, "--teacher", tmp_path)
    assert (done.status, "card.json cannot be read" in done.err) == (1, True)
    assert not (tmp_path / "out").exists()


def test_options_of_the_other_training(tmp_path: Path) -> None:
    """A comparator's training does not take them and go on without."""
    for option in ("--resume", "--in-processes"):
        done = run("train", "--comparator", "--data", tmp_path, "--out", tmp_path / "out", option)
        assert (done.status, "are of the patch descriptor's" in done.err.replace("\n", " ")) == (2, True)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_model_of_ones_own(tmp_path: Path) -> None:
    """A few steps, here with a teacher, give a folder that the engine takes; run again, the pairs are kept."""
    for number in range(70):
        write(tmp_path / "pictures" / f"{name_of(number)}.png", number)
    config = tmp_path / "settings.toml"
    config.write_text("steps = 3\nvalidate_every = 3\nchannels = [8, 8, 16]\nstrides = [2, 2, 2]\n")
    arguments = ("--data", tmp_path / "pictures", "--out", tmp_path / "out", "--config", config, "--pairs", 1000)
    done = run("train", *arguments, "--processes", 2, "--teacher", DEFAULT_MODEL)
    assert done.status == 0, done.err
    card = json.loads((tmp_path / "out" / "model" / "card.json").read_text())
    assert card["training"]["steps"] == 3
    assert card["teacher"] == PatchModel().fingerprint
    shard = tmp_path / "out" / "pairs" / "train_0000.npz"
    made = shard.stat().st_mtime_ns
    with np.load(shard) as pairs:
        assert pairs["a"].shape == pairs["b"].shape == (1000, 32, 32)
    assert run("train", *arguments, "--resume").status == 0
    assert shard.stat().st_mtime_ns == made
    with Recognizer.open(tmp_path / "data", engine_settings(model=tmp_path / "out" / "model")) as recognizer:
        recognizer.add_channel("c")
        recognizer.add("c", "abc", (tmp_path / "pictures" / f"{name_of(3)}.png").read_bytes())
        assert recognizer.recognise(photograph(tmp_path / "p.jpg", 3).read_bytes(), ["c"]) is not None


@pytest.mark.slow
def test_pairs_on_the_device(tmp_path: Path) -> None:
    """No pairs but the held-out ones are made beforehand; the training goes on where it ended; the card tells."""
    for number in range(70):
        write(tmp_path / "pictures" / f"{name_of(number)}.png", number)
    config = tmp_path / "settings.toml"
    tiny = "validate_every = 1\nchannels = [8, 8, 16]\nstrides = [2, 2, 2]\nruns = 3\n"
    config.write_text(tiny + "steps = 2\n")
    arguments = ("--data", tmp_path / "pictures", "--out", tmp_path / "out", "--config", config, "--processes", 2)
    done = run("train", *arguments, "--on-device")
    assert done.status == 0, done.err
    assert [path.name for path in (tmp_path / "out" / "pairs").iterdir()] == ["val_0000.npz"]
    config.write_text(tiny + "steps = 3\n")
    assert run("train", *arguments, "--on-device", "--resume").status == 0
    rows = (tmp_path / "out" / "log.csv").read_text().splitlines()[1:]
    assert [int(row.split(",")[0]) for row in rows] == [0, 1, 2, 2, 3]
    card = json.loads((tmp_path / "out" / "model" / "card.json").read_text())
    assert card["training"]["steps"] == 3
    assert "on the device" in card["pairs"]
    assert PatchModel(tmp_path / "out" / "model").dimension == 64
