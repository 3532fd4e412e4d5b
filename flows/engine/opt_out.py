"""Opt-out by SMS: STOP ends all notices to the sender's own number, START resumes them."""

from flows.engine.inbound import Inbound
from flows.engine.step_runner import Frame
from menus.machine.surface import SURFACES
from menus.model.reply import Reply
from menus.model.session import Session
from menus.text.gsm import plain, prepare
from menus.text.opt_out_words import wish

TEXTS = {"stop": "house.stopped", "start": "house.started"}


async def heard(frame: Frame, session: Session, inbound: Inbound, text: str) -> Reply | None:
    """Store STOP or START and return its confirmation; None for any other text.

    A repeat gets an empty reply. Only the sender's own number changes, as no text names another one.
    An operator's own keyword takes precedence over an opt-out word.
    """
    intent = wish(text) if SURFACES[inbound.channel].messages and inbound.caller else ""
    if not intent or frame.menu.keywords.meaning(text):
        return None
    world, out = frame.people.world, intent == "stop"
    changed = await world.ledger.opt_out(frame.menu.name, inbound.caller, out=out, now=world.now())
    words = frame.menu.words(TEXTS[intent], session.language, inbound.channel, {}) if changed else ""
    body = plain(prepare(words)) if words else ""
    return Reply(inbound.channel, session.language, TEXTS[intent], session.turn, text=body, ends=True)
