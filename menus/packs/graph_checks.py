"""Pack linter: checks of the menu graph, keys, keywords, proofs and texts across a pack's files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from menus.machine.menu import Tongue
from menus.machine.opening_hours import AWAY
from menus.machine.screen import Node
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import AGENT, BY_RULES, BYE, HOME, LOST, RESUME, forward
from menus.packfile import messages
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import Finding
from menus.packs.loader import Draft
from menus.text.keywords import RESERVED, squeezed

ALWAYS_THERE = (HOME, LOST, BYE, AGENT, AWAY, "house.sorry", "house.late")
"""Nodes every pack must have: the gateway itself leads to them."""
NEEDED_TEXTS = (
    *("nav.back", "nav.home", "nav.leave", "nav.more", "nav.help", "nav.keys", "nav.option"),
    *("note.wrong", "note.restarted", "note.empty", "note.as_of"),
    *("note.card", "house.stopped", "house.started"),
)
"""Texts every pack must have in every language."""


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What the checks know of an action."""

    outcomes: frozenset[str]
    """Outcomes it may return; a step needs an edge for each."""
    private: bool
    """Whether it reads or changes billing data, so that its step needs a proof."""


MONTHS_OF = tuple(f"month.of_{month}" for month in range(1, 13))
"""Texts of the months behind a word for "of"."""
COUNTED = 101
"""The counts below this use every plural category a language has for whole numbers in a bill."""

SAID = ("msisdn", "digits")
"""Input types that may be spoken."""

Actions = Mapping[str, ActionSpec]
"""Action specifications by action name."""


def graph(draft: Draft, actions: Actions) -> list[Finding]:
    """Check a pack and return the findings; empty when the draft may be compiled.

    Later checks run only when the earlier ones find nothing, since they would fail on the same faults.
    """
    findings = [
        *_shapes(draft),
        *_targets(draft),
        *_keys(draft),
        *_words(draft),
    ]
    findings = findings or list(_steps(draft, actions))
    if findings:
        return findings
    return [*_reach(draft), *_proofs(draft, actions), *_texts(draft)]


def _at(node: Node, fault: str, *path: str | int, **values: str) -> Finding:
    """Build a finding at a node, or at `path` below it, from a message template."""
    return node.source.finding((*node.path, *path), fault.format(node=node.name, **values))


def _shapes(draft: Draft) -> Iterator[Finding]:
    """Check that each node has the fields of its kind and no others."""
    for node in draft.nodes.values():
        if node.kind == "choice" and not (node.options or node.each):
            yield _at(node, messages.NO_OPTIONS)
        if (node.kind == "input") != (node.accept is not None):
            yield _at(node, messages.MISPLACED_ACCEPT)
        if (node.kind == "step") != bool(node.action):
            yield _at(node, messages.MISPLACED_ACTION)
        if node.kind == "hand-over" and not node.via:
            yield _at(node, messages.NO_VIA)
        if node.accept and node.accept.secret and node.accept.keep:
            yield _at(node, messages.NEVER_KEPT, "accept", "keep")
        if node.accept and node.accept.speech and (node.secret or node.accept.type not in SAID):
            yield _at(node, messages.NOT_SAID, "accept", "speech")


def _targets(draft: Draft) -> Iterator[Finding]:
    """Check that the required nodes and all targets of options, steps, keywords and gates exist."""
    for name in ALWAYS_THERE:
        if name not in draft.nodes:
            yield draft.pack.finding((), messages.NO_SCREEN.format(name=name))
    for node in draft.nodes.values():
        for path, target in _named(node):
            if target not in draft.nodes:
                yield _at(node, messages.NOWHERE, *path, to=target)
    for path, target in _keyword_targets(draft):
        if target not in draft.nodes:
            yield draft.keyword_source.finding(path, messages.LEADS_NOWHERE.format(to=target))
    for proof, target in draft.form.gates.items():
        if target not in draft.nodes:
            yield draft.pack.finding(("gates", proof), messages.LEADS_NOWHERE.format(to=target))


