"""Pictures in which little would be found: very long, dim and faint ones, and what those are told that show nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine import detail
from engine.describe.features import describe_picture
from engine.describe.patch_model import PatchModel
from engine.describe.records import from_bytes, pack, unpack
from engine.detail import LONG, LONGEST, stretched, working_side
from engine.errors import TooFewFeatures
from engine.image import decode, encode_jpeg
from engine.recognizer import Recognizer
from tests.support.drawn import encoded, flat, poster

BANNERS = {"lying": (3000, 150), "standing": (150, 3000), "longest": (3000, 95), "shorter": (2000, 200)}


def banner(width: int, height: int) -> np.ndarray:
    return np.ascontiguousarray(poster(5, width=width, height=height))


def in_front_of_clutter(picture: np.ndarray, share: float) -> bytes:
    """A photo of 1,600 x 1,200 pixels, held as the picture is, of which this takes that share, a little turned."""
    height, width = picture.shape[:2]
    wide, high = (1600, 1200) if width > height else (1200, 1600)
    photo = cv2.GaussianBlur(cv2.resize(poster(900_001), (wide, high)), (0, 0), 5)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), 3, share * min(wide / width, high / height))
    turn[:, 2] += [wide / 2 - width / 2, high / 2 - height / 2]
    cv2.warpAffine(picture, turn, (wide, high), photo, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT)
    return encode_jpeg(photo, quality=92)


def answer(recognizer: Recognizer, photo: bytes) -> str | None:
    found = recognizer.recognise(photo, ["one"]).answer
    return None if found is None else found.picture.identifier


class TestLong:
    @pytest.mark.parametrize("size", [(480, 480), (640, 480), (480, 60), (60, 480), (8000, 1000)])
    def test_ordinary_shapes(self, size: tuple[int, int]) -> None:
        """Pictures up to the shape of LONG are looked at as ever."""
        assert working_side(size, 480) == 480

    @pytest.mark.parametrize("size", [(4000, 300), (150, 3000), (100_000, 100)])
    def test_height_is_kept(self, size: tuple[int, int]) -> None:
        """Longer ones keep the pixels that one of that shape has, up to LONGEST."""
        side = working_side(size, 480)
        assert abs(side / min(max(size) / min(size), LONGEST) - 480 / LONG) < 0.5

    @pytest.mark.parametrize("name", BANNERS)
    def test_found_again(self, recognizer: Recognizer, name: str) -> None:
        """A banner is found in its own file, in a photo of it, and in one of its half, among other pictures."""
        drawn = banner(*BANNERS[name])
        for seed in (20, 21, 22):
            recognizer.add("one", f"poster.{seed}", encode_jpeg(poster(seed)))
        added = recognizer.add("one", "banner", encode_jpeg(drawn, quality=92))
        assert (added.width, added.height) == BANNERS[name]
        assert answer(recognizer, encode_jpeg(drawn, quality=92)) == "banner"
        height, width = drawn.shape[:2]
        half = drawn[:, : width // 2] if width > height else drawn[: height // 2]
        assert answer(recognizer, in_front_of_clutter(half, 0.9)) == "banner"
        if name != "longest":  # whole in a photo it is 30 pixels high
            assert answer(recognizer, in_front_of_clutter(drawn, 0.95)) == "banner"

    def test_frame(self, patch_model: PatchModel) -> None:
        """Its keypoints lie in the frame of 480 pixels, with scales below 1, which a record keeps."""
        features = describe_picture(banner(3000, 150), patch_model)
        assert features.size == (480, 24)
        assert (features.keypoints.xy >= -0.5).all()
        assert (features.keypoints.xy < features.size).all()
        assert features.keypoints.scale.min() < 0.5
        number = len(features.keypoints)
        rows = pack(features.keypoints, np.zeros(number, np.uint32), np.zeros(number, np.uint64))
        xy, scale, *_ = unpack(from_bytes(rows.tobytes()))
        assert np.abs(xy - features.keypoints.xy).max() <= 1 / 16 + 1e-4
        assert np.abs(np.log(scale / features.keypoints.scale)).max() < 0.01

    def test_kept(self, recognizer: Recognizer) -> None:
        """The kept picture keeps its height too, so that `reindex` finds as much in it."""
        added = recognizer.add("one", "banner", encode_jpeg(banner(3000, 150), quality=92))
        kept = recognizer.catalogue.rendition(added.id)
        assert kept is not None
        assert decode(kept, long_side=1600)[0].shape[:2] == (80, 1600)
        assert recognizer.describe(kept, trim=False).keypoints == added.keypoints

    @pytest.mark.shared
    def test_shared_banner(self, recognizer: Recognizer, shared_data: Path) -> None:
        """A photographed banner is found again."""
        data = (shared_data.parent / "cases" / "banner_4000x300.jpg").read_bytes()
        recognizer.add("one", "banner", data)
        assert answer(recognizer, data) == "banner"


class TestDark:
    @pytest.mark.parametrize("brightest", [38, 20, 12, 7])
    def test_found_again(self, recognizer: Recognizer, brightest: int) -> None:
        """A picture of a few grey levels is found in its own file, in a JPEG of it and in a brighter one."""
        dark = (poster(77) * (brightest / 255)).astype(np.uint8)
        brighter = (poster(77) * (min(255, 5 * brightest) / 255)).astype(np.uint8)
        recognizer.add("one", "poster.20", encode_jpeg(poster(20)))
        recognizer.add("one", "dark", encoded(dark, ".png"))
        for photo in (encoded(dark, ".png"), encode_jpeg(dark, quality=92), encoded(brighter, ".png")):
            assert answer(recognizer, photo) == "dark"

    def test_faint(self, recognizer: Recognizer) -> None:
        """So is one that is nearly white, though spots of it are black."""
        faint = (230 + poster(78) * (14 / 255)).astype(np.uint8)
        faint[100:104, 100:104] = 0
        recognizer.add("one", "faint", encoded(faint, ".png"))
        assert answer(recognizer, encoded(faint, ".png")) == "faint"

    def test_ordinary_ones_stay(self) -> None:
        """A picture with contrast, a page with little ink and a plain one are left as they are."""
        page = np.full((480, 360, 3), 250, np.uint8)
        cv2.putText(page, "ink", (100, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.0, (0, 0, 0), 2)
        for picture in (poster(3), page, flat(200)):
            assert stretched(picture, most=detail.DIM, share=detail.DIM_SHARE) is None


class TestWhatIsTold:
    def test_plain(self, recognizer: Recognizer) -> None:
        """A plain picture is told its grey levels; a photo too."""
        plain = encoded(flat(200), ".png")
        told = r"^0 keypoints found, 20 are needed: .*, its grey levels lie between 128 and 128 of 255$"
        with pytest.raises(TooFewFeatures, match=told):
            recognizer.add("one", "flat", plain)
        with pytest.raises(TooFewFeatures, match=told):
            recognizer.recognise(plain, ["one"])

    def test_long(self, recognizer: Recognizer) -> None:
        """A very long one its shape."""
        line = np.zeros((40, 2000, 3), np.uint8)
        line[:, :1000] = 255
        with pytest.raises(TooFewFeatures, match="it is 50 times as long as it is wide"):
            recognizer.describe(encoded(line, ".png"), trim=False)

    def test_others(self, recognizer: Recognizer) -> None:
        """Any other that it has too little detail."""
        half = flat(200)
        half[:, 100:] = 255
        with pytest.raises(TooFewFeatures, match=r"too little detail$"):
            recognizer.describe(encoded(half, ".png"), trim=False)


class TestClear:
    def test_light_art_is_found_again(self, recognizer: Recognizer) -> None:
        """White art on nothing is added, and found in a photo of it on dark cloth."""
        art = cv2.cvtColor(poster(9), cv2.COLOR_RGB2GRAY)
        alpha = np.where(cv2.Canny(art, 60, 120) > 0, 255, 0).astype(np.uint8)
        drawn = np.dstack([np.full((*alpha.shape, 3), 255, np.uint8), cv2.dilate(alpha, np.ones((3, 3), np.uint8))])
        recognizer.add("one", "poster.20", encode_jpeg(poster(20)))
        recognizer.add("one", "art", encoded(drawn, ".png"))
        on_cloth = np.where(drawn[..., 3:] > 0, drawn[..., :3], np.uint8(55)).astype(np.uint8)
        assert answer(recognizer, in_front_of_clutter(on_cloth, 0.9)) == "art"

    @pytest.mark.shared
    @pytest.mark.parametrize("name", ["white_art_on_transparent.png", "grey16_with_12_bit_values.png"])
    def test_shared_cases(self, recognizer: Recognizer, shared_data: Path, name: str) -> None:
        """Files that were refused, or added and never found."""
        data = (shared_data.parent / "cases" / name).read_bytes()
        recognizer.add("one", "picture", data)
        assert answer(recognizer, data) == "picture"
