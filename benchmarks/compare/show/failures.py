"""The gallery of failures: photo, answer, truth, and the matches where the method drew any."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.compare.files import Geometry
from benchmarks.compare.show.tables import escaped
from benchmarks.compare.show.thumbnails import drawn_matches, jpeg, reason, thumbnail
from benchmarks.sets import read_set
from engine.errors import ImageError
from engine.values import ColorImage


class Pictures:
    """Where the pictures of a run lie, and each of them small, as a data URL or as the reason why not."""

    def __init__(self, results: Mapping[str, Any], geometry: Mapping[tuple[str, str, str], Geometry]) -> None:
        self._folders = {one["name"]: Path(one["folder"]) for one in results["sets"]}
        self._truth = {name: read_set(folder, with_files=False).truth for name, folder in self._folders.items()}
        self._geometry = geometry
        self._known: dict[Path, str] = {}

    def right(self, set_name: str, query: str) -> list[str]:
        """The references that answer a photo rightly."""
        return sorted(self._truth[set_name].get(query, ()))

    def figure(self, path: Path | None, caption: str) -> str:
        """A picture with its caption; None: one that lies in no folder of the run."""
        if path is None:
            return self._framed("", caption, "not in a folder of the run")
        if path not in self._known:
            self._known[path] = _tag(lambda: thumbnail(path)[0], path.name)
        return self._framed(self._known[path], caption)

    def matches(self, method: str, failure: Mapping[str, Any]) -> str:
        """The inliers, drawn, where the method's geometry of this photo is there."""
        found = self._geometry.get((method, failure["set"], failure["query"]))
        picture = self.picture(failure["set"], found.ref) if found else None
        if found is None or picture is None:
            return ""
        photo = self.photo(failure["set"], failure["query"])
        tag = _tag(lambda: drawn_matches(picture, photo, found), f"matches of {found.ref}")
        return self._framed(tag, f"matches, {len(found.inliers)} drawn")

    def photo(self, set_name: str, query: str) -> Path:
        """The file of a photo."""
        return self._folders[set_name] / "queries" / query

    def picture(self, set_name: str, ref: str) -> Path | None:
        """The file of a picture, as predictions for that set write it; None for a distractor: the run does not name its
        folder."""
        if (Path(ref).is_absolute() and not ref.startswith("//")) or ".." in Path(ref).parts:
            return None  # a stranger's CSV may not reach out of the folder
        if ref.startswith("//"):
            set_name, _, ref = ref[2:].partition("/")
        folder = self._folders.get(set_name)
        return folder / "refs" / ref if folder else None

    def _framed(self, tag: str, caption: str, missing: str = "") -> str:
        content = tag or f'<p class="absent">{escaped(missing)}</p>'
        return f"<figure>{content}<figcaption>{escaped(caption)}</figcaption></figure>"


def _tag(draw: Callable[[], ColorImage], alt: str) -> str:
    """The image that `draw` gives, or why it cannot be shown."""
    try:
        data = base64.b64encode(jpeg(draw())).decode()
    except (OSError, ImageError) as error:
        return f'<p class="absent">{escaped(alt)} cannot be shown: {escaped(reason(error))}</p>'
    return f'<img loading="lazy" src="data:image/jpeg;base64,{data}" alt="{escaped(alt)}">'


def failure_section(method: Mapping[str, Any], pictures: Pictures) -> str:
    """All failures of a method that results.json holds."""
    items = []
    for failure in method["failures"]:
        set_name, query = failure["set"], failure["query"]
        score = failure["score"]
        facts = [failure["kind"], set_name]
        facts += [f"score {score:.4g}"] if score is not None and math.isfinite(score) else []
        right = pictures.right(set_name, query)
        if right:
            rank = failure["right_rank"]
            facts.append(f"right picture at rank {rank}" if rank else "right picture not listed")
        shown = [pictures.figure(pictures.photo(set_name, query), f"photo: {query}")]
        if failure["first"]:
            word = "answer" if failure["kind"] in ("wrong", "false, easy", "false, hard") else "ranked first"
            shown.append(pictures.figure(pictures.picture(set_name, failure["first"]), f"{word}: {failure['first']}"))
        if right and right[0] != failure["first"]:
            shown.append(pictures.figure(pictures.picture(set_name, right[0]), f"truth: {right[0]}"))
        shown.append(pictures.matches(method["name"], failure))
        items.append(
            f'<div class="failure"><p>{escaped(" · ".join(map(str, facts)))}</p>'
            f'<div class="pictures">{"".join(shown)}</div></div>'
        )
    content = f'<div class="failures">{"".join(items)}</div>' if items else "<p>None.</p>"
    title = f"{escaped(method['name'])}, {len(items)} shown"
    return f"<details><summary><b>{title}</b></summary>{content}</details>"
