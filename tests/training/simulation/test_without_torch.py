"""The simulation serves the demo, benchmarks and tests, where nothing that training needs is installed."""

from __future__ import annotations

import subprocess
import sys

from tests.support.paths import ROOT

PROBE = """
import importlib, sys
for library in ("torch", "kornia"):
    sys.modules[library] = None  # what Python takes for "cannot be found"
for name in sys.argv[1:]:
    importlib.import_module(f"training.simulation.{name}")
print(sorted(name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision", "kornia")))
"""


def test_imports() -> None:
    """Every module of the simulation is imported where neither torch nor kornia can be found, and loads neither."""
    modules = sorted(p.stem for p in (ROOT / "training" / "simulation").glob("*.py") if p.stem != "__init__")
    assert {"contact_sheet", "new_pictures", "photographs", "recipe", "warp"} <= set(modules)
    done = subprocess.run([sys.executable, "-c", PROBE, *modules], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout == "['kornia', 'torch']\n"  # the two that are kept away, nothing else
