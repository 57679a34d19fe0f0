"""Whether code would run on a GPU, asked on a machine without one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


class OneDevice(TorchFunctionMode):
    """While it is entered, tells tensors that are made with `device=` or moved from those that are made without, and
    fails where one operation gets both: on a GPU it would fail there. Single numbers, and tensors that only index, may
    come from the processor, as on a GPU; what is on the device may not go to NumPy. Tensors that were there before are
    taken to be where they are needed, unless they say otherwise (`place`)."""

    def __init__(self) -> None:
        super().__init__()
        self.operations = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", str(func))
        result = func(*args, **kwargs)
        if name in {"cpu", "to"} and result is args[0]:  # where there is only the processor nothing moves
            result = result.clone()
        # What indexes may be the processor's; what is indexed and what is written may not.
        given = [*args, *kwargs.values()]
        if name in {"__getitem__", "__setitem__"}:
            given = [args[0], *args[2:]]
            rows = {_place(leaf) for leaf in tree_leaves(args[1]) if isinstance(leaf, Tensor)}
            assert not (_place(args[0]) == "processor" and "device" in rows), f"{name} by rows on the device"
        places = {_place(leaf) for leaf in tree_leaves(given) if isinstance(leaf, Tensor)} - {None}
        moved = name == "to" and any(isinstance(leaf, torch.device | str) for leaf in tree_leaves([args[1:], kwargs]))
        if name == "cpu":
            places = {"processor"}
        elif moved or kwargs.get("device") is not None:
            places = {"device"}
        elif not any(isinstance(leaf, Tensor) for leaf in tree_leaves(given)):
            places = {"processor"}
        assert len(places) < 2, f"{name} of tensors on the device and of others"
        assert name not in {"numpy", "__array__"} or places != {"device"}, f"{name} of a tensor on the device"
        self.operations += places == {"device"}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and places:
                leaf.place = next(iter(places))  # type: ignore[attr-defined]
        return result


def _place(tensor: Tensor) -> str | None:
    """ "device", "processor", or None where it does not matter or cannot be told."""
    place: str | None = getattr(tensor, "place", None)
    return None if place == "processor" and tensor.dim() == 0 else place
