"""Switching to e-invoicing: the validated address reaches billing, and the subscriber hears what is true."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from flows.domain.bill_delivery import BillDestination
from flows.domain.records import ChangeSet, Preference
from storage.sql.tables import consents
from tests.support.billing.backends import LONG_TIMEOUTS, build_book, open_backend
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox, SandboxFactory
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes

ANA, EMAIL, SHOWN_EMAIL = "+40740000101", "ana.noua@example.test", "a***@example.test"


async def validate_address(sandbox: GatewaySandbox, email: str) -> None:
    """Store an address as validated, as the link in its mail does."""
    ports = sandbox.container.operators[OPERATOR]
    subscription = (await ports.billing.get_subscriber(ANA)).id
    preference = Preference(language="en", email=email, email_validated=True)
    key = f"validated {email}"
    await ports.ledger.commit(ChangeSet(key, OPERATOR, subscription, sandbox.clock(), preference=preference))


async def text_keyword(sandbox: GatewaySandbox, word: str) -> str:
    return "\n".join((await sandbox.direct_line().send_text(ANA, "477", word)).lines)


async def test_the_screen_names_the_address_and_who_sends_there(sandbox: GatewaySandbox) -> None:
    await validate_address(sandbox, EMAIL)
    said = await text_keyword(sandbox, "EFACTURA")
    assert "The billing department e-mails the bills" in said and SHOWN_EMAIL in said
    holder = await sandbox.faulty_billing.get_subscriber(ANA)
    assert await sandbox.faulty_billing.get_media(holder.account) == BillDestination("email", EMAIL)


async def test_without_a_validated_address_no_mail_is_promised(sandbox: GatewaySandbox) -> None:
    said = await text_keyword(sandbox, "EFACTURA")
    assert "@" not in said and "activa pentru" in said


async def test_a_new_address_is_a_change_and_the_same_one_is_none(sandbox: GatewaySandbox) -> None:
    phone = sandbox.direct_line()
    for email, said in ((EMAIL, "Done!"), (EMAIL, "already"), ("alt@example.test", "Done!")):
        await validate_address(sandbox, email)
        sandbox.clock.advance(timedelta(minutes=1))
        assert said in "\n".join((await phone.send_text(ANA, "477", "EBILL")).lines)


async def test_a_change_made_later_is_told_by_text_once_it_is_made(
    sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with sandboxes.open() as sandbox:
        kept = build_book(sandbox.clock())
        async with open_backend(
            "tmf678-v4", tmp_path, kept, lambda: sandbox.clock().date(), LONG_TIMEOUTS
        ) as billing:
            sandbox.container.operators[OPERATOR].billing = billing
            await validate_address(sandbox, EMAIL)
            kept.faults.add("accepts_later")
            said = await text_keyword(sandbox, "EFACTURA")
            assert SHOWN_EMAIL not in said
            assert not [each for each in await sandbox.messages.collect_new() if SHOWN_EMAIL in each.body]
            kept.apply_accepted()
            sandbox.clock.advance(timedelta(minutes=2))
            texts = [each.body for each in await sandbox.messages.collect_new()]
            rows = await sandbox.container.database.read(
                lambda connection: connection.execute(select(consents.c.what)).scalars().all()
            )
    assert [SHOWN_EMAIL in each for each in texts].count(True) == 1 and list(rows) == ["e-bill"]


@pytest.mark.parametrize(("fault", "said"), [("refuses_change", "not available"), ("loses_contact", "later")])
async def test_an_address_that_billing_refuses_or_loses_is_not_called_done(
    fault: str, said: str, sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    async with sandboxes.open() as sandbox:
        kept = build_book(sandbox.clock())
        async with open_backend(
            "killbill", tmp_path, kept, lambda: sandbox.clock().date(), LONG_TIMEOUTS
        ) as billing:
            sandbox.container.operators[OPERATOR].billing = billing
            await validate_address(sandbox, EMAIL)
            kept.faults.add(fault)
            answer = await text_keyword(sandbox, "EFACTURA")
    assert said in answer and "Done" not in answer
