"""The view: what the phone's page is told, as plain values for JSON."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from flows.domain.records import Notice
from flows.engine.turn_event import Turn
from gateway.dialogs.player import Shown
from menus.machine.menu import Menu
from menus.machine.surface import SURFACES
from menus.text.gsm import measure, offending, segments
from menus.text.masking import recipient
from storage.outbox.store import OutboxRow

View = Mapping[str, Any]


def size(text: str, channel: str) -> View:
    """What a text costs: characters, alphabet, units of the room it has, messages it would fill."""
    cost = measure(text)
    budget = SURFACES[channel].budget
    return {
        "characters": len(text),
        "alphabet": "GSM-7" if cost.alphabet == "gsm7" else "UCS-2",
        "units": cost.units,
        "most": budget.gsm7 if cost.alphabet == "gsm7" else budget.ucs2,
        "segments": segments(text),
        "because": offending(text) if cost.alphabet == "ucs2" else "",
    }


def screen(shown: Shown, channel: str) -> View:
    """What the phone shows or says."""
    text = "\n".join(shown.lines)
    gather = shown.gather and {"most": shown.gather.most, "finish": shown.gather.finish}
    cost = size(text, channel) if text and channel != "voice" else None
    prompts = zip_longest(shown.lines, shown.recordings, fillvalue="")
    told = {"channel": channel, "text": text, "prompts": list(prompts), "gather": gather, "size": cost}
    return told | {"transfer": shown.transfer, "ends": shown.ends}


def place(turn: Turn | None, menu: Menu) -> View | None:
    """Where the conversation stands in the tree."""
    if turn is None:
        return None
    spoken = menu.form.languages.get(turn.language)
    return {
        "screen": turn.screen,
        "origin": turn.origin,
        "channel": turn.channel,
        "path": [*turn.trail, turn.screen],
        "passed": [*turn.trail, *(name for name, _ in turn.steps), turn.screen],
        "steps": [f"{name}: {outcome}" for name, outcome in turn.steps],
        "language": turn.language,
        "speech": spoken.speech if spoken else turn.language,
        "revision": turn.revision,
        "newest": menu.revision,
        "ms": round(turn.seconds * 1000),
    }


def message(notice: Notice) -> View:
    """A message that arrived; this is the demo, so codes and all."""
    cost = size(notice.body, "sms") if notice.route == "sms" else None
    told = {"route": notice.route, "to": notice.to, "subject": notice.subject, "body": notice.body}
    return told | {"kind": notice.kind, "language": notice.language, "size": cost}


def parcels(rows: Sequence[OutboxRow]) -> list[View]:
    """The outbox, newest first."""
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "route": row.route,
            "to": recipient(row.to),
            "step": row.step,
            "state": row.state,
            "attempt": row.attempt,
            "reason": row.reason,
        }
        for row in sorted(rows, key=lambda row: row.id, reverse=True)
    ]
