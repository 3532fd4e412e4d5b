"""PostgreSQL URLs: libpq's parameters as platforms give them, made into arguments of the driver."""

import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, urlencode, urlsplit

CONNECT_SECONDS = 2.0
"""Longest time one connection may take to be opened; `connect_timeout` can only shorten it."""
DRIVER_PARAMETERS = frozenset(
    {"host", "port", "dbname", "database", "user", "password", "passfile", "sslmode", "sslcert", "sslkey"}
    | {"sslpassword", "sslrootcert", "sslcrl", "sslnegotiation", "target_session_attrs", "krbsrvname", "gsslib"}
    | {"ssl_min_protocol_version", "ssl_max_protocol_version"}
)
"""Parameters the driver understands itself."""
IGNORED_PARAMETERS = frozenset(
    {"keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"}
    | {"fallback_application_name", "client_encoding", "sslcompression", "sslsni", "pool_timeout"}
    | {"connection_limit", "pgbouncer"}
)
"""Parameters of libpq and of other drivers that change nothing here."""
OPTIONAL_FEATURES = {"channel_binding": ("disable", "prefer"), "gssencmode": ("disable", "prefer")}
"""Features the driver lacks, with the values that can do without them."""
SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
SESSION_KINDS = ("any", "primary", "standby", "read-write", "read-only", "prefer-standby")
FILE_PARAMETERS = ("sslrootcert", "sslcert", "sslkey", "sslcrl")
SYSTEM_AUTHORITIES = "system"
"""Value of `sslrootcert` for the certificate authorities of the operating system (libpq 16)."""


@dataclass(frozen=True, slots=True)
class PostgresTarget:
    """Where a PostgreSQL is and how to connect to it."""

    dsn: str = field(repr=False)
    """URL with parameters of the driver only; it may hold a password."""
    connect_seconds: float = CONNECT_SECONDS
    application_name: str = "dialtree"
    session_options: str = ""
    """libpq's `options`, such as `-c search_path=billing`."""
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    """TLS settings in place of those of the URL."""


def parse_postgres_url(url: str) -> PostgresTarget:
    """Parse `postgresql://user:password@host,host:port/name?parameters`.

    Several hosts lead to the one that accepts writes, unless `target_session_attrs` says otherwise. The CA
    of `sslmode=verify-full` is `sslrootcert`, or ~/.postgresql/root.crt, or else the system's. ValueError
    names the parameter that cannot be used and repeats no part of the URL that may be secret.
    """
    parts = _split_url(url)
    parameters = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "ssl" in parameters:
        parameters.setdefault("sslmode", parameters.pop("ssl"))
    ours = {name: parameters.pop(name, "") for name in ("application_name", "options", "connect_timeout")}
    kept = _check_parameters(parameters)
    if "," in parts.netloc or "," in kept.get("host", ""):
        kept.setdefault("target_session_attrs", "read-write")
    tls = _build_tls(kept)
    if tls is not None:
        kept = {name: value for name, value in kept.items() if not name.startswith("ssl")}
    return PostgresTarget(
        parts._replace(scheme="postgresql", query=urlencode(kept)).geturl(),
        _parse_timeout(ours["connect_timeout"]),
        ours["application_name"] or "dialtree",
        ours["options"],
        tls,
    )


def _split_url(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        hosts = [urlsplit(f"//{host}") for host in parts.netloc.rpartition("@")[2].split(",")]
        is_clear = all(host.port is None or host.port > 0 for host in hosts)
    except ValueError:
        is_clear = False
    if not is_clear or parts.netloc.count("@") > 1 or "@" in parts.path or parts.fragment:
        raise ValueError(
            "write postgresql://user:password@host:port/name; special characters of the password are "
            "percent-encoded: / as %2F, @ as %40, # as %23"
        )
    return parts


def _check_parameters(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the driver's parameters; ValueError for one that is unknown or cannot be met."""
    for name, value in parameters.items():
        if name in OPTIONAL_FEATURES and value not in OPTIONAL_FEATURES[name]:
            raise ValueError(f"{name}: only {' or '.join(OPTIONAL_FEATURES[name])} can be used here")
        if name not in DRIVER_PARAMETERS | IGNORED_PARAMETERS | OPTIONAL_FEATURES.keys():
            raise ValueError(f"{name[:40]!r} is not a parameter of PostgreSQL URLs that is known here")
    _check_choice(parameters, "sslmode", SSL_MODES)
    _check_choice(parameters, "target_session_attrs", SESSION_KINDS)
    for name in FILE_PARAMETERS:
        path = parameters.get(name, "")
        if path and path != SYSTEM_AUTHORITIES and not os.access(path, os.R_OK):
            raise ValueError(f"{name}: the file cannot be read")
    return {name: value for name, value in parameters.items() if name in DRIVER_PARAMETERS and value}


def _check_choice(parameters: Mapping[str, str], name: str, choices: tuple[str, ...]) -> None:
    if parameters.get(name, "") not in ("", *choices):
        raise ValueError(f"{name}: must be one of {', '.join(choices)}")


def _build_tls(parameters: Mapping[str, str]) -> ssl.SSLContext | None:
    """Return TLS settings with the system's authorities where the URL asks for them; otherwise None."""
    mode, authorities = parameters.get("sslmode", ""), parameters.get("sslrootcert", "")
    if authorities == SYSTEM_AUTHORITIES and mode not in ("", "verify-full"):
        raise ValueError("sslrootcert: system needs sslmode=verify-full")
    if mode in ("verify-ca", "verify-full") and not authorities and not _has_default_authorities():
        if mode == "verify-ca":
            raise ValueError("sslmode: verify-ca needs sslrootcert, the file of the certificate authority")
        authorities = SYSTEM_AUTHORITIES
    if authorities != SYSTEM_AUTHORITIES:
        return None
    context = ssl.create_default_context()
    if parameters.get("sslcert"):
        _load_certificate(context, parameters)
    return context


def _load_certificate(context: ssl.SSLContext, parameters: Mapping[str, str]) -> None:
    try:
        context.load_cert_chain(
            parameters["sslcert"], parameters.get("sslkey"), parameters.get("sslpassword", "")
        )
    except (OSError, ssl.SSLError):
        raise ValueError("sslcert: certificate and key cannot be used") from None


def _has_default_authorities() -> bool:
    """Return whether libpq's default file of authorities exists."""
    return bool(os.environ.get("PGSSLROOTCERT")) or (Path.home() / ".postgresql" / "root.crt").exists()


def _parse_timeout(value: str) -> float:
    """Return `connect_timeout` in seconds; 0 and negative ones mean no limit in libpq, and ours here."""
    try:
        seconds = float(value or 0)
    except ValueError:
        raise ValueError("connect_timeout: must be a number of seconds") from None
    return min(seconds, CONNECT_SECONDS) if seconds > 0 else CONNECT_SECONDS
