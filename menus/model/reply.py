"""Reply of one turn, independent of the provider: text, voice prompts, keys; and its stored form."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic_core import from_json, to_json

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
    is_fixed: bool = False
    """Whether every caller may hear these very words: they hold no amount, date, number or name of anybody."""


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
class CardEntry:
    """Payment by card in a call: the connection takes the digits and the money, and we never hear them."""

    payment: str
    """Our id of the payment."""
    amount: str
    """Amount in the currency's units, with a decimal point."""
    currency: str
    """ISO 4217 code."""


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
    card: CardEntry | None = None
    """The payment that the connection takes a card for, after the prompts."""
    ends_session: bool = False
    """Whether the session ends with this reply."""


_CONTINUE_MARK, _END_MARK = b"c", b"e"


def encode_reply(reply: Reply) -> bytes:
    """Encode a reply to be stored and sent again: of USSD and SMS its text and whether it ends the session."""
    if reply.channel == "voice":
        return to_json(asdict(reply))
    return (_END_MARK if reply.ends_session else _CONTINUE_MARK) + reply.text.encode("utf-8", "surrogatepass")


def decode_reply(data: bytes, channel: Channel) -> Reply:
    """Decode what `encode_reply` wrote; ValueError when the bytes are no reply of this channel."""
    if channel == "voice":
        return _decode_voice(data)
    mark, text = data[:1], data[1:].decode("utf-8", "surrogatepass")
    if mark not in (_CONTINUE_MARK, _END_MARK):
        raise ValueError("stored reply: unknown mark")
    return Reply(channel, "", "", 0, text, ends_session=mark == _END_MARK)


def _decode_voice(data: bytes) -> Reply:
    try:
        fields = from_json(data)
        fields["prompts"] = tuple(Prompt(**prompt) for prompt in fields["prompts"])
        fields["gather"] = _decode_gather(fields["gather"]) if fields["gather"] else None
        fields["card"] = CardEntry(**fields["card"]) if fields["card"] else None
        return Reply(**fields)
    except (TypeError, KeyError) as error:
        raise ValueError("stored reply: not a voice reply") from error


def _decode_gather(fields: dict[str, Any]) -> Gather:
    return Gather(**fields | {"speech_hints": tuple(fields["speech_hints"])})
