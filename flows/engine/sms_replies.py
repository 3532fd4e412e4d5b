"""SMS de-duplication: a message id is answered once; the reply is stored and may go by the outbox."""

from flows.domain.pseudonyms import Keys
from flows.domain.records import Change, Notice
from flows.engine.inbound import Inbound
from flows.engine.subscriber_cache import People, Person
from menus.machine.surface import SURFACES
from menus.model.reply import Reply


async def told_before(keys: Keys, people: People, inbound: Inbound) -> bytes | None:
    """Return the stored reply to a message id seen in the last 7 days, whatever became of its session.

    Call it after the session is open: a duplicate that the session store recognises costs no query.
    """
    if not _named(inbound):
        return None
    return await people.world.ledger.reply(_key(keys, inbound))


async def tell(keys: Keys, people: People, person: Person, inbound: Inbound, reply: Reply, body: bytes) -> None:
    """Store the reply to a message; enqueue it as SMS when it cannot be the HTTP response."""
    if not _named(inbound):
        return
    key, now = _key(keys, inbound), people.world.now()
    notice = Notice(
        key=f"{key}/reply",
        operator=inbound.operator,
        to=inbound.caller,
        route="sms",
        kind="reply",
        body=reply.text,
        language=reply.language,
    )
    notices = (notice,) if reply.text and not inbound.inline else ()
    subscription = person.subscriber.id if person.subscriber else ""
    change = Change(key, inbound.operator, subscription, now, notices=notices, reply=body)
    await people.world.ledger.commit(change)


def _named(inbound: Inbound) -> bool:
    """Return whether it is an SMS with a message id."""
    return SURFACES[inbound.channel].messages and bool(inbound.hop)


def _key(keys: Keys, inbound: Inbound) -> str:
    return keys.mark("message", inbound.operator, inbound.provider, inbound.hop)
