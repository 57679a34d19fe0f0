"""Simulated photos, patch pairs, and a training small enough for a test."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.config import EngineSettings
from engine.image import encode_jpeg
from engine.keypoints import Keypoints
from engine.recognizer import Recognizer
from engine.repeatability import FIGURES
from engine.runtime import PatchModel
from training.contact_sheet import CELL, COLUMNS, GAP, ROWS, contact_sheet
from training.new_pictures import SMALLEST, look_alike, new_picture, other_colours, overprint
from training.pairs import corresponding, generate, is_validation, list_pictures, pairs_of, read_rgb
from training.simulate import Warp, random_warp, render, simulate

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'obverse[train]'")
pytest.importorskip("onnx", reason="onnx is not installed: pip install 'obverse[train]'")
pytest.importorskip("sklearn", reason="scikit-learn is not installed: pip install 'obverse[train]'")

from training.export import PARITY, export, export_network, load_checkpoint  # noqa: E402  # both need torch
from training.network import PatchNetwork  # noqa: E402
from training.repeatability import fit_repeatability, observe, visible  # noqa: E402  # needs scikit-learn
from training.train import (  # noqa: E402
    TrainingSettings,
    hardest_triplets,
    second_order,
    soft_signs,
    train,
    validate,
)


def drawn(seed: int, *, width: int = 240, height: int = 320) -> np.ndarray:
    """RGB shapes and letters."""
    rng = np.random.default_rng([29, seed])
    image = np.full((height, width, 3), rng.integers(80, 255, 3), np.uint8)
    for _ in range(80):
        x, y, size = (int(v) for v in rng.integers([0, 0, 5], [width, height, 45]))
        colour = tuple(int(c) for c in rng.integers(0, 255, 3))
        kind = rng.integers(0, 3)
        if kind == 0:
            cv2.rectangle(image, (x, y), (x + size, y + size // 2), colour, -1)
        elif kind == 1:
            cv2.ellipse(image, (x, y), (size, size // 2 + 2), float(rng.uniform(0, 180)), 0, 360, colour, -1)
        else:
            cv2.putText(image, chr(int(rng.integers(65, 91))), (x, y), cv2.FONT_HERSHEY_DUPLEX, size / 18, colour, 2)
    return image


NONE = (np.zeros((0, 4)), np.zeros((0, 3)))
WAVES = (np.array([[0.4, 3.0, 1.0, 0.03], [2.0, 5.0, 0.0, 0.02]]), np.zeros((0, 3)))
FOLDS = (np.zeros((0, 4)), np.array([[0.3, -0.1, 0.3], [3.5, 0.2, 0.2]]))


def some_warp(seed: int, *, bend: float = 0.0, uneven: tuple[np.ndarray, np.ndarray] = NONE) -> Warp:
    made = random_warp(np.random.default_rng(seed), picture_size=(240, 320), photo_size=(480, 400), strength=0.6)
    return Warp(made.H_photo_to_plane, bend, made.size, *uneven)


class TestSimulate:
    def test_photo(self) -> None:
        """A photo is an RGB image of 320 to 720 pixels, and differs from one draw to the next."""
        rng = np.random.default_rng(0)
        photos = [simulate(drawn(1), [drawn(2)], rng) for _ in range(6)]
        for image, warp in photos:
            assert image.dtype == np.uint8
            assert image.shape[2] == 3
            assert 320 <= max(image.shape[:2]) <= 720
            assert warp.size == (240, 320)
        assert len({image.tobytes() for image, _ in photos}) == 6

    def test_same_seed_same_photo(self) -> None:
        """The same seed gives the same photo."""
        a, b = (simulate(drawn(1), [drawn(2)], np.random.default_rng(5))[0] for _ in range(2))
        assert (a == b).all()

    @pytest.mark.parametrize(("bend", "uneven"), [(0.0, NONE), (0.8, NONE), (0.0, WAVES), (0.5, FOLDS)])
    def test_the_picture_lies_where_the_warp_says(self, bend: float, uneven: tuple[np.ndarray, np.ndarray]) -> None:
        """Photo pixels of the picture have the colour of the picture's pixel that the warp names; others that of
        the background."""
        warp, background = some_warp(3, bend=bend, uneven=uneven), np.full((400, 480, 3), (10, 200, 30), np.uint8)
        picture = cv2.GaussianBlur(drawn(1), (0, 0), 3)
        photo = render(picture, background, warp)
        grid = np.stack(np.meshgrid(np.arange(480), np.arange(400)), -1).reshape(-1, 2).astype(np.float32)
        with np.errstate(invalid="ignore"):
            source = warp.photo_to_picture(grid)
            inside = ((source > [3, 3]) & (source < [236, 316])).all(1)
            outside = ~((source > [-3, -3]) & (source < [243, 323])).all(1)
        assert inside.sum() > 5000
        assert outside.sum() > 5000
        x, y = (np.nan_to_num(a).reshape(400, 480).astype(np.float32) for a in source.T)
        expected = cv2.remap(picture, x, y, cv2.INTER_LINEAR).reshape(-1, 3)[inside]
        assert np.abs(photo.reshape(-1, 3)[inside].astype(float) - expected).mean() < 4
        assert (photo.reshape(-1, 3)[outside] == (10, 200, 30)).all()

    def test_waves_and_folds_by_hand(self) -> None:
        """A ripple moves what lies on its crest by its amplitude, a fold what lies behind it; both keep the order
        of points along their direction."""
        flat = Warp(np.eye(3), 0.0, (200, 200))
        line = np.c_[np.linspace(-0.9, 0.9, 50), np.zeros(50)].astype(np.float32)
        before = flat.photo_to_picture(line)
        ripple = Warp(np.eye(3), 0.0, (200, 200), np.array([[0.0, 2.0, np.pi / 2, 0.05]]))
        moved = ripple.photo_to_picture(line) - before
        assert moved[:, 0] == pytest.approx(5 * np.cos(2 * line[:, 0]), abs=0.01)
        fold = Warp(np.eye(3), 0.0, (200, 200), folds=np.array([[0.0, 0.2, 0.5]]))
        moved = fold.photo_to_picture(line) - before
        assert moved[:, 0] == pytest.approx(50 * np.maximum(0, line[:, 0] - 0.2), abs=0.01)
        for seed in range(300):
            made = random_warp(np.random.default_rng(seed), picture_size=(9, 9), photo_size=(9, 9), strength=1.0)
            if len(made.waves) or len(made.folds):
                crossing = Warp(np.eye(3), 0.0, (200, 200), made.waves, made.folds).photo_to_picture(line)
                assert (np.diff(crossing[:, 0]) > 0).all()

    def test_nothing_in_sight(self) -> None:
        """A picture that lies outside the frame leaves the background as it is."""
        away = Warp(np.array([[1.0, 0, 5], [0, 1, 5], [0, 0, 1]]), 1.2, (240, 320))
        background = np.full((64, 64, 3), 9, np.uint8)
        assert (render(drawn(1), background, away) == background).all()

    def test_without_other_pictures(self) -> None:
        """Without other pictures the background is plain."""
        assert simulate(drawn(1), [], np.random.default_rng(1))[0].ndim == 3


class TestNewPictures:
    def test_new_ones(self) -> None:
        """Each draw is another picture, never larger than the old one, which stays as it is; the same for a seed."""
        old, others, rng = drawn(1), [drawn(2), drawn(3, width=100, height=60)], np.random.default_rng(0)
        kept = old.copy()
        made = [new_picture(old, others, rng) for _ in range(30)]
        assert (old == kept).all()
        assert len({picture.tobytes() for picture in made}) == 30
        assert all(picture.dtype == np.uint8 and picture.shape[2] == 3 for picture in made)
        assert all(picture.shape <= old.shape and min(picture.shape[:2]) >= SMALLEST for picture in made)
        again = new_picture(old, others, np.random.default_rng(0))
        assert (again == made[0]).all()

    def test_look_alikes(self) -> None:
        """A look-alike has the size of its original and differs from it; an overprint leaves most of it alone."""
        old, rng = drawn(1), np.random.default_rng(1)
        for _ in range(20):
            like = look_alike(old, rng)
            assert like.shape == old.shape
            assert (like != old).any()
        same = [(overprint(old, rng) == old).all(2).mean() for _ in range(20)]
        assert np.median(same) > 0.5

    def test_other_colours(self) -> None:
        """Other colours are the old channels, exchanged and inverted."""
        old = drawn(1)
        channels = {one.tobytes() for k in range(3) for one in (old[..., k].copy(), 255 - old[..., k])}
        for seed in range(10):
            changed = other_colours(old, np.random.default_rng(seed))
            assert {changed[..., k].copy().tobytes() for k in range(3)} <= channels

    @pytest.mark.parametrize("side", [32, 40])
    def test_tiny(self, side: int) -> None:
        """The smallest pictures that are read (32 pixels) do not fail."""
        tiny = np.full((side, side, 3), 100, np.uint8)
        for seed in range(12):
            assert new_picture(tiny, [], np.random.default_rng(seed)).size


class TestPairs:
    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_corresponding(self, seed: int) -> None:
        """Keypoints that are carried into the photo are found again, those that are elsewhere are not."""
        rng, warp = np.random.default_rng(seed), some_warp(seed)
        xy = np.stack(np.meshgrid(np.arange(20, 225, 24), np.arange(20, 305, 24)), -1).reshape(-1, 2)
        one = np.ones(len(xy), np.float32)
        inverse = np.linalg.inv(warp.H_photo_to_plane)

        def to_photo(points: np.ndarray) -> np.ndarray:
            plane = (points + 0.5) / [120, 160] - 1
            return cv2.perspectiveTransform(plane[None].astype(np.float64), inverse)[0]

        angle = rng.uniform(0, 6.28, len(xy))
        ahead = np.stack([np.cos(angle), np.sin(angle)], 1) * 0.01
        seen, direction = to_photo(xy), (to_photo(xy + ahead) - to_photo(xy)) / 0.01
        aside = (to_photo(xy + ahead[:, ::-1] * [-1, 1]) - to_photo(xy)) / 0.01
        growth = np.sqrt(np.abs(direction[:, 0] * aside[:, 1] - direction[:, 1] * aside[:, 0]))
        turned = np.arctan2(direction[:, 1], direction[:, 0]) % (2 * np.pi)
        points = Keypoints(xy.astype(np.float32), one, angle.astype(np.float32), one)
        photo = Keypoints(*(a.astype(np.float32) for a in (seen, growth, turned)), one)
        a, b = corresponding(points, photo, warp, 1.0)
        assert len(a) > 0.8 * len(xy)
        assert (a == b).all()
        shuffled = Keypoints(photo.xy, photo.scale, (photo.angle + np.float32(1.5)) % np.float32(6.28), one)
        assert len(corresponding(points, shuffled, warp, 1.0)[0]) < 0.1 * len(xy)
        larger = Keypoints(photo.xy, photo.scale * 2, photo.angle, one)
        assert len(corresponding(points, larger, warp, 1.0)[0]) == 0

    def test_none(self) -> None:
        """Without keypoints on either side there are no pairs."""
        one = np.ones(3, np.float32)
        some, none = Keypoints(np.ones((3, 2), np.float32), one, one, one), Keypoints(np.zeros((0, 2)), *[one[:0]] * 3)
        for a, b in ((some, none), (none, some), (none, none)):
            assert [len(x) for x in corresponding(a, b, some_warp(1), 1.0)] == [0, 0]

    def test_patches_of_a_pair_are_alike(self) -> None:
        """Patches of a pair resemble each other far more than patches of different pairs."""
        rng = np.random.default_rng(0)
        photo, warp = simulate(drawn(1), [drawn(2)], rng, strength=0.2)
        a, b = pairs_of(drawn(1), photo, warp, limit=60, rng=rng)
        assert a.shape == b.shape
        assert 20 < len(a) <= 60

        def normal(patches: np.ndarray) -> np.ndarray:
            flat = patches.reshape(len(patches), -1).astype(np.float64)
            flat -= flat.mean(1, keepdims=True)
            return flat / np.linalg.norm(flat, axis=1, keepdims=True)

        likeness = normal(a) @ normal(b).T
        assert np.median(np.diag(likeness)) > 0.8
        assert np.median(likeness[~np.eye(len(a), dtype=bool)]) < 0.4

    def test_generate(self, pictures: Path) -> None:
        """Pairs come without end, from all pictures, the same for the same seed."""
        paths = list_pictures(pictures)[:6]
        runs = [generate(paths, seed=3, limit=10) for _ in range(2)]
        for _ in range(8):
            a, b = (next(run) for run in runs)
            assert (a.picture == b.picture).all()
            assert (a.photo == b.photo).all()
            assert len(a.picture) == len(a.photo) == len(a.source) <= 10


class TestContactSheet:
    def test_two_halves(self, pictures: Path) -> None:
        """Simulated photos on the left, photos on the right, the same for the same seed."""
        paths = list_pictures(pictures)
        sheets = [contact_sheet(paths[:5], paths[5:8], seed=1) for _ in range(2)]
        assert (sheets[0] == sheets[1]).all()
        middle = COLUMNS * CELL
        assert sheets[0].shape == (ROWS * CELL, 2 * middle + GAP, 3)
        assert (sheets[0][:, middle : middle + GAP] == 255).all()
        drawn_cells = [
            (half[:CELL, :CELL] < 255).any()
            for half in np.split(np.delete(sheets[0], range(middle, middle + GAP), 1), 2, 1)
        ]
        assert drawn_cells == [True, True]

    def test_nothing_to_show(self, pictures: Path, tmp_path: Path) -> None:
        """A folder without a readable picture is refused."""
        (tmp_path / "text.jpg").write_text("text")
        for a, b in ((pictures, tmp_path), (tmp_path, pictures)):
            with pytest.raises(ValueError, match="no picture that can be read"):
                contact_sheet(list_pictures(a)[:2], list_pictures(b)[:2])


class TestRepeatability:
    def test_observed_in_simulation(self, pictures: Path) -> None:
        """Of a picture's keypoints a fair share is found again; figures and labels belong together, and the same
        seed observes the same."""
        model = PatchModel()
        paths = list_pictures(pictures)[:3]
        runs = [observe(paths, model.describe, model.vocabulary, seed=4, photos=1) for _ in range(2)]
        (figures, found), (again, _) = runs
        assert len(figures) == len(found) > 200
        assert (figures == again).all()
        assert 0.1 < found.mean() < 0.9

    def test_fit(self) -> None:
        """The fit finds the figure that decides, and gives probabilities of the right size."""
        rng = np.random.default_rng(0)
        figures = rng.normal(3, 2, (4000, len(FIGURES))).astype(np.float32)
        truth = 1 / (1 + np.exp(-(figures[:, 2] - 3)))
        weights = fit_repeatability(figures, rng.random(4000) < truth)
        assert weights.dtype == np.float32
        assert abs(weights[2] - 1) < 0.15
        assert np.abs(np.delete(weights[:6], 2)).max() < 0.1
        assert np.abs(1 / (1 + np.exp(-(figures @ weights[:6] + weights[6]))) - truth).mean() < 0.05

    @pytest.mark.parametrize("count", [0, 5])
    def test_nothing_to_learn(self, count: int) -> None:
        """Where nothing was found again, or nothing seen, all keypoints are alike."""
        assert (fit_repeatability(np.ones((count, 6), np.float32), np.zeros(count, bool)) == 0).all()

    def test_visible(self) -> None:
        """A keypoint is visible where its place in the photo lies inside the photo."""
        warp = some_warp(3)
        grid = np.stack(np.meshgrid(np.arange(480), np.arange(400)), -1).reshape(-1, 2).astype(np.float32)
        source = warp.photo_to_picture(grid[::97])
        inside = ((source > 0) & (source < [240, 320])).all(1)
        one = np.ones(inside.sum(), np.float32)
        assert visible(Keypoints(source[inside], one, one, one), warp, 1.0, (480, 400)).mean() > 0.99
        far = Keypoints(source[inside], one, one, one)
        assert not visible(far, warp, 1.0, (1, 1)).any()


class TestHeldOut:
    def test_whole_sources(self, tmp_path: Path) -> None:
        """Pictures of one source are held out together or not at all."""
        paths = [tmp_path / f"{n}.jpg" for n in range(400)]
        with (tmp_path / "manifest.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["path", "source_repository"])
            writer.writerows([p.name, f"source{n // 4}"] for n, p in enumerate(paths))
        held = is_validation(tmp_path, paths, share=0.3)
        groups = held.reshape(100, 4)
        assert (groups.all(1) | ~groups.any(1)).all()
        assert 0.15 < held.mean() < 0.45

    def test_by_name(self, tmp_path: Path) -> None:
        """Without a manifest each picture is judged by its name, always in the same way."""
        paths = [tmp_path / f"{n}.jpg" for n in range(1000)]
        held = is_validation(tmp_path, paths)
        assert 0.03 < held.mean() < 0.1
        assert (is_validation(tmp_path, paths) == held).all()


class TestReading:
    def test_read_rgb(self, tmp_path: Path) -> None:
        """Large pictures are reduced; what cannot be read or is too small is None."""
        cv2.imwrite(str(tmp_path / "a.png"), np.full((1000, 500, 3), (1, 2, 3), np.uint8))
        cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 20, 3), np.uint8))
        (tmp_path / "text.jpg").write_text("text")
        found = read_rgb(tmp_path / "a.png")
        assert found is not None
        assert found.shape == (640, 320, 3)
        assert found[0, 0].tolist() == [3, 2, 1]
        assert read_rgb(tmp_path / "small.png") is None
        assert read_rgb(tmp_path / "text.jpg") is None
        assert [p.name for p in list_pictures(tmp_path)] == ["a.png", "small.png", "text.jpg"]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred drawn pictures as files."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(100):
        (folder / f"{seed:03d}.jpg").write_bytes(encode_jpeg(drawn(seed), quality=92))
    return folder


class TestNetwork:
    def test_descriptors(self) -> None:
        """Patches become unit vectors; brightness and contrast hardly matter; plain patches are no trouble."""
        network = PatchNetwork(channels=(8, 8, 16), strides=(2, 2, 2), dimension=32).eval()
        patches = torch.randint(60, 120, (20, 32, 32), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
        with torch.no_grad():
            a, b = network(patches), network((patches.float() * 1.5 + 20).to(torch.uint8))
            plain = network(torch.full((1, 32, 32), 77, dtype=torch.uint8))
        assert a.shape == (20, 32)
        assert torch.allclose(a.norm(dim=1), torch.ones(20), atol=1e-4)
        assert (a * b).sum(1).min() > 0.95
        assert torch.isfinite(plain).all()

    def test_export(self, tmp_path: Path) -> None:
        """The ONNX file gives what PyTorch gives, at any batch size."""
        network = PatchNetwork(channels=(8, 8, 16), strides=(2, 2, 2), dimension=32).eval()
        assert export_network(network, tmp_path / "n.onnx") <= PARITY <= 1e-4


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
        for batch in generate(chosen, seed=len(chosen), strength=0.6):
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
        with pytest.raises(ValueError, match="holds no network of channels"):
            train(shards, tmp_path / "wider", wider, start=trained / "checkpoint.pt")

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
