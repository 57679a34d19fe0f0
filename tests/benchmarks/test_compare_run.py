"""A comparison's run: what it writes, how it goes on after an interruption, what it refuses."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks.compare.files import Grown, Listed, Prediction, Timing, read_geometry, read_rows
from benchmarks.compare.material import Material, gather, pair_folders
from benchmarks.compare.methods import METHODS, Method, Verifier, find_method
from benchmarks.compare.parts.engine_lists import EngineGallery, is_filled
from benchmarks.compare.parts.local_features import Classical, Patches
from benchmarks.compare.parts.shortlists.phash import PHash
from benchmarks.compare.run import runner
from benchmarks.compare.run.folder import OtherRun
from benchmarks.compare.run.forecast import PREPARING, forecast
from benchmarks.compare.run.growth import decades, invent, measure_growth, recombined, sample
from benchmarks.compare.run.pipeline import Pipeline, below_one
from benchmarks.compare.run.runner import due_photos, photos_of, run
from benchmarks.compare.settings import RunSettings
from benchmarks.sets import read_set
from engine.describe.keypoints import PHOTO_DETECTOR
from engine.describe.patch_model import PatchModel
from engine.errors import ResearchError
from engine.recognizer import Recognizer
from engine.shortlist.votes import SMALL
from engine.verify.homography import project
from tests.support.drawn_sets import TILT, drawn, make_set, photograph, write

QUICK = ("phash", "global", "global+orb", "obverse")
STABLE = ("method", "set", "query", "rank", "ref", "score", "accepted")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    """Two sets of five pictures, two photos of nothing, three distractors."""
    place = tmp_path_factory.mktemp("material")
    sets = [make_set(place / "first", range(5), range(50, 52)), make_set(place / "second", range(10, 15))]
    for seed in range(20, 23):
        write(place / "others" / f"{seed}.png", drawn(seed))
    return gather([read_set(s) for s in sets], [place / "others"])


def go(out: Path, material: Material, names: Sequence[str] = QUICK, settings: RunSettings | None = None) -> None:
    run(out, material, [find_method(n) for n in names], settings or RunSettings(), command="test")


def rows_without_times(out: Path) -> list[tuple[object, ...]]:
    return [tuple(getattr(r, name) for name in STABLE) for r in read_rows(out / "predictions.csv", Prediction)]


@pytest.fixture(scope="module")
def finished(material: Material, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every method of the table."""
    out = tmp_path_factory.mktemp("finished")
    go(out, material, [m.name for m in METHODS], RunSettings(ceiling_queries=4))
    return out


