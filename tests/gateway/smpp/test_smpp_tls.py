"""TLS to the SMSC: its certificate and its name are verified."""

import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from flows.domain.records import Secret
from gateway.demo.smsc.smsc_simulator import SmscSimulator
from gateway.smpp.session_settings import SessionRuntime, SmppSettings, client_tls_context
from gateway.smpp.smpp_connection import open_connection
from gateway.smpp.wire.protocol import Command
from gateway.smpp.wire.sms_records import SmppCounters
from tests.gateway.smpp.session_bench import FAST
from tests.support.certificates import CertificateAuthority


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority("authority", tmp_path)


def server_context(authority: CertificateAuthority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue_certificate("smsc"))
    return context


async def bind_once(port: int, tls: ssl.SSLContext | None, server_name: str = "") -> None:
    settings = SmppSettings("127.0.0.1", port, "dialtree", Secret("secret"), **FAST)
    settings = replace(settings, response_seconds=5.0, tls=tls, server_name=server_name)
    connection = await open_connection(
        settings, SessionRuntime(), SmppCounters(), lambda _pdu, _connection: None
    )
    try:
        await connection.bind(Command.BIND_TRANSCEIVER)
    finally:
        connection.close("test")


async def test_the_named_server_is_bound_to(authority: CertificateAuthority) -> None:
    async with SmscSimulator().serve(tls=server_context(authority)) as port:
        await bind_once(port, client_tls_context(str(authority.certificate_file)))


async def test_a_server_of_another_name_is_not(authority: CertificateAuthority) -> None:
    async with SmscSimulator().serve(tls=server_context(authority)) as port:
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await bind_once(port, client_tls_context(str(authority.certificate_file)), "other.example.net")


async def test_a_server_of_another_authority_is_not(authority: CertificateAuthority) -> None:
    async with SmscSimulator().serve(tls=server_context(authority)) as port:
        with pytest.raises(ssl.SSLCertVerificationError):
            await bind_once(port, client_tls_context())


def test_old_protocols_are_refused() -> None:
    assert client_tls_context().minimum_version == ssl.TLSVersion.TLSv1_2
