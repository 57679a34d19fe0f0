"""Any ONNX image model as a global descriptor: one vector of the whole picture, several views of the photo.

The engine's own recognition does without: a full-image network is a second opinion where there is little texture, and
a method to compare with. Descriptors are unit vectors; similarity is their inner product, -1 to 1, bigger is better.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from engine.errors import ModelError
from engine.full_image.card import FullImageCard, find_card
from engine.full_image.views import parse_views
from engine.onnx_session import open_session
from engine.values import Array, ColorImage, FloatArray

TENSORS = {"uint8": "tensor(uint8)", "float32": "tensor(float)"}


@dataclass(frozen=True, kw_only=True)
class FullImageSettings:
    """views: of a photo, see engine/full_image/views.py; None takes the card's. threads: of one inference; batch: most
    views of one inference; providers: ONNX Runtime's execution providers, tried in order."""

    views: tuple[str, ...] | None = None
    threads: int = 1
    batch: int = 8
    providers: tuple[str, ...] = ("CPUExecutionProvider",)


class FullImageModel:
    """Images to descriptors. Safe for use by many threads."""

    def __init__(self, model: Path, settings: FullImageSettings | None = None) -> None:
        """Opens a folder with card.json, or NAME.onnx with NAME.json or card.json beside it, and shows it one image,
        so that a card that does not fit is found now. Raises ModelError."""
        settings = settings or FullImageSettings()
        self.card, network = find_card(model)
        names = settings.views if settings.views is not None else self.card.views
        try:
            self.views = parse_views(names)
        except ValueError as error:
            raise ModelError(str(error)) from error
        if not network.is_file():
            raise ModelError(f"{network} is missing; the card of {self.card.name!r} names it")
        self._file = network
        self._session = open_session(network, threads=settings.threads, providers=settings.providers)
        self._batch = self._check_input(settings.batch)
        outputs = [output.name for output in self._session.get_outputs()]
        if self.card.output not in outputs:
            raise ModelError(f"{network} has no output {self.card.output!r}; it has {', '.join(outputs)}")
        # Noise: a plain image may leave a network without any activation, and then nothing would be seen of it.
        probe = np.random.default_rng(0).integers(0, 256, (*self.card.size, 3), np.uint8)
        self.dimension = int(self._run([probe]).shape[1])
        if self.card.dimension not in (None, self.dimension):
            raise ModelError(f"{network} gives {self.dimension} numbers, its card says {self.card.dimension}")
        self.fingerprint = f"{self.card.name}-{_digest(network, dataclasses.replace(self.card, about={}, views=names))}"

    def describe(self, photo: ColorImage) -> FloatArray:
        """(V, D) float32 unit vectors of the photo's V views, in the order of `views`; photo (H, W, 3) uint8 RGB.

        A view whose output is zero throughout stays zero: similar to nothing. Raises ModelError where the network
        gives what is no number, ValueError where the photo is no such array.
        """
        _check_image(photo)
        return self._run([view.of(photo) for view in self.views])

    def describe_picture(self, picture: ColorImage) -> FloatArray:
        """(1, D): as `describe`, of the whole picture."""
        _check_image(picture)
        return self._run([picture])

    def _run(self, images: Sequence[ColorImage]) -> FloatArray:
        batches = (images[start : start + self._batch] for start in range(0, len(images), self._batch))
        described = [self._infer(np.stack([to_input(image, self.card) for image in batch])) for batch in batches]
        return np.concatenate(described)

    def _infer(self, tensor: Array) -> FloatArray:
        try:
            output = self._session.run([self.card.output], {self.card.input: tensor})[0]
        except Exception as error:  # ONNX Runtime's errors share no parent but Exception
            raise ModelError(f"{self._file} cannot be run as its card says: {error}") from error
        if not isinstance(output, np.ndarray) or output.dtype.kind not in "fiu":
            raise ModelError(f"output {self.card.output!r} of {self._file} holds no array of numbers")
        if not np.isfinite(output).all():
            raise ModelError(f"{self._file} gives values that are no numbers; check mean and std in its card")
        vectors = pooled(output, self.card, count=len(tensor)).astype(np.float64)  # squares of 1e20 end float32
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: FloatArray = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
        return unit

    def _check_input(self, batch: int) -> int:
        """Images of one inference. Raises ModelError where the network reads something else than the card says."""
        card, inputs = self.card, self._session.get_inputs()
        names = [found.name for found in inputs]
        if card.input not in names:
            raise ModelError(f"{self._file} has no input {card.input!r}; it has {', '.join(names)}")
        if len(inputs) > 1:
            raise ModelError(f"{self._file} has {len(inputs)} inputs ({', '.join(names)}); a model of one is needed")
        kind, shape = inputs[0].type, inputs[0].shape
        if kind != TENSORS[card.dtype]:
            raise ModelError(f"{self._file} reads {kind}, its card says {card.dtype}")
        wanted = [3, *card.size] if card.layout == "NCHW" else [*card.size, 3]
        # Axes of free length are texts or None; the first is the batch's.
        if len(shape) != 4 or any(isinstance(s, int) and s != w for s, w in zip(shape[1:], wanted, strict=True)):
            raise ModelError(f"{self._file} reads {shape}, its card says {card.layout} of 3 x {card.size}")
        if isinstance(shape[0], int) and shape[0] != 1:
            raise ModelError(f"{self._file} reads batches of just {shape[0]}; export it with a free batch, or with 1")
        return max(1, batch) if shape[0] != 1 else 1


