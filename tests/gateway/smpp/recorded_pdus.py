"""PDUs recorded between independent SMPP programs, and broken ones written by hand."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.smpp.wire.pdu import Pdu, PduFramer

SAMPLES = Path(__file__).with_name("samples")
BROKEN_CASES: dict[str, bytes] = {
    case["case"]: bytes.fromhex(case["hex"]) for case in json.loads((SAMPLES / "broken_cases.json").read_text())
}
FILES = sorted(path.name for path in SAMPLES.glob("*.jsonl"))


class RecordedPdu(NamedTuple):
    """One PDU of a recording: who sent it, and its bytes."""

    direction: str
    octets: bytes

    @property
    def pdu(self) -> Pdu:
        (pdu,) = PduFramer().feed(self.octets)
        return pdu


def read_recording(name: str) -> Iterator[RecordedPdu]:
    """Yield the whole PDUs of a recording; ends of streams and unframed octets are left out."""
    for line in (SAMPLES / name).read_text().splitlines():
        entry = json.loads(line)
        if entry["hex"] and entry["pdu"] != "unframed":
            yield RecordedPdu(entry["dir"], bytes.fromhex(entry["hex"]))
