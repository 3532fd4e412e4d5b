"""Origins: where a request comes from, believing only the proxies the settings name."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]
NEIGHBOURS = 64
"""Bits of an IPv6 address that name a subscriber's network; the rest they choose themselves."""
HEADER = "X-Forwarded-For"
MOST_HOPS = 16
"""Addresses read from the header, the nearest first."""


def networks(names: Iterable[str]) -> Networks:
    """CIDR texts as networks; ValueError for any other."""
    return tuple(ip_network(name) for name in names)


def listed(address: Address, among: Networks) -> bool:
    """Is it in one of these networks?"""
    return any(address.version == network.version and address in network for network in among)


def origin(request: web.Request, proxies: Networks) -> Address | None:
    """The first address, seen from here, that is no listed proxy; None when the peer has none.

    What stands in the header before that address was written by strangers and counts for nothing.
    """
    here = parsed(request.remote or "")
    if here is None or not proxies or not listed(here, proxies):
        return here
    told = ",".join(request.headers.getall(HEADER, ())).split(",")[-MOST_HOPS:]
    for name in reversed(told):
        there = parsed(name)
        if there is None:
            return here
        here = there
        if not listed(here, proxies):
            return here
    return here


def parsed(name: str) -> Address | None:
    """An address as it is written in a header, mapped ones as IPv4; None when it is none."""
    try:
        address = ip_address(name.strip().partition("%")[0].strip("[]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def named(address: Address | None) -> str:
    """How a source is counted: an IPv6 one by its network; empty when there is none."""
    if isinstance(address, IPv6Address):
        return str(int(address) >> (128 - NEIGHBOURS))
    return "" if address is None else str(address)


def sources(proxies: Networks) -> Callable[[web.Request], str]:
    """What names the source of a request, to count by."""
    return lambda request: named(origin(request, proxies))
