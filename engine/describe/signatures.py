"""64-bit signatures: how far two are apart, and what a match of two weighs."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from engine.values import Array, FloatArray


def unpack_signatures(signatures: Array) -> FloatArray:
    """(N, 64) float32 of -1 and +1 from (N,) uint64."""
    bits = np.unpackbits(np.ascontiguousarray(signatures).view(np.uint8).reshape(-1, 8), axis=1, bitorder="little")
    return bits.astype(np.float32) * 2 - 1


HAMMING_WEIGHT = np.exp(-((np.arange(65) / 14.0) ** 2)).astype(np.float32)
"""exp(-(h / 14)^2): the weight of a match by its Hamming distance h. The width of 14 bits was chosen by trial: nine in
ten signatures of the same point, seen in two photos, differ in 16 bits or fewer (docs/decisions/0011)."""


@intrinsic
def popcount(_context, value):  # type: ignore[no-untyped-def]  # noqa: ARG001  # a Numba intrinsic
    """Bits set in a uint64, as the processor's own instruction."""
    return types.int64(types.uint64), lambda _c, builder, _s, arguments: builder.ctpop(arguments[0])
