"""Redis URLs: one server, Sentinel or Cluster; what cannot be used is refused without repeating it."""

from urllib.parse import SplitResult, parse_qs, urlsplit

REDIS_PORT = 6379
TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs"})
"""Options that name TLS files and rules, of the rediss schemes."""
_OPTIONS_BY_KIND = {"": {"db", "client_name"}, "sentinel": {"sentinel_password"}, "cluster": set[str]()}
"""Options of a URL by the kind of deployment, beside the TLS files of the rediss schemes."""
_ENCODING_RULE = "special characters of a password are percent-encoded: / as %2F, @ as %40, # as %23"


def split_redis_url(url: str) -> SplitResult:
    """Return the parts of a Redis URL that can be used; otherwise ValueError, which repeats none of it."""
    try:
        parts = urlsplit(url)
        parse_hosts(parts, REDIS_PORT)
    except ValueError:
        raise ValueError(f"a Redis URL has hosts as name:port, and {_ENCODING_RULE}") from None
    scheme, _, kind = parts.scheme.partition("+")
    if scheme not in ("redis", "rediss") or kind not in _OPTIONS_BY_KIND:
        raise ValueError("a Redis URL begins with redis://, rediss://, redis+sentinel:// or redis+cluster://")
    if "@" in parts.path + parts.query + parts.fragment or parts.fragment:
        raise ValueError(f"in a Redis URL {_ENCODING_RULE}")
    known = _OPTIONS_BY_KIND[kind] | (TLS_OPTIONS if scheme == "rediss" else set())
    if parse_qs(parts.query, keep_blank_values=True).keys() - known:
        raise ValueError(f"options of a {parts.scheme} URL are {', '.join(sorted(known)) or 'none'}")
    return parts


def parse_hosts(parts: SplitResult, default_port: int) -> list[tuple[str, int]]:
    """Parse `a:1,b` into pairs of host and port; IPv6 addresses are in brackets."""
    places = parts.netloc.rpartition("@")[2].split(",")
    addresses = [urlsplit(f"//{place.strip()}") for place in places]
    return [(each.hostname or "127.0.0.1", each.port or default_port) for each in addresses]