def _named(node: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path in the YAML node, target) for each target a node names."""
    for index, option in enumerate(node.options):
        yield ("options", index, "to"), option.to
    if node.each and node.each.to:
        yield ("each", "to"), node.each.to
    if node.accept:
        yield ("accept", "to"), node.accept.to
    yield from ((("on", outcome), to) for outcome, to in node.on.items() if to != RESUME)


def _keyword_targets(draft: Draft) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path in `keywords.yaml`, target) for each target the file names."""
    file = draft.keywords.form
    for index, keyword in enumerate(file.keywords):
        yield ("keywords", index, "to"), keyword.to
        if keyword.otherwise:
            yield ("keywords", index, "otherwise"), keyword.otherwise
    yield ("otherwise",), file.otherwise
    if file.password:
        yield ("password", "to"), file.password.to


def _keys(draft: Draft) -> Iterator[Finding]:
    """Check that no key is used twice on a screen or hides a navigation key, except at home."""
    for node in draft.nodes.values():
        seen: set[tuple[str, str]] = set()
        for index, option in enumerate(node.options):
            for channel, key in option.keys.items():
                values = {"key": key, "channel": channel}
                if (channel, key) in seen:
                    yield _at(node, messages.SAME_KEY, "options", index, **values)
                if key in _navigation(channel) and node.name != HOME:
                    yield _at(node, messages.NAVIGATION_KEY, "options", index, **values)
                seen.add((channel, key))


def _navigation(channel: str) -> set[str]:
    surface = SURFACES[channel]
    return {surface.back, surface.home, surface.repeat, surface.agent} - {""}


def _words(draft: Draft) -> Iterator[Finding]:
    """Check that no keyword is reserved by the networks or written twice."""
    seen: set[str] = set()
    for index, keyword in enumerate(draft.keywords.form.keywords):
        for position, words in enumerate(keyword.words):
            path, normalised = ("keywords", index, "words", position), squeezed(words)
            if normalised in RESERVED:
                yield draft.keyword_source.finding(path, messages.RESERVED_WORD.format(words=words))
            if not keyword.takes and normalised in seen:
                yield draft.keyword_source.finding(path, messages.WORD_TWICE.format(words=words))
            seen |= set() if keyword.takes else {normalised}


def _steps(draft: Draft, actions: Actions) -> Iterator[Finding]:
    """Check that each step's action exists and that each of its outcomes has an edge."""
    for node in draft.nodes.values():
        if node.kind != "step":
            continue
        if node.action not in actions:
            known = ", ".join(sorted(actions))
            yield _at(node, messages.UNKNOWN_ACTION, "action", action=node.action, known=known)
            continue
        for outcome in sorted(actions[node.action].outcomes - node.on.keys()):
            yield _at(node, messages.NO_EDGE, "on", outcome=outcome)


def _reach(draft: Draft) -> Iterator[Finding]:
    """Check that the pack's own nodes and its flows can be reached, and that no choice lacks keys."""
    by_channel = {channel: reachable(draft, channel) for channel in CHANNELS}
    on_any_channel = set(chain.from_iterable(by_channel.values()))
    for name in sorted(draft.nodes.keys() - on_any_channel):
        if draft.nodes[name].source.file.startswith(draft.folder.name):
            yield _at(draft.nodes[name], messages.UNREACHED)
    for flow in draft.form.flows:
        if not any(draft.nodes[name].source.file == f"flows/{flow}.yaml" for name in on_any_channel):
            yield draft.pack.finding(("flows",), messages.UNREACHED_FLOW.format(flow=flow))
    for channel, names in by_channel.items():
        for name in sorted(names):
            node = draft.nodes[name]
            if node.kind == "choice" and not node.each and not any(channel in o.keys for o in node.options):
                yield _at(node, messages.DEAD_END, "options", channel=channel)


