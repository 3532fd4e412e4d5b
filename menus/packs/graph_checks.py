"""Pack linter: checks of the menu graph, keys, keywords, proofs and texts across a pack's files."""

from collections.abc import Iterator
from itertools import chain

from menus.machine.menu import LanguagePack
from menus.machine.opening_hours import AGENT_AWAY
from menus.machine.proof_rules import ADDRESS_NEED, read_proof_rules
from menus.machine.screen import RESUME_OFFER, Node
from menus.machine.surface import SURFACES
from menus.machine.transitions_table import (
    AGENT,
    CONTINUE,
    GIVE_UP,
    GOODBYE,
    HOME,
    RESUME,
    outgoing_edges,
)
from menus.packfile import messages
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import Finding
from menus.packs.action_specs import ActionSpecs
from menus.packs.loader import PackDraft
from menus.text.keywords import RESERVED_WORDS, normalise_keyword

RESUMPTION_NODES = (RESUME_OFFER, CONTINUE)
"""Nodes that continue a dropped session, on channels whose sessions can drop."""
REQUIRED_NODES = (HOME, GIVE_UP, GOODBYE, AGENT, AGENT_AWAY, "house.sorry", "house.late", *RESUMPTION_NODES)
"""Nodes every pack must have: the gateway itself leads to them."""
REQUIRED_TEXTS = (
    *("nav.back", "nav.home", "nav.leave", "nav.more", "nav.help", "nav.keys", "nav.option"),
    *("nav.input_keys", "nav.wide_keys"),
    *("note.wrong", "note.restarted", "note.empty", "note.as_of"),
    *("note.card", "house.stopped", "house.started", "flood.paused", "flood.unrecognised"),
)
"""Texts every pack must have in every language."""


MONTH_OF_TEXTS = tuple(f"month.of_{month}" for month in range(1, 13))
"""Texts of the months behind a word for "of"."""
PLURAL_SAMPLE_COUNT = 101
"""The counts below this use every plural category a language has for whole numbers in a bill."""

SPEAKABLE_TYPES = ("msisdn", "digits")
"""Input types that may be spoken."""


def check_pack(draft: PackDraft, actions: ActionSpecs) -> list[Finding]:
    """Check a pack and return the findings; empty when the draft may be compiled.

    Later checks run only when the earlier ones find nothing, since they would fail on the same faults.
    """
    findings = [
        *_check_shapes(draft),
        *_check_targets(draft),
        *_check_keys(draft),
        *_check_keywords(draft),
    ]
    findings = findings or list(_check_steps(draft, actions))
    if findings:
        return findings
    return [*_check_reachability(draft), *_check_proofs(draft, actions), *_check_texts(draft)]


def _finding_at(node: Node, message: str, *path: str | int, **values: str) -> Finding:
    """Build a finding at a node, or at `path` below it, from a message template."""
    return node.source.finding_at((*node.source_path, *path), message.format(node=node.name, **values))


def _check_shapes(draft: PackDraft) -> Iterator[Finding]:
    """Check that each node has the fields of its kind and no others."""
    for node in draft.nodes.values():
        if node.kind == "choice" and not (node.options or node.each):
            yield _finding_at(node, messages.NO_OPTIONS)
        if (node.kind == "input") != (node.accept is not None):
            yield _finding_at(node, messages.MISPLACED_ACCEPT)
        if (node.kind == "step") != bool(node.action):
            yield _finding_at(node, messages.MISPLACED_ACTION)
        if node.kind == "hand-over" and not node.via:
            yield _finding_at(node, messages.MISSING_VIA)
        if node.accept and node.accept.secret and node.accept.keep:
            yield _finding_at(node, messages.KEEP_FORBIDDEN, "accept", "keep")
        if node.accept and node.accept.speech and (node.is_secret or node.accept.type not in SPEAKABLE_TYPES):
            yield _finding_at(node, messages.NOT_SPEAKABLE, "accept", "speech")


def _check_targets(draft: PackDraft) -> Iterator[Finding]:
    """Check that the required nodes and all targets of options, steps, keywords and gates exist."""
    for name in REQUIRED_NODES:
        if name not in draft.nodes:
            yield draft.pack_source.finding_at((), messages.MISSING_SCREEN.format(name=name))
    for node in draft.nodes.values():
        for path, target in _node_targets(node):
            if target not in draft.nodes:
                yield _finding_at(node, messages.UNKNOWN_NODE_TARGET, *path, to=target)
    for path, target in _keyword_targets(draft):
        if target not in draft.nodes:
            yield draft.keyword_source.finding_at(path, messages.UNKNOWN_TARGET.format(to=target))
    for proof, target in draft.config.gates.items():
        if target not in draft.nodes:
            yield draft.pack_source.finding_at(("gates", proof), messages.UNKNOWN_TARGET.format(to=target))


