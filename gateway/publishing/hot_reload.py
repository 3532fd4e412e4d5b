"""Live packs: an edited pack is checked and published without a restart; a broken edit keeps the old one."""

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
"""How often the files' times are looked at."""

Marks = Mapping[Path, tuple[int, int]]
"""By file its time of change and its size."""


@dataclass(slots=True)
class Live:
    """Watches the packs of a shelf. Conversations under way stay on the revision they began with."""

    shelf: Shelf = field(repr=False)
    where: Callable[[str], Path] = pack_compiler.folder
    """By operator the folder of its pack."""
    published: list[Callable[[Menu], None]] = field(default_factory=list, repr=False)
    """Told of every new revision."""
    broken: list[Callable[[str, list[Finding]], object]] = field(default_factory=list, repr=False)
    """Told what is wrong with an operator's pack on disk, and with nothing when it is whole again."""
    marks: dict[str, Marks] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.marks = {name: self._marks(name) for name in self.shelf.menus}

    async def run(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read again what has changed since the last look."""
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
            log.info("pack published", extra={"operator": name, "revision": menu.revision})
            for tell in self.published:
                tell(menu)
        for hear in self.broken:
            hear(name, [])

    def _refuse(self, name: str, findings: list[Finding]) -> None:
        kept = self.shelf.current(name).revision
        told = {"operator": name, "revision": kept, "findings": "; ".join(map(str, findings))}
        log.error("pack refused", extra=told)
        for hear in self.broken:
            hear(name, findings)

    def _marks(self, name: str) -> Marks:
        return dict(_marked(self.where(name)))


def _marked(folder: Path) -> Iterator[tuple[Path, tuple[int, int]]]:
    """A pack's own files and the ones all packs share; one that vanishes while we look is gone."""
    shared = [*pack_compiler.PLACES.flows.glob("*.yaml"), *pack_compiler.PLACES.texts.glob("*.yaml")]
    for path in [*sorted(folder.rglob("*.yaml")), *sorted(shared)]:
        try:
            status = path.stat()
        except FileNotFoundError:
            continue
        yield path, (status.st_mtime_ns, status.st_size)
