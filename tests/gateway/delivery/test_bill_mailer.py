"""Bill mailer: which document is attached, which becomes a link, and which mail waits."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from flows.domain.bill_mail import MAX_ATTACHMENT_BYTES, BillEnclosure, BillMail, carry_bill
from flows.domain.failures import Down, Failure, NotFound, Rejected, TooLarge
from flows.domain.records import BillDocument, OutboundMessage, Secret
from gateway.delivery.mail.bill_mailer import BillMailer, BillMailSender
from gateway.providers.contract import SentMessage
from tests.support.gateway_sandbox import OPERATOR, GatewaySandbox
from tests.support.gateway_sandbox import sandbox as sandbox
from tests.support.gateway_sandbox import sandboxes as sandboxes

ENCLOSURE = BillEnclosure(
    account="40740000101",
    bill_id="ORO-202603-0101",
    number="ORO-202603-0101",
    subscription="orange-ro-40740000101",
    msisdn="+40740000101",
    is_mobile=True,
    attached_text="It is attached.",
    link_text="It is here: {link}",
)
MESSAGE = OutboundMessage("k", OPERATOR, "ana@example.test", "email", "notice", "Your bill.", "en", "Bill")
MAIL = carry_bill(MESSAGE, ENCLOSURE)


class StubbornIssuer:
    """A billing backend that answers every request for a document alike."""

    capabilities = ("documents",)

    def __init__(self, answer: BillDocument | Failure) -> None:
        self.answer = answer

    async def get_document(self, account: str, bill_id: str) -> BillDocument:
        if isinstance(self.answer, Failure):
            raise self.answer
        return self.answer


class SmallRelay:
    """A sender that takes no mail with a document."""

    def __init__(self, failure: Failure) -> None:
        self.failure, self.taken = failure, list[OutboundMessage]()

    async def send(self, notice: OutboundMessage) -> SentMessage:
        if isinstance(notice, BillMail) and notice.document:
            raise self.failure
        self.taken.append(notice)
        return SentMessage("smtp", "id")

    async def close(self) -> None:
        pass


def document_of(data: bytes, suffix: str = "pdf") -> BillDocument:
    return BillDocument(data, hashlib.sha256(data).hexdigest(), suffix.upper(), suffix=suffix)


@pytest.fixture
async def mailer(sandbox: GatewaySandbox) -> AsyncIterator[BillMailer]:
    yield BillMailer(sandbox.container.operators, sandbox.clock)


def answer_with(mailer: BillMailer, answer: BillDocument | Failure) -> None:
    mailer.operators[OPERATOR].billing = StubbornIssuer(answer)  # type: ignore[assignment]


async def complete(mailer: BillMailer, mail: BillMail = MAIL) -> BillMail:
    found = await mailer.complete_mail(mail)
    assert isinstance(found, BillMail)
    return found


async def test_a_small_pdf_is_attached_and_said_to_be(mailer: BillMailer) -> None:
    answer_with(mailer, document_of(b"%PDF-1.7 small"))
    mail = await complete(mailer)
    assert mail.document and mail.document.data == b"%PDF-1.7 small"
    assert mail.body == "Your bill.\n\nIt is attached."


@pytest.mark.parametrize(
    "answer",
    [
        document_of(b"%PDF-1.7" + b"x" * MAX_ATTACHMENT_BYTES),
        document_of(b"<html>", "html"),
        NotFound(),
    ],
    ids=["above five megabytes", "html", "no document"],
)
async def test_what_cannot_be_attached_is_linked_for_72_hours(
    mailer: BillMailer, sandbox: GatewaySandbox, answer: BillDocument | Failure
) -> None:
    answer_with(mailer, answer)
    mail = await complete(mailer)
    assert mail.document is None and "attached" not in mail.body
    ledger, token = mailer.operators[OPERATOR].ledger, Secret(mail.body.partition("#")[2])
    link = await ledger.find_link(token, "file", sandbox.clock())
    assert link and (link.expires_at - sandbox.clock()).total_seconds() == 72 * 3600
    assert ENCLOSURE.bill_id in link.value and ENCLOSURE.msisdn in link.value


async def test_a_pack_that_wants_links_never_fetches_the_document(mailer: BillMailer) -> None:
    answer_with(mailer, Down())
    mail = await complete(mailer, replace(MAIL, enclosure=replace(ENCLOSURE, is_link=True)))
    assert "#" in mail.body and mail.document is None


@pytest.mark.parametrize("answer", [Down(), replace(document_of(b"%PDF-1.7"), sha256="0" * 64)])
async def test_a_document_that_cannot_be_had_or_trusted_now_is_waited_for(
    mailer: BillMailer, answer: BillDocument | Failure
) -> None:
    answer_with(mailer, answer)
    with pytest.raises(Down):
        await mailer.complete_mail(MAIL)


async def test_each_attempt_has_a_link_of_its_own_that_opens(
    mailer: BillMailer, sandbox: GatewaySandbox
) -> None:
    answer_with(mailer, NotFound())
    tokens = [Secret((await complete(mailer)).body.partition("#")[2]) for _ in range(2)]
    found = [
        await mailer.operators[OPERATOR].ledger.find_link(each, "file", sandbox.clock()) for each in tokens
    ]
    assert all(found) and tokens[0] != tokens[1]


async def test_any_other_message_is_sent_as_it_is(mailer: BillMailer) -> None:
    assert await mailer.complete_mail(MESSAGE) is MESSAGE


async def test_a_bill_too_large_for_the_relay_goes_out_as_a_link_at_once(mailer: BillMailer) -> None:
    answer_with(mailer, document_of(b"%PDF-1.7 small"))
    relay = SmallRelay(TooLarge())
    await BillMailSender(relay, mailer).send(await complete(mailer))
    [taken] = relay.taken
    assert "#" in taken.body and "attached" not in taken.body


async def test_another_refusal_is_not_answered_with_a_link(mailer: BillMailer) -> None:
    answer_with(mailer, document_of(b"%PDF-1.7 small"))
    relay = SmallRelay(Rejected())
    with pytest.raises(Rejected):
        await BillMailSender(relay, mailer).send(await complete(mailer))
    assert not relay.taken