def _node_targets(node: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path in the YAML node, target) for each target a node names."""
    for index, option in enumerate(node.options):
        yield ("options", index, "to"), option.to
    if node.each and node.each.to:
        yield ("each", "to"), node.each.to
    if node.accept:
        yield ("accept", "to"), node.accept.to
    yield from ((("on", outcome), to) for outcome, to in node.on.items() if to != RESUME)


def _keyword_targets(draft: PackDraft) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path in `keywords.yaml`, target) for each target the file names."""
    file = draft.keywords.config
    for index, keyword in enumerate(file.keywords):
        yield ("keywords", index, "to"), keyword.to
        if keyword.otherwise:
            yield ("keywords", index, "otherwise"), keyword.otherwise
    yield ("otherwise",), file.otherwise
    rules = (("password", "to"), ("code", "to"), ("address", "to"), ("address", "otherwise"))
    yield from (((rule, end), getattr(getattr(file, rule), end)) for rule, end in rules if getattr(file, rule))


def _check_keys(draft: PackDraft) -> Iterator[Finding]:
    """Check that no key is used twice on a screen or hides a navigation key, except at home."""
    for node in draft.nodes.values():
        seen: set[tuple[str, str]] = set()
        for index, option in enumerate(node.options):
            for channel, key in option.keys.items():
                values = {"key": key, "channel": channel}
                if (channel, key) in seen:
                    yield _finding_at(node, messages.DUPLICATE_KEY, "options", index, **values)
                if key in _navigation_keys(channel) and node.name != HOME:
                    yield _finding_at(node, messages.NAVIGATION_KEY, "options", index, **values)
                seen.add((channel, key))


def _navigation_keys(channel: str) -> set[str]:
    surface = SURFACES[channel]
    return {surface.back, surface.home, surface.repeat, surface.agent} - {""}


def _check_keywords(draft: PackDraft) -> Iterator[Finding]:
    """Check that no keyword is reserved by the networks or written twice."""
    seen: set[tuple[str, str | None]] = set()
    for index, keyword in enumerate(draft.keywords.config.keywords):
        for position, words in enumerate(keyword.words):
            path, normalised = ("keywords", index, "words", position), normalise_keyword(words)
            if normalised in RESERVED_WORDS:
                yield draft.keyword_source.finding_at(path, messages.RESERVED_WORD.format(words=words))
            if (normalised, keyword.takes) in seen:
                yield draft.keyword_source.finding_at(path, messages.DUPLICATE_WORD.format(words=words))
            seen.add((normalised, keyword.takes))


def _check_steps(draft: PackDraft, actions: ActionSpecs) -> Iterator[Finding]:
    """Check that each step's action exists and that each of its outcomes has an edge."""
    for node in draft.nodes.values():
        if node.kind != "step":
            continue
        if node.action not in actions:
            known = ", ".join(sorted(actions))
            yield _finding_at(node, messages.UNKNOWN_ACTION, "action", action=node.action, known=known)
            continue
        for outcome in sorted(actions[node.action].outcomes - node.on.keys()):
            yield _finding_at(node, messages.MISSING_EDGE, "on", outcome=outcome)


def _check_reachability(draft: PackDraft) -> Iterator[Finding]:
    """Check that the pack's own nodes and its flows can be reached, and that no choice lacks keys."""
    by_channel = {channel: reachable_nodes(draft, channel) for channel in CHANNELS}
    on_any_channel = set(chain.from_iterable(by_channel.values()))
    for name in sorted(draft.nodes.keys() - on_any_channel):
        if draft.nodes[name].source.file.startswith(draft.folder.name):
            yield _finding_at(draft.nodes[name], messages.UNREACHABLE_NODE)
    for flow in draft.config.flows:
        if not any(draft.nodes[name].source.file == f"flows/{flow}.yaml" for name in on_any_channel):
            yield draft.pack_source.finding_at(("flows",), messages.UNREACHABLE_FLOW.format(flow=flow))
    for channel, names in by_channel.items():
        for name in sorted(names):
            node = draft.nodes[name]
            if node.kind == "choice" and not node.each and not any(channel in o.keys for o in node.options):
                yield _finding_at(node, messages.DEAD_END, "options", channel=channel)


