"""The posters that `obverse demo` draws."""

from __future__ import annotations

import numpy as np

from cli.demo.posters import name_of, poster


def test_posters_are_the_same_on_every_run_and_differ_from_each_other() -> None:
    assert (poster(5) == poster(5)).all()
    small = [poster(n)[::20, ::20].astype(np.float32) for n in range(12)]
    assert min(np.abs(a - b).mean() for i, a in enumerate(small) for b in small[:i]) > 10
    assert len({name_of(n) for n in range(2000)}) == 2000
