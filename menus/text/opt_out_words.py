"""STOP and START: the words that end all notices and bring them back, in every language we speak."""

from typing import Literal

from menus.text.keywords import squeezed

STOP = frozenset(
    map(
        squeezed,
        (
            *("STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT"),
            *("ARRÊT", "ARRÊTER", "ARRÊTEZ", "DÉSABONNER", "DÉSABONNEMENT"),
            *("OPRIRE", "OPREȘTE", "DEZABONARE"),
            *("توقف", "قف", "أوقف", "إيقاف", "إلغاء", "إلغاء الاشتراك"),
        ),
    )
)
"""Twilio's default list, then French, Romanian and Arabic; accents and letter variants fold away."""
START = frozenset(
    map(squeezed, ("START", "UNSTOP", "REPRENDRE", "DÉMARRER", "RELUARE", "ابدأ", "استئناف", "تفعيل الرسائل"))
)


def wish(body: str) -> Literal["", "stop", "start"]:
    """What the whole text asks for; empty when it asks for something else."""
    if len(body) > MOST:
        return ""
    word = squeezed(body)
    if word in STOP:
        return "stop"
    return "start" if word in START else ""


MOST = 40
"""Characters: a longer text is none of these words."""