def start_nodes(channel: str) -> list[str]:
    """Return the nodes that the gateway itself leads to on a channel."""
    unused = RESUMPTION_NODES if SURFACES[channel].is_message_based else ()
    return [name for name in REQUIRED_NODES if name not in unused]


def reachable_nodes(draft: PackDraft, channel: str) -> set[str]:
    """Return the nodes a subscriber can reach on a channel."""
    starts = [*start_nodes(channel), *(to for proof, to in draft.config.gates.items())]
    if channel == "sms":
        starts += [to for _, to in _keyword_targets(draft)]
    visited: set[str] = set()
    pending = [name for name in starts if name in draft.nodes]
    while pending:
        name = pending.pop()
        if name not in visited:
            visited.add(name)
            pending.extend(_next_nodes(draft.nodes[name], channel))
    return visited


def _next_nodes(node: Node, channel: str) -> Iterator[str]:
    """Yield the targets of a node's edges on a channel."""
    for trigger, _, target in outgoing_edges(node):
        if " " not in trigger or trigger.startswith(f"{channel} "):
            yield target


def _check_proofs(draft: PackDraft, actions: ActionSpecs) -> Iterator[Finding]:
    """Check that every step on billing data needs a proof, and that every proof has a gate that asks for it."""
    for node in draft.nodes.values():
        if node.kind == "step" and actions[node.action].reads_billing and node.needs == "none":
            yield _finding_at(node, messages.MISSING_PROOF, "action")
        elif node.kind == "step" and actions[node.action].changes_address and node.needs != ADDRESS_NEED:
            yield _finding_at(node, messages.MISSING_ADDRESS_PROOF, "needs")
        for proof, gate in sorted(read_proof_rules(draft.config).gates_by_proof(node.needs).items()):
            if not gate:
                yield draft.pack_source.finding_at(
                    ("gates",), messages.MISSING_GATE.format(node=node.name, proof=proof)
                )


def _check_texts(draft: PackDraft) -> Iterator[Finding]:
    """Check that every text that is named exists in every language, with its plural and month forms."""
    for language, language_pack in draft.language_packs.items():
        catalogue = language_pack.catalogue
        for name in REQUIRED_TEXTS:
            if name not in catalogue:
                yield draft.pack_source.finding_at(("languages", language), _missing_text(name, language))
        for prefix, name in draft.config.agencies.items():
            if name not in catalogue:
                yield draft.pack_source.finding_at(("agencies", prefix), _missing_text(name, language))
        yield from _check_plurals(language_pack)
        yield from _check_months(language_pack)
        for node in draft.nodes.values():
            for path, name in _text_names(node):
                if name not in catalogue:
                    yield _finding_at(node, messages.MISSING_NODE_TEXT, *path, name=name, language=language)


def _missing_text(name: str, language: str) -> str:
    return messages.MISSING_REQUIRED_TEXT.format(name=name, language=language)


def _check_plurals(language_pack: LanguagePack) -> Iterator[Finding]:
    """Check that a plural text has a form for each plural category of the language, and no others."""
    needed = {language_pack.written_formatter.plural_category(count) for count in range(PLURAL_SAMPLE_COUNT)}
    for entry in language_pack.catalogue.entries.values():
        for channel, template in entry.variants.items():
            if template.is_plural and (missing := sorted(needed - template.forms.keys())):
                yield entry.finding_at(
                    _plural_message(messages.MISSING_PLURAL, entry.name, missing[0], language_pack), channel
                )
            if template.is_plural and (unused := sorted(template.forms.keys() - needed - {"many"})):
                yield entry.finding_at(
                    _plural_message(messages.UNUSED_PLURAL, entry.name, unused[0], language_pack), channel
                )


def _plural_message(message: str, name: str, category: str, language_pack: LanguagePack) -> str:
    return message.format(name=name, category=category, language=language_pack.language)


def _check_months(language_pack: LanguagePack) -> Iterator[Finding]:
    """Check that a language with a text that uses `{month:of}` has the forms of all twelve months."""
    missing = [name for name in MONTH_OF_TEXTS if name not in language_pack.catalogue]
    for entry in language_pack.catalogue.entries.values() if missing else ():
        if any(slot.endswith(":of") for template in entry.variants.values() for slot in template.slots):
            yield entry.finding_at(_missing_text(missing[0], language_pack.language))


def _text_names(node: Node) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield (path in the YAML node, text name) for each text a node shows."""
    if node.is_waiting:
        yield (), node.text
    yield from ((("options", index, "text"), option.text) for index, option in enumerate(node.options))
    if node.each:
        yield ("each", "text"), node.each.text
