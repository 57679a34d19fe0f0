"""Models of whole images: their cards, what they are shown, what is made of their output."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from engine.errors import ModelError
from engine.full_image.card import RULES, read_full_image_card
from engine.full_image.model import FullImageModel, FullImageSettings, best_view
from engine.full_image.views import MOST_WINDOWS, parse_views
from tests.support.drawn import poster

onnx = pytest.importorskip("onnx", reason="onnx makes the networks of these tests: pip install 'obverse[train]'")

from onnx import TensorProto, helper  # noqa: E402  # after the check above

CARD: dict[str, Any] = {
    "name": "tiny",
    "network": "tiny.onnx",
    "input": "image",
    "output": "vector",
    "size": [8, 12],
    "layout": "NCHW",
    "dtype": "float32",
    "mean": [0.5, 0.4, 0.3],
    "std": [0.2, 0.25, 0.5],
    "colour": "RGB",
    "resize": "stretch",
    "pooling": "none",
}
UINT8 = {"dtype": "uint8", "layout": "NHWC", "mean": None, "std": None}
NCHW, NHWC = ["N", 3, 8, 12], ["N", 8, 12, 3]
FLATTEN = (("Cast", {"to": TensorProto.FLOAT}), ("Flatten", {}))


def network(
    path: Path,
    *operators: tuple[str, dict[str, Any]],
    shape: list[Any] = NCHW,
    kind: int = TensorProto.FLOAT,
    rank: int = 2,
    gives: int = TensorProto.FLOAT,
) -> Path:
    """An ONNX file: `image` through the operators, one after the other, to `vector`."""
    names = ["image", *(f"x{n}" for n in range(1, len(operators))), "vector"]
    nodes = [helper.make_node(o, [names[n]], [names[n + 1]], **a) for n, (o, a) in enumerate(operators)]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", kind, shape)],
        [helper.make_tensor_value_info("vector", gives, [None] * rank)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(path))
    return path


def write_card(path: Path, **changes: Any) -> Path:
    """CARD with changes; None takes a field out."""
    card = {key: value for key, value in (CARD | changes).items() if value is not None}
    path.write_text(json.dumps(card))
    return path


def model_of(folder: Path, *operators: tuple[str, dict[str, Any]], **changes: Any) -> FullImageModel:
    """A model in a folder; `shape`, `kind`, `rank`, `gives` are the network's, all else the card's."""
    of_network = {key: changes.pop(key) for key in ("shape", "kind", "rank", "gives") if key in changes}
    settings = changes.pop("settings", None)
    network(folder / "tiny.onnx", *(operators or FLATTEN), **of_network)
    write_card(folder / "card.json", **changes)
    return FullImageModel(folder, settings)


def unit(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values)


class TestInput:
    def test_normalised(self, tmp_path: Path) -> None:
        """float32: (pixel / 255 - mean) / std by channel, channels first; the output is a unit vector."""
        model = model_of(tmp_path)
        picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
        expected = unit(((picture / 255 - CARD["mean"]) / CARD["std"]).transpose(2, 0, 1).ravel())
        found = model.describe_picture(picture)
        assert found.shape == (1, model.dimension) == (1, 8 * 12 * 3)
        assert found.dtype == np.float32
        np.testing.assert_allclose(found[0], expected, atol=1e-6)

    def test_pixels_as_they_are(self, tmp_path: Path) -> None:
        """uint8 models read the pixels themselves, here with channels last and in the order of OpenCV."""
        model = model_of(tmp_path, **UINT8, colour="BGR", shape=NHWC, kind=TensorProto.UINT8)
        picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
        np.testing.assert_allclose(
            model.describe_picture(picture)[0], unit(picture[:, :, ::-1].ravel().astype(float)), atol=1e-6
        )

    def test_normalised_in_the_order_of_the_colours(self, tmp_path: Path) -> None:
        """With BGR the first mean belongs to blue."""
        model = model_of(tmp_path, colour="BGR")
        picture = np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8)
        expected = unit(((picture[:, :, ::-1] / 255 - CARD["mean"]) / CARD["std"]).transpose(2, 0, 1).ravel())
        np.testing.assert_allclose(model.describe_picture(picture)[0], expected, atol=1e-6)

    @pytest.mark.parametrize(("resize", "columns"), [("stretch", (0, 12)), ("letterbox", (4, 8)), ("crop", None)])
    def test_resize(self, tmp_path: Path, resize: str, columns: tuple[int, int] | None) -> None:
        """A white picture twice as high as wide, black in its upper and lower quarter: stretched it fills the width;
        in the letterbox it is 4 of 12 pixels wide between the mean's grey; the crop shows but its white middle."""
        picture = np.full((160, 80, 3), 255, np.uint8)
        picture[:40] = picture[120:] = 0
        changes = UINT8 | {"shape": NHWC, "kind": TensorProto.UINT8, "resize": resize}
        seen = model_of(tmp_path, **changes).describe_picture(picture)[0].reshape(8, 12, 3)
        expected = np.full((8, 12, 3), 255.0)
        if columns:
            expected[:] = 127
            expected[:2, slice(*columns)] = expected[6:, slice(*columns)] = 0
            expected[2:6, slice(*columns)] = 255
        np.testing.assert_allclose(seen, expected / np.linalg.norm(expected), atol=1e-6)

    def test_crop_share(self, tmp_path: Path) -> None:
        """crop_share 0.5 shows the middle half of what a crop shows otherwise."""
        picture = np.zeros((80, 120, 3), np.uint8)
        picture[20:60, 30:90] = 255
        changes = UINT8 | {"shape": NHWC, "kind": TensorProto.UINT8, "resize": "crop"}
        whole = model_of(tmp_path, **changes).describe_picture(picture)[0]
        half = model_of(tmp_path, **changes, crop_share=0.5).describe_picture(picture)[0]
        assert (whole == 0).any()
        np.testing.assert_allclose(half, 1 / math.sqrt(288), atol=1e-6)

    def test_the_mean_fills_the_letterbox(self, tmp_path: Path) -> None:
        """What is no picture is nothing to a float32 model, but for the rounding of a grey level."""
        seen = model_of(tmp_path, resize="letterbox").describe_picture(np.full((80, 80, 3), 255, np.uint8))
        columns = np.abs(seen.reshape(3, 8, 12)).max((0, 1))
        assert columns[:2].max() < 0.01
        assert columns[2:10].min() > 0.05
        assert columns[10:].max() < 0.01

    @pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 2)])
    @pytest.mark.parametrize("resize", ["stretch", "crop", "letterbox"])
    def test_odd_sizes(self, tmp_path: Path, shape: tuple[int, int], resize: str) -> None:
        """However small or narrow: every view gets a unit vector."""
        model = model_of(tmp_path, resize=resize, views=["whole", "centre 0.1", "grid 3x3 0.2", "rotate 90", "flip"])
        found = model.describe(np.full((*shape, 3), 255, np.uint8))
        assert found.shape == (13, model.dimension)
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)

    @pytest.mark.parametrize(
        "image",
        [
            np.zeros((8, 8), np.uint8),
            np.zeros((8, 8, 4), np.uint8),
            np.zeros((8, 8, 3), np.float32),
            np.zeros((0, 8, 3), np.uint8),
        ],
    )
    def test_what_is_no_image(self, tmp_path: Path, image: np.ndarray) -> None:
        model = model_of(tmp_path)
        for describe in (model.describe, model.describe_picture):
            with pytest.raises(ValueError, match=r"an image is \(H, W, 3\) uint8"):
                describe(image)


