"""Screens and steps: the nodes of a compiled menu, with their options and keys."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from menus.packfile.schema import CHANNELS, AcceptForm, NodeKind, OptionForm, ScreenForm
from menus.packfile.yaml_source import SourceFile, ValuePath

READ_BACK_TEXT = "said.read_back"
"""Name of the text of all read-back screens."""
SPOKEN_ANSWER_FACT = "said"
"""Name of the fact that holds a spoken answer until the caller has confirmed it."""
RESUME_OFFER = "house.resume"
"""Name of the screen that offers to continue a session that was dropped."""
WAITING_KINDS = ("choice", "input", "message", "hand-over", "end")
"""Node kinds on which a turn stops and a screen is shown."""


@dataclass(frozen=True, slots=True)
class ScreenOption:
    """One option of a screen: its text, its target node, its key per channel."""

    text: str
    to: str
    keys: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class RowOption:
    """One option for each row of a list, or one line for each when `to` is empty."""

    rows_fact: str
    """Name of the fact that holds the rows."""
    text: str
    to: str


@dataclass(frozen=True)
class Node:
    """A compiled screen or step. Fields named as in the pack's YAML; empty where the file has none."""

    name: str
    kind: NodeKind
    text: str
    options: tuple[ScreenOption, ...]
    each: RowOption | None
    accept: AcceptForm | None
    action: str
    action_argument: str
    on: Mapping[str, str]
    needs: str
    needs_confirmation: bool
    via: str
    source: SourceFile = field(repr=False, compare=False)

    @property
    def source_path(self) -> ValuePath:
        """Its path in the YAML file."""
        return ("screens", self.name)

    @cached_property
    def options_by_key(self) -> Mapping[tuple[str, str], ScreenOption]:
        """Options by (channel, key)."""
        return {(channel, key): option for option in self.options for channel, key in option.keys.items()}

    @property
    def is_waiting(self) -> bool:
        """Whether a turn may stop here; false for steps."""
        return self.kind in WAITING_KINDS

    @property
    def is_final(self) -> bool:
        """Whether the session ends here."""
        return self.kind in ("end", "hand-over")

    @property
    def is_secret(self) -> bool:
        """Whether it asks for a secret (password, code)."""
        return bool(self.accept and self.accept.secret)

    @property
    def is_read_back(self) -> bool:
        """Whether it reads a spoken answer back for confirmation."""
        return self.text == READ_BACK_TEXT

    @property
    def is_transient(self) -> bool:
        """Whether `back` must never lead here: screens that ask a secret or read an answer back, and offers."""
        return self.is_secret or self.is_read_back or self.name == RESUME_OFFER


def compile_node(name: str, form: ScreenForm, source: SourceFile, otherwise: Mapping[str, str]) -> Node:
    """Compile one screen; `otherwise` holds the targets of outcomes for which a step names no edge."""
    return Node(
        name=name,
        kind=form.kind,
        text=form.text or name,
        options=tuple(_compile_option(option) for option in form.options),
        each=RowOption(form.each.of, form.each.text, form.each.to or "") if form.each else None,
        accept=form.accept,
        action=form.action or "",
        action_argument=form.action_argument,
        on={**otherwise, **form.on} if form.kind == "step" else {},
        needs=form.needs,
        needs_confirmation=form.confirm,
        via=form.via or "",
        source=source,
    )


def read_back_nodes(input_node: Node) -> Iterator[Node]:
    """Yield the read-back screen of an input that may be spoken: 1 confirms, 2 asks again."""
    if input_node.accept and input_node.accept.speech:
        right = ScreenOption("said.right_option", input_node.accept.to, {"voice": "1"})
        again = ScreenOption("said.again_option", input_node.name, {"voice": "2"})
        yield replace(
            input_node,
            name=read_back_name(input_node),
            kind="choice",
            text=READ_BACK_TEXT,
            options=(right, again),
            accept=None,
        )


def read_back_name(input_node: Node) -> str:
    """Return the name of an input's read-back screen."""
    return f"{input_node.name}.read_back"


def _compile_option(form: OptionForm) -> ScreenOption:
    """Compile an option; `key` is the key of every channel that names none of its own."""
    own: dict[str, str | None] = {channel: getattr(form, channel) for channel in CHANNELS}
    keys = {channel: key for channel, key in own.items() if key}
    if form.key:
        keys = {channel: key or form.key for channel, key in own.items()}
    return ScreenOption(form.text, form.to, keys)
