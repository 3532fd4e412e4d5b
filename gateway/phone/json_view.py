"""JSON view models of the browser phone's page."""

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
    """Return a text's size: characters, alphabet, units used of the channel's limit, SMS segments."""
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
    """Return what the phone shows or plays."""
    text = "\n".join(shown.lines)
    gather = shown.gather and {"most": shown.gather.most, "finish": shown.gather.finish}
    cost = size(text, channel) if text and channel != "voice" else None
    prompts = zip_longest(shown.lines, shown.recordings, fillvalue="")
    view = {"channel": channel, "text": text, "prompts": list(prompts), "gather": gather, "size": cost}
    return view | {"transfer": shown.transfer, "ends": shown.ends}


def place(turn: Turn | None, menu: Menu) -> View | None:
    """Return the conversation's position in the menu graph; None before the first turn."""
    if turn is None:
        return None
    language_form = menu.form.languages.get(turn.language)
    return {
        "screen": turn.screen,
        "origin": turn.origin,
        "channel": turn.channel,
        "path": [*turn.trail, turn.screen],
        "passed": [*turn.trail, *(name for name, _ in turn.steps), turn.screen],
        "steps": [f"{name}: {outcome}" for name, outcome in turn.steps],
        "language": turn.language,
        "speech": language_form.speech if language_form else turn.language,
        "revision": turn.revision,
        "newest": menu.revision,
        "ms": round(turn.seconds * 1000),
    }


def message(notice: Notice) -> View:
    """Return a message that arrived, one-time codes in clear: only the demo uses this."""
    cost = size(notice.body, "sms") if notice.route == "sms" else None
    view = {"route": notice.route, "to": notice.to, "subject": notice.subject, "body": notice.body}
    return view | {"kind": notice.kind, "language": notice.language, "size": cost}


def parcels(rows: Sequence[OutboxRow]) -> list[View]:
    """Return the outbox rows, newest first, recipients masked."""
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