class TestPooling:
    PICTURE = np.random.default_rng(1).integers(0, 256, (8, 12, 3), np.uint8)

    @pytest.mark.parametrize("layout", ["NCHW", "NHWC"])
    def test_mean_and_gem_of_a_map(self, tmp_path: Path, layout: str) -> None:
        """Mean over the places; GeM is the p-th root of the mean of p-th powers of what is above zero."""
        card = {"layout": layout, "shape": NCHW if layout == "NCHW" else NHWC, "rank": 4}
        values = ((self.PICTURE / 255 - CARD["mean"]) / CARD["std"]).reshape(-1, 3)
        mean = model_of(tmp_path, ("Identity", {}), **card, pooling="mean").describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(mean, unit(values.mean(0)), atol=1e-5)
        gem = model_of(tmp_path, ("Identity", {}), **card, pooling="gem", gem_power=4).describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(gem, unit((np.maximum(values, 0) ** 4).mean(0) ** 0.25), atol=1e-5)

    def test_gem_of_one_is_the_mean(self, tmp_path: Path) -> None:
        """Where nothing is below zero; and a high power nears the greatest value without leaving float32."""
        card = {"rank": 4, "mean": [0, 0, 0], "std": [1e-20, 1e-20, 1e-20], "pooling": "gem"}
        values = (self.PICTURE / 255).reshape(-1, 3)
        one = model_of(tmp_path, ("Identity", {}), **card, gem_power=1).describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(one, unit(values.mean(0)), atol=1e-5)
        high = model_of(tmp_path, ("Identity", {}), **card, gem_power=100).describe_picture(self.PICTURE)[0]
        np.testing.assert_allclose(high, unit(values.max(0)), atol=0.02)

    def test_tokens(self, tmp_path: Path) -> None:
        """Of (N, T, D): the mean of the tokens, or the first of them."""
        made = network(tmp_path / "tiny.onnx", *FLATTEN, shape=NHWC, kind=TensorProto.UINT8, rank=3)
        model = onnx.load(made)
        model.graph.node[-1].CopyFrom(helper.make_node("Reshape", ["x1", "shape"], ["vector"]))
        model.graph.initializer.append(helper.make_tensor("shape", TensorProto.INT64, [3], [0, 8, -1]))
        onnx.save(model, str(made))
        tokens = self.PICTURE.reshape(8, 36).astype(float)
        for pooling, expected in (("first", tokens[0]), ("mean", tokens.mean(0))):
            write_card(tmp_path / "card.json", **UINT8, pooling=pooling)
            found = FullImageModel(tmp_path).describe_picture(self.PICTURE)[0]
            np.testing.assert_allclose(found, unit(expected), atol=1e-5)

    @pytest.mark.parametrize(("pooling", "rank", "operators"), [
        ("none", 4, (("Identity", {}),)),
        ("mean", 2, FLATTEN),
        ("gem", 2, FLATTEN),
        ("first", 4, (("Identity", {}),)),
    ])  # fmt: skip
    def test_unexpected_rank(self, tmp_path: Path, pooling: str, rank: int, operators: Any) -> None:
        with pytest.raises(ModelError, match=f"pooling '{pooling}' needs . (or . )?axes"):
            model_of(tmp_path, *operators, pooling=pooling, rank=rank)

    def test_the_images_axis_is_lost(self, tmp_path: Path) -> None:
        """An output that mixes the images of a batch is refused."""
        with pytest.raises(ModelError, match="for 1 images"):
            model_of(tmp_path, ("Flatten", {"axis": 2}))


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


