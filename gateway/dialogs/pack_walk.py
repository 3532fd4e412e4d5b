"""Walk of a pack: finds conversations for every transition of a channel, and writes them down."""

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from gateway.demo import startup
from gateway.dialogs.format import Dialog, format_dialog, parse_dialog
from gateway.dialogs.pack_transitions import BILLING_FAULTS, PackOnChannel, PackTransition
from gateway.dialogs.recorded_transitions import record_transitions
from gateway.dialogs.sandbox import SandboxFactory, Scenario, scenario_of
from gateway.dialogs.walk_attempt import WalkAttempt, WalkPlan
from gateway.dialogs.walk_graph import WalkGraph
from gateway.dialogs.walk_values import OutcomeMemory, Walker
from gateway.publishing import pack_compiler
from gateway.wiring.connections import DEFAULT_TRUST
from menus.machine.menu import Menu
from storage.demo.world import build_operator_rows

WALK_TIME = "2026-03-10 09:00"
"""The operator's local time at which every walk begins: a working morning."""
PAUSES = ("", "1 minute", "16 minutes")
"""Pauses between two tries: limits are reached without one, others only when a shorter one is over."""
BILLING_FAULT_TIMES: Sequence[tuple[Literal["first", "last", "proven"], str]] = (
    *(("first", ""), ("last", ""), ("proven", "")),
    *(("last", "2 minutes"), ("proven", "2 minutes")),
)
"""When billing fails, and after what pause: after two minutes it is asked about a line again."""
LIMIT_OUTCOMES = ("soon", "many", "locked")
"""Outcomes of doing the same too often."""
BREAK = "wait 65 minutes"
"""Between two conversations of a dialog: sessions are over and limits forgotten."""
MAX_DIALOG_ACTIONS = 60
"""Actions of one dialog, unless one attempt alone needs more."""
OTHER_TRUST = {"line": "none", "none": "line"}
COMMENTS: Mapping[str, str] = {
    "subscriber": "What no other dialog does, done by a subscriber",
    "stranger": "A number without a subscription",
    "withheld": "A withheld number",
    "trust": "A connection that proves more or less of a caller than usual",
    "limits": "The same, asked for until a limit is reached",
    "slow": "Billing is slow",
    "down": "Billing is out",
}
"""First line of a dialog, by its label."""

Proofs = tuple[tuple[str, str], ...]
"""What a connection proves, by channel."""


@dataclass(frozen=True, slots=True)
class WrittenDialog:
    """A dialog of a walk: what callers it is about, and its text."""

    label: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class WalkResult:
    """What a walk found."""

    dialogs: Sequence[WrittenDialog]
    wanted: Set[PackTransition]
    """The transitions somebody should be able to make on this channel."""
    unreached: Set[PackTransition]
    """Those of them that neither the walk nor a dialog given to it has made."""


@dataclass(frozen=True, slots=True)
class FoundWay:
    """Actions that made new transitions, and the plan they were made by."""

    plan: WalkPlan
    actions: Sequence[str]
    found: Set[PackTransition]


