"""One ESME bound to the simulated SMSC: framing, binds, and writing as unkindly as its modes say."""

import asyncio
from collections.abc import Callable
from typing import cast

from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.smpp.wire.bodies import decode_bind, encode_bind_response
from gateway.smpp.wire.pdu import LostFraming, MalformedPdu, Pdu, PduFramer, encode_pdu, encode_response
from gateway.smpp.wire.protocol import Command, Status

_BINDS = {
    Command.BIND_TRANSCEIVER: "transceiver",
    Command.BIND_RECEIVER: "receiver",
    Command.BIND_TRANSMITTER: "transmitter",
}


class EsmeConnection(asyncio.Protocol):
    """The SMSC's side of one connection; `on_pdu` gets every PDU of a bound ESME that is no housekeeping."""

    def __init__(
        self,
        modes: SmscModes,
        on_pdu: "Callable[[EsmeConnection, Pdu], None]",
        on_change: "Callable[[EsmeConnection], None]",
    ) -> None:
        self.modes, self._on_pdu, self._on_change = modes, on_pdu, on_change
        self.bind_kind = ""
        """transceiver, receiver or transmitter; empty before the bind and after the end."""
        self._framer = PduFramer()
        self._transport: asyncio.Transport | None = None
        self._sequence = 0

    @property
    def takes_messages(self) -> bool:
        """Whether messages may be delivered to it."""
        return self.bind_kind in ("transceiver", "receiver")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the SMSC that the ESME left."""
        self.bind_kind = ""
        self._on_change(self)

    def data_received(self, data: bytes) -> None:
        """Take what the ESME sent; a deaf SMSC reads it and does nothing."""
        if self.modes.is_deaf:
            return
        try:
            for pdu in self._framer.feed(data):
                self._take_pdu(pdu)
        except LostFraming:
            self.drop()

    def _take_pdu(self, pdu: Pdu) -> None:
        if pdu.command in _BINDS:
            self._bind(pdu)
        elif pdu.command == Command.ENQUIRE_LINK:
            self.write(encode_response(pdu))
        elif pdu.command == Command.UNBIND:
            self.write(encode_response(pdu))
            self.close()
        elif not self.bind_kind:
            self.write(encode_response(pdu, Status.INVALID_BIND_STATE))
        else:
            self._on_pdu(self, pdu)

    def _bind(self, pdu: Pdu) -> None:
        status = self._bind_status(pdu)
        self.write(encode_response(pdu, status, b"" if status else encode_bind_response("SMSC")))
        if status == Status.OK:
            self.bind_kind = _BINDS[pdu.command]
            self._on_change(self)

    def _bind_status(self, pdu: Pdu) -> int:
        try:
            bind = decode_bind(pdu.body)
        except MalformedPdu:
            return Status.BIND_FAILED
        if self.bind_kind:
            return Status.ALREADY_BOUND
        if bind.system_id != self.modes.system_id:
            return Status.INVALID_SYSTEM_ID
        return Status.OK if bind.password == self.modes.password else Status.INVALID_PASSWORD

    def send_request(self, command: int, body: bytes = b"") -> int:
        """Write a request and return its sequence number."""
        self._sequence += 1
        self.write(encode_pdu(Pdu(command, 0, self._sequence, body)))
        return self._sequence

    def write(self, octets: bytes) -> None:
        """Write a PDU, in pieces or cut in half where the modes say so."""
        if self._transport is None or self._transport.is_closing():
            return
        if self.modes.cut_next:
            self.modes.cut_next = False
            self._transport.write(octets[: len(octets) // 2])
            self.close()
            return
        step = self.modes.piece_octets or len(octets)
        for at in range(0, len(octets), step):
            self._transport.write(octets[at : at + step])

    def close(self) -> None:
        """Close; what is written still goes out."""
        if self._transport is not None:
            self._transport.close()

    def drop(self) -> None:
        """Break the connection as a crash does: what is not read yet is lost."""
        if self._transport is not None:
            self._transport.abort()
