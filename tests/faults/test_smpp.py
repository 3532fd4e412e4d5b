"""An SMSC that is gone, slow, deaf, throttling or confused: nothing is lost silently, nothing is sent twice."""

import asyncio
import contextlib

import pytest

from flows.domain.records import Secret
from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.smpp.session_settings import SmppSettings
from gateway.smpp.wire.bodies import SmppAddress
from gateway.smpp.wire.pdu import HEADER_OCTETS, Pdu, encode_pdu, encode_response
from gateway.smpp.wire.protocol import Command, Status
from gateway.smpp.wire.sms_records import (
    NotSubmitted,
    OutgoingMessage,
    SubmitAccepted,
    SubmitRefused,
    SubmitUnknown,
)
from tests.gateway.smpp.recorded_pdus import BROKEN_CASES
from tests.gateway.smpp.session_bench import FAST, SENDER, TEST_SECONDS, bound_session, build_bench
from tests.support.free_ports import free_port

SUBMIT_SEQUENCE = 2
"""Of the first submit: the bind has 1."""
UNREADABLE = "tlv_longer_than_pdu"
MESSAGE = OutgoingMessage(SmppAddress("40740000102", 1, 1), "Factura", SENDER)


async def test_an_smsc_that_is_gone_is_tried_again_less_and_less_often() -> None:
    smsc, port = SmscSimulator(), free_port()
    bench = build_bench(smsc, SmppSettings("127.0.0.1", port, "dialtree", Secret("secret"), **FAST))
    run = asyncio.create_task(bench.session.run())
    async with asyncio.timeout(TEST_SECONDS):
        while len(bench.clock.waits) < 5:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
    assert await bench.submit() == NotSubmitted("down")
    assert bench.clock.waits[:5] == sorted(bench.clock.waits[:5]) and bench.clock.waits[4] > 5
    async with smsc.serve(port), asyncio.timeout(TEST_SECONDS):
        await bench.session.wait_until_up()
        assert isinstance(await bench.submit(), SubmitAccepted)
        run.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await run


async def test_a_connection_lost_with_a_submit_under_way_leaves_it_unknown() -> None:
    async with bound_session(SmscModes(ignore_next=1)) as bench:
        submit = asyncio.create_task(bench.submit())
        await asyncio.sleep(0.01)
        bench.smsc.connections[0].drop()
        assert await submit == SubmitUnknown("connection_lost")
        await bench.rebind()
        assert isinstance(await bench.submit(), SubmitAccepted)
        assert len(bench.smsc.submits) == 1


async def test_a_submit_without_an_answer_is_unknown_after_the_timer() -> None:
    async with bound_session(SmscModes(ignore_next=1), response_seconds=0.05) as bench:
        assert await bench.submit() == SubmitUnknown("no_answer")
        assert (bench.session.counters.unanswered, bench.session.window_used) == (1, 0)


async def test_a_late_answer_is_nobody_elses() -> None:
    modes = SmscModes(answer_seconds=0.1)
    async with bound_session(modes, response_seconds=0.05) as bench:
        assert await bench.submit() == SubmitUnknown("no_answer")
        modes.answer_seconds = 0
        outcome = await bench.submit("40740000102")
        async with asyncio.timeout(TEST_SECONDS):
            while not bench.session.counters.unmatched:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
    assert isinstance(outcome, SubmitAccepted)
    assert outcome.message_ids == ("0001715006",)


async def test_a_deaf_smsc_is_left_and_bound_again() -> None:
    modes = SmscModes()
    async with bound_session(modes, response_seconds=0.1, enquire_seconds=0.05) as bench:
        modes.is_deaf = True
        await asyncio.wait([bench.session._links[0].closed])
        assert bench.session.state != "up"
        modes.is_deaf = False
        await bench.rebind()
        assert isinstance(await bench.submit(), SubmitAccepted)


async def test_answers_out_of_order_reach_their_own_submits() -> None:
    async with bound_session(SmscModes(answer_backwards=4)) as bench:
        numbers = [f"4074000010{last}" for last in range(4)]
        outcomes = await asyncio.gather(*(bench.submit(number) for number in numbers))
        sent = [message.destination.number for message in bench.smsc.submits]
    ids = dict(zip(numbers, outcomes, strict=True))
    accepted = [
        outcome.message_ids[0] for outcome in map(ids.__getitem__, sent) if isinstance(outcome, SubmitAccepted)
    ]
    assert accepted == ["0001715005", "0001715006", "0001715007", "0001715008"]