class TestCard:
    def test_folder_and_file(self, tmp_path: Path) -> None:
        """A folder with card.json, NAME.onnx with card.json beside it, and NAME.onnx with NAME.json: all the same."""
        by_folder = model_of(tmp_path, about={"licence": "none"})
        by_file = FullImageModel(tmp_path / "tiny.onnx")
        (tmp_path / "card.json").unlink()
        write_card(tmp_path / "tiny.json", network=None)
        by_name = FullImageModel(tmp_path / "tiny.onnx")
        assert by_folder.fingerprint == by_file.fingerprint == by_name.fingerprint
        assert by_folder.fingerprint.startswith("tiny-")
        assert by_folder.card.about == {"licence": "none"}

    def test_fingerprint(self, tmp_path: Path) -> None:
        """It changes with weights (those in a file beside the network too), with the card, and with the views."""
        prints = [
            model_of(tmp_path).fingerprint,
            model_of(tmp_path, ("Neg", {}), ("Flatten", {})).fingerprint,
            model_of(tmp_path, mean=[0.5, 0.5, 0.5]).fingerprint,
            model_of(tmp_path, settings=FullImageSettings(views=("flip",))).fingerprint,
        ]
        (tmp_path / "tiny.onnx.data").write_bytes(b"weights")
        prints.append(model_of(tmp_path).fingerprint)
        assert len(set(prints)) == 5

    @pytest.mark.parametrize("field", [key for key in CARD if key != "network"])
    def test_missing_field(self, tmp_path: Path, field: str) -> None:
        network(tmp_path / "tiny.onnx", *FLATTEN)
        write_card(tmp_path / "card.json", **{field: None})
        with pytest.raises(ModelError, match=rf"card\.json lacks {field}$"):
            FullImageModel(tmp_path)

    def test_no_network_in_a_folder(self, tmp_path: Path) -> None:
        write_card(tmp_path / "card.json", network=None)
        with pytest.raises(ModelError, match="lacks network"):
            FullImageModel(tmp_path)

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", 3),
            ("name", " "),
            ("network", "../tiny.onnx"),
            ("input", ["image"]),
            ("size", 8),
            ("size", [8]),
            ("size", [8, 0]),
            ("size", [8, True]),
            ("size", [8.0, 8]),
            ("layout", "HWC"),
            ("dtype", "float16"),
            ("mean", [0.5, 0.5]),
            ("mean", [0.5, 0.5, "0"]),
            ("mean", [0.5, 0.5, math.nan]),
            ("std", [0, 1, 1]),
            ("colour", "rgb"),
            ("resize", "pad"),
            ("pooling", "max"),
            ("crop_share", 0),
            ("crop_share", 1.1),
            ("gem_power", -3),
            ("views", "whole"),
            ("views", []),
            ("dimension", 2.5),
            ("about", "mine"),
        ],
    )
    def test_wrong_kind(self, tmp_path: Path, field: str, value: Any) -> None:
        """The error names file, field, rule and value."""
        path = write_card(tmp_path / "card.json", **{field: value})
        with pytest.raises(ModelError, match=rf"card\.json: {field} must be .+, not "):
            read_full_image_card(path)

    def test_unknown_field(self, tmp_path: Path) -> None:
        path = write_card(tmp_path / "card.json", meen=[0, 0, 0])
        with pytest.raises(ModelError, match="no field 'meen'; the nearest is 'mean'"):
            read_full_image_card(path)

    def test_normalisation_of_bytes(self, tmp_path: Path) -> None:
        """A uint8 model normalises by itself: a mean in its card would go unused."""
        path = write_card(tmp_path / "card.json", **UINT8 | {"mean": [0, 0, 0]})
        with pytest.raises(ModelError, match="mean are of float32 models"):
            read_full_image_card(path)

    def test_no_card(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"card\.json is missing: a model needs a card"):
            FullImageModel(tmp_path)
        with pytest.raises(ModelError, match=r"card\.json is missing \(nor is there tiny\.json\)"):
            FullImageModel(network(tmp_path / "tiny.onnx", *FLATTEN))
        with pytest.raises(ModelError, match="does not exist"):
            FullImageModel(tmp_path / "other")

    @pytest.mark.parametrize("text", ["", "{", "[]", "3"])
    def test_no_json(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "card.json").write_text(text)
        with pytest.raises(ModelError, match=r"card\.json (cannot be read|is not a card)"):
            FullImageModel(tmp_path)

    def test_card_of_another(self, tmp_path: Path) -> None:
        network(tmp_path / "other.onnx", *FLATTEN)
        write_card(tmp_path / "card.json")
        with pytest.raises(ModelError, match=r"is the card of tiny\.onnx, not of other\.onnx"):
            FullImageModel(tmp_path / "other.onnx")
        with pytest.raises(ModelError, match=r"tiny\.onnx is missing"):
            FullImageModel(tmp_path)


