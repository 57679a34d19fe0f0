"""Lists against what others compute."""

from __future__ import annotations

from benchmarks.compare.parts.shortlists.phash import PHash
from tests.support.drawn_sets import drawn, photograph


class TestOracles:
    def test_hamming(self) -> None:
        """pHash by brute force with the package's own difference."""
        import imagehash
        from PIL import Image

        one = PHash()
        images = [drawn(seed)[:, :, ::-1].copy() for seed in range(6)]
        one.build([one.describe(i, photo=False) for i in images])
        shot = photograph(2)[:, :, ::-1].copy()
        numbers, scores = one.search(one.describe(shot, photo=True), 6)
        own = imagehash.phash(Image.fromarray(shot))
        expected = [64 - (own - imagehash.phash(Image.fromarray(images[n]))) for n in numbers]
        assert scores.tolist() == expected == sorted(expected, reverse=True)
