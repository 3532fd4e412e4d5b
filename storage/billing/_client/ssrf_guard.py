"""SSRF guard: allow-list and address check of URLs from a BSS or a merchant, not from settings (T19).

The host must be listed, with its port when that is not the scheme's default. The name is resolved once, for the
connection itself, so DNS rebinding gains nothing; and none of its addresses may be internal: private, loopback,
link-local (cloud metadata), or an IPv6 form mapped or translated into any of these.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AddressFamily
from urllib.parse import quote

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from flows.domain.failures import Down

_ILLEGAL_CHARACTER = re.compile(r"""[^!#-;=?-\[\]_a-z~]""")
"""Matches what no URL may contain (RFC 3986): white space, controls, quotes, and letters outside ASCII."""
NAT64_PREFIX = IPv6Network("64:ff9b::/96")
"""NAT64 prefix (RFC 6052): the last 32 bits are an IPv4 address."""


@dataclass(frozen=True, slots=True)
class UrlAllowList:
    """The allowed hosts, and the operator's internal networks in which their addresses may lie."""

    hosts: Collection[str] = ()
    networks: Sequence[str] = ()

    def __post_init__(self) -> None:
        try:
            [ip_network(network) for network in self.networks]
        except ValueError:
            raise ValueError("bss.document_networks: must be networks such as 10.1.0.0/16") from None

    def allows_url(self, url: URL) -> bool:
        """Return whether the URL is on a listed host and carries no user name."""
        place = url.host if url.is_default_port() else f"{url.host}:{url.port}"
        return place in self.hosts and not url.user

    def allows_secure_url(self, location: str) -> bool:
        """Return whether a text is an https URL on a listed host that carries no user name."""
        try:
            url = URL(location)
        except ValueError:
            return False
        return url.scheme == "https" and self.allows_url(url)

    def resolve_document_url(self, base: URL, location: str) -> URL:
        """Return the URL of a document; Down when it is neither on the BSS at `base` nor on a listed host."""
        try:
            url = _exact_url(base, location)
            on_bss = url.origin() == base.origin() and not url.user
        except ValueError:
            raise Down("the BSS gave an invalid document address") from None
        if not on_bss and not (self.allows_url(url) and url.scheme in {"https", base.scheme}):
            raise Down("the BSS gave a document address on a host that is not in document_hosts")
        return url

    def allows_address(self, address: str) -> bool:
        """Return whether an IP address may be connected to: public, or in one of `networks`."""
        there = _embedded_ipv4(ip_address(address.partition("%")[0]))
        if any(there in ip_network(network) for network in self.networks):
            return True
        return there.is_global and not there.is_multicast


def _exact_url(base: URL, location: str) -> URL:
    """Return a URL, absolute or relative to `base`, with path and query byte for byte; ValueError for none.

    A signed URL is good for its very bytes; only what no URL may contain is percent-encoded. The authority is
    parsed strictly: it is what the allow-list checks.
    """
    strict = base.join(URL(location)).with_fragment(None)
    exact = base.join(URL(_ILLEGAL_CHARACTER.sub(_percent_encode, location), encoded=True))
    if not strict.host:
        raise ValueError("a URL without a host")
    user = f"{strict.raw_user}@" if strict.user else ""
    return URL(f"{strict.scheme}://{user}{strict.host_port_subcomponent}{exact.raw_path_qs}", encoded=True)


def _percent_encode(match: re.Match[str]) -> str:
    return quote(match[0], safe="")


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address an IPv6 address embeds (mapped, 6to4, NAT64), else the address itself."""
    if not isinstance(address, IPv6Address):
        return address
    if address in NAT64_PREFIX:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


@dataclass(slots=True)
class GuardedResolver(AbstractResolver):
    """DNS resolver for connections to other hosts; OSError for a name with an address that is not allowed."""

    allow_list: UrlAllowList
    resolver: AbstractResolver = field(default_factory=ThreadedResolver)

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        """Return the name's addresses if all are allowed; the connection uses exactly these."""
        addresses = await self.resolver.resolve(host, port, family)
        if not all(self.allow_list.allows_address(each["host"]) for each in addresses):
            raise OSError("a listed host resolves to an internal address")
        return addresses

    async def close(self) -> None:
        """Close the inner resolver."""
        await self.resolver.close()