class TestNetwork:
    """What the card says and the file does not do is found on opening."""

    def test_names(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match="has no input 'pixels'; it has image"):
            model_of(tmp_path, input="pixels")
        with pytest.raises(ModelError, match="has no output 'features'; it has vector"):
            model_of(tmp_path, output="features")

    def test_kind_and_size(self, tmp_path: Path) -> None:
        with pytest.raises(ModelError, match=r"reads tensor\(uint8\), its card says float32"):
            model_of(tmp_path, kind=TensorProto.UINT8)
        with pytest.raises(ModelError, match=r"its card says NCHW of 3 x \(12, 8\)"):
            model_of(tmp_path, size=[12, 8])
        with pytest.raises(ModelError, match="its card says NHWC"):
            model_of(tmp_path, layout="NHWC")
        with pytest.raises(ModelError, match="gives 288 numbers, its card says 64"):
            model_of(tmp_path, dimension=64)
        with pytest.raises(ModelError, match="batches of just 4"):
            model_of(tmp_path, shape=[4, 3, 8, 12])

    def test_batches_of_one(self, tmp_path: Path) -> None:
        """A network that reads one image at a time gets its views one at a time."""
        model = model_of(tmp_path, shape=[1, 3, 8, 12], views=["whole", "grid 2x2 0.6"], dimension=288)
        assert model.describe(poster(1)).shape == (5, 288)

    def test_two_inputs(self, tmp_path: Path) -> None:
        network(tmp_path / "tiny.onnx", *FLATTEN)
        model = onnx.load(tmp_path / "tiny.onnx")
        model.graph.input.append(helper.make_tensor_value_info("text", TensorProto.INT64, ["N"]))
        onnx.save(model, str(tmp_path / "tiny.onnx"))
        write_card(tmp_path / "card.json")
        with pytest.raises(ModelError, match=r"has 2 inputs \(image, text\)"):
            FullImageModel(tmp_path)

    def test_no_numbers(self, tmp_path: Path) -> None:
        """NaN ends in an error, never in a descriptor; here the logarithm of what lies below the mean."""
        with pytest.raises(ModelError, match="values that are no numbers"):
            model_of(tmp_path, ("Log", {}), ("Flatten", {}))
        with pytest.raises(ModelError, match="holds no array of numbers"):
            model_of(tmp_path, ("Cast", {"to": TensorProto.BOOL}), ("Flatten", {}), gives=TensorProto.BOOL)

    def test_nothing(self, tmp_path: Path) -> None:
        """An image that activates nothing is similar to nothing."""
        model = model_of(tmp_path, ("Relu", {}), ("Flatten", {}))
        found = model.describe_picture(np.zeros((20, 20, 3), np.uint8))
        assert (found == 0).all()
        assert (best_view(found, model.describe_picture(poster(1))) == 0).all()

    def test_large_values(self, tmp_path: Path) -> None:
        """Values whose squares leave float32 still give a unit vector."""
        model = model_of(tmp_path, std=[1e-25, 1e-25, 1e-25])
        assert np.linalg.norm(model.describe_picture(poster(1))) == pytest.approx(1, abs=1e-5)

    def test_no_network(self, tmp_path: Path) -> None:
        write_card(tmp_path / "card.json")
        (tmp_path / "tiny.onnx").write_bytes(b"no network")
        with pytest.raises(ModelError, match=r"tiny\.onnx cannot be run"):
            FullImageModel(tmp_path)
        (tmp_path / "tiny.onnx").write_bytes(b"")
        with pytest.raises(ModelError, match=r"tiny\.onnx"):
            FullImageModel(tmp_path)

    def test_half_precision(self, tmp_path: Path) -> None:
        """Outputs of 16 bits are taken; descriptors are float32 all the same."""
        model = model_of(tmp_path, ("Cast", {"to": TensorProto.FLOAT16}), ("Flatten", {}), gives=TensorProto.FLOAT16)
        assert model.describe_picture(poster(1)).dtype == np.float32


class TestDocumentation:
    """docs/backbones.md tells of what there is."""

    TEXT = (Path(__file__).resolve().parents[2] / "docs" / "backbones.md").read_text("utf-8")

    def test_every_field(self) -> None:
        table = self.TEXT.split("## The card", 1)[1].split("```", 1)[0]
        assert [field for field in RULES if f"`{field}`" not in table] == []

    def test_the_example_is_a_card(self, tmp_path: Path) -> None:
        (tmp_path / "card.json").write_text(self.TEXT.split("```json", 1)[1].split("```", 1)[0])
        assert len(parse_views(read_full_image_card(tmp_path / "card.json").views)) == 5
