"""SMS de-duplication: a message id is answered once; the reply is stored and may go by the outbox."""

from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import ChangeSet, OutboundMessage
from flows.engine.inbound import Inbound
from flows.engine.subscriber_cache import CallerProfile, SubscriberCache
from menus.machine.surface import SURFACES
from menus.model.reply import Reply


async def find_previous_reply(
    pseudonyms: Pseudonyms, subscribers: SubscriberCache, inbound: Inbound
) -> bytes | None:
    """Return the stored reply to a message id seen in the last 7 days, whatever became of its session.

    Call it after the session is open: a duplicate that the session store recognises costs no query.
    """
    if not _has_message_id(inbound):
        return None
    return await subscribers.ports.ledger.find_reply(_message_key(pseudonyms, inbound))


async def record_reply(
    pseudonyms: Pseudonyms,
    subscribers: SubscriberCache,
    profile: CallerProfile,
    inbound: Inbound,
    reply: Reply,
    body: bytes,
) -> None:
    """Store the reply to a message; enqueue it as SMS when it cannot be the HTTP response."""
    if not _has_message_id(inbound):
        return
    key, now = _message_key(pseudonyms, inbound), subscribers.ports.now()
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
    change = ChangeSet(key, inbound.operator, subscription, now, messages=notices, reply=body)
    await subscribers.ports.ledger.commit(change)


def _has_message_id(inbound: Inbound) -> bool:
    """Return whether it is an SMS with a message id."""
    return SURFACES[inbound.channel].is_message_based and bool(inbound.hop)


def _message_key(pseudonyms: Pseudonyms, inbound: Inbound) -> str:
    return pseudonyms.keyed_hash("message", inbound.operator, inbound.provider, inbound.hop)
