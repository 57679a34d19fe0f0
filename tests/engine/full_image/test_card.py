"""A model's card: its fields, its fingerprint, and what docs/backbones.md tells of it."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from engine.errors import ModelError
from engine.full_image.card import RULES, read_full_image_card
from engine.full_image.model import FullImageModel, FullImageSettings
from engine.full_image.views import parse_views
from tests.support.paths import ROOT
from tests.support.tiny_networks import (
    CARD,
    FLATTEN,
    UINT8,
    model_of,
    network,
    write_card,
)


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


class TestDocumentation:
    """docs/backbones.md tells of what there is."""

    TEXT = (ROOT / "docs" / "backbones.md").read_text("utf-8")

    def test_every_field(self) -> None:
        table = self.TEXT.split("## The card", 1)[1].split("```", 1)[0]
        assert [field for field in RULES if f"`{field}`" not in table] == []

    def test_the_example_is_a_card(self, tmp_path: Path) -> None:
        (tmp_path / "card.json").write_text(self.TEXT.split("```json", 1)[1].split("```", 1)[0])
        assert len(parse_views(read_full_image_card(tmp_path / "card.json").views)) == 5
