"""`obverse export-backbone`: a pretrained network as a full-image model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.options import printable
from cli.research.extras import needed_extra


class Resize(StrEnum):
    """How a picture comes to the network's size."""

    letterbox = "letterbox"
    stretch = "stretch"
    crop = "crop"


def export_backbone(
    name: Annotated[str, typer.Argument(help="torchvision's name, such as resnet50 or mobilenet_v3_large.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for NAME.onnx and card.json.")],
    weights: Annotated[
        str,
        typer.Option(help="default: torchvision's best, downloaded; none: random; or a file of a state dictionary."),
    ] = "default",
    size: Annotated[
        int | None, typer.Option(min=32, max=2048, help="Pixels on a side (default: the weights' own, or 224).")
    ] = None,
    resize: Annotated[Resize, typer.Option(help="How pictures come to that size.")] = Resize.letterbox,
    opset: Annotated[int, typer.Option(min=13, max=20, help="Version of ONNX's operators.")] = 17,
) -> None:
    """Export a torchvision backbone to ONNX, with its card, for `compare`. Needs the `train` extra."""
    with needed_extra("train"):
        from training.export.backbones import export_backbone as export

        card = export(name, out, weights=weights, size=size, resize=resize.value, opset=opset)
    about = card["about"]
    typer.echo(
        f"{printable(out)}: {name} (weights: {about['weights']}), {about['parameters']:,} parameters, "
        f"{card['dimension']} numbers an image, differs from PyTorch by {about['parity_to_pytorch']:.1g}"
    )
