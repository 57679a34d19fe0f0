"""The card of a full-image model: JSON that tells what the ONNX file cannot, so that no guess is made.

Every field is checked, and a name that no field has is refused: a misspelt `mean` would otherwise cost recall in
silence. docs/backbones.md lists the fields for people.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from engine.errors import ModelError
from engine.full_image.views import parse_views

Triple = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class FullImageCard:
    """What a full-image model reads and gives.

    name: of the model; network: file name of the ONNX file, beside the card; input, output: names in it.
    size: (H, W) in pixels of what the network reads; layout: of its axes, "NCHW" or "NHWC".
    dtype: "uint8": pixels as they are; "float32": (pixel / 255 - mean) / std, channel by channel.
    mean, std: in the order of `colour`; of float32 models only, where both must be given.
    colour: "RGB" or "BGR".
    resize: "stretch" to the size; "crop": scaled to cover, the middle is cut out; "letterbox": scaled to fit, the
        rest is filled with the mean colour (uint8: grey 127).
    crop_share: with "crop", the size over that of the scaled image's shorter side: 0.875 is 224 of 256.
    pooling: "none" for an output (N, D); "mean" or "gem" for a map (N, C, h, w), or (N, h, w, C) with NHWC, and for
        tokens (N, T, D); "first": the first token.
    gem_power: p of generalised-mean pooling (Radenovic, Tolias, Chum 2018, equation 3).
    views: of a photo; pictures of the gallery are always seen whole.
    dimension: of the descriptor; checked if given. about: facts for people, of any kind: origin, licence, figures.
    """

    name: str
    network: str
    input: str
    output: str
    size: tuple[int, int]
    layout: str
    dtype: str
    colour: str
    resize: str
    pooling: str
    mean: Triple | None = None
    std: Triple | None = None
    crop_share: float = 1.0
    gem_power: float = 3.0
    views: tuple[str, ...] = ("whole",)
    dimension: int | None = None
    about: dict[str, Any] = field(default_factory=dict)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 65_536


def _list_of(check: Callable[[Any], bool], length: int | None = None) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, list) and len(value) == (length or max(1, len(value))) and all(map(check, value))
    )


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _one_of(*words: str) -> tuple[Callable[[Any], bool], str]:
    return (lambda value: value in words), "one of " + ", ".join(f'"{word}"' for word in words)


RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_text, "a text"),
    "network": (lambda v: _text(v) and Path(v).name == v, "a file name beside the card, without folders"),
    "input": (_text, "a text"),
    "output": (_text, "a text"),
    "size": (_list_of(_integer, 2), "two positive whole numbers, [height, width]"),
    "layout": _one_of("NCHW", "NHWC"),
    "dtype": _one_of("uint8", "float32"),
    "colour": _one_of("RGB", "BGR"),
    "resize": _one_of("stretch", "crop", "letterbox"),
    "pooling": _one_of("none", "mean", "gem", "first"),
    "mean": (_list_of(_number, 3), "three numbers"),
    "std": (_list_of(lambda v: _number(v) and v > 0, 3), "three numbers above 0"),
    "crop_share": (lambda v: _number(v) and 0 < v <= 1, "a number above 0, at most 1"),
    "gem_power": (lambda v: _number(v) and 0 < v <= 100, "a number above 0, at most 100"),
    "views": (_list_of(_text), "a list of texts, not empty"),
    "dimension": (_integer, "a positive whole number"),
    "about": (lambda v: isinstance(v, dict), "an object"),
}
"""Field to what its value must be, for the machine and for people."""


def find_card(model: Path) -> tuple[FullImageCard, Path]:
    """The card and the ONNX file of a folder with card.json, or of NAME.onnx with NAME.json or card.json beside it.
    Raises ModelError."""
    if model.is_dir():
        path, network = model / "card.json", None
    elif model.is_file():
        own, network = model.with_suffix(".json"), model.name
        path = own if own.is_file() else model.with_name("card.json")
    else:
        raise ModelError(f"{model} does not exist: give an ONNX file, or a folder with card.json")
    if not path.is_file():
        beside = "" if network is None else f" (nor is there {model.with_suffix('.json').name})"
        raise ModelError(f"{path} is missing{beside}: a model needs a card, see docs/backbones.md")
    card = read_full_image_card(path, network=network)
    if network is not None and card.network != network:
        raise ModelError(f"{path} is the card of {card.network}, not of {network}")
    return card, path.with_name(card.network)


def read_full_image_card(path: Path, *, network: str | None = None) -> FullImageCard:
    """The card of a file; `network` stands in where it names no ONNX file. Raises ModelError with the file, the
    field and its rule."""
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise ModelError(f"{path} is not a card: a JSON object is expected")
    if network is not None:
        content = {"network": network} | content
    for key, value in content.items():
        if key not in RULES:
            near = difflib.get_close_matches(key, RULES, n=1, cutoff=0)
            raise ModelError(
                f"{path}: a card has no field {key!r}; the nearest is {near[0]!r}, free facts go to 'about'"
            )
        check, rule = RULES[key]
        if not check(value):
            raise ModelError(f"{path}: {key} must be {rule}, not {json.dumps(value)}")
    required = {f.name for f in fields(FullImageCard) if f.default is MISSING and f.default_factory is MISSING}
    if content.get("dtype") == "float32":
        required |= {"mean", "std"}
    if missing := sorted(required - content.keys()):
        raise ModelError(f"{path} lacks {', '.join(missing)}")
    if content["dtype"] == "uint8" and (extra := sorted({"mean", "std"} & content.keys())):
        raise ModelError(f"{path}: {' and '.join(extra)} are of float32 models; a uint8 model reads pixels as they are")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in content.items()}
    card = FullImageCard(**values)
    try:
        parse_views(card.views)
    except ValueError as error:
        raise ModelError(f"{path}: views: {error}") from error
    return card
