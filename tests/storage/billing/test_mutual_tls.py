"""Mutual TLS with a BSS: real handshakes with certificates made in the test."""

import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flows.domain.failures import Down
from gateway.demo.bss.bss_servers import killbill_settings, tmf_settings
from gateway.demo.bss.killbill_server import KillBillBss
from gateway.demo.bss.tmf_server import TmfBss
from storage.billing.backend import RemoteBilling, connect_backend
from storage.sql.engine import connect as opened
from tests.support.billing.backends import backend_site, build_book

ANA = "+40740000101"
BACKEND_KINDS = ("tmf678", "killbill")
CERTIFICATE_LIFETIME = timedelta(days=1)
BssAddress = tuple[str, dict[str, object]]
"""The `billing` setting of a BSS and its options."""


@dataclass(slots=True)
class CertificateAuthority:
    """Certificate authority that writes certificates and keys into a folder."""

    name: str
    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self._write_files(self.name, self._sign_certificate(self.name, self.key, ca=True), self.key)

    @property
    def certificate_file(self) -> Path:
        """Path of the authority's own certificate."""
        return self.folder / f"{self.name}.pem"

    def issue_certificate(self, name: str) -> tuple[str, str]:
        """Issue a certificate and return the paths of certificate and key."""
        key = ec.generate_private_key(ec.SECP256R1())
        return self._write_files(name, self._sign_certificate(name, key, ca=False), key)

    def combine_files(self, cert: str, key: str) -> str:
        """Write certificate and key into one file and return its path."""
        both = self.folder / "both.pem"
        both.write_text(Path(key).read_text() + Path(cert).read_text())
        return str(both)

    def _sign_certificate(self, name: str, key: ec.EllipticCurvePrivateKey, *, ca: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        addresses = [x509.IPAddress(ip_address("127.0.0.1")), x509.DNSName(f"{name}.example.net")]
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_common_name(name))
            .issuer_name(_common_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CERTIFICATE_LIFETIME)
            .not_valid_after(now + CERTIFICATE_LIFETIME)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(addresses), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(own, critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def _write_files(
        self, name: str, made: x509.Certificate, key: ec.EllipticCurvePrivateKey
    ) -> tuple[str, str]:
        encoding, plain = serialization.Encoding.PEM, serialization.NoEncryption()
        paths = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        paths[0].write_bytes(made.public_bytes(encoding))
        paths[1].write_bytes(key.private_bytes(encoding, serialization.PrivateFormat.PKCS8, plain))
        return str(paths[0]), str(paths[1])


def _common_name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


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
    assert str(told.value) == "the BSS cannot be reached"
