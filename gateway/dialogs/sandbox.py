"""Sandbox: an isolated gateway with a seeded database, a manual clock and fault injection."""

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
    """Store the subscriber's language preference; no effect for an unknown number."""
    ports = house.conversations.people[operator].world
    try:
        subscriber = await ports.billing.subscriber(number)
    except Refused:
        return
    key = f"dial/{number}/{language}/{ports.now().isoformat()}"
    await ports.ledger.commit(
        Change(key, operator, subscriber.id, ports.now(), preference=Preference(language))
    )


@dataclass(frozen=True, slots=True)
class Scene:
    """Initial state of a sandbox."""

    operator: str
    at: str
    """The operator's local time, as a dialog writes it."""
    caller: str = field(default="", repr=False)
    language: str = ""
    """The caller's stored language preference; empty for none."""
    trust: tuple[tuple[str, str], ...] = ()
    public_url: str = "http://127.0.0.1:8080"


@dataclass(frozen=True, slots=True)
class Stage:
    """An isolated gateway of one operator, with its clock, messages and fault switches."""

    house: House = field(repr=False)
    scene: Scene
    clock: Clock
    post: Post = field(repr=False)
    weather: Weather = field(repr=False)
    sessions: FragileSessions = field(repr=False)

    @property
    def menu(self) -> Menu:
        """Return the operator's current menu."""
        return self.house.conversations.shelf.current(self.scene.operator)

    def direct(self) -> Direct:
        """Return an in-process phone line."""
        return Direct(self.house.conversations, self.menu, DEFAULT_TRUST | dict(self.scene.trust))

    def player(self, line: Line) -> Player:
        """Return a dialog player on a phone line of this sandbox."""
        spoil = {"billing": self.weather.become, "sessions": self.sessions.become}
        zone = self.menu.form.time_zone
        return Player(line, self.post, zone, self.clock, spoil, caller=self.scene.caller)


@dataclass(slots=True)
class Stages:
    """Creates sandboxes from a database that is seeded once per hour of their time and copied for each.

    Only one `open` may run at a time.
    """

    folder: Path
    load: Callable[[Path], Menu] = pack_compiler.menu
    people: Mapping[str, Any] | None = field(default=None, repr=False)
    """Data set the database is seeded with; the demo's by default."""
    seeded: dict[datetime, Path] = field(default_factory=dict, repr=False)
    numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__, repr=False)

    @asynccontextmanager
    async def open(self, scene: Scene) -> AsyncIterator[Stage]:
        """Open a sandbox for the duration of the block."""
        zone = ZoneInfo(self.load(pack_compiler.folder(scene.operator)).form.time_zone)
        clock = Clock(moment(scene.at).replace(tzinfo=zone).astimezone(UTC))
        path = self.folder / f"world-{self.numbers()}.db"
        shutil.copy(await self._template(clock()), path)
        settings = load(discover(), Path("no such file"), {}, _settings(scene, path))
        faulty_sessions = FragileSessions()
        overrides = Given(now=clock, sessions=faulty_sessions.sessions)
        async with house(settings, given=overrides, load=self.load) as container:
            faulty_billing = spoiled(container.conversations.people[scene.operator])
            if scene.language:
                await choose_language(container, scene.operator, scene.caller, scene.language)
            yield Stage(
                container,
                scene,
                clock,
                Post.of(container.delivery, container.recorder),
                faulty_billing,
                faulty_sessions,
            )
        for leftover in self.folder.glob(f"{path.name}*"):
            leftover.unlink()

    async def _template(self, now: datetime) -> Path:
        hour = now.replace(minute=0, second=0, microsecond=0)
        if hour not in self.seeded:
            path = self.folder / f"seeded-{hour:%Y%m%dT%H}.db"
            await _seed(path, now, self.people)
            self.seeded[hour] = path
        return self.seeded[hour]


def scene_of(dialog: Dialog, now: datetime) -> Scene:
    """Return the initial state a dialog asks for; its time is `now` if it names none."""
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
