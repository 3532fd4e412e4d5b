"""SMPP benchmark: decoding PDUs, and submits a second on node-smpp, as ratios to two other libraries.

Run: python -m bench.smpp [--count 3000] [--rounds 3]
"""

import argparse
import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import NamedTuple

import smpp34
import smpplib.client
import smpplib.smpp

from flows.domain.records import Secret
from gateway.smpp.session_settings import SessionCallbacks, SmppSettings
from gateway.smpp.smpp_session import SmppSession
from gateway.smpp.wire.bodies import SmppAddress, decode_short_message
from gateway.smpp.wire.pdu import Pdu, PduFramer
from gateway.smpp.wire.protocol import Command, Tag
from gateway.smpp.wire.sms_records import DeliveryReceipt, OutgoingMessage, SubmitAccepted
from tests.gateway.smpp.recorded_pdus import FILES, read_recording
from tests.support.node_smsc import NodeSmsc
from tests.support.server_processes import run_server

WINDOW = 50
DECODES = 30_000
ISDN_DESTINATION = {"dest_addr_ton": 1, "dest_addr_npi": 1}
PLAIN, WITH_RECEIPT = "00", "11"
"""Last digits of a destination: node-smpp answers only, or sends a receipt, too."""


class SubmitFigures(NamedTuple):
    """One run of submits."""

    rate: float
    """Answered submits a second."""
    cpu: float
    """Microseconds of our CPU a submit."""


def incoming_pdus() -> list[bytes]:
    """Return the recorded messages and receipts that all three libraries decode."""
    whole = [name for name in FILES if "broken" not in name]
    recorded = [entry for name in whole for entry in read_recording(name)]
    delivered = [entry for entry in recorded if entry.pdu.command == Command.DELIVER_SM]
    return [entry.octets for entry in delivered if not _has_ussd_tlv(entry.pdu)]


def _has_ussd_tlv(pdu: Pdu) -> bool:
    """Return whether smpplib cannot decode it: it knows no USSD operation in a deliver_sm."""
    return Tag.USSD_SERVICE_OP in decode_short_message(pdu.command, pdu.body).tlvs


def decode_ours(octets: bytes) -> object:
    """Decode as a session does: framing and every field."""
    (pdu,) = PduFramer().feed(octets)
    return decode_short_message(pdu.command, pdu.body)


def decode_smpp34(octets: bytes) -> object:
    """Decode with the Rust codec and read the fields a message needs."""
    pdu = smpp34.decode(octets)
    assert isinstance(pdu, smpp34.DeliverSm)
    return (
        *(pdu.source_addr, pdu.source_addr_ton, pdu.source_addr_npi, pdu.destination_addr, pdu.dest_addr_ton),
        *(pdu.dest_addr_npi, pdu.short_message, pdu.data_coding, pdu.esm_class, pdu.service_type, pdu.tlvs),
    )


def measure_decodes(decode: Callable[[bytes], object], pdus: Sequence[bytes]) -> float:
    """Return the PDUs decoded a second of CPU."""
    began = time.process_time()
    for number in range(DECODES):
        decode(pdus[number % len(pdus)])
    return DECODES / (time.process_time() - began)


async def submit_ours(port: int, count: int, last: str) -> SubmitFigures:
    """Submit with a session, and wait for the receipts where there are some."""
    received: list[DeliveryReceipt] = []
    done = asyncio.Event()

    async def take_receipt(receipt: DeliveryReceipt) -> int:
        received.append(receipt)
        if len(received) == count:
            done.set()
        return 0

    settings = SmppSettings("127.0.0.1", port, "dialtree", Secret("secret"), window=WINDOW, max_inbound=1000)
    session = SmppSession(settings, SessionCallbacks(on_receipt=take_receipt))
    run = asyncio.create_task(session.run())
    await session.wait_until_up()
    began, cpu = time.perf_counter(), time.process_time()
    share = count // WINDOW
    await asyncio.gather(*(submit_share(session, share, worker, last) for worker in range(WINDOW)))
    if last == WITH_RECEIPT:
        await asyncio.wait_for(done.wait(), 30)
    figures = figures_since(began, cpu, count)
    await session.drain(1)
    run.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await run
    return figures


