"""ARI events: the few we act on, read from JSON (docs.asterisk.org, Events REST API)."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

KEYS = frozenset("0123456789*#")
"""Keys of a telephone; A to D of DTMF stand on none."""


@dataclass(frozen=True, slots=True)
class AriChannel:
    """One leg of a call, as Asterisk describes it."""

    id: str
    endpoint: str
    """Technology and endpoint it came by, `PJSIP/operator-trunk`, without the serial of the channel."""
    context: str
    """Context of the dialplan it is in."""
    caller: str = field(repr=False)
    """Caller's number as the endpoint wrote it; empty when withheld."""


@dataclass(frozen=True, slots=True)
class CallEntered:
    """A call reached our application (StasisStart)."""

    channel: AriChannel
    arguments: tuple[str, ...] = ()
    """What the dialplan wrote behind the application's name."""


@dataclass(frozen=True, slots=True)
class CallLeft:
    """A call left our application: hung up, or gone on in the dialplan (StasisEnd, ChannelDestroyed)."""

    channel_id: str


@dataclass(frozen=True, slots=True)
class KeyPressed:
    """A key was pressed and released (ChannelDtmfReceived, sent at the key's end)."""

    channel_id: str
    key: str = field(repr=False)
    released_at: datetime | None = None
    """Asterisk's time of the release; None when the event has none."""


@dataclass(frozen=True, slots=True)
class PlaybackEnded:
    """Prompts were played to their end, stopped, or could not be played (PlaybackFinished)."""

    playback_id: str
    channel_id: str
    has_failed: bool = False


@dataclass(frozen=True, slots=True)
class ApplicationReplaced:
    """Another connection took our application's name: this one hears nothing any more."""


CallEvent = CallLeft | KeyPressed | PlaybackEnded
AriEvent = CallEntered | CallEvent | ApplicationReplaced
Fields = Mapping[str, Any]


def parse_event(text: str) -> AriEvent | None:
    """Read an event; None for one we do not act on, or that is malformed."""
    try:
        fields = json.loads(text)
        reader = _READERS.get(fields["type"])
        return reader(fields) if reader else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def parse_channel(fields: Fields) -> AriChannel:
    """Read a channel object; KeyError, TypeError or AttributeError when it is none."""
    endpoint, dash, _serial = str(fields["name"]).rpartition("-")
    return AriChannel(
        id=_text(fields["id"]),
        endpoint=endpoint if dash else str(fields["name"]),
        context=str((fields.get("dialplan") or {}).get("context", "")),
        caller=str((fields.get("caller") or {}).get("number", "")),
    )


def _read_start(fields: Fields) -> CallEntered:
    return CallEntered(parse_channel(fields["channel"]), tuple(map(str, fields.get("args") or ())))


def _read_end(fields: Fields) -> CallLeft:
    return CallLeft(_text(fields["channel"]["id"]))


def _read_key(fields: Fields) -> KeyPressed | None:
    if fields["digit"] not in KEYS:
        return None
    return KeyPressed(_text(fields["channel"]["id"]), fields["digit"], _read_time(fields.get("timestamp")))


def _read_playback(fields: Fields) -> PlaybackEnded | None:
    playback = fields["playback"]
    kind, _, channel_id = str(playback["target_uri"]).partition(":")
    if kind != "channel":
        return None
    return PlaybackEnded(_text(playback["id"]), channel_id, playback.get("state") == "failed")


def _read_replaced(fields: Fields) -> ApplicationReplaced:
    return ApplicationReplaced()


def _read_time(text: object) -> datetime | None:
    """Read a time such as `2026-11-27T10:16:30.757+0000`; None for anything else."""
    try:
        return datetime.strptime(str(text), "%Y-%m-%dT%H:%M:%S.%f%z")
    except ValueError:
        return None


def _text(value: object) -> str:
    """Return a string that is one and not empty; TypeError otherwise."""
    if not isinstance(value, str) or not value:
        raise TypeError("an id must be a string")
    return value


_READERS: Mapping[str, Callable[[Fields], AriEvent | None]] = {
    "StasisStart": _read_start,
    "StasisEnd": _read_end,
    "ChannelDestroyed": _read_end,
    "ChannelDtmfReceived": _read_key,
    "PlaybackFinished": _read_playback,
    "ApplicationReplaced": _read_replaced,
}

SHORTEST_PRESS = timedelta(milliseconds=80)
"""Least time between the ends of two presses: 40 ms of tone behind 40 ms of pause (ITU-T Q.24)."""


def is_same_press(first: KeyPressed | None, second: KeyPressed) -> bool:
    """Return whether two events tell of one press, as where a trunk sends a key both as tone and as signal."""
    if first is None or first.key != second.key or not first.released_at or not second.released_at:
        return False
    return abs(second.released_at - first.released_at) < SHORTEST_PRESS
