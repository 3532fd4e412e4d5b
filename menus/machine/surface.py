"""Surfaces: what each channel can show, and the keys every screen has by rule."""

from collections.abc import Mapping
from dataclasses import dataclass

from menus.model.reply import Channel
from menus.text.paginate import Budget


@dataclass(frozen=True, slots=True)
class Surface:
    """A channel's room and its navigation keys; an empty key is not offered."""

    channel: Channel
    budget: Budget
    """Most units of one screen. USSD: 160 of the 182 septets a network carries, since some append
    text and some handsets cut there. SMS: two parts."""
    back: str = ""
    home: str = ""
    leave: str = ""
    """Leaves from home, where there is nothing to go back to."""
    more: str = ""
    wide_more: str = ""
    """`more` on a screen whose own options need that key."""
    repeat: str = ""
    agent: str = ""
    messages: bool = False
    """Does each answer travel as a message of its own? It costs, whoever sent the question may be a
    machine, and the conversation has no end."""


SURFACES: Mapping[str, Surface] = {
    "ussd": Surface("ussd", Budget(160, 70), back="0", home="00", leave="0", more="9", wide_more="99"),
    "sms": Surface("sms", Budget(306, 134), back="0", home="00", more="9", wide_more="99", messages=True),
    "voice": Surface(
        "voice", Budget(100_000, 100_000), back="*", repeat="#", agent="0", more="9", wide_more="99"
    ),
}
"""By channel. Voice pages by the rows of a list alone; its budget only bounds a runaway text."""