async def submit_share(session: SmppSession, share: int, worker: int, last: str) -> None:
    """Submit one worker's messages, one after the other."""
    for number in range(share):
        to = SmppAddress(f"4074{worker:03}{number:03}{last}", 1, 1)
        message = OutgoingMessage(to, "Factura 79,90 lei", SmppAddress("477", 3, 0))
        assert isinstance(await session.submit(message), SubmitAccepted)


def submit_smpplib(port: int, count: int) -> SubmitFigures:
    """Submit with smpplib: a window's messages, then their answers."""
    client = smpplib.client.Client("127.0.0.1", port, allow_unknown_opt_params=True)
    client.set_message_sent_handler(lambda pdu: None)
    client.connect()
    client.bind_transceiver(system_id="dialtree", password="secret")
    fields = {"source_addr": "477", "short_message": b"Factura 79,90 lei"} | ISDN_DESTINATION
    began, cpu = time.perf_counter(), time.process_time()
    for start in range(0, count, WINDOW):
        for number in range(start, start + WINDOW):
            client.send_message(**fields, destination_addr=f"40740{number:05}{PLAIN}")
        for _ in range(WINDOW):
            client.read_once()
    figures = figures_since(began, cpu, count)
    client.unbind()
    client.disconnect()
    return figures


def figures_since(began: float, cpu: float, count: int) -> SubmitFigures:
    """Return the figures of a run that began then."""
    return SubmitFigures(count / (time.perf_counter() - began), (time.process_time() - cpu) / count * 1e6)


def main() -> None:
    """Run the rounds, interleaved, and print medians and ratios."""
    parser = argparse.ArgumentParser(prog="python -m bench.smpp")
    parser.add_argument("--count", type=int, default=3000, help="submits a round, a multiple of 50")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    logging.disable()
    print_decodes(args.rounds)
    with run_server(NodeSmsc) as smsc:
        print_submits(smsc.port, args.count, args.rounds)


def print_decodes(rounds: int) -> None:
    """Measure and print the decoders."""
    client = smpplib.client.Client("127.0.0.1", 2775, allow_unknown_opt_params=True)
    decoders: dict[str, Callable[[bytes], object]] = {
        "ours": decode_ours,
        "smpplib": lambda octets: smpplib.smpp.parse_pdu(octets, client=client, allow_unknown_opt_params=True),
        "smpp34 (Rust)": decode_smpp34,
    }
    pdus = incoming_pdus()
    rates: dict[str, list[float]] = {name: [] for name in decoders}
    for _ in range(rounds):
        for name, decode in decoders.items():
            rates[name].append(measure_decodes(decode, pdus))
    for name, found in rates.items():
        ratio = median(ours / other for ours, other in zip(rates["ours"], found, strict=True))
        print(f"decode  {name:<20} {median(found):>9,.0f} PDU/s of CPU   ours x {ratio:.2f}")


def print_submits(port: int, count: int, rounds: int) -> None:
    """Measure and print the submits."""
    plain, receipts, theirs = [], [], []
    for _ in range(rounds):
        plain.append(asyncio.run(submit_ours(port, count, PLAIN)))
        theirs.append(submit_smpplib(port, count))
        receipts.append(asyncio.run(submit_ours(port, count, WITH_RECEIPT)))
    for name, found in (("ours", plain), ("ours, with receipts", receipts), ("smpplib", theirs)):
        ratio = median(other.cpu / ours.cpu for ours, other in zip(plain, found, strict=True))
        rate, cpu = median(each.rate for each in found), median(each.cpu for each in found)
        share = rate * cpu / 1e6
        spent = f"{cpu:>7.0f} us CPU, {share:.0%} of a core"
        print(f"submit  {name:<20} {rate:>9,.0f} /s {spent}   CPU of ours x {ratio:.2f}")


if __name__ == "__main__":
    main()
