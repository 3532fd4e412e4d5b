"""Serves the recorded voice prompts of the packs, for voice providers to fetch."""

from collections.abc import Collection
from pathlib import Path

from aiohttp import web

from flows.engine.menu_versions import MenuVersions

RECORDING_PATH = "/prompts/{operator}/{language}/{file}"
CONTENT_TYPES = {".wav": "audio/wav", ".mp3": "audio/mpeg"}
CACHE_CONTROL = "public, max-age=86400"
"""One day: providers cache what they played; a changed recording needs a new file name or a day."""


class RecordingHandler:
    """aiohttp handler of the recordings of all operators; no other file of their folders can be fetched."""

    def __init__(self, menu_versions: MenuVersions, operators: Collection[str]) -> None:
        self._menu_versions, self._operators = menu_versions, operators

    async def serve_recording(self, request: web.Request) -> web.StreamResponse:
        """Return the file with content type and cache time; 404 for anything but a known recording."""
        path = self._find_file(request.match_info["operator"], "{language}/{file}".format(**request.match_info))
        if path is None or not path.is_file():
            return web.Response(status=404)
        headers = {"Cache-Control": CACHE_CONTROL, "Content-Type": CONTENT_TYPES[path.suffix]}
        return web.FileResponse(path, headers=headers)

    def _find_file(self, operator: str, file: str) -> Path | None:
        """Return the path of a recording of the operator's current pack; None for any other file."""
        if operator not in self._operators:
            return None
        menu = self._menu_versions.current_menu(operator)
        return menu.folder / "prompts" / file if file in menu.recordings.values() else None
