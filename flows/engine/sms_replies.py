"""SMS de-duplication: a message id is answered once; the reply is stored and may go by the outbox."""

from flows.domain.ports import Ledger
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import ChangeSet, OutboundMessage
from flows.engine.inbound import Inbound
from flows.engine.step_runner import TurnContext
from menus.model.reply import Reply


async def find_previous_reply(pseudonyms: Pseudonyms, ledger: Ledger, inbound: Inbound) -> bytes | None:
    """Return the stored reply to a message id seen in the last 7 days, whatever became of its session.

    Call it after the session is open: a duplicate that the session store recognises costs no query.
    """
    if not _has_message_id(inbound):
        return None
    return await ledger.find_reply(_message_key(pseudonyms, inbound))


async def record_reply(
    pseudonyms: Pseudonyms, context: TurnContext, inbound: Inbound, reply: Reply, body: bytes
) -> None:
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
    change = ChangeSet(key, inbound.operator, subscription, context.ports.now(), messages=notices, reply=body)
    await context.ports.ledger.commit(change)


def _has_message_id(inbound: Inbound) -> bool:
    """Return whether the provider numbered the message."""
    return bool(inbound.hop)


def _message_key(pseudonyms: Pseudonyms, inbound: Inbound) -> str:
    return pseudonyms.keyed_hash("message", inbound.operator, inbound.provider, inbound.hop)
