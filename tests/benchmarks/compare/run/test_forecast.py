"""How long a comparison will take."""

from __future__ import annotations

from pathlib import Path

from benchmarks.compare.material import Material
from benchmarks.compare.methods import find_method
from benchmarks.compare.run.forecast import PREPARING, forecast
from benchmarks.compare.run.runner import due_photos
from benchmarks.compare.settings import RunSettings
from tests.support.comparisons import QUICK, compare


class TestForecast:
    def test_all_methods(self, material: Material, tmp_path: Path) -> None:
        """Seconds for the preparation and each method; a method that is done costs nothing."""
        methods, settings = [find_method(n) for n in QUICK], RunSettings()
        due = due_photos(tmp_path, methods, material, settings)
        found = forecast(tmp_path / "cache", material, methods, due)
        assert set(found) == {PREPARING, *QUICK}
        assert all(seconds > 0 for seconds in found.values())
        compare(tmp_path, material)
        due = due_photos(tmp_path, methods, material, settings)
        assert forecast(tmp_path / "cache", material, methods, due) == {}
