"""Stages: demo worlds of their own, with a clock that stands and billing that can be spoiled."""

import shutil
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flows.domain.failures import Refused
from flows.domain.records import Change, Preference
from gateway.demo import world
from gateway.demo.faulty_billing import Weather, spoiled
from gateway.demo.faulty_sessions import FragileSessions
from gateway.dialogs.direct_line import Direct
from gateway.dialogs.format import Dialog, moment
from gateway.dialogs.player import Clock, Line, Player, Post
from gateway.providers.discovery import discover
from gateway.publishing import pack_compiler
from gateway.settings import load, merged
from gateway.wiring.container import Given, House, house
from gateway.wiring.inbound import DEFAULT_TRUST
from menus.machine.menu import Menu
from storage.credentials.passwords import SqlPasswords
from storage.demo.world import seed
from storage.sql.engine import connect
from storage.sql.migrate import upgrade


async def choose_language(house: House, operator: str, number: str, language: str) -> None:
    """The subscriber has chosen this language before; nothing happens for a stranger."""
    world = house.conversations.people[operator].world
    try:
        known = await world.billing.subscriber(number)
    except Refused:
        return
    key = f"dial/{number}/{language}/{world.now().isoformat()}"
    await world.ledger.commit(Change(key, operator, known.id, world.now(), preference=Preference(language)))


@dataclass(frozen=True, slots=True)
class Scene:
    """How a world begins."""

    operator: str
    at: str
    """The operator's local time, as a dialog writes it."""
    caller: str = field(default="", repr=False)
    language: str = ""
    """What the caller has chosen before; empty for nothing."""
    trust: tuple[tuple[str, str], ...] = ()
    public_url: str = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Stage:
    """One world: a house nobody else is in."""

    house: House = field(repr=False)
    scene: Scene
    clock: Clock
    post: Post = field(repr=False)
    weather: Weather = field(repr=False)
    sessions: FragileSessions = field(repr=False)

    @property
    def menu(self) -> Menu:
        """The operator's current menu."""
        return self.house.conversations.shelf.current(self.scene.operator)

    def direct(self) -> Direct:
        """A line without a network."""
        return Direct(self.house.conversations, self.menu, DEFAULT_TRUST | dict(self.scene.trust))

    def player(self, line: Line) -> Player:
        """Plays dialogs on a line of this world."""
        spoil = {"billing": self.weather.become, "sessions": self.sessions.become}
        zone = self.menu.form.time_zone
        return Player(line, self.post, zone, self.clock, spoil, caller=self.scene.caller)


@dataclass(slots=True)
class Stages:
    """Where worlds come from: a file seeded once an hour, copied for each. One `open` at a time."""

    folder: Path
    load: Callable[[Path], Menu] = pack_compiler.menu
    people: Mapping[str, Any] | None = field(default=None, repr=False)
    """The world that is put there; the demo's by default."""
    seeded: dict[datetime, Path] = field(default_factory=dict, repr=False)
    numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__, repr=False)

    @asynccontextmanager
    async def open(self, scene: Scene) -> AsyncIterator[Stage]:
        """A world of its own, for as long as the block runs."""
        zone = ZoneInfo(self.load(pack_compiler.folder(scene.operator)).form.time_zone)
        clock = Clock(moment(scene.at).replace(tzinfo=zone).astimezone(UTC))
        path = self.folder / f"world-{self.numbers()}.db"
        shutil.copy(await self._template(clock()), path)
        settings = load(discover(), Path("no such file"), {}, _settings(scene, path))
        fragile = FragileSessions()
        given = Given(now=clock, sessions=fragile.sessions)
        async with house(settings, given=given, load=self.load) as built:
            weather = spoiled(built.conversations.people[scene.operator])
            if scene.language:
                await choose_language(built, scene.operator, scene.caller, scene.language)
            yield Stage(built, scene, clock, Post.of(built.delivery, built.recorder), weather, fragile)
        for left in self.folder.glob(f"{path.name}*"):
            left.unlink()

    async def _template(self, now: datetime) -> Path:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour not in self.seeded:
            path = self.folder / f"seeded-{hour:%Y%m%dT%H}.db"
            await _seed(path, now, self.people)
            self.seeded[hour] = path
        return self.seeded[hour]


def scene_of(dialog: Dialog, now: datetime) -> Scene:
    """How a dialog's world begins; it stands at `now` when the dialog names no time."""
    return Scene(
        operator=dialog.first("operator", "orange-ro"),
        at=dialog.first("at") or f"{now:%Y-%m-%d %H:%M}",
        caller=dialog.first("from"),
        language=dialog.first("language"),
        trust=tuple(dialog.trust.items()),
    )


async def _seed(path: Path, now: datetime, people: Mapping[str, Any] | None) -> None:
    database = connect(f"sqlite:///{path}")
    await upgrade(database)
    passwords = SqlPasswords(database)
    await seed(database, passwords, now, people)
    passwords.close()
    await database.close()


def _settings(scene: Scene, path: Path) -> dict[str, object]:
    operator = merged(world.OPERATOR, {})
    for name in ("africastalking", "twilio"):
        operator[name] = {**operator[name], "trust": dict(scene.trust)}
    return {
        "demo": True,
        "public_url": scene.public_url,
        "secret_key": "a world of its own, and nothing in it is secret",
        "database_url": f"sqlite:///{path}",
        "turns_per_minute": 100_000,
        "operators": {scene.operator: operator},
    }
