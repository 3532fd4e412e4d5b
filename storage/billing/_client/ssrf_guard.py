"""Reach: what may be called at an address that came from a BSS's data and not from settings (T19).

Its host must be listed, with its port when that is not the scheme's own. Its name is resolved once, for the
connection itself, so a name that is another address the second time gains nothing; and no address of it may
lie inside: private, loopback, link-local (cloud metadata), mapped or translated into any of these.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from socket import AF_INET, AddressFamily

from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

TRANSLATED = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as a NAT64 writes them: the last 32 bits."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The hosts that are listed, and networks of the operator's own in which they may lie nevertheless."""

    hosts: Collection[str] = ()
    networks: Sequence[str] = ()

    def __post_init__(self) -> None:
        try:
            [ip_network(network) for network in self.networks]
        except ValueError:
            raise ValueError("bss.document_networks: must be networks such as 10.1.0.0/16") from None

    def listed(self, url: URL) -> bool:
        """Is it the address of a listed host, and of nobody's login?"""
        place = url.host if url.is_default_port() else f"{url.host}:{url.port}"
        return place in self.hosts and not url.user

    def admits(self, address: str) -> bool:
        """May this address be connected to?"""
        there = _plain(ip_address(address.partition("%")[0]))
        if any(there in ip_network(network) for network in self.networks):
            return True
        return there.is_global and not there.is_multicast


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """What an address of the new kind stands for, where it stands for one of the old."""
    if not isinstance(address, IPv6Address):
        return address
    if address in TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


@dataclass(slots=True)
class Names(AbstractResolver):
    """Looks names up for connections that go outside; OSError for one with an address that is not admitted."""

    reach: Reach
    names: AbstractResolver = field(default_factory=ThreadedResolver)

    async def resolve(self, host: str, port: int = 0, family: AddressFamily = AF_INET) -> list[ResolveResult]:
        """The addresses, all of them admitted; they are what is connected to."""
        found = await self.names.resolve(host, port, family)
        if not all(self.reach.admits(each["host"]) for each in found):
            raise OSError("a listed host has an address inside")
        return found

    async def close(self) -> None:
        """Give the inner resolver back."""
        await self.names.close()
