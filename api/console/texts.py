"""What the pages say: one file for each language, with the same keys. `{name}` in a text is filled in."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

FOLDER = Path(__file__).with_name("texts")
LANGUAGES = {"en": "English", "zh": "简体中文"}
"""Codes and own names; the first one stands in where a browser asks for none of them."""


@functools.cache
def catalogue(language: str) -> dict[str, str]:
    """Texts by "section.key"."""
    sections = tomllib.loads((FOLDER / f"{language}.toml").read_text("utf-8"))
    return {f"{section}.{key}": text for section, texts in sections.items() for key, text in texts.items()}


class Words:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """Raises KeyError for a key that no catalogue has: a slip of ours, which the tests of the pages find."""
        text = self._texts[key]
        return text.format(**values) if values else text


def chosen(cookie: str | None, accepted: str) -> str:
    """The language that was chosen on a page, else the first that the browser accepts (Accept-Language, in the order
    that it is written, as browsers write it)."""
    if cookie in LANGUAGES:
        return cookie
    for part in accepted.split(","):
        language = part.split(";")[0].strip().lower().split("-")[0]
        if language in LANGUAGES:
            return language
    return next(iter(LANGUAGES))
