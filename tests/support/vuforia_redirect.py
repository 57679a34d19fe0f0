"""A pytest plugin for the public tests of `vws-python-mock`: what they send to the vendor goes to a server of ours.

It runs in an environment of its own, of a newer Python, and imports nothing of ours. docs/vuforia.md says how. Cases
that are not about what this server does are left out here, each with its reason.
"""

from __future__ import annotations

import os
import urllib.parse
from typing import Any

import pytest
import requests.adapters
from requests.structures import CaseInsensitiveDict

VENDORS = ("vws.vuforia.com", "cloudreco.vuforia.com")
EXCLUDED = {
    "test_vumark_generation_api.py": "VuMarks are out of scope",
    "test_docker.py": "about the mock's own image",
    "test_flask_app_usage.py": "about the mock itself",
    "test_requests_mock_usage.py": "about the mock itself",
    "test_respx_mock_usage.py": "about the mock itself",
    "test_target_raters.py": "about the mock itself",
    "test_target_validators.py": "about the mock itself",
    "[vumark_generate_instance": "VuMarks are out of scope",
    "-vumark_generate_instance": "VuMarks are out of scope",
}
"""By a part of the case's name."""

_SPELT = {name.lower(): name for name in ("Connection", "Content-Length", "Content-Type", "Date", "WWW-Authenticate")}
"""Names of headers as the vendor writes them: the cases compare them letter by letter, which HTTP does not."""
_send = requests.adapters.HTTPAdapter.send


def _redirected(self: Any, request: Any, *arguments: Any, **named: Any) -> Any:
    url = urllib.parse.urlsplit(request.url)
    if url.hostname not in VENDORS:
        return _send(self, request, *arguments, **named)
    ours = urllib.parse.urlsplit(os.environ["OBVERSE_VUFORIA"])
    request.url = url._replace(scheme=ours.scheme, netloc=ours.netloc).geturl()
    response = _send(self, request, *arguments, **named)
    spelt = _SPELT if url.hostname == VENDORS[0] else {**_SPELT, "server": "Server"}
    headers = {spelt.get(name.lower(), name): value for name, value in response.headers.items()}
    response.headers = CaseInsensitiveDict(headers)
    return response


requests.adapters.HTTPAdapter.send = _redirected  # type: ignore[method-assign]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what is left out, visibly."""
    for item in items:
        for part, reason in EXCLUDED.items():
            if part in item.nodeid:
                item.add_marker(pytest.mark.skip(reason=reason))
                break
