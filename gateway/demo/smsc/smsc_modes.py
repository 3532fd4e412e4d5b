"""Unkind modes of the simulated SMSC, each seen on a real one or in its documentation."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

ReceiptForm = Literal["none", "text", "tlv", "reference"]
"""`reference`: an id that means nothing, and our user_message_reference (TLV 0x0204)."""
IdNotation = Literal["decimal", "hexadecimal", "meaningless"]
"""How a response writes a message's id; receipts always write it in decimal, with leading zeros."""


@dataclass(slots=True)
class SmscModes:
    """How the SMSC behaves; may be changed while it runs."""

    system_id: str = "dialtree"
    password: str = "secret"  # noqa: S105 - the simulator's own, printed by its command
    receipt_form: ReceiptForm = "text"
    id_notation: IdNotation = "decimal"
    answer_seconds: float = 0.0
    """How long a submit waits for its response."""
    is_deaf: bool = False
    """Whether the connection stays open and nothing is answered."""
    receipt_first: bool = False
    """Whether a receipt overtakes the response."""
    receipt_twice: bool = False
    throttle_every: int = 0
    """Every so manieth submit gets RTHROTTLED; 0 none."""
    throttle_next: int = 0
    """So many of the next submits get RTHROTTLED."""
    refuse_next: list[int] = field(default_factory=list)
    """Statuses of the next submits."""
    ignore_next: int = 0
    """So many of the next submits are never answered."""
    answer_backwards: int = 0
    """Responses are held until so many wait, then written last first."""
    piece_octets: int = 0
    """PDUs are written in pieces of so many octets; 0 whole."""
    cut_next: bool = False
    """Whether the next PDU is cut in half and the connection closed."""
    lose_answers: int = 0
    """So many of the next deliver_sm_resp are not read: the connection breaks, and the message comes again."""
    nack_next: int = 0
    """So many of the next submits get a generic_nack with a sequence number of the SMSC's own."""


UNKIND_MODES: Mapping[str, Mapping[str, Any]] = {
    "slow": {"answer_seconds": 2.0},
    "deaf": {"is_deaf": True},
    "throttling": {"throttle_every": 3},
    "wrong-password": {"password": "another"},
    "half-pdus": {"piece_octets": 7},
    "out-of-order": {"answer_backwards": 2, "receipt_first": True},
    "redelivery": {"lose_answers": 1},
    "no-receipts": {"receipt_form": "none"},
    "hex-ids": {"id_notation": "hexadecimal"},
    "no-ids": {"id_notation": "meaningless", "receipt_form": "reference"},
    "twice": {"receipt_twice": True},
}
"""By the name `dialtree smsc --unkind` takes."""


def modes_for(names: list[str]) -> SmscModes:
    """Return the modes of these names together; KeyError for an unknown one."""
    modes = SmscModes()
    for name in names:
        for setting, value in UNKIND_MODES[name].items():
            setattr(modes, setting, value)
    return modes
