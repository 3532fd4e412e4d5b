"""Stopping: a texted STOP ends all notices to the sender's own number, START brings them back."""

from flows.engine.inbound import Inbound
from flows.engine.step_runner import Frame
from menus.machine.surface import SURFACES
from menus.model.reply import Reply
from menus.model.session import Session
from menus.text.gsm import plain, prepare
from menus.text.opt_out_words import wish

TEXTS = {"stop": "house.stopped", "start": "house.started"}


async def heard(frame: Frame, session: Session, inbound: Inbound, text: str) -> Reply | None:
    """The confirmation, once; an empty reply for a repeat; None for any other text.

    Only the sender of the text can be meant: nothing in it names another number. A pack that has such a
    word as a keyword of its own keeps it.
    """
    asked = wish(text) if SURFACES[inbound.channel].messages and inbound.caller else ""
    if not asked or frame.menu.keywords.meaning(text):
        return None
    world, out = frame.people.world, asked == "stop"
    changed = await world.ledger.opt_out(frame.menu.name, inbound.caller, out=out, now=world.now())
    words = frame.menu.words(TEXTS[asked], session.language, inbound.channel, {}) if changed else ""
    body = plain(prepare(words)) if words else ""
    return Reply(inbound.channel, session.language, TEXTS[asked], session.turn, text=body, ends=True)