@dataclass
class PackWalk:
    """The walk of one operator's pack on one channel; sandboxes are made in `folder`."""

    pack: PackOnChannel
    folder: Path
    packs: str = ""
    """Folder of packs beside the shipped ones."""
    ways: list[FoundWay] = field(default_factory=list)
    made: set[PackTransition] = field(default_factory=set)
    memory: OutcomeMemory = field(default_factory=OutcomeMemory)

    def __post_init__(self) -> None:
        self.graph = WalkGraph(self.pack)
        compiled = pack_compiler.compile_pack(pack_compiler.find_pack(self.pack.operator, self.packs))
        self._menu, self._recorded = record_transitions(compiled)
        self._sandboxes = SandboxFactory(self.folder, lambda _: self._menu)
        self._people = list(_walkers_of(compiled))
        self.wanted = self.pack.walkable_transitions()

    async def run(
        self,
        dialogs: Iterable[Dialog] = (),
        on_progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> WalkResult:
        """Walk to every transition that the given dialogs do not make, and write down how."""
        for dialog in dialogs:
            self.made |= (await self._play(dialog))[1]
        targets = self._farthest_first()
        for number, target in enumerate(targets):
            if target not in self.made:
                await self._walk_to(target)
            on_progress(number + 1, len(targets))
        written = [each async for each in self._write_dialogs()]
        return WalkResult(written, self.wanted, self.wanted - self.made)

    def _farthest_first(self) -> list[PackTransition]:
        """Return the transitions, those far from the ways in first: near ones are made on the way."""
        starts = {move.target for move in self.graph.entries()}
        origins = {origin for _, origin in self.wanted}
        nearest = {each: min(map(self.graph.distances_to(each).__getitem__, starts)) for each in origins}
        return sorted(self.wanted, key=lambda each: (-nearest[each[1]], each))

    async def _walk_to(self, target: PackTransition) -> None:
        for plan in self._plans_for(target):
            attempt = await self._try(plan, target)
            if attempt.found:
                self.made |= attempt.found
                self.ways.append(FoundWay(plan, attempt.actions[: attempt.useful_actions], attempt.found))
            if attempt.is_made:
                return

    async def _try(self, plan: WalkPlan, target: PackTransition) -> WalkAttempt:
        self._recorded.fired_transitions.clear()
        async with self._sandboxes.open(self._scenario_of(plan)) as sandbox:
            player = sandbox.create_player(sandbox.create_direct_line())
            attempt = WalkAttempt(
                self.graph, player, plan, target, self.memory, lambda: self._fired() - self.made
            )
            sandbox.container.conversations.turn_listeners.append(attempt.on_turn)
            await attempt.run()
        return attempt

    def _fired(self) -> set[PackTransition]:
        """Return the wanted transitions that were made in the current sandbox."""
        fired = self._recorded.fired_transitions
        return self.wanted & {(trigger, origin) for on, trigger, origin in fired if on == self.pack.channel}

    def _scenario_of(self, plan: WalkPlan) -> Scenario:
        return Scenario(self.pack.operator, WALK_TIME, plan.walker.msisdn, trust=plan.trust, packs=self.packs)

    def _plans_for(self, target: PackTransition) -> Iterator[WalkPlan]:
        """Yield plans that may make a transition, likely ones first."""
        outcome, _ = target
        if outcome in BILLING_FAULTS:
            for each in self._people:
                yield from (WalkPlan(each, outcome, (), outcome, *when) for when in BILLING_FAULT_TIMES)
            return
        trust = ((self.pack.channel, OTHER_TRUST[DEFAULT_TRUST[self.pack.channel]]),)
        unknown = _people_unknown(self._people).items()
        nobody = [WalkPlan(each, label, proofs) for proofs in ((), trust) for label, each in unknown]
        yield from nobody if outcome in ("unknown", "hidden") else ()
        yield from self._insistent_plans(trust) if outcome in LIMIT_OUTCOMES else ()
        yield from (WalkPlan(each, "subscriber", pause=pause) for pause in PAUSES for each in self._people)
        yield from (WalkPlan(each, "trust", trust) for each in self._people)
        yield from nobody

    def _insistent_plans(self, trust: Proofs) -> Iterator[WalkPlan]:
        """Yield plans that do the same until a limit is reached, of callers with and without proof."""
        for proofs in ((), trust):
            for pause in PAUSES:
                yield WalkPlan(self._people[0], "limits", proofs, pause=pause, insists=True)

    async def _write_dialogs(self) -> AsyncIterator[WrittenDialog]:
        """Yield the ways as dialogs; one that no longer leads there in company gets a dialog of its own."""
        self.made -= {each for way in self.ways for each in way.found}
        for batch in (*_gather_ways(self.ways), *([way] for way in self.ways)):
            if {each for way in batch for each in way.found} <= self.made:
                continue
            label = batch[0].plan.label
            text, fired = await self._play(parse_dialog("\n".join(self._dialog_lines(batch)), label))
            self.made |= fired
            yield WrittenDialog(label, text)

    async def _play(self, dialog: Dialog) -> tuple[str, set[PackTransition]]:
        """Play a dialog in a sandbox of its own; return it as it went, and what it made of the wanted."""
        self._recorded.fired_transitions.clear()
        scenario = replace(scenario_of(dialog, datetime.fromisoformat(WALK_TIME)), packs=self.packs)
        async with self._sandboxes.open(scenario) as sandbox:
            results = await sandbox.create_player(sandbox.create_direct_line()).play(dialog)
        return format_dialog(dialog, results), self._fired()

    def _dialog_lines(self, ways: Sequence[FoundWay]) -> Iterator[str]:
        plan = ways[0].plan
        yield f"# {COMMENTS[plan.label]}"
        yield f"operator {self.pack.operator}"
        yield f"from {plan.walker.msisdn or 'withheld'}"
        yield f"at {WALK_TIME}"
        yield from (f"trust {channel} {trust}" for channel, trust in plan.trust)
        for number, way in enumerate(ways):
            if number:
                yield from self._break_lines(way)
            yield from way.actions

    def _break_lines(self, way: FoundWay) -> Iterator[str]:
        """Yield what ends one conversation before the next."""
        if self.pack.channel == "sms":
            yield "hang up"
        if way.plan.fault:
            yield "billing up"
        yield BREAK


def _gather_ways(ways: Sequence[FoundWay]) -> Iterator[list[FoundWay]]:
    """Yield ways of the same caller and trust together, as many as a dialog may hold."""
    by_plan = defaultdict[tuple[str, str, object], list[FoundWay]](list)
    for way in ways:
        by_plan[way.plan.walker.msisdn, way.plan.label, way.plan.trust].append(way)
    for alike in by_plan.values():
        batch = list[FoundWay]()
        for way in alike:
            if batch and sum(len(each.actions) for each in (*batch, way)) > MAX_DIALOG_ACTIONS:
                yield batch
                batch = []
            batch.append(way)
        yield batch


def _walkers_of(menu: Menu) -> Iterator[Walker]:
    dataset, bills = startup.operator_dataset(menu), defaultdict[str, list[str]](list)
    now = datetime.fromisoformat(WALK_TIME).replace(tzinfo=ZoneInfo(menu.config.time_zone))
    for bill in build_operator_rows(menu.name, now, {menu.name: dataset}).bills:
        bills[f"+{bill['account']}"].append(bill["number"])
    everyone = [str(person["msisdn"]) for person in dataset["subscribers"]]
    return (
        Walker.from_dataset(person, everyone, bills[person["msisdn"]][:1]) for person in dataset["subscribers"]
    )


def _people_unknown(people: Sequence[Walker]) -> Mapping[str, Walker]:
    """Return a caller without a subscription and one who withholds the number, by label."""
    first = people[0]
    return {
        "stranger": Walker(f"{first.msisdn[:-4]}9999", first.language, others=[first.msisdn]),
        "withheld": Walker("", first.language, others=[first.msisdn]),
    }
