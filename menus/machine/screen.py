"""Screens: the compiled form of what a subscriber sees and presses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from menus.packfile.schema import CHANNELS, AcceptForm, Kind, OptionForm, ScreenForm
from menus.packfile.yaml_source import Path_, Source

READ_BACK = "said.read_back"
"""The text of every screen that reads an answer back."""
SAID = "said"
"""The fact that holds the answer until the caller has agreed to it."""
RESTING = ("choice", "input", "message", "hand-over", "end")


@dataclass(frozen=True, slots=True)
class Option:
    """One option: its text, its key per channel, where it leads."""

    text: str
    to: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Each:
    """One option for each row of a list; one line for each when it leads nowhere."""

    of: str
    text: str
    to: str


@dataclass(frozen=True)
class Node:
    """A screen or a step, with the place it was written at."""

    name: str
    kind: Kind
    text: str
    options: tuple[Option, ...]
    each: Each | None
    accept: AcceptForm | None
    action: str
    given: str
    on: Mapping[str, str]
    needs: str
    confirm: bool
    via: str
    source: Source = field(repr=False, compare=False)

    @property
    def path(self) -> Path_:
        """Where its file writes it."""
        return ("screens", self.name)

    @cached_property
    def keys(self) -> Mapping[tuple[str, str], Option]:
        """Options by channel and key."""
        return {(channel, key): option for option in self.options for channel, key in option.keys.items()}

    @property
    def rests(self) -> bool:
        """Is this somewhere a turn may stop?"""
        return self.kind in RESTING

    @property
    def closes(self) -> bool:
        """Does the conversation end here?"""
        return self.kind in ("end", "hand-over")

    @property
    def secret(self) -> bool:
        """Does it ask for something that must never be returned to?"""
        return bool(self.accept and self.accept.secret)

    @property
    def reads_back(self) -> bool:
        """Does it tell a caller what was heard?"""
        return self.text == READ_BACK

    @property
    def passing(self) -> bool:
        """Is it never returned to?"""
        return self.secret or self.reads_back


def node(name: str, form: ScreenForm, source: Source, otherwise: Mapping[str, str]) -> Node:
    """Compile one screen; `otherwise` completes a step's edges."""
    return Node(
        name=name,
        kind=form.kind,
        text=form.text or name,
        options=tuple(_option(option) for option in form.options),
        each=Each(form.each.of, form.each.text, form.each.to or "") if form.each else None,
        accept=form.accept,
        action=form.action or "",
        given=form.given,
        on={**otherwise, **form.on} if form.kind == "step" else {},
        needs=form.needs,
        confirm=form.confirm,
        via=form.via or "",
        source=source,
    )


def read_back(asking: Node) -> Iterator[Node]:
    """The screen behind an input that may be said: is that what was meant, or once more?"""
    if asking.accept and asking.accept.speech:
        right = Option("said.right_option", asking.accept.to, {"voice": "1"})
        again = Option("said.again_option", asking.name, {"voice": "2"})
        yield replace(
            asking, name=back_of(asking), kind="choice", text=READ_BACK, options=(right, again), accept=None
        )


def back_of(asking: Node) -> str:
    """The name of the screen that reads an input's answer back."""
    return f"{asking.name}.read_back"


def _option(form: OptionForm) -> Option:
    own: dict[str, str | None] = {channel: getattr(form, channel) for channel in CHANNELS}
    named = {channel: key for channel, key in own.items() if key}
    if form.key:
        named = {channel: key or form.key for channel, key in own.items()}
    return Option(form.text, form.to, named)
