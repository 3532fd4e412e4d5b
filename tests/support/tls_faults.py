"""Servers with bad TLS: expired, untrusted or of another host, refusing or dropping the handshake."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from tests.support.certificates import CertificateAuthority

HANDSHAKE_FAILURE = bytes.fromhex("15030300020228")
"""A fatal alert `handshake_failure` (RFC 8446, 6)."""
FAULTS = {
    "expired": "the certificate has expired",
    "untrusted": "the certificate's issuer is not trusted",
    "other host": "the certificate is for another host",
    "refused": "the TLS handshake failed",
    "dropped": "no connection",
}
"""The faults, and how a failure names each."""
CERTIFICATE_FAULTS = frozenset({"expired", "untrusted", "other host"})


@dataclass(slots=True)
class TlsFaults:
    """Authorities with a server of each fault; clients that trust `trusted` accept none of them."""

    folder: Path
    trusted: CertificateAuthority = field(init=False)
    received: bytearray = field(default_factory=bytearray, repr=False)
    """What a client sent after a handshake that should have failed."""
    alert: bytes = b""

    def __post_init__(self) -> None:
        self.trusted = CertificateAuthority("trusted", self.folder)

    @asynccontextmanager
    async def serve(self, fault: str) -> AsyncIterator[int]:
        """Serve on a port of 127.0.0.1 with this fault."""
        tls = self._server_context(fault) if fault in CERTIFICATE_FAULTS else None
        answer = self._read_request if tls else self._refuse_handshake
        self.alert = HANDSHAKE_FAILURE if fault == "refused" else b""
        async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
            yield server.sockets[0].getsockname()[1]

    def client_context(self) -> ssl.SSLContext:
        """Return the TLS settings of a client that trusts the authority."""
        return ssl.create_default_context(cafile=str(self.trusted.certificate_file))

    def _server_context(self, fault: str) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*self._issue_faulty(fault))
        return context

    def _issue_faulty(self, fault: str) -> tuple[str, str]:
        if fault == "expired":
            return self.trusted.issue_certificate(fault, until=-timedelta(hours=1))
        if fault == "other host":
            return self.trusted.issue_certificate(fault, address="192.0.2.1")
        return CertificateAuthority("stranger", self.folder).issue_certificate(fault)

    async def _refuse_handshake(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(4096)
        writer.write(self.alert)
        writer.close()

    async def _read_request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received += await reader.read(4096)
        writer.close()
