"""Windows, turns and mirrors of a photo."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from engine.errors import ModelError
from engine.full_image.model import FullImageSettings, best_view
from engine.full_image.views import MOST_WINDOWS, parse_views
from tests.support.drawn import poster
from tests.support.tiny_networks import (
    model_of,
)


class TestViews:
    def test_what_they_show(self) -> None:
        """Windows, turns and mirrors of an image of which every pixel is known."""
        image = np.arange(10 * 20 * 3, dtype=np.uint16).astype(np.uint8).reshape(10, 20, 3)
        whole, centre, turned, half, back, flip = parse_views(("whole", "centre 0.5", "rotate 90/180/270", "flip"))
        assert (whole.of(image) == image).all()
        assert (centre.of(image) == image[2:7, 5:15]).all()
        assert (turned.of(image) == cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)).all()
        assert (half.of(image) == cv2.rotate(image, cv2.ROTATE_180)).all()
        assert (back.of(image) == cv2.rotate(image, cv2.ROTATE_90_COUNTERCLOCKWISE)).all()
        assert (flip.of(image) == cv2.flip(image, 1)).all()
        corners = [view.of(image) for view in parse_views(("grid 2x2 0.6",))]
        assert all((a == b).all() for a, b in zip(
            corners, (image[:6, :12], image[:6, 8:], image[4:, :12], image[4:, 8:]), strict=True
        ))  # fmt: skip
        assert (parse_views(("grid 1x1 0.5",))[0].of(image) == centre.of(image)).all()

    def test_order_and_number(self, tmp_path: Path) -> None:
        """The vectors come in the order of the views, however many go into one inference."""
        views = ("whole", "grid 2x3 0.5", "rotate 180", "centre 0.7")
        photo = poster(3)
        rows = [
            model_of(tmp_path, settings=FullImageSettings(views=views, batch=batch)).describe(photo)
            for batch in (1, 4, 100)
        ]
        assert rows[0].shape[0] == 9
        for other in rows[1:]:
            np.testing.assert_allclose(other, rows[0], atol=1e-6)
        alone = model_of(tmp_path, settings=FullImageSettings(views=("rotate 180",))).describe(photo)
        np.testing.assert_allclose(rows[0][7], alone[0], atol=1e-6)

    def test_a_turned_and_a_distant_picture(self, tmp_path: Path) -> None:
        """The best view finds what the whole photo hides: a picture on its side, or small in the middle."""
        pictures = [poster(seed) for seed in range(5)]
        aside = cv2.rotate(pictures[2], cv2.ROTATE_90_COUNTERCLOCKWISE)
        distant = np.full((960, 720, 3), 90, np.uint8)
        distant[240:720, 180:540] = pictures[4]
        views = ("whole", "centre 0.5", "rotate 90/180/270")
        model = model_of(tmp_path, settings=FullImageSettings(views=views))
        gallery = np.concatenate([model.describe_picture(picture) for picture in pictures])
        for photo, right in ((aside, 2), (distant, 4)):
            found = best_view(model.describe(photo), gallery)
            assert found.shape == (5,)
            assert found.argmax() == right
            assert found[right] > 0.99

    def test_pictures_are_seen_whole(self, tmp_path: Path) -> None:
        model = model_of(tmp_path, views=["centre 0.5", "flip"])
        assert model.describe_picture(poster(1)).shape == (1, model.dimension)
        assert model.describe(poster(1)).shape == (2, model.dimension)

    @pytest.mark.parametrize("view", [
        "", "all", "Whole", "centre", "centre 0", "centre 1", "centre 1.2", "centre nan", "centre x", "grid 2 0.5",
        "grid 0x2 0.5", "grid 2x2", "grid 2x2 0.6 0.7", "grid 9x9 0.5", "rotate", "rotate 45", "rotate 90,180",
        "rotate 90/", "flip 1",
    ])  # fmt: skip
    def test_unknown(self, tmp_path: Path, view: str) -> None:
        """Refused with the text that is wrong, in settings and in cards."""
        with pytest.raises(ValueError, match="view"):
            parse_views((view,))
        with pytest.raises(ModelError, match="view"):
            model_of(tmp_path, settings=FullImageSettings(views=("whole", view)))
        with pytest.raises(ModelError, match=r"card\.json.*views"):
            model_of(tmp_path, views=["whole", view])

    def test_none(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="no view is named"):
            model_of(tmp_path, settings=FullImageSettings(views=()))
        assert len(parse_views((f"grid 1x{MOST_WINDOWS} 0.5",))) == MOST_WINDOWS