async def test_throttling_pauses_the_bind_and_loses_nothing() -> None:
    async with bound_session(SmscModes(throttle_next=3), window=4) as bench:
        outcomes = await asyncio.gather(*(bench.submit(f"40740000{n:03}") for n in range(12)))
        assert all(isinstance(outcome, SubmitAccepted) for outcome in outcomes)
        assert len(bench.smsc.submits) == 12
        assert (bench.session.counters.throttles, bench.session.is_throttled) == (3, False)


async def test_a_full_queue_pauses_the_bind_and_gives_the_message_back() -> None:
    async with bound_session(SmscModes(refuse_next=[Status.QUEUE_FULL])) as bench:
        outcome = await bench.submit()
        assert isinstance(outcome, SubmitRefused) and outcome.kind == "temporary"
        assert bench.session.is_throttled
        assert isinstance(await bench.submit(), SubmitAccepted)


async def test_behind_a_long_pause_a_message_is_given_back_at_once() -> None:
    async with bound_session(SmscModes(throttle_next=1), throttle_seconds=60.0) as bench:
        outcome = await bench.submit()
        assert isinstance(outcome, NotSubmitted)
        assert outcome.reason == "throttled" and 50 < outcome.retry_after_seconds <= 60


@pytest.mark.parametrize("mode", [{"password": "another"}, {"system_id": "another"}], ids=["password", "name"])
async def test_a_refused_bind_is_tried_once_a_minute(mode: dict[str, str]) -> None:
    modes = SmscModes(**mode)  # type: ignore[arg-type]
    async with bound_session(modes, is_up=False) as bench:
        async with asyncio.timeout(TEST_SECONDS):
            while len(bench.clock.waits) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        assert (bench.session.state, set(bench.clock.waits)) == ("refused", {60.0})
        assert await bench.submit() == NotSubmitted("refused")
        modes.password, modes.system_id = "secret", "dialtree"
        await asyncio.wait_for(bench.session.wait_until_up(), TEST_SECONDS)


async def test_a_pdu_cut_in_half_with_the_connection_is_unknown() -> None:
    modes = SmscModes()
    async with bound_session(modes) as bench:
        modes.cut_next = True
        assert await bench.submit() == SubmitUnknown("connection_lost")
        await bench.rebind()
        assert isinstance(await bench.submit(), SubmitAccepted)


async def test_pdus_that_come_in_small_pieces_are_whole() -> None:
    async with bound_session(SmscModes(piece_octets=3)) as bench:
        assert isinstance(await bench.submit(wants_receipt=True), SubmitAccepted)
        await bench.wait_for("receipts")
        assert await bench.text() == 0


async def test_a_message_delivered_again_after_its_answer_was_lost_is_marked() -> None:
    modes = SmscModes()
    async with bound_session(modes) as bench:
        bench.pass_start()
        modes.lose_answers = 1
        assert await bench.text() == 0
        assert [message.may_repeat for message in bench.messages] == [False, True]
        assert bench.messages[0].identity == bench.messages[1].identity


async def test_a_text_sent_twice_is_two_texts() -> None:
    async with bound_session() as bench:
        bench.pass_start()
        assert (await bench.text("FACT"), await bench.text("FACT")) == (0, 0)
        assert [message.may_repeat for message in bench.messages] == [False, False]


async def test_an_answer_the_smsc_has_read_is_in_no_doubt() -> None:
    async with bound_session() as bench:
        bench.pass_start()
        await bench.text("FACT")
        await bench.submit()
        bench.smsc.connections[0].drop()
        await bench.rebind()
        await bench.text("FACT")
        assert [message.may_repeat for message in bench.messages] == [False, False]


async def test_after_a_start_every_message_may_be_a_repeat() -> None:
    async with bound_session() as bench:
        await bench.text()
        assert [message.may_repeat for message in bench.messages] == [True]


async def test_a_message_that_comes_with_the_first_bind_may_be_a_repeat() -> None:
    modes = SmscModes(password="another")
    async with bound_session(modes, is_up=False) as bench:
        text = asyncio.create_task(bench.text())
        await asyncio.sleep(0)
        modes.password = "secret"
        assert await asyncio.wait_for(text, TEST_SECONDS) == 0
        assert [message.may_repeat for message in bench.messages] == [True]


async def test_a_message_delivered_again_while_it_is_worked_on_is_marked() -> None:
    async with bound_session() as bench:
        bench.pass_start()
        bench.gate.clear()
        text = asyncio.create_task(bench.text())
        await bench.wait_for("messages")
        bench.smsc.connections[0].drop()
        await bench.wait_for("messages", 2)
        bench.gate.set()
        assert await asyncio.wait_for(text, TEST_SECONDS) == 0
        assert [message.may_repeat for message in bench.messages] == [False, True]


