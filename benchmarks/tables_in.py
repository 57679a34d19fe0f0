"""CSV files as programs write them: UTF-8 or UTF-16, with a byte-order mark or not; commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from engine.errors import ResearchError

_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DELIMITERS = ",;\t"


def read_cells(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of each row, the header among them; empty lines are left out. The delimiter is the one that
    the header has most of. Raises ResearchError with file, line and reason, OSError where the file cannot be read."""
    text = _decoded(path)
    first = text.partition("\n")[0].strip()
    if told := re.fullmatch(r"sep=(.)", first):  # how Excel is told, and tells, which delimiter follows
        delimiter, text = told[1], "\n" + text.partition("\n")[2]
    else:
        delimiter = max(_DELIMITERS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if cells:
                yield reader.line_num, cells
    except csv.Error as error:
        raise ResearchError(f"{path}, line {max(reader.line_num, 1)}: {error}") from error


def read_table(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Line number and the named cells of each row, without blanks around them; other columns are left alone. Raises
    ResearchError where a column is missing or a row is short, and what `read_cells` does."""
    rows = read_cells(path)
    header = [name.strip().lower() for name in next(rows, (1, []))[1]]
    if missing := [name for name in columns if name.lower() not in header]:
        raise ResearchError(f"{path}: no column {', '.join(missing)}; the header is {', '.join(header) or 'empty'}")
    at = {name: header.index(name.lower()) for name in columns}
    for line, cells in rows:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) <= max(at.values()):
            raise ResearchError(f"{path}, line {line}: {len(cells)} cells where the header has {len(header)}")
        yield line, {name: cells[place].strip() for name, place in at.items()}


def _decoded(path: Path) -> str:
    """The file's text; bytes that are no UTF-8 stay what they are, as in the names of files."""
    data = path.read_bytes()
    encoding = next((name for mark, name in _BOMS if data.startswith(mark)), "utf-8-sig")
    try:
        return data.decode(encoding, "strict" if encoding == "utf-16" else "surrogateescape")
    except UnicodeDecodeError as error:
        raise ResearchError(f"{path}: it begins like UTF-16 and is none: {error}") from error
