"""Reply of one turn, independent of the provider: text, voice prompts, keys to gather."""

from dataclasses import dataclass
from typing import Literal

from menus.model.value import value_dataclass

Channel = Literal["ussd", "sms", "voice"]


@value_dataclass
class Prompt:
    """One voice prompt: spoken text, digits said one by one, or a recording."""

    kind: Literal["say", "digits", "play", "invite"]
    """`invite` is played only by providers with speech recognition."""
    text: str
    """The words or the digits; for a recording, the words it says."""
    file: str = ""
    """File of the recording, relative to the pack's `prompts/`."""


@dataclass(frozen=True, slots=True)
class Gather:
    """DTMF input of a call: how many keys, the finish key, time-outs, speech recognition."""

    max_keys: int
    """Most keys; the answer is complete as soon as this many were pressed."""
    finish_key: str
    """The key that ends an answer of several keys (`#`), or empty when one key is the answer."""
    first_key_seconds: int
    """Time-out before the first key."""
    between_keys_seconds: int
    """Time-out between two keys."""
    barge_in: bool = True
    """Whether a key interrupts a prompt."""
    accepts_speech: bool = False
    """Whether the answer may be spoken; keys work in any case."""
    speech_hints: tuple[str, ...] = ()
    """Words a spoken answer consists of, as hints for speech recognition."""


@value_dataclass
class Reply:
    """Reply of one turn, fitted to its channel. USSD and SMS use `text`, voice uses `prompts`."""

    channel: Channel
    language: str
    node: str
    """The screen it shows: a label for logs and maps, never sent to the subscriber."""
    turn: int
    """Number of turns the session has had; the step nonce in the action URLs of a call."""
    text: str = ""
    prompts: tuple[Prompt, ...] = ()
    gather: Gather | None = None
    transfer_to: str = ""
    """The number to connect the call to after the prompts, in E.164, a short code, or a `sip:` address."""
    transfer_limit_seconds: int = 0
    """Longest duration of the transferred call; 0 for no limit."""
    transfer_context: str = ""
    """The screen the caller came from, for the agent who takes the call."""
    ends_session: bool = False
    """Whether the session ends with this reply."""
