"""JSON view models of the browser phone's page."""

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from typing import Any

from flows.domain.records import OutboundMessage
from flows.engine.turn_event import TurnEvent
from gateway.dialogs.player import PhoneDisplay
from menus.machine.menu import Menu
from menus.machine.surface import SURFACES
from menus.text.gsm import count_segments, measure_text, unencodable_letters
from menus.text.masking import mask_recipient
from storage.outbox.sql_outbox import OutboxRow

ViewModel = Mapping[str, Any]


def size_view(text: str, channel: str) -> ViewModel:
    """Return a text's size: characters, alphabet, units used of the channel's limit, SMS segments."""
    cost = measure_text(text)
    budget = SURFACES[channel].budget
    return {
        "characters": len(text),
        "alphabet": "GSM-7" if cost.alphabet == "gsm7" else "UCS-2",
        "units": cost.units,
        "most": budget.gsm7 if cost.alphabet == "gsm7" else budget.ucs2,
        "segments": count_segments(text),
        "because": unencodable_letters(text) if cost.alphabet == "ucs2" else "",
    }


def screen_view(display: PhoneDisplay, channel: str) -> ViewModel:
    """Return what the phone shows or plays."""
    text = "\n".join(display.lines)
    gather = display.gather and {"most": display.gather.max_keys, "finish": display.gather.finish_key}
    cost = size_view(text, channel) if text and channel != "voice" else None
    prompts = zip_longest(display.lines, display.recordings, fillvalue="")
    view = {"channel": channel, "text": text, "prompts": list(prompts), "gather": gather, "size": cost}
    return view | {"transfer": display.transfer, "ends": display.ends}


def position_view(turn: TurnEvent | None, menu: Menu) -> ViewModel | None:
    """Return the conversation's position in the menu graph; None before the first turn."""
    if turn is None:
        return None
    language_form = menu.config.languages.get(turn.language)
    return {
        "screen": turn.screen,
        "origin": turn.origin_screen,
        "channel": turn.channel,
        "path": [*turn.trail, turn.screen],
        "passed": [*turn.trail, *(name for name, _ in turn.steps), turn.screen],
        "steps": [f"{name}: {outcome}" for name, outcome in turn.steps],
        "language": turn.language,
        "speech": language_form.speech if language_form else turn.language,
        "revision": turn.revision,
        "newest": menu.revision,
        "ms": round(turn.duration_seconds * 1000),
    }


def message_view(notice: OutboundMessage) -> ViewModel:
    """Return a message that arrived, one-time codes in clear: only the demo uses this."""
    cost = size_view(notice.body, "sms") if notice.route == "sms" else None
    view = {"route": notice.route, "to": notice.to, "subject": notice.subject, "body": notice.body}
    return view | {"kind": notice.kind, "language": notice.language, "size": cost}


def outbox_view(rows: Sequence[OutboxRow]) -> list[ViewModel]:
    """Return the outbox rows, newest first, recipients masked."""
    return [
        {
            "id": row.id,
            "kind": row.kind,
            "route": row.route,
            "to": mask_recipient(row.to),
            "step": row.step,
            "state": row.state,
            "attempt": row.attempt,
            "reason": row.reason,
        }
        for row in sorted(rows, key=lambda row: row.id, reverse=True)
    ]
