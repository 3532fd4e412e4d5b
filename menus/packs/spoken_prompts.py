"""Spoken prompts: what a pack says on calls, in every language, with numbers in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from menus.machine.menu import LanguagePack, Menu
from menus.machine.screen import Node
from menus.model.facts import Count, Email, Fact, Money, Month, Rows, Text
from menus.model.session import Session
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft
from menus.packs.overflow_checks import SampleFacts
from menus.render.voice import render_call_reply

AMOUNTS = (
    "0",
    "0.01",
    "1",
    "1.01",
    "2.02",
    "11.05",
    "21",
    "80.80",
    "100.01",
    "101",
    "1000",
    "20000000",
    "-12.5",
)
COUNTS = (0, 1, 2, 3, 11, 20, 21, 80, 100, 101, 102, 1000, 1440)
DAYS = tuple(date(2026, month, day) for month, day in zip((*range(1, 13), 4), (*range(1, 13), 28), strict=True))
EDGE_VALUES: Mapping[type, tuple[Fact, ...]] = {
    Money: tuple(Money(Decimal(amount)) for amount in AMOUNTS),
    Count: tuple(map(Count, COUNTS)),
    date: DAYS,
    Month: tuple(map(Month.from_date, DAYS)),
}
"""Values at which the words of a number, its unit and the text around it change, by type of fact."""
CASES = len(AMOUNTS)
"""Renderings of a screen, one for each edge value; facts with fewer values come round again."""


@dataclass(frozen=True, slots=True)
class SpokenPrompt:
    """One prompt as a speech synthesiser gets it."""

    language: str
    node: str
    words: str
    is_digits: bool = False
    """Whether the words are digits that are said one by one."""


def list_spoken_prompts(draft: PackDraft, menu: Menu, samples: SampleFacts) -> Iterator[SpokenPrompt]:
    """Yield each prompt of a pack once a language, screen by screen, with the samples and at edge values."""
    for language_pack in menu.language_packs.values():
        if language_pack.language != language_pack.native_language:
            continue  # calls use the native script
        cases = tuple(_sample_cases(_neutral_samples(language_pack, samples)))
        seen: set[str] = set()
        for name in sorted(reachable_nodes(draft, "voice")):
            for prompt in _prompts_of_node(menu, language_pack, menu.nodes[name], cases):
                if prompt.words not in seen:
                    seen.add(prompt.words)
                    yield prompt


def _neutral_samples(language_pack: LanguagePack, samples: SampleFacts) -> SampleFacts:
    """Return the samples with a plain word of the language in place of data: names, addresses, references."""
    word = language_pack.language_data.spoken.sample
    stand_ins: Mapping[type, Fact] = {Text: Text(word), Email: Email(f"{word}@{word}.{word}")}
    return {
        name: tuple(_replace_data(value, stand_ins) for value in values) for name, values in samples.items()
    }


def _replace_data(value: Fact | Rows, stand_ins: Mapping[type, Fact]) -> Fact | Rows:
    if not isinstance(value, Rows):
        return stand_ins.get(type(value), value)
    rows = tuple(tuple(stand_ins.get(type(cell), cell) for cell in row) for row in value.rows)
    return Rows(value.columns, rows)


def _prompts_of_node(
    menu: Menu, language_pack: LanguagePack, node: Node, cases: Sequence[Mapping[str, Fact | Rows]]
) -> Iterator[SpokenPrompt]:
    for facts in cases if node.is_waiting else ():
        session = _call_session(menu, language_pack.language, node, facts)
        for prompt in render_call_reply(menu, session).prompts:
            yield SpokenPrompt(language_pack.language, node.name, prompt.text, prompt.kind == "digits")


def _sample_cases(samples: SampleFacts) -> Iterator[Mapping[str, Fact | Rows]]:
    """Yield the samples, then all facts at their first edge values, their second, and so on."""
    yield {name: values[0] for name, values in samples.items()}
    for index in range(CASES):
        yield {name: _value_at(values, index) for name, values in samples.items()}


def _value_at(values: tuple[Fact | Rows, ...], index: int) -> Fact | Rows:
    """Return a fact's value in a case; rows have edge values one behind the other."""
    value = values[index % len(values)]
    if isinstance(value, Rows):
        rows = enumerate(value.rows, 3 * index)
        return Rows(value.columns, tuple(tuple(_at_edge(cell, at) for cell in row) for at, row in rows))
    return _at_edge(value, index)


def _at_edge(cell: Fact, index: int) -> Fact:
    """Return the edge value of this index for a number or a date, and any other fact as it is."""
    values = EDGE_VALUES.get(type(cell), (cell,))
    return values[index % len(values)]


def _call_session(menu: Menu, language: str, node: Node, facts: Mapping[str, Fact | Rows]) -> Session:
    """Return a session of a call on the screen."""
    return Session(
        operator=menu.name,
        channel="voice",
        caller="",
        revision=menu.revision,
        state=node.name,
        language=language,
        trail=("home", "home"),
        facts=dict(facts),
    )