def best_view(photo: FloatArray, pictures: FloatArray) -> FloatArray:
    """(N,) float32 similarities of N pictures (N, D): each one's best over the photo's views (V, D)."""
    similarities: FloatArray = (photo @ pictures.T).max(axis=0)
    return similarities


def to_input(image: ColorImage, card: FullImageCard) -> Array:
    """One image (h, w, 3) uint8 RGB, resized, normalised and laid out as the card says, without the batch's axis."""
    pixels = _fit(image, card)
    if card.colour == "BGR":
        pixels = pixels[:, :, ::-1]
    if card.dtype == "float32":
        mean, std = np.array(card.mean, np.float32), np.array(card.std, np.float32)
        pixels = (pixels.astype(np.float32) / 255 - mean) / std
    return pixels.transpose(2, 0, 1) if card.layout == "NCHW" else pixels


def _fit(image: ColorImage, card: FullImageCard) -> ColorImage:
    """(H, W, 3) uint8 RGB of the card's size."""
    height, width = card.size
    if card.resize == "stretch":
        return _resize(image, width, height)
    scales = height / image.shape[0], width / image.shape[1]
    if card.resize == "crop":
        scale = max(scales) / card.crop_share
        w, h = max(width, round(image.shape[1] * scale)), max(height, round(image.shape[0] * scale))
        x, y = (w - width) // 2, (h - height) // 2
        return _resize(image, w, h)[y : y + height, x : x + width]
    w, h = (
        max(1, min(most, round(side * min(scales))))
        for most, side in ((width, image.shape[1]), (height, image.shape[0]))
    )
    x, y = (width - w) // 2, (height - h) // 2
    fill = (127, 127, 127) if card.mean is None else tuple(round(255 * m) for m in card.mean)
    canvas = np.empty((height, width, 3), np.uint8)
    canvas[:] = np.clip(fill if card.colour == "RGB" else fill[::-1], 0, 255)
    canvas[y : y + h, x : x + w] = _resize(image, w, h)
    return canvas


def _resize(image: ColorImage, width: int, height: int) -> ColorImage:
    # Averaging where it shrinks, so that fine print does not alias; OpenCV's area rule is no use for growing.
    shrinks = width < image.shape[1] or height < image.shape[0]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def pooled(output: Array, card: FullImageCard, *, count: int) -> FloatArray:
    """(count, D) float32 of a network's output. Raises ModelError where its rank is not what the pooling needs."""
    ranks = {"none": (2,), "first": (3,), "mean": (3, 4), "gem": (3, 4)}[card.pooling]
    if output.ndim not in ranks or len(output) != count:
        needed = " or ".join(str(rank) for rank in ranks)
        raise ModelError(
            f"output {card.output!r} of {card.name!r} has shape {output.shape} for {count} images; "
            f"pooling {card.pooling!r} needs {needed} axes, the first one for the images"
        )
    values: FloatArray = output.astype(np.float32)
    if card.pooling == "none":
        return values
    if card.pooling == "first":
        return values[:, 0]
    axes = (1,) if values.ndim == 3 else (2, 3) if card.layout == "NCHW" else (1, 2)
    if card.pooling == "mean":
        return np.asarray(values.mean(axes))
    positive = np.maximum(values, 1e-6)  # a power needs what a ReLU leaves; Radenovic's networks take this floor
    peak = positive.max(axes, keepdims=True)  # taken out, because high powers of large values end float32
    return np.asarray(((positive / peak) ** card.gem_power).mean(axes) ** (1 / card.gem_power) * peak.squeeze(axes))


def _check_image(image: ColorImage) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"an image is (H, W, 3) uint8, not {image.shape} {image.dtype}")


def _digest(network: Path, card: FullImageCard) -> str:
    """12 hexadecimal digits of all that descriptors depend on: weights, which may lie in NAME.onnx.data, and card."""
    digest = hashlib.sha256(repr(card).encode())
    for path in (network, network.with_name(network.name + ".data")):
        if path.is_file():
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]