class TestEveryMethod:
    @pytest.mark.parametrize("name", [m.name for m in METHODS])
    def test_answers(self, finished: Path, material: Material, name: str) -> None:
        """Each method of the table ranks pictures for each photo that it is asked, surest first."""
        photos = photos_of(find_method(name), material, RunSettings(ceiling_queries=4))
        rows = [r for r in read_rows(finished / "predictions.csv", Prediction) if r.method == name]
        by_photo = {(p.set, p.query): [r for r in rows if (r.set, r.query) == (p.set, p.query)] for p in photos}
        assert len(rows) == sum(map(len, by_photo.values()))
        for mine in by_photo.values():
            assert [r.rank for r in mine] == list(range(1, len(mine) + 1))
            assert len({r.ref for r in mine}) == len(mine)
            assert all(a.score >= b.score for a, b in itertools.pairwise(mine))
            assert not any(r.accepted for r in mine[1:])
            assert mine[0].ms > 0

    @pytest.mark.parametrize("name", [m.name for m in METHODS if isinstance(m.verifier, Verifier) or m.ranking])
    def test_finds(self, finished: Path, name: str) -> None:
        """Easy photos of drawn pictures: whatever looks at keypoints finds them."""
        rows = [r for r in read_rows(finished / "predictions.csv", Prediction) if r.method == name and r.rank == 1]
        shown = [r for r in rows if r.query.startswith("q")]
        assert shown
        assert all(r.ref == r.query.replace("q", "r") for r in shown)

    def test_negatives(self, finished: Path) -> None:
        """The default gives no answer to a photo of nothing."""
        rows = read_rows(finished / "predictions.csv", Prediction)
        assert not any(r.accepted for r in rows if r.method == "obverse" and r.query.startswith("n"))

    def test_listed(self, finished: Path) -> None:
        """The whole list of the lists' methods, none for those that look at everything."""
        rows = read_rows(finished / "shortlist.csv", Listed)
        assert not any(r.method.startswith("exhaustive") for r in rows)
        for name in ("phash", "hog", "orb-vlad", "global"):
            mine = [r for r in rows if (r.method, r.query) == (name, "q3.png")]
            assert [r.rank for r in mine] == list(range(1, 14))
            assert {r.ref for r in mine} >= {"r0.png", "//second/r10.png", "//distractors/20.png"}

    def test_geometry(self, finished: Path) -> None:
        """Outlines are told in pixels of the files: the warp that made the photo."""
        corners = np.array([[0, 0], [300, 0], [300, 400], [0, 400]])
        found = read_geometry(finished / "geometry.jsonl")
        methods = {"orb-words", "global+orb", "global+sift", "obverse", "exhaustive-orb", "exhaustive-sift"}
        assert methods <= {g.method for g in found}
        for one in found:
            if one.query.startswith("q"):
                H = np.reshape(one.H_picture_to_photo, (3, 3))
                assert np.abs(project(H, corners) - project(TILT, corners)).max() < 8, one
                points = np.array(one.inliers)
                assert np.median(np.abs(project(TILT, points[:, :2]) - points[:, 2:])) < 3

    def test_stages(self, finished: Path) -> None:
        """The stages of a photo add up to its total and to the predictions' ms."""
        timings = read_rows(finished / "timings.csv", Timing)
        mine = {t.stage: t.ms for t in timings if (t.method, t.query) == ("global+orb", "q1.png")}
        assert set(mine) == {"decode", "describe", "shortlist", "verify", "total"}
        assert mine.pop("total") == pytest.approx(sum(mine.values()))
        rows = read_rows(finished / "predictions.csv", Prediction)
        (whole,) = {r.ms for r in rows if (r.method, r.query) == ("global+orb", "q1.png")}
        assert whole == pytest.approx(sum(mine.values()))

    def test_run(self, finished: Path) -> None:
        """run.json tells the machine, the sets and each method."""
        content = json.loads((finished / "run.json").read_text())
        assert (content["gallery"], content["distractors"], content["seed"]) == (13, 3, 0)
        first = {"photos": 7, "positives": 5, "negatives_easy": 2, "negatives_hard": 0}
        assert first.items() <= content["sets"][0].items()
        entries = {e["name"]: e for e in content["methods"]}
        assert set(entries) == {m.name for m in METHODS}
        assert entries["phash"]["bytes_per_picture"] == 8
        assert entries["exhaustive-sift"]["sample"] == 4
        assert entries["obverse"]["threshold"] > 0
        assert all(e["adds_per_second"] > 0 for e in entries.values())
        assert all(e["bytes_per_picture"] > 0 for n, e in entries.items() if not n.startswith("exhaustive"))


class TestOracles:
    def test_default_is_recognise(self, finished: Path, material: Material) -> None:
        """The default's answers and ratios are those of `Recognizer.recognise`."""
        workshop = runner.Workshop(finished / "cache", material)
        gallery = workshop.gallery()
        rows = read_rows(finished / "predictions.csv", Prediction)
        for photo in material.photos:
            found = gallery.recognizer.recognise(photo.path.read_bytes(), ["evaluation"])
            mine = next(r for r in rows if (r.method, r.query) == ("obverse", photo.query) and r.rank <= 1)
            assert mine.accepted == (found.answer is not None)
            if found.results:
                assert mine.score == pytest.approx(found.results[0].match_ratio, abs=0.01)
        workshop.close()

    def test_hamming(self) -> None:
        """pHash by brute force with the package's own difference."""
        import imagehash
        from PIL import Image

        one = PHash()
        images = [drawn(seed)[:, :, ::-1].copy() for seed in range(6)]
        one.build([one.describe(i, photo=False) for i in images])
        shot = photograph(2)[:, :, ::-1].copy()
        numbers, scores = one.search(one.describe(shot, photo=True), 6)
        own = imagehash.phash(Image.fromarray(shot))
        expected = [64 - (own - imagehash.phash(Image.fromarray(images[n]))) for n in numbers]
        assert scores.tolist() == expected == sorted(expected, reverse=True)


