"""Sortable HTML tables of figures: text for people, and beside it the value that a column is sorted by."""

from __future__ import annotations

import html
from collections.abc import Sequence

NONE = "-"
"""Stands where there is no figure."""


def escaped(text: object) -> str:
    """Names come from files and strangers' CSVs: nothing of them may become markup."""
    return html.escape(str(text), quote=True)


def table(head: Sequence[str], rows: Sequence[Sequence[tuple[str, object]]], *, kind: str = "") -> str:
    """A table that sorts by its columns. head: text; rows: cells as HTML with what each is sorted by; kind: further
    classes for the style."""
    titles = "".join(f'<th scope="col"><button type="button">{escaped(h)}</button></th>' for h in head)
    body = "".join(
        "<tr>" + "".join(f'<td data-value="{escaped(_key(value))}">{cell}</td>' for cell, value in row) + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table class="sortable {kind}"><thead><tr>{titles}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def number(value: float | None, unit: str = "share") -> str:
    """A figure for people, NONE where there is none. unit: a "share" has three places behind the point, any other
    value three digits, or all that stand before the point."""
    if value is None:
        return NONE
    if unit == "share":
        return f"{value:.3f}"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _key(value: object) -> object:
    return "" if value is None else value


def named(text: object) -> tuple[str, object]:
    """A cell of text, sorted by itself."""
    return escaped(text), text
