"""Opt-out by SMS: STOP ends all notices to the sender's own number, START resumes them."""

from flows.engine.inbound import Inbound
from flows.engine.step_runner import TurnContext
from menus.model.reply import Reply
from menus.model.session import Session
from menus.text.gsm import prepare_text, to_wire_text
from menus.text.opt_out_words import opt_out_intent

CONFIRMATION_TEXTS = {"stop": "house.stopped", "start": "house.started"}


async def handle_opt_out(context: TurnContext, session: Session, inbound: Inbound) -> Reply | None:
    """Store STOP or START and return its confirmation; None for any other text.

    A repeat gets an empty reply. Only the sender's own number changes, as no text names another one.
    An operator's own keyword takes precedence over an opt-out word.
    """
    text = inbound.text or ""
    intent = opt_out_intent(text) if inbound.caller else ""
    if not intent or context.menu.keywords.match_keyword(text):
        return None
    ports, out = context.ports, intent == "stop"
    changed = await ports.ledger.set_opt_out(context.menu.name, inbound.caller, out=out, now=ports.now())
    words = (
        context.menu.fill_text(CONFIRMATION_TEXTS[intent], session.language, inbound.channel, {})
        if changed
        else ""
    )
    body = to_wire_text(prepare_text(words)) if words else ""
    return Reply(
        inbound.channel,
        session.language,
        CONFIRMATION_TEXTS[intent],
        session.turn,
        text=body,
        ends_session=True,
    )
