"""Hot reload of packs: an edited pack is checked and published without a restart."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from flows.engine.menu_versions import Shelf
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.packfile.yaml_source import Finding, PackError

log = logging.getLogger("dialtree.packs")
LOOK_SECONDS = 1.0
"""Interval between two checks of the files."""

Marks = Mapping[Path, tuple[int, int]]
"""Modification time (ns) and size, by file."""


@dataclass(slots=True)
class Live:
    """Reloads changed packs into the published menus; a pack with findings leaves the old one in place.

    Conversations under way stay on the revision they began with.
    """

    shelf: Shelf = field(repr=False)
    where: Callable[[str], Path] = pack_compiler.folder
    """Returns the pack folder of an operator."""
    published: list[Callable[[Menu], None]] = field(default_factory=list, repr=False)
    """Callbacks that receive each newly published menu."""
    broken: list[Callable[[str, list[Finding]], object]] = field(default_factory=list, repr=False)
    """Callbacks that receive an operator's findings; an empty list when its pack is valid again."""
    marks: dict[str, Marks] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.marks = {name: self._marks(name) for name in self.shelf.menus}

    async def run(self) -> None:
        """Check the files every POLL_SECONDS, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Reload the packs whose files changed since the last call."""
        for name in list(self.shelf.menus):
            marks = self._marks(name)
            if marks != self.marks[name]:
                self.marks[name] = marks
                await self._again(name)

    async def _again(self, name: str) -> None:
        try:
            menu = await asyncio.to_thread(pack_compiler.menu, self.where(name))
        except (PackError, OSError) as error:
            self._refuse(name, error.findings if isinstance(error, PackError) else [])
            return
        if menu.revision != self.shelf.current(name).revision:
            self.shelf.publish(menu)
            log.info("packs.published", extra={"operator": name, "revision": menu.revision})
            for on_published in self.published:
                on_published(menu)
        for on_findings in self.broken:
            on_findings(name, [])

    def _refuse(self, name: str, findings: list[Finding]) -> None:
        revision = self.shelf.current(name).revision
        fields = {"operator": name, "revision": revision, "findings": "; ".join(map(str, findings))}
        log.error("packs.rejected", extra=fields)
        for callback in self.broken:
            callback(name, findings)

    def _marks(self, name: str) -> Marks:
        return dict(_marked(self.where(name)))


def _marked(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Yield the stamps of a pack's own and shared files; files deleted meanwhile are skipped."""
    shared = [*pack_compiler.PLACES.flows.glob("*.yaml"), *pack_compiler.PLACES.texts.glob("*.yaml")]
    for path in [*sorted(folder.rglob("*.yaml")), *sorted(shared)]:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield path, (status.st_mtime_ns, status.st_size)
