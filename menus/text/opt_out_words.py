"""Opt-out and opt-in words (STOP, START) in every supported language."""

from typing import Literal

from menus.text.keywords import normalise_keyword

STOP_WORDS = frozenset(
    map(
        normalise_keyword,
        (
            *("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"),
            *("ARRÊT", "ARRÊTER", "ARRÊTEZ", "DÉSABONNER", "DÉSABONNEMENT"),
            *("OPRIRE", "OPREȘTE", "DEZABONARE"),
            *("توقف", "قف", "أوقف", "إيقاف", "إلغاء", "إلغاء الاشتراك"),
        ),
    )
)
"""Words that end all notices: Twilio's default list, then French, Romanian and Arabic; normalised."""
START_WORDS = frozenset(
    map(
        normalise_keyword,
        ("START", "UNSTOP", "YES", "REPRENDRE", "DÉMARRER", "RELUARE", "ابدأ", "استئناف", "تفعيل الرسائل"),
    )
)
"""Words that allow notices again: Twilio's default list (YES lifts its block, too), then ours; normalised."""
MAX_LENGTH = 40
"""Most characters of a text that is compared with these words."""


def opt_out_intent(body: str) -> Literal["", "stop", "start"]:
    """Return what the whole SMS body asks for; empty when it is no opt-out or opt-in word."""
    if len(body) > MAX_LENGTH:
        return ""
    word = normalise_keyword(body)
    if word in STOP_WORDS:
        return "stop"
    return "start" if word in START_WORDS else ""
