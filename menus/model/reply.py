"""What one turn answers, before a provider writes it in its own form."""

from dataclasses import dataclass
from typing import Literal

from menus.model.value import value

Channel = Literal["ussd", "sms", "voice"]


@value
class Prompt:
    """One thing a caller hears: spoken text, digits said one by one, or a recording."""

    kind: Literal["say", "digits", "play", "invite"]
    """`invite` is said only where the answer may be spoken."""
    text: str
    """The words or the digits; of a recording the words it says."""
    file: str = ""
    """The recording's file name relative to the pack's `prompts/`."""


@dataclass(frozen=True, slots=True)
class Gather:
    """Which keys the caller may press next, and how long we wait."""

    most: int
    """Keys at most; the answer is taken as soon as so many came."""
    finish: str
    """The key that ends a longer answer (`#`), or empty when the first key answers."""
    first_seconds: int
    between_seconds: int
    barge_in: bool = True
    speech: bool = False
    """May the answer be spoken? Where a provider hears no speech, keys still do."""
    hints: tuple[str, ...] = ()
    """Words a spoken answer is made of, for who has to recognise it."""


@value
class Reply:
    """One answer, fitted to its surface. USSD and SMS use `text`, voice uses `prompts`."""

    channel: Channel
    language: str
    node: str
    """The screen it shows: a label for logs and maps, never sent to the subscriber."""
    turn: int
    """How many turns the session has had: the step nonce of voice action URLs."""
    text: str = ""
    prompts: tuple[Prompt, ...] = ()
    gather: Gather | None = None
    transfer: str = ""
    """The number to connect the call to after the prompts, in E.164, a short code, or a `sip:` address."""
    transfer_seconds: int = 0
    """How long the call may last once put through; 0 for no limit."""
    context: str = ""
    """For whom answers it: the screen the caller came from."""
    ends: bool = False
