"""Hot reload of packs: an edited pack is checked and published without a restart."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.engine.menu_versions import MenuVersions
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.packfile.yaml_source import Finding, PackError

log = logging.getLogger("dialtree.packs")
POLL_SECONDS = 1.0
"""Interval between two checks of the files."""

FileStamps = Mapping[Path, tuple[int, int]]
"""Modification time (ns) and size, by file."""


@dataclass(slots=True)
class PackReloader:
    """Reloads changed packs into the published menus; a pack with findings leaves the old one in place.

    Conversations under way stay on the revision they began with.
    """

    menu_versions: MenuVersions = field(repr=False)
    locate_pack: Callable[[str], Path] = pack_compiler.pack_folder
    """Returns the pack folder of an operator."""
    serves_folder: Callable[[str], bool] = lambda operator: True
    """Returns whether an operator's menu is the folder's pack; if a revision is published, edits wait."""
    on_published: list[Callable[[Menu], None]] = field(default_factory=list, repr=False)
    """Callbacks that receive each newly published menu."""
    on_findings: list[Callable[[str, list[Finding]], object]] = field(default_factory=list, repr=False)
    """Callbacks that receive an operator's findings; an empty list when its pack is valid again."""
    stamps: dict[str, FileStamps] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.stamps = {name: self._read_stamps(name) for name in self.menu_versions.menus}

    async def run(self) -> None:
        """Check the files every POLL_SECONDS, until cancelled."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await self.reload_changed()

    async def reload_changed(self) -> None:
        """Reload the packs whose files changed since the last call."""
        for name in list(self.menu_versions.menus):
            marks = self._read_stamps(name)
            if marks != self.stamps[name] and self.serves_folder(name):
                self.stamps[name] = marks
                await self._reload(name)

    async def _reload(self, name: str) -> None:
        try:
            menu = await asyncio.to_thread(pack_compiler.compile_pack, self.locate_pack(name))
        except (PackError, OSError) as error:
            self._reject(name, error.findings if isinstance(error, PackError) else [])
            return
        if menu.revision != self.menu_versions.current_menu(name).revision:
            self.menu_versions.publish(menu)
            log.info("packs.published", extra={"operator": name, "revision": menu.revision})
            for on_published in self.on_published:
                on_published(menu)
        for on_findings in self.on_findings:
            on_findings(name, [])

    def _reject(self, name: str, findings: list[Finding]) -> None:
        revision = self.menu_versions.current_menu(name).revision
        fields = {"operator": name, "revision": revision, "findings": "; ".join(map(str, findings))}
        log.error("packs.rejected", extra=fields)
        for callback in self.on_findings:
            callback(name, findings)

    def _read_stamps(self, name: str) -> FileStamps:
        return dict(_file_stamps(self.locate_pack(name)))


def _file_stamps(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the stamps of a pack's own and shared files; files deleted meanwhile are skipped."""
    shared = [
        *pack_compiler.SHARED_PLACES.flows.glob("*.yaml"),
        *pack_compiler.SHARED_PLACES.texts.glob("*.yaml"),
    ]
    for path in [*sorted(folder.rglob("*.yaml")), *sorted(shared)]:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield path, (status.st_mtime_ns, status.st_size)
