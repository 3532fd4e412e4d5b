"""Fuzz the SMPP codec and a session's receiver with broken PDUs, and count what comes of each.

Run: python -m tests.security.fuzz_smpp [--count 1000000] [--seed 1]   (a million take about a minute)
"""

import argparse
import asyncio
import logging
import random
import sys
from collections import Counter
from collections.abc import Iterator

from flows.domain.records import Secret
from gateway.smpp.session_settings import SessionCallbacks, SmppSettings
from gateway.smpp.smpp_session import SmppSession
from gateway.smpp.wire.pdu import LostFraming, PduFramer
from gateway.smpp.wire.protocol import Command
from gateway.smpp.wire.sms_records import DeliveryReceipt, IncomingMessage
from tests.gateway.smpp.recorded_pdus import BROKEN_CASES, FILES, read_recording

LENGTH_OCTETS = 4
INCOMING_COMMANDS = {command.to_bytes(4, "big") for command in (Command.DELIVER_SM, Command.DATA_SM)}
MOST_CHANGES = 6
BATCH = 200


def seed_octets() -> list[bytes]:
    """Return the recorded and the broken PDUs, which the fuzz changes."""
    recorded = [entry.octets for name in FILES for entry in read_recording(name)]
    incoming = [octets for octets in recorded if octets[LENGTH_OCTETS : LENGTH_OCTETS + 4] in INCOMING_COMMANDS]
    return [*incoming, *BROKEN_CASES.values(), *recorded[:: len(recorded) // len(incoming) + 1]]


def mutate(octets: bytes, chance: random.Random) -> bytes:
    """Change some octets, cut or lengthen the PDU; its length field is right in most cases."""
    changed = bytearray(octets)
    for _ in range(chance.randrange(MOST_CHANGES)):
        kind, at = chance.randrange(4), chance.randrange(LENGTH_OCTETS, max(len(changed), 5))
        if kind == 0 and at < len(changed):
            changed[at] = chance.choice((0, 0x40, 0x7F, 0x80, 0xFF, chance.randrange(256)))
        elif kind == 1:
            del changed[at : at + chance.randrange(1, 9)]
        elif kind == 2:
            changed[at:at] = chance.randbytes(chance.randrange(1, 9))
        else:
            del changed[at:]
    if chance.random() < 0.98:
        changed[:LENGTH_OCTETS] = max(len(changed), 16).to_bytes(LENGTH_OCTETS, "big")
    return bytes(changed).ljust(16, b"\0")


def mutated_pdus(count: int, seed: int) -> Iterator[bytes]:
    """Yield changed PDUs, the same for the same seed."""
    chance, seeds = random.Random(seed), seed_octets()
    for _ in range(count):
        yield mutate(chance.choice(seeds), chance)


class SilentConnection:
    """Stands for the connection a receiver answers on; counts the answers by status."""

    def __init__(self) -> None:
        self.closed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.requests_written = 0
        self.requests_proven = 0
        self.statuses: Counter[str] = Counter()

    def respond(self, _request: object, status: int, _body: bytes = b"") -> bool:
        self.statuses[f"answer {status:#x}"] += 1
        return True

    def reject_command(self, _request: object) -> None:
        self.statuses["generic_nack"] += 1


async def run_fuzz(count: int, seed: int) -> Counter[str]:
    """Feed `count` changed PDUs to the framer and a receiver; anything it raises ends the run."""
    results: Counter[str] = Counter()

    async def take_message(message: IncomingMessage) -> int:
        results["message" if message.ussd_operation is None else "USSD operation"] += 1
        return 0

    async def take_receipt(_receipt: DeliveryReceipt) -> int:
        results["receipt"] += 1
        return 0

    settings = SmppSettings("", 0, "dialtree", Secret(""), max_inbound=BATCH)
    session = SmppSession(settings, SessionCallbacks(take_message, take_receipt))
    connection = SilentConnection()
    for number, octets in enumerate(mutated_pdus(count, seed)):
        try:
            for pdu in PduFramer().feed(octets):
                if pdu.is_response:
                    results["response"] += 1
                else:
                    session._receiver.take_request(pdu, connection)  # type: ignore[arg-type]
        except LostFraming:
            results["lost framing"] += 1
        if number % BATCH == 0:
            await session._receiver.finish(10)
    await session._receiver.finish(10)
    return results + connection.statuses


def main() -> int:
    """Run the fuzz and print the counts; return 0."""
    parser = argparse.ArgumentParser(prog="python -m tests.security.fuzz_smpp")
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    logging.disable()
    for what, count in sorted(asyncio.run(run_fuzz(args.count, args.seed)).items()):
        sys.stdout.write(f"{count:>9}  {what}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