class TestBelowOne:
    def test_order_and_range(self) -> None:
        """Falling scores stay falling, equal ones equal, wherever they lie; none stays none."""
        drawn_scores = np.random.default_rng(0).normal(0, 30, 4001).astype(np.float32)
        falling = np.sort(np.concatenate([drawn_scores, drawn_scores[:1000], np.nextafter(drawn_scores, 99)]))[::-1]
        found = below_one(falling.astype(np.float32))
        assert (np.diff(found) <= 0).all()
        assert ((found > -1) & (found < 1)).all()
        assert (np.diff(found)[np.diff(falling) == 0] == 0).all()
        assert below_one(np.zeros(0, np.float32)).shape == (0,)


class TestResuming:
    def test_interrupted(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stopped within a photo's rows, it goes on and ends with the rows of a run that was never stopped."""
        go(tmp_path / "whole", material)
        answer, left = Pipeline.answer, [17]

        def fails_at_last(self: Pipeline, photo: object) -> object:
            left[0] -= 1
            if left[0] < 0:
                raise KeyboardInterrupt
            return answer(self, photo)  # type: ignore[arg-type]

        monkeypatch.setattr(Pipeline, "answer", fails_at_last)
        with pytest.raises(KeyboardInterrupt):
            go(tmp_path / "stopped", material)
        monkeypatch.undo()
        with (tmp_path / "stopped" / "predictions.csv").open("a") as file:
            file.write("global,first,q4.png,1,r4.png,0.5,0,3.0\nglobal,first,q4.p")
        with (tmp_path / "stopped" / "timings.csv").open("a") as file:
            file.write("global,first,q4.png,shortl")
        go(tmp_path / "stopped", material)
        assert rows_without_times(tmp_path / "stopped") == rows_without_times(tmp_path / "whole")

    def test_nothing_twice(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The second run describes nothing and asks nothing; a new method uses what is kept."""
        go(tmp_path, material, ["orb-vlad"])
        before = (tmp_path / "predictions.csv").read_bytes()
        calls = []
        describe = Classical.describe
        monkeypatch.setattr(Classical, "describe", lambda *a, **k: calls.append(1) or describe(*a, **k))
        go(tmp_path, material, ["orb-vlad"])
        assert (tmp_path / "predictions.csv").read_bytes() == before
        go(tmp_path, material, ["orb-vlad", "orb-words"])
        assert calls == []
        assert [e["name"] for e in json.loads((tmp_path / "run.json").read_text())["methods"]] == [
            "orb-vlad",
            "orb-words",
        ]

    def test_other_arguments(self, material: Material, tmp_path: Path) -> None:
        """Another seed is another run: refused with advice, or started anew."""
        go(tmp_path, material, ["phash"])
        with pytest.raises(OtherRun, match=r"other seed; give another --out, or --overwrite"):
            go(tmp_path, material, ["phash"], RunSettings(seed=1))
        method = [find_method("hog")]
        run(tmp_path, material, method, RunSettings(seed=1), command="test", overwrite=True)
        assert {r.method for r in read_rows(tmp_path / "predictions.csv", Prediction)} == {"hog"}

    def test_another_model(self, material: Material, tmp_path: Path) -> None:
        """What another network or another fit answered is not taken up."""
        go(tmp_path, material, ["phash"])
        before = json.loads((tmp_path / "run.json").read_text())
        before["arguments"]["model"] = "obverse-patch-0"
        (tmp_path / "run.json").write_text(json.dumps(before))
        with pytest.raises(OtherRun, match="other model; give another --out"):
            go(tmp_path, material, ["phash"])

    def test_other_keypoints(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nor is what the same network answered from keypoints that are chosen otherwise, nor its features."""
        go(tmp_path, material, ["phash"])
        kind = Patches(PatchModel()).kind
        monkeypatch.setattr("benchmarks.compare.parts.local_features.PHOTO_DETECTOR", replace(PHOTO_DETECTOR, cells=10))
        assert Patches(PatchModel()).kind != kind
        with pytest.raises(OtherRun, match="other model; give another --out"):
            go(tmp_path, material, ["phash"])

    def test_filling_interrupted(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A gallery that was half filled is filled on, and keeps count."""
        told = []

        def stop() -> None:
            told.append(1)
            if len(told) == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            EngineGallery(tmp_path, material.pictures, tell=stop)
        assert not is_filled(tmp_path, material.pictures)
        added = []
        add = Recognizer.add
        monkeypatch.setattr(Recognizer, "add", lambda *a, **k: added.append(a[2]) or add(*a, **k))
        gallery = EngineGallery(tmp_path, material.pictures)
        assert len(gallery.slots()) == len(material.pictures)
        assert gallery.adds_per_second > 0
        gallery.close()
        assert is_filled(tmp_path, material.pictures)
        assert len(added) == len(material.pictures)
        again = EngineGallery(tmp_path, material.pictures)
        assert len(added) == len(material.pictures)
        again.close()
        # Its index was built for these votes, and would go on with them.
        monkeypatch.setattr("engine.shortlist.votes.SMALL", replace(SMALL, hamming=SMALL.hamming + 4))
        assert not is_filled(tmp_path, material.pictures)


class TestSampling:
    def test_ceilings(self, material: Material) -> None:
        """The sets take turns; the seed decides; methods that are no ceilings see all."""
        ceiling = find_method("exhaustive-orb")
        chosen = photos_of(ceiling, material, RunSettings(ceiling_queries=6))
        assert [sum(p.set == name for p in chosen) for name in ("first", "second")] == [3, 3]
        assert chosen == photos_of(ceiling, material, RunSettings(ceiling_queries=6))
        assert chosen != photos_of(ceiling, material, RunSettings(ceiling_queries=6, seed=3))
        assert photos_of(ceiling, material, RunSettings(ceiling_queries=None)) == material.photos
        assert photos_of(find_method("global"), material, RunSettings(ceiling_queries=1)) == material.photos


class TestForecast:
    def test_all_methods(self, material: Material, tmp_path: Path) -> None:
        """Seconds for the preparation and each method; a method that is done costs nothing."""
        methods, settings = [find_method(n) for n in QUICK], RunSettings()
        due = due_photos(tmp_path, methods, material, settings)
        found = forecast(tmp_path / "cache", material, methods, due)
        assert set(found) == {PREPARING, *QUICK}
        assert all(seconds > 0 for seconds in found.values())
        go(tmp_path, material)
        due = due_photos(tmp_path, methods, material, settings)
        assert forecast(tmp_path / "cache", material, methods, due) == {}


class TestGrowth:
    def test_rows(self, material: Material, tmp_path: Path) -> None:
        """Each method at each size; lists alone go on with made-up pictures."""
        methods = [find_method(n) for n in ("phash", "votes", "global", "global+orb", "exhaustive-orb")]
        measure_growth(tmp_path, material, methods, RunSettings(), descriptors=10_000)
        rows = read_rows(tmp_path / "growth.csv", Grown)
        sizes = {m: [r.gallery for r in rows if r.method == m] for m in ("phash", "votes", "global+orb")}
        assert sizes["phash"] == [10, 13, 100, 1000, 10_000]
        assert sizes["global+orb"] == [10, 13]
        assert sizes["votes"] == [10, 13, 25]
        assert not any(r.method == "exhaustive-orb" for r in rows)
        assert all(r.queries == 10 and r.recall_at_1 <= r.recall_at_10 <= r.recall_at_100 for r in rows)
        assert all(r.recall_at_1 == 1 for r in rows if r.method in ("votes", "global+orb"))

    def test_decades(self) -> None:
        assert decades(595, 12_000) == [595, 1000, 10_000, 12_000]
        assert decades(7, 7) == [7]

    def test_sample(self, material: Material) -> None:
        """Photos of nothing do not take part."""
        assert len(sample(material, 0)) == 10

    def test_invented(self) -> None:
        """Made-up pictures have the real ones' shapes and types, and are not the real ones."""
        rng = np.random.default_rng(0)
        hashes = [{"bits": rng.integers(0, 256, 8).astype(np.uint8)} for _ in range(9)]
        made = invent(hashes, 40, rng)
        assert {m["bits"].shape for m in made} == {(8,)}
        assert len({m["bits"].tobytes() for m in made}) > 30
        vectors = rng.normal(size=(9, 70)).astype(np.float32)
        mixed = recombined(vectors, 30, rng)
        assert mixed.shape == (30, 70)
        assert np.allclose(np.linalg.norm(mixed, axis=1), 1, atol=1e-5)
        orb = Classical("orb")
        real = [orb.describe(drawn(s), photo=False) for s in range(2)]
        local = invent(real, 3, rng)
        assert {k: v.dtype for k, v in local[0].items()} == {k: v.dtype for k, v in real[0].items()}
        assert len(local[0]["xy"]) == len(local[0]["descriptors"]) == len(real[0]["xy"])


class TestBadInput:
    def test_nothing_to_ask(self, tmp_path: Path) -> None:
        folder = tmp_path / "empty"
        (folder / "refs").mkdir(parents=True)
        (folder / "truth.csv").write_text("query,ref\n")
        with pytest.raises(ResearchError, match="no readable pictures in empty"):
            gather([read_set(folder)], [])

    def test_same_names(self, tmp_path: Path) -> None:
        folders = [make_set(tmp_path / side / "same", range(1)) for side in "ab"]
        with pytest.raises(ResearchError, match="names of their own"):
            gather([read_set(f) for f in folders], [])

    def test_unreadable(self, tmp_path: Path) -> None:
        """Told with the reason and left out: broken pictures, broken and missing photos."""
        folder = make_set(tmp_path / "odd", range(2))
        (folder / "refs" / "broken.png").write_bytes(b"no picture")
        (folder / "queries" / "q0.png").write_bytes(b"")
        with (folder / "truth.csv").open("a") as file:
            file.write("gone.png,r1.png\n")
        found = gather([read_set(folder)], [])
        assert [p.ref for p in found.pictures] == ["r0.png", "r1.png"]
        assert [p.query for p in found.photos] == ["q1.png"]
        assert {Path(p).name for p in found.refused} == {"broken.png", "q0.png", "gone.png"}
        assert "not an image" in found.refused[str(folder / "refs" / "broken.png")]

    def test_unknown_parts(self, material: Material, tmp_path: Path) -> None:
        """A method that names what is not there is refused when it is made ready."""
        odd = (
            (Method(name="x", about="", shortlists=("nothing",)), "no shortlist 'nothing'"),
            (Method(name="x", about="", shortlists=("phash",), ranking="beauty"), "no ranking 'beauty'"),
            (Method(name="x", about="", shortlists=("phash",), ranking="orientation"), "shortlist orb_words"),
        )
        for number, (method, reason) in enumerate(odd):
            with pytest.raises(ResearchError, match=reason):
                run(tmp_path / str(number), material, [method], RunSettings(), command="test")

    def test_featureless_photo(self, tmp_path: Path) -> None:
        """Every method survives a photo and a picture of one grey; the default finds nothing in it."""
        folder = make_set(tmp_path / "plain", range(3))
        write(folder / "queries" / "flat.png", np.full((300, 300, 3), 128, np.uint8))
        write(folder / "refs" / "flat.png", np.full((300, 300, 3), 128, np.uint8))
        with (folder / "truth.csv").open("a") as file:
            file.write("flat.png,\n")
        go(tmp_path / "out", gather([read_set(folder)], []), [m.name for m in METHODS])
        rows = [r for r in read_rows(tmp_path / "out" / "predictions.csv", Prediction) if r.query == "flat.png"]
        assert {r.method for r in rows} == {m.name for m in METHODS}
        assert [(r.rank, r.ref, r.score) for r in rows if r.method == "obverse"] == [(0, "", 0.0)]


class TestPairFolders:
    def test_names(self, tmp_path: Path) -> None:
        """Same stem, numbered stem, or folder; what agrees with none is a negative."""
        for name in ("a.jpg", "b_1.png", "c.png"):
            write(tmp_path / "covers" / name, drawn(1))
        for name in ("a.png", "a_2.jpg", "a-13.png", "b_1.jpg", "b_1_7.jpg", "c/any thing.png", "b.png", "street.jpg"):
            write(tmp_path / "shots" / name, drawn(2))
        folder = pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "out" / "sets")
        found = read_set(folder)
        assert found.name == "covers"
        assert {q: next(iter(r), "") for q, r in found.truth.items()} == {
            "a.png": "a.jpg", "a_2.jpg": "a.jpg", "a-13.png": "a.jpg", "b_1.jpg": "b_1.png", "b_1_7.jpg": "b_1.png",
            "c/any thing.png": "c.png", "b.png": "", "street.jpg": "",
        }  # fmt: skip
        assert len(gather([found], []).photos) == 8
        assert pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "out" / "sets") == folder

    def test_refusals(self, tmp_path: Path) -> None:
        write(tmp_path / "covers" / "a.jpg", drawn(1))
        write(tmp_path / "shots" / "x.jpg", drawn(1))
        with pytest.raises(ResearchError, match="named after a picture"):
            pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "sets")
        write(tmp_path / "covers" / "deep" / "a.png", drawn(1))
        with pytest.raises(ResearchError, match="two pictures are called a"):
            pair_folders(tmp_path / "covers", tmp_path / "shots", tmp_path / "sets")
