"""Makes of a trained comparator what `models/` holds: the ONNX network in int8, and its card."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from engine.onnx_session import open_session
from engine.values import ByteArray
from training.comparator.network import Comparator
from training.export.patch_model import OPSET, PARITY

CALIBRATED_ON = 200
"""Held-out comparisons that the range of each layer's numbers is taken from."""
_CPU = ("CPUExecutionProvider",)


def export(trained: Path, out: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """trained: the folder with comparator.pt and the comparisons; out: gets comparator.onnx and comparator.json, whose
    content is given back."""
    out.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = torch.load(trained / "comparator.pt", weights_only=True, map_location="cpu")
    network = Comparator(width=state["settings"]["width"])
    network.load_state_dict(state["weights"])
    network.eval()
    held = [np.load(path)["frames"] for path in sorted((trained / "comparisons").glob("val_*.npz"))]
    frames = np.concatenate(held)
    plain = out / "comparator.float32.onnx"
    parity = _write(network, plain, frames[:4])
    agreement = _quantise(plain, out / "comparator.onnx", frames[:CALIBRATED_ON])
    plain.unlink()
    card = {
        "name": "obverse-comparator",
        "network": "comparator.onnx",
        "input": {"name": "frames", "shape": ["N", 7, 256, 256], "type": "uint8"},
        "output": {"name": "judged", "shape": ["N", 3, 16, 16], "classes": ["same", "different", "hidden"]},
        "parameters": sum(p.numel() for p in network.parameters()),
        "opset": OPSET,
        "parity_to_pytorch": parity,
        "int8_agrees_with_float32": round(agreement, 5),
        "training": {"steps": state["step"], "seconds": round(state["seconds"]), "settings": state["settings"]},
        **facts,
    }
    (out / "comparator.json").write_text(json.dumps(card, indent=2) + "\n")
    return card


def _write(network: Comparator, path: Path, frames: ByteArray) -> float:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the TorchScript exporter needs no further package, and says it is old
        torch.onnx.export(
            network,
            (torch.from_numpy(frames[:1]),),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            input_names=["frames"],
            output_names=["judged"],
            dynamic_axes={"frames": {0: "N"}, "judged": {0: "N"}},
        )
    with torch.no_grad():
        expected = network(torch.from_numpy(frames)).numpy()
    given = open_session(path, threads=1, providers=_CPU).run(None, {"frames": frames})[0]
    difference = float(np.abs(given - expected).max())
    if difference > 20 * PARITY:  # logits are some ten times as large as the descriptors that PARITY is for
        raise RuntimeError(f"the exported network differs from PyTorch by {difference}")
    return difference


def _quantise(source: Path, target: Path, frames: ByteArray) -> float:
    """Writes the int8 form (static, per channel, QDQ); gives the share of cells that it judges as float32 does. The
    first convolutions stay in float32: of few channels, the int8 kernels take longer."""
    from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Reader(CalibrationDataReader):  # type: ignore[misc]
        def __init__(self) -> None:
            self.batches = iter(np.array_split(frames, max(1, len(frames) // 10)))

        def get_next(self) -> dict[str, ByteArray] | None:
            batch = next(self.batches, None)
            return None if batch is None else {"frames": batch}

    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
    convolutions = [node.name for node in onnx.load(str(prepared)).graph.node if node.op_type == "Conv"]
    quantize_static(
        str(prepared),
        str(target),
        Reader(),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["Conv", "Relu"],
        nodes_to_exclude=[convolutions[0], convolutions[2], convolutions[-1]],
    )
    prepared.unlink()
    one, other = (open_session(path, threads=2, providers=_CPU) for path in (source, target))
    same = [
        (one.run(None, {"frames": batch})[0].argmax(1) == other.run(None, {"frames": batch})[0].argmax(1)).mean()
        for batch in np.array_split(frames, max(1, len(frames) // 10))
    ]
    return float(np.mean(same))
