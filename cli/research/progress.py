"""Bars that show how far the long commands are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from cli.options import notices

if TYPE_CHECKING:
    from benchmarks.compare.progress import Tell


@contextlib.contextmanager
def bars() -> Iterator[Tell]:
    """A bar for each step that is begun."""
    from benchmarks.compare.progress import Tell

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=notices()) as progress:

        def begin(title: str, steps: int) -> None:
            progress.add_task(title, total=steps)

        yield Tell(begin, lambda: progress.advance(progress.task_ids[-1]))


@contextlib.contextmanager
def share_bar(title: str) -> Iterator[Callable[[float, str], None]]:
    """A bar for what tells its done share, 0 to 1, and its state in words; shown from the first call on."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[state]}"), console=notices()) as progress:
        task = progress.add_task(title, start=False, total=1.0, visible=False, state="")

        def watch(share: float, state: str) -> None:
            progress.start_task(task)  # only the first time
            progress.update(task, completed=share, state=state, visible=True)

        yield watch
