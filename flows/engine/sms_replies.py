"""SMS de-duplication: a message id is answered once; the reply is stored and may go by the outbox."""

from dataclasses import replace

from flows.domain.ports import Ledger
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import ChangeSet, OutboundMessage
from flows.engine.inbound import Inbound
from flows.engine.step_runner import TurnContext
from menus.model.reply import Reply, decode_reply, encode_reply


async def find_previous_reply(pseudonyms: Pseudonyms, ledger: Ledger, inbound: Inbound) -> Reply | None:
    """Return the stored reply to a message id seen in the last 7 days, whatever became of its session.

    Call it after the session is open: a duplicate that the session store recognises costs no query.
    """
    if not _has_message_id(inbound):
        return None
    stored = await ledger.find_reply(_message_key(pseudonyms, inbound))
    return None if stored is None else _decode_stored(stored, inbound)


def _decode_stored(stored: bytes, inbound: Inbound) -> Reply:
    """Decode a stored reply; an empty one when an earlier release wrote it: the message was answered then."""
    try:
        return decode_reply(stored, inbound.channel)
    except ValueError:
        return Reply(inbound.channel, "", "", 0)


async def record_reply(pseudonyms: Pseudonyms, context: TurnContext, inbound: Inbound, reply: Reply) -> None:
    """Store the reply to a message; enqueue it as SMS when it cannot be the HTTP response."""
    if not _has_message_id(inbound):
        return
    key, profile = _message_key(pseudonyms, inbound), context.profile
    notice = OutboundMessage(
        key=f"{key}/reply",
        operator=inbound.operator,
        to=inbound.caller,
        route="sms",
        kind="reply",
        body=reply.text,
        language=reply.language,
    )
    notices = (notice,) if reply.text and not inbound.inline else ()
    subscription = profile.subscriber.id if profile.subscriber else ""
    shown = reply if inbound.inline else replace(reply, text="")
    change = ChangeSet(
        key, inbound.operator, subscription, context.ports.now(), messages=notices, reply=encode_reply(shown)
    )
    await context.ports.ledger.commit(change)


def _has_message_id(inbound: Inbound) -> bool:
    """Return whether the provider numbered the message."""
    return bool(inbound.request_id)


def _message_key(pseudonyms: Pseudonyms, inbound: Inbound) -> str:
    return pseudonyms.keyed_hash("message", inbound.operator, inbound.provider, inbound.request_id)
