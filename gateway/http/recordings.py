"""Serves the recorded voice prompts of the packs, for voice providers to fetch."""

from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from flows.engine.menu_versions import Shelf

PATH = "/prompts/{operator}/{language}/{file}"
TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg"}
CACHE = "public, max-age=86400"
"""One day: providers cache what they played; a changed recording needs a new file name or a day."""


class Prompts:
    """aiohttp handler of the recordings of all operators; no other file of their folders can be fetched."""

    def __init__(self, shelf: Shelf, operators: Collection[str]) -> None:
        self._shelf, self._operators = shelf, operators

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Return the file with content type and cache time; 404 for anything but a known recording."""
        path = self._path(request.match_info["operator"], "{language}/{file}".format(**request.match_info))
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        headers = {"Cache-Control": CACHE, "Content-Type": TYPES[path.suffix]}
        return web.FileResponse(path, headers=headers)

    def _path(self, operator: str, file: str) -> Path | None:
        """Return the path of a recording of the operator's current pack; None for any other file."""
        if operator not in self._operators:
            return None
        menu = self._shelf.current(operator)
        return menu.folder / "prompts" / file if file in menu.recordings.values() else None
