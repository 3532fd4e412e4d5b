"""Recorded prompts: the files of a pack, as a voice provider fetches them."""

from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from flows.engine.menu_versions import Shelf

PATH = "/prompts/{operator}/{language}/{file}"
TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg"}
CACHE = "public, max-age=86400"
"""A day: providers keep what they played, and a recording changes with a new name or a night."""


class Prompts:
    """The recordings of every operator we serve; nothing else below its folder can be asked for."""

    def __init__(self, shelf: Shelf, operators: Collection[str]) -> None:
        self._shelf, self._operators = shelf, operators

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """The file with its kind and how long to keep it; 404 for all but a known recording."""
        path = self._path(request.match_info["operator"], "{language}/{file}".format(**request.match_info))
        if path is None or not path.is_file():
            raise web.HTTPNotFound
        headers = {"Cache-Control": CACHE, "Content-Type": TYPES[path.suffix]}
        return web.FileResponse(path, headers=headers)

    def _path(self, operator: str, file: str) -> Path | None:
        if operator not in self._operators:
            return None
        menu = self._shelf.current(operator)
        return menu.folder / "prompts" / file if file in menu.recordings.values() else None
