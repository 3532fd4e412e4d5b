"""Screens and steps: the nodes of a compiled menu, with their options and keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from menus.packfile.schema import CHANNELS, AcceptForm, Kind, OptionForm, ScreenForm
from menus.packfile.yaml_source import Path_, Source

READ_BACK = "said.read_back"
"""Name of the text of all read-back screens."""
SAID = "said"
"""Name of the fact that holds a spoken answer until the caller has confirmed it."""
RESTING = ("choice", "input", "message", "hand-over", "end")
"""Node kinds on which a turn stops and a screen is shown."""


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a screen: its text, its target node, its key per channel."""

    text: str
    to: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Each:
    """One option for each row of a list, or one line for each when `to` is empty."""

    of: str
    """Name of the fact that holds the rows."""
    text: str
    to: str


@dataclass(frozen=True)
class Node:
    """A compiled screen or step. Fields named as in the pack's YAML; empty where the file has none."""

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
        """Its path in the YAML file."""
        return ("screens", self.name)

    @cached_property
    def keys(self) -> Mapping[tuple[str, str], Option]:
        """Options by (channel, key)."""
        return {(channel, key): option for option in self.options for channel, key in option.keys.items()}

    @property
    def rests(self) -> bool:
        """Whether a turn may stop here; false for steps."""
        return self.kind in RESTING

    @property
    def closes(self) -> bool:
        """Whether the session ends here."""
        return self.kind in ("end", "hand-over")

    @property
    def secret(self) -> bool:
        """Whether it asks for a secret (password, code)."""
        return bool(self.accept and self.accept.secret)

    @property
    def reads_back(self) -> bool:
        """Whether it reads a spoken answer back for confirmation."""
        return self.text == READ_BACK

    @property
    def passing(self) -> bool:
        """Whether `back` must never lead here: screens that ask a secret or read an answer back."""
        return self.secret or self.reads_back


def node(name: str, form: ScreenForm, source: Source, otherwise: Mapping[str, str]) -> Node:
    """Compile one screen; `otherwise` holds the targets of outcomes for which a step names no edge."""
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
    """Yield the read-back screen of an input that may be spoken: 1 confirms, 2 asks again."""
    if asking.accept and asking.accept.speech:
        right = Option("said.right_option", asking.accept.to, {"voice": "1"})
        again = Option("said.again_option", asking.name, {"voice": "2"})
        yield replace(
            asking, name=back_of(asking), kind="choice", text=READ_BACK, options=(right, again), accept=None
        )


def back_of(asking: Node) -> str:
    """Return the name of an input's read-back screen."""
    return f"{asking.name}.read_back"


def _option(form: OptionForm) -> Option:
    """Compile an option; `key` is the key of every channel that names none of its own."""
    own: dict[str, str | None] = {channel: getattr(form, channel) for channel in CHANNELS}
    keys = {channel: key for channel, key in own.items() if key}
    if form.key:
        keys = {channel: key or form.key for channel, key in own.items()}
    return Option(form.text, form.to, keys)
