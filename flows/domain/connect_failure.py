"""Connect failure: why no connection to a server was made, in words, from any client library's error."""

import ssl
from collections.abc import Iterator, Mapping

CERTIFICATE_REASONS: Mapping[int, str] = {
    2: "the certificate's issuer is not trusted",
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is signed by itself",
    19: "the certificate's issuer is not trusted",
    20: "the certificate's issuer is not trusted",
    21: "the certificate's issuer is not trusted",
    23: "the certificate was revoked",
    62: "the certificate is for another host",
    64: "the certificate is for another host",
}
"""Words by `verify_code` of OpenSSL (x509_vfy.h, X509_V_ERR_*)."""


def describe_connect_failure(error: BaseException) -> str:
    """Return why no connection was made, without address and vendor's words."""
    errors = find_tls_errors(error)
    codes = [int(code) for each in errors if (code := getattr(each, "verify_code", 0))]
    if codes:
        return CERTIFICATE_REASONS.get(codes[0], "the certificate is not valid")
    return "the TLS handshake failed" if errors else "no connection"


def describe_unreachable(server: str, error: BaseException) -> str:
    """Return that a server cannot be reached, with the reason where TLS was it."""
    text = f"{server} cannot be reached"
    return f"{text}: {describe_connect_failure(error)}" if find_tls_errors(error) else text


def is_certificate_refused(error: BaseException) -> bool:
    """Return whether the server's certificate was not accepted: no retry helps before somebody acts."""
    return any(isinstance(each, ssl.SSLCertVerificationError) for each in find_tls_errors(error))


def find_tls_errors(error: BaseException) -> list[ssl.SSLError]:
    """Return the TLS errors that caused a client library's error, the nearest first."""
    return [each for each in _causes(error) if isinstance(each, ssl.SSLError)]


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what caused it, the nearest first; each is visited once."""
    waiting, seen = [error], set[int]()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (each.__cause__, each.__context__, getattr(each, "reason", None), *each.args)
        waiting += [cause for cause in inner if isinstance(cause, BaseException)]
