"""Mutual TLS with a BSS: real handshakes with certificates made in the test."""

import ssl
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web

from flows.domain.failures import Down
from gateway.demo.bss.bss_servers import killbill_settings, tmf_settings
from gateway.demo.bss.killbill_server import KillBillBss
from gateway.demo.bss.tmf_server import TmfBss
from storage.billing.backend import RemoteBilling, connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import backend_site, build_book
from tests.support.certificates import CertificateAuthority

ANA = "+40740000101"
BACKEND_KINDS = ("tmf678", "killbill")
BssAddress = tuple[str, dict[str, object]]
"""The `billing` setting of a BSS and its options."""


@pytest.fixture
def authority(tmp_path: Path) -> CertificateAuthority:
    return CertificateAuthority("authority", tmp_path)


@pytest.fixture(params=BACKEND_KINDS)
async def bss(request: pytest.FixtureRequest, authority: CertificateAuthority) -> AsyncIterator[BssAddress]:
    """Provide a BSS that requires a client certificate of the authority."""
    kept = build_book()
    app = KillBillBss(kept).create_app() if request.param == "killbill" else TmfBss(kept).create_app()
    demands = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.certificate_file))
    demands.load_cert_chain(*authority.issue_certificate("bss"))
    demands.verify_mode = ssl.CERT_REQUIRED
    runner = web.AppRunner(app)
    await runner.setup()
    there = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=demands)
    await there.start()
    options = killbill_settings(kept) if request.param == "killbill" else tmf_settings(kept)
    yield f"{request.param}+https://127.0.0.1:{runner.addresses[0][1]}", options
    await runner.cleanup()


async def find_subscriber(bss: BssAddress, tls: dict[str, str]) -> str:
    """Connect and return the subscriber the BSS reports for Ana's number."""
    where, options = bss
    billing = connect_backend(
        where, backend_site(opened("sqlite://"), lambda: date(2026, 3, 10), {**options, **tls})
    )
    assert isinstance(billing, RemoteBilling)
    try:
        return (await billing.get_subscriber(ANA)).name
    finally:
        await billing.close()


async def test_our_client_certificate_is_accepted(bss: BssAddress, authority: CertificateAuthority) -> None:
    cert, key = authority.issue_certificate("us")
    assert (
        await find_subscriber(
            bss, {"ca_file": str(authority.certificate_file), "cert_file": cert, "key_file": key}
        )
        == "Ana Ionescu"
    )


async def test_a_key_may_stand_in_the_certificates_file(
    bss: BssAddress, authority: CertificateAuthority
) -> None:
    cert, key = authority.issue_certificate("us")
    both = authority.combine_files(cert, key)
    assert (
        await find_subscriber(bss, {"ca_file": str(authority.certificate_file), "cert_file": both})
        == "Ana Ionescu"
    )


@pytest.mark.parametrize("given", ["no certificate", "another authority's", "an authority we do not trust"])
async def test_with_a_wrong_certificate_billing_is_down_and_nothing_is_disclosed(
    bss: BssAddress, authority: CertificateAuthority, tmp_path: Path, given: str
) -> None:
    (tmp_path / "other").mkdir()
    other = CertificateAuthority("other", tmp_path / "other")
    cert, key = (other if given == "another authority's" else authority).issue_certificate("us")
    trusted = (other if given == "an authority we do not trust" else authority).certificate_file
    ours = {} if given == "no certificate" else {"cert_file": cert, "key_file": key}
    with pytest.raises(Down) as told:
        await find_subscriber(bss, {"ca_file": str(trusted), **ours})
    assert str(told.value).startswith("the BSS cannot be reached")
