"""The documentation names what there is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from cli.main import app

ROOT = Path(__file__).resolve().parents[1]


def walk(command: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every command that does something, with its options' long names."""
    if hasattr(command, "list_commands"):
        for name in command.list_commands(None):
            yield from walk(command.resolve_command(None, [name])[1], f"{path} {name}")
        return
    yield path, [o for p in command.params for o in p.opts if o.startswith("--") and o != "--help"]


COMMANDS = dict(walk(typer.main.get_command(app), "obverse"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_in_docs_cli(command: str) -> None:
    """Each has a heading of its own, and below it all its options."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert f"\n### {command}" in text
    section = text.split(f"\n### {command}", 1)[1].split("\n#", 1)[0]
    missing = [option for option in COMMANDS[command] if f"`{option}" not in section]
    assert not missing


@pytest.mark.parametrize("name", ["README.md", *(f"docs/{p.name}" for p in sorted((ROOT / "docs").glob("*.md")))])
def test_links_lead_to_files(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    targets = [part.split(")", 1)[0].split("#", 1)[0] for part in text.split("](")[1:]]
    local = [t for t in targets if t and "://" not in t]
    assert [t for t in local if not (ROOT / name).parent.joinpath(t).exists()] == []
