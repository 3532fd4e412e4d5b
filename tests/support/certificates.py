"""Certificates for tests: an authority that issues valid, expired and foreign ones into a folder."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

CERTIFICATE_LIFETIME = timedelta(days=1)


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

    def issue_certificate(
        self, name: str, until: timedelta = CERTIFICATE_LIFETIME, address: str = "127.0.0.1"
    ) -> tuple[str, str]:
        """Issue a certificate of a host, by default this one, and return the paths of certificate and key.

        It is valid until so long from now; a negative time makes one that has expired.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        made = self._sign_certificate(name, key, ca=False, until=until, address=address)
        return self._write_files(name, made, key)

    def combine_files(self, cert: str, key: str) -> str:
        """Write certificate and key into one file and return its path."""
        both = self.folder / "both.pem"
        both.write_text(Path(key).read_text() + Path(cert).read_text())
        return str(both)

    def _sign_certificate(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        *,
        ca: bool,
        until: timedelta = CERTIFICATE_LIFETIME,
        address: str = "127.0.0.1",
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        addresses = [x509.IPAddress(ip_address(address)), x509.DNSName(f"{name}.example.net")]
        own = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_common_name(name))
            .issuer_name(_common_name(self.name))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - CERTIFICATE_LIFETIME)
            .not_valid_after(now + until)
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
