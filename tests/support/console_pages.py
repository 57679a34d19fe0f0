"""A browser without scripts: follows links and fills in the forms of the console's pages as they are."""

from __future__ import annotations

import html.parser
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

File = tuple[str, bytes]
"""Name and content of an uploaded file."""


@dataclass
class Form:
    """One form of a page."""

    action: str
    method: str
    fields: dict[str, str] = field(default_factory=dict)
    """What it would send as it is: hidden fields, values, the chosen option; checkboxes only where checked."""
    buttons: list[tuple[str, str]] = field(default_factory=list)
    """Name and value of those that have a name."""
    names: set[str] = field(default_factory=set)
    """All names of its fields."""
    files: list[str] = field(default_factory=list)
    """Names of its file fields."""


class _Reader(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self._form: Form | None = None
        self._select = self._area = ""

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append((tag, found))
        if tag == "form":
            self._form = Form(action=found.get("action", ""), method=found.get("method", "get"))
            self.forms.append(self._form)
        if self._form is None:
            return
        name = found.get("name", "")
        if name:
            self._form.names.add(name)
        if tag == "input" and name:
            kind = found.get("type", "text")
            if kind == "file":
                self._form.files.append(name)
            elif kind not in ("checkbox", "radio") or "checked" in found:
                self._form.fields[name] = found.get("value", "on" if kind == "checkbox" else "")
        elif tag == "button" and name:
            self._form.buttons.append((name, found.get("value", "")))
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if "selected" in found or self._select not in self._form.fields:
                self._form.fields[self._select] = found.get("value", "\0")
        elif tag == "textarea":
            self._area = name
            self._form.fields[name] = ""

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._select = ""
        elif tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._form is None:
            return
        if self._select and self._form.fields.get(self._select) == "\0":
            self._form.fields[self._select] = data
        if self._area:
            self._form.fields[self._area] += data.removeprefix("\n")


class Page:
    """An answer, read."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        reader = _Reader()
        if response.headers.get("content-type", "").startswith("text/html"):
            reader.feed(response.text)
        self.forms, self.elements = reader.forms, reader.elements
        self.text = " ".join(" ".join(reader.texts).split())

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def path(self) -> str:
        return self.response.url.path

    def form(self, action: str, **having: str) -> Form:
        """The first form to an address that ends so, and has these values."""
        return next(
            form
            for form in self.forms
            if re.split("[?#]", form.action)[0].endswith(action)
            and all(form.fields.get(name) == value for name, value in having.items())
        )

    def attributes(self, name: str) -> list[str]:
        """Values of an attribute, of all elements that have it."""
        return [found[name] for _, found in self.elements if name in found]

    @property
    def identifier(self) -> str:
        """What Try found."""
        (found,) = self.attributes("data-identifier")
        return found


class _Client(httpx.Client):
    """Closes its connections when nobody has it any more."""

    def __del__(self) -> None:
        self.close()


class Visit:
    """One browser, with cookies of its own."""

    def __init__(self, base: str) -> None:
        self.client = _Client(base_url=base, timeout=60, follow_redirects=True)
        self.close = self.client.close

    def get(self, path: str, **query: Any) -> Page:
        return Page(self.client.get(path, params=query or None))

    def post(self, path: str, fields: dict[str, str] | None = None, files: Sequence[File] = ()) -> Page:
        """A form that nobody has shown. Files are sent as `image`."""
        if files:
            parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in (fields or {}).items()]
            parts += [("image", (name, content, "application/octet-stream")) for name, content in files]
            return Page(self.client.post(path, files=parts))
        return Page(self.client.post(path, data=fields or {}))

    def submit(self, form: Form, files: Sequence[File] = (), **changes: str) -> Page:
        """The form as it is, with these changes."""
        fields = {**form.fields, **changes}
        if form.method == "get":
            return Page(self.client.get(form.action, params=fields))
        if files or any(name.startswith("pick.") for name in form.names):
            parts: list[tuple[str, Any]] = [(name, (None, value)) for name, value in fields.items()]
            parts += [(form.files[0], (name, content, "application/octet-stream")) for name, content in files]
            return Page(self.client.post(form.action, files=parts))
        return Page(self.client.post(form.action, data=fields))

    def sign_in(self, **given: str) -> Page:
        """With `username` and `secretkey`, or with `password`."""
        page = self.get("/console/sign-in")
        form = next(form for form in page.forms if set(given) <= form.names)
        return self.submit(form, **given)

    @property
    def token(self) -> str:
        """Of the session's forms."""
        return self.get("/console").form("/sign-out").fields["csrf"]
