"""A session on node-smpp: what our simulator might share with us in error, an independent SMSC shows."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator

import pytest

from flows.domain.records import Secret
from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.smpp.session_settings import SmppSettings
from gateway.smpp.wire.protocol import Tag
from gateway.smpp.wire.sms_records import SubmitAccepted, SubmitRefused, SubmitUnknown
from tests.gateway.smpp.recorded_pdus import BROKEN_CASES
from tests.gateway.smpp.session_bench import FAST, TEST_SECONDS, SessionBench, build_bench
from tests.support.installed_programs import run_installed
from tests.support.node_smsc import NodeSmsc


@pytest.fixture(scope="module")
def smsc() -> Iterator[NodeSmsc]:
    with run_installed(NodeSmsc) as server:
        yield server


@pytest.fixture
async def bench(smsc: NodeSmsc) -> AsyncIterator[SessionBench]:
    settings = SmppSettings("127.0.0.1", smsc.port, "dialtree", Secret("secret"), **FAST)
    found = build_bench(SmscSimulator(), settings)
    run = asyncio.create_task(found.session.run())
    await asyncio.wait_for(found.session.wait_until_up(), TEST_SECONDS)
    smsc.command(do="seen")
    yield found
    await found.session.drain(1)
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run


async def tell(smsc: NodeSmsc, **asked: object) -> object:
    return await asyncio.to_thread(smsc.command, **asked)


async def test_texts_arrive_as_they_were_sent(bench: SessionBench, smsc: NodeSmsc) -> None:
    for text in ("Facture: 45,20 € [1]", "فاتورتك 45,20", "Factură 👍"):
        outcome = await bench.submit("40740000101", text)
        assert isinstance(outcome, SubmitAccepted)
        (seen,) = smsc.command(do="seen")
        assert (seen["text"], seen["reference"]) == (text, outcome.reference)


@pytest.mark.parametrize("last", ["10", "11", "13"], ids=["decimal text", "TLV only", "before the response"])
async def test_receipts_of_every_form_find_their_message(bench: SessionBench, last: str) -> None:
    outcome = await bench.submit(f"407400001{last}", wants_receipt=True)
    await bench.wait_for("receipts")
    assert isinstance(outcome, SubmitAccepted)
    assert outcome.message_ids[0] in bench.receipts[0].message_ids
    assert bench.receipts[0].state == ("failed" if last == "13" else "delivered")
    assert bench.events[0] == outcome


async def test_every_outcome_is_told_apart(bench: SessionBench) -> None:
    numbers = ("20", "22", "30", "33")
    outcomes = [await bench.submit(f"407400{time.monotonic_ns() % 1000:03}{last}") for last in numbers]
    assert [type(outcome) for outcome in outcomes] == [
        SubmitAccepted,
        SubmitRefused,
        SubmitUnknown,
        SubmitRefused,
    ]
    assert bench.session.counters.throttles == 2


async def test_a_long_text_goes_in_parts(bench: SessionBench, smsc: NodeSmsc) -> None:
    outcome = await bench.submit(text="Factura € " * 40)
    assert isinstance(outcome, SubmitAccepted) and len(outcome.message_ids) == 3
    assert "".join(seen["text"] for seen in smsc.command(do="seen")) == "Factura € " * 40


async def test_a_ussd_operation_arrives_and_is_answered(bench: SessionBench, smsc: NodeSmsc) -> None:
    addresses = {"source_addr": "40740000101", "destination_addr": "*100#"}
    fields = {"short_message": "*100#", "data_coding": 15, "ussd_service_op": 1, "service_type": "USSD"}
    answer = await tell(smsc, do="deliver", pdu={**addresses, **fields})
    assert answer == {"status": 0}
    assert (bench.messages[0].ussd_operation, bench.messages[0].text) == (1, "*100#")
    await bench.submit(text="Meniu", tlvs={Tag.USSD_SERVICE_OP: b"\x02"})
    assert [seen["operation"] for seen in smsc.command(do="seen")] == [2]


async def test_the_smsc_unbinds_and_the_session_comes_back(bench: SessionBench, smsc: NodeSmsc) -> None:
    answer = asyncio.create_task(tell(smsc, do="unbind"))
    await bench.rebind()
    assert await answer == {"status": 0}


@pytest.mark.parametrize("name", ["unknown_command", "tlv_half_header", "unsolicited_nack", "no_terminator"])
async def test_a_broken_pdu_ends_nothing(bench: SessionBench, smsc: NodeSmsc, name: str) -> None:
    await tell(smsc, do="raw", hex=BROKEN_CASES[name].hex())
    assert isinstance(await bench.submit(), SubmitAccepted)
    assert bench.session.counters.binds == 1