async def test_a_message_that_was_waiting_when_the_connection_ended_was_not_sent() -> None:
    async with bound_session(SmscModes(ignore_next=1), window=1, system_type="SMS") as bench:
        first = asyncio.create_task(bench.submit())
        await asyncio.sleep(0.01)
        second = asyncio.create_task(bench.submit("40740000102"))
        await asyncio.sleep(0.01)
        bench.smsc.modes.password = "another"
        bench.smsc.connections[0].drop()
        assert (await first, await second) == (SubmitUnknown("connection_lost"), NotSubmitted("down"))


async def test_a_nack_with_a_number_of_its_own_fails_nothing() -> None:
    async with bound_session(SmscModes(nack_next=1), response_seconds=0.1) as bench:
        assert await bench.submit() == SubmitUnknown("no_answer")
        assert bench.session.counters.unmatched == 1


async def test_a_response_to_something_else_with_our_number_is_ignored() -> None:
    async with bound_session(SmscModes(ignore_next=1), response_seconds=0.1) as bench:
        submit = asyncio.create_task(bench.submit())
        await asyncio.sleep(0)
        bench.smsc.connections[0].write(encode_response(Pdu(Command.DATA_SM, 0, SUBMIT_SEQUENCE)))
        assert await submit == SubmitUnknown("no_answer")
        assert bench.session.counters.unmatched == 1


async def test_who_waits_for_the_window_waits_out_the_pause_too() -> None:
    async with bound_session(SmscModes(throttle_next=1), window=1, throttle_seconds=60.0) as bench:
        outcomes = await asyncio.gather(bench.submit(), bench.submit("40740000102"))
        assert [getattr(outcome, "reason", "") for outcome in outcomes] == ["throttled", "throttled"]
        assert bench.session.counters.submitted == 1


async def test_work_that_piles_up_stops_neither_reading_nor_sending() -> None:
    async with bound_session(max_inbound=2) as bench:
        bench.gate.clear()
        texts = [asyncio.create_task(bench.text(f"text {number}")) for number in range(4)]
        async with asyncio.timeout(TEST_SECONDS):
            while bench.smsc.statuses.count(Status.QUEUE_FULL) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
        assert isinstance(await bench.submit(), SubmitAccepted)
        bench.gate.set()
        assert sorted(await asyncio.gather(*texts)) == [0, 0, Status.QUEUE_FULL, Status.QUEUE_FULL]
        assert bench.session.counters.turned_away == 2


@pytest.mark.parametrize("name", ["length_15", "length_huge"])
async def test_a_lost_framing_is_mended_by_a_new_bind(name: str) -> None:
    async with bound_session() as bench:
        bench.smsc.connections[0].write(BROKEN_CASES[name])
        await bench.rebind()
        assert await bench.text() == 0


@pytest.mark.parametrize("name", sorted(BROKEN_CASES.keys() - {"length_15", "length_huge"}))
async def test_no_broken_pdu_ends_the_bind(name: str) -> None:
    async with bound_session() as bench:
        bench.smsc.connections[0].write(BROKEN_CASES[name])
        assert await bench.text() == 0
        assert bench.session.counters.binds == 1


async def test_an_unreadable_message_is_refused_twice_and_then_taken() -> None:
    body = BROKEN_CASES[UNREADABLE][HEADER_OCTETS:]
    async with bound_session() as bench:
        answers: list[tuple[int, int]] = []
        connection = bench.smsc.connections[0]
        connection._on_pdu = lambda _connection, pdu: answers.append((pdu.sequence, pdu.status))
        for number in range(1, 4):
            connection.write(encode_pdu(Pdu(Command.DELIVER_SM, 0, number, body)))
        async with asyncio.timeout(TEST_SECONDS):
            while len(answers) < 3:  # noqa: ASYNC110
                await asyncio.sleep(0.002)
    assert answers == [(1, 0x08), (2, 0x08), (3, 0x00)]


async def test_a_window_that_stays_full_gives_the_message_back() -> None:
    async with bound_session(SmscModes(ignore_next=2), window=1) as bench:
        first = asyncio.create_task(bench.submit())
        await asyncio.sleep(0.01)
        outcome = await bench.session.submit(MESSAGE, wait_seconds=0.02)
        assert outcome == NotSubmitted("window_full")
        assert await first == SubmitUnknown("no_answer")
