"""Scripts, styles and icons: files of the package, at addresses that change with their content."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path

from litestar import Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from api.edge.refusals import AnyRequest

FOLDER = Path(__file__).with_name("assets")
KINDS = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@functools.cache
def _files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in KINDS}


@functools.cache
def address(name: str) -> str:
    """Below /console/assets, with the beginning of its hash: browsers may keep it for ever. Raises KeyError."""
    return f"{name}?v={hashlib.sha256(_files()[name]).hexdigest()[:12]}"


@get("/{name:str}")
async def asset(request: AnyRequest, name: FromPath[str]) -> Response[bytes]:
    """Raises NotFoundException: only names in the folder are looked up, never paths."""
    content = _files().get(name)
    if content is None:
        raise NotFoundException
    # What is imported or linked without its hash may be another file after an upgrade.
    kept = "public, max-age=31536000, immutable" if request.query_params.get("v") else "no-cache"
    headers = {
        "Cache-Control": kept,
        "Cross-Origin-Resource-Policy": "cross-origin",
        "Access-Control-Allow-Origin": "*",
    }
    return Response(content, media_type=KINDS[Path(name).suffix], headers=headers)


HANDLERS = [asset]
