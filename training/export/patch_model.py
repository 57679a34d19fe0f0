"""Makes of a checkpoint what `models/` holds: the ONNX network, the vocabulary and the card."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from engine.describe.keypoints import PICTURE_DETECTOR, Keypoints, detect
from engine.describe.patches import extract_patches
from engine.describe.repeatability import found_again
from engine.describe.vocabulary import save_vocabulary
from engine.image import resize_long_side, to_gray, trim_margins
from engine.image_files import read_rgb
from engine.onnx_session import open_session
from engine.values import ByteArray, FloatArray
from training.learn.fit import fit_words, with_projection
from training.learn.network import PatchNetwork
from training.learn.repeatability import fit_repeatability, observe

OPSET = 17
WATCHED_PICTURES = 500
"""Pictures that are photographed by simulation to learn which keypoints are found again."""
PARITY = 1e-4
"""Largest difference to PyTorch that an export may show."""


def load_checkpoint(path: Path) -> tuple[PatchNetwork, dict[str, Any]]:
    """The network in evaluation mode, and the checkpoint's facts."""
    state: dict[str, Any] = torch.load(path, weights_only=True, map_location="cpu")
    settings = state["settings"]
    shape = {key: tuple(settings[key]) for key in ("channels", "strides")}
    network = PatchNetwork(**shape, dimension=settings["dimension"])
    network.load_state_dict(state["weights"])
    return network.eval(), state


def export_network(network: PatchNetwork, path: Path) -> float:
    """Writes the ONNX file (batch size free); gives the largest difference to PyTorch on random patches."""
    patches = torch.randint(0, 256, (16, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the TorchScript exporter needs no further package, and says it is old
        torch.onnx.export(
            network,
            (patches,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["patches"],
            output_names=["descriptors"],
            dynamic_axes={"patches": {0: "N"}, "descriptors": {0: "N"}},
        )
    session = open_session(path, threads=1, providers=("CPUExecutionProvider",))
    with torch.no_grad():
        expected = network(patches).numpy()
    difference = float(np.abs(session.run(None, {"patches": patches.numpy()})[0] - expected).max())
    if difference > PARITY:
        raise RuntimeError(f"the exported network differs from PyTorch by {difference}")
    return difference


def quantise_network(source: Path, target: Path, patches: ByteArray) -> float:
    """Writes the int8 form (static, per channel, QDQ), calibrated on `patches`; gives the mean cosine of its
    descriptors to the float ones. The first convolution stays in float32: of one channel, ONNX Runtime's int8
    kernel takes three times as long."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = iter(np.array_split(patches, max(1, len(patches) // 256)))

        def get_next(self) -> dict[str, ByteArray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"patches": batch}

    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    nodes = onnx.load(str(prepared)).graph.node
    stem = [next(node.name for node in nodes if node.op_type == kind) for kind in ("Conv", "Relu")]
    quantize_static(
        str(prepared),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Relu"],
        nodes_to_exclude=stem,
    )
    prepared.unlink()
    one, other = (open_session(p, threads=2, providers=("CPUExecutionProvider",)) for p in (source, target))
    a, b = (s.run(None, {"patches": patches})[0] for s in (one, other))
    return float((a * b).sum(1).mean())


@dataclass(frozen=True)
class Seen:
    """A picture's keypoints, their patches, and the (width, height) in which they are."""

    keypoints: Keypoints
    patches: ByteArray
    size: tuple[int, int]


def seen_in(path: Path) -> Seen | None:
    """As the gallery would take them; None where it would refuse the file."""
    picture = read_rgb(path)
    if picture is None:
        return None
    left, top, right, bottom = trim_margins(picture)
    gray = resize_long_side(to_gray(picture[top:bottom, left:right]), PICTURE_DETECTOR.long_side)
    keypoints = detect(gray, PICTURE_DETECTOR)
    return Seen(keypoints, extract_patches(gray, keypoints), (gray.shape[1], gray.shape[0]))


def export(
    checkpoint: Path, pictures: list[Path], out: Path, *, name: str, card: dict[str, Any], global_dimension: int = 1024
) -> dict[str, Any]:
    """Writes patch.onnx, patch.int8.onnx, vocabulary.npz and card.json into `out`; words, repeatability and PCA
    are fitted on `pictures`."""
    out.mkdir(parents=True, exist_ok=True)
    network, state = load_checkpoint(checkpoint)
    parity = export_network(network, out / "patch.onnx")
    seen = [s for s in map(seen_in, pictures) if s is not None and len(s.keypoints)]
    sample = np.concatenate([s.patches[:16] for s in seen])[:4096]
    cosine = quantise_network(out / "patch.onnx", out / "patch.int8.onnx", sample)
    # Words and medians belong to the network that serves: the int8 one.
    session = open_session(out / "patch.int8.onnx", threads=2, providers=("CPUExecutionProvider",))
    described: list[FloatArray] = [session.run(None, {"patches": s.patches})[0] for s in seen]
    vocabulary = fit_words(described)
    watched = pictures[:: max(1, len(pictures) // WATCHED_PICTURES)]
    figures, found = observe(watched, lambda patches: session.run(None, {"patches": patches})[0], vocabulary)
    vocabulary = replace(vocabulary, repeatability=fit_repeatability(figures, found))
    likely = [found_again(s.keypoints, s.size, vocabulary.repeatability).astype(np.float32) for s in seen]
    vlads = np.stack([vocabulary.vlad(d, p) for d, p in zip(described, likely, strict=True)])
    vocabulary = with_projection(vocabulary, vlads, dimension=min(global_dimension, len(vlads)))
    save_vocabulary(out / "vocabulary.npz", vocabulary)
    facts = {
        "name": name,
        "network": "patch.int8.onnx",
        "network_float32": "patch.onnx",
        "vocabulary": "vocabulary.npz",
        "dimension": network.dimension,
        "input": {"name": "patches", "shape": ["N", 32, 32], "type": "uint8", "normalisation": "inside the network"},
        "architecture": f"PatchNetwork, channels {_dashed(network.channels)}, strides {_dashed(network.strides)}",
        "parameters": sum(p.numel() for p in network.parameters()),
        "opset": OPSET,
        "parity_to_pytorch": parity,
        "cosine_of_int8_to_float32": round(cosine, 5),
        "global_dimension": vocabulary.global_dimension,
        "vlad_words": len(vocabulary.vlad_centroids),
        "keypoints_found_again": round(float(found.mean()), 4) if len(found) else None,
        "training": {"steps": state["step"], "seconds": round(state["seconds"]), "settings": state["settings"]},
        **card,
    }
    (out / "card.json").write_text(json.dumps(facts, indent=2) + "\n")
    return facts


def _dashed(numbers: tuple[int, ...]) -> str:
    return "-".join(map(str, numbers))