def reachable(draft: Draft, channel: str) -> set[str]:
    """Return the nodes a subscriber can reach on a channel."""
    starts = [*ALWAYS_THERE, *(to for proof, to in draft.form.gates.items())]
    if channel == "sms":
        starts += [to for _, to in _keyword_targets(draft)]
    visited: set[str] = set()
    pending = [name for name in starts if name in draft.nodes]
    while pending:
        name = pending.pop()
        if name not in visited:
            visited.add(name)
            pending.extend(_next(draft.nodes[name], channel))
    return visited


def _next(node: Node, channel: str) -> Iterator[str]:
    """Yield the targets of a node's edges on a channel."""
    for trigger, _, target in forward(node):
        if " " not in trigger or trigger.startswith(f"{channel} "):
            yield target


def _proofs(draft: Draft, actions: Actions) -> Iterator[Finding]:
    """Check that every step on billing data needs a proof, and that every proof has a gate that asks for it."""
    for node in draft.nodes.values():
        if node.kind == "step" and actions[node.action].private and node.needs == "none":
            yield _at(node, messages.UNPROVEN, "action")
        by_rules = set(draft.form.rules.proof.values()) if node.needs in BY_RULES else set()
        for proof in sorted({*by_rules, node.needs} - {"none", *BY_RULES}):
            if proof not in draft.form.gates:
                yield draft.pack.finding(("gates",), messages.NO_GATE.format(node=node.name, proof=proof))


def _texts(draft: Draft) -> Iterator[Finding]:
    """Check that every text that is named exists in every language, with its plural and month forms."""
    for language, language_pack in draft.tongues.items():
        catalogue = language_pack.catalogue
        for name in NEEDED_TEXTS:
            if name not in catalogue:
                yield draft.pack.finding(("languages", language), _needed(name, language))
        for prefix, name in draft.form.agencies.items():
            if name not in catalogue:
                yield draft.pack.finding(("agencies", prefix), _needed(name, language))
        yield from _plurals(language_pack)
        yield from _months(language_pack)
        for node in draft.nodes.values():
            for path, name in _text_names(node):
                if name not in catalogue:
                    yield _at(node, messages.MISSING_TEXT, *path, name=name, language=language)


def _needed(name: str, language: str) -> str:
    return messages.NEEDED_TEXT.format(name=name, language=language)


def _plurals(tongue: Tongue) -> Iterator[Finding]:
    """Check that a plural text has a form for each plural category of the language, and no others."""
    needed = {tongue.written.plural(count) for count in range(COUNTED)}
    for entry in tongue.catalogue.entries.values():
        for channel, template in entry.variants.items():
            if template.counts and (missing := sorted(needed - template.forms.keys())):
                yield entry.finding(_counted(messages.NO_COUNT, entry.name, missing[0], tongue), channel)
            if template.counts and (unused := sorted(template.forms.keys() - needed - {"many"})):
                yield entry.finding(_counted(messages.SPARE_COUNT, entry.name, unused[0], tongue), channel)
            if template.by and template.by not in template.slots:
                yield entry.finding(messages.NO_SLOT.format(name=entry.name, by=template.by), channel)


def _counted(fault: str, name: str, category: str, tongue: Tongue) -> str:
    return fault.format(name=name, category=category, language=tongue.language)


def _months(tongue: Tongue) -> Iterator[Finding]:
    """Check that a language with a text that uses `{month:of}` has the forms of all twelve months."""
    missing = [name for name in MONTHS_OF if name not in tongue.catalogue]
    for entry in tongue.catalogue.entries.values() if missing else ():
        if any(slot.endswith(":of") for template in entry.variants.values() for slot in template.slots):
            yield entry.finding(_needed(missing[0], tongue.language))


def _text_names(node: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path in the YAML node, text name) for each text a node shows."""
    if node.rests:
        yield (), node.text
    yield from ((("options", index, "text"), option.text) for index, option in enumerate(node.options))
    if node.each:
        yield ("each", "text"), node.each.text
