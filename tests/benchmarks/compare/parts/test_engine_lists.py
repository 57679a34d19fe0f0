"""Obverse's own gallery in a comparison."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.compare.material import Material
from benchmarks.compare.parts.engine_lists import EngineGallery, is_filled
from engine.recognizer import Recognizer
from engine.shortlist.votes import SMALL


class TestEngineGallery:
    def test_filling_interrupted(self, material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A gallery that was half filled is filled on, and keeps count."""
        told = []

        def stop() -> None:
            told.append(1)
            if len(told) == 4:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            EngineGallery(tmp_path, material.pictures, tell=stop)
        assert not is_filled(tmp_path, material.pictures)
        added = []
        add = Recognizer.add
        monkeypatch.setattr(Recognizer, "add", lambda *a, **k: added.append(a[2]) or add(*a, **k))
        gallery = EngineGallery(tmp_path, material.pictures)
        assert len(gallery.ids()) == len(material.pictures)
        assert gallery.adds_per_second > 0
        gallery.close()
        assert is_filled(tmp_path, material.pictures)
        assert len(added) == len(material.pictures)
        again = EngineGallery(tmp_path, material.pictures)
        assert len(added) == len(material.pictures)
        again.close()
        # Its index was built for these votes, and would go on with them.
        monkeypatch.setattr("engine.shortlist.votes.SMALL", replace(SMALL, hamming=SMALL.hamming + 4))
        assert not is_filled(tmp_path, material.pictures)
