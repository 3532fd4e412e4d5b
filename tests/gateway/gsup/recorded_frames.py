"""IPA frames recorded between osmo-hlr, an MSC and external USSD entities (`samples/`)."""

import json
from functools import cache
from pathlib import Path

SAMPLES = Path(__file__).with_name("samples")
FILES = tuple(sorted(path.stem for path in SAMPLES.glob("*.jsonl")))
"""`menu`, `ucs2`, `once`: a peer as MSC and osmo-hlr 1.5.0; `e2e`, `dialtree`: a phone and osmo-msc 1.16."""


@cache
def read_frames(name: str) -> tuple[bytes, ...]:
    """Return the frames of a recording in their order."""
    lines = (SAMPLES / f"{name}.jsonl").read_text().splitlines()
    return tuple(bytes.fromhex(json.loads(line)["hex"]) for line in lines)


def recorded_gsup(name: str) -> list[bytes]:
    """Return the GSUP messages of a recording, without their frames."""
    return [frame[4:] for frame in read_frames(name) if frame[2:4] == b"\xee\x05"]
