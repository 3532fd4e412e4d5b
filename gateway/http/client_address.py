"""Client address of a request, trusting X-Forwarded-For only from the configured proxies."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

Address = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]
NEIGHBOURS = 64
"""Bits of the IPv6 prefix a rate limit counts by; subscribers choose the remaining bits themselves."""
HEADER = "X-Forwarded-For"
MOST_HOPS = 16
"""Addresses read from the header, counted from the right (the nearest hop first)."""


def networks(names: Iterable[str]) -> Networks:
    """Parse CIDR texts; ValueError for anything else."""
    return tuple(ip_network(cidr) for cidr in names)


def listed(address: Address, among: Networks) -> bool:
    """Return whether the address is in one of the networks."""
    return any(address.version == network.version and address in network for network in among)


def origin(request: web.Request, proxies: Networks) -> Address | None:
    """Return the nearest address that is not a trusted proxy; None when the peer has no address.

    Header entries to the left of that address were written by untrusted clients and are ignored.
    """
    nearest = parsed(request.remote or "")
    if nearest is None or not proxies or not listed(nearest, proxies):
        return nearest
    hops = ",".join(request.headers.getall(HEADER, ())).split(",")[-MOST_HOPS:]
    for text in reversed(hops):
        address = parsed(text)
        if address is None:
            return nearest
        nearest = address
        if not listed(nearest, proxies):
            return nearest
    return nearest


def parsed(name: str) -> Address | None:
    """Parse an address as written in a header, IPv4-mapped IPv6 as IPv4; None when it is not an address."""
    try:
        address = ip_address(name.strip().partition("%")[0].strip("[]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def named(address: Address | None) -> str:
    """Return the key an address is rate-limited by: an IPv6 address by its /64; empty without an address."""
    if isinstance(address, IPv6Address):
        return str(int(address) >> (128 - NEIGHBOURS))
    return "" if address is None else str(address)


def sources(proxies: Networks) -> Callable[[web.Request], str]:
    """Return a function from a request to its rate-limit key."""
    return lambda request: named(origin(request, proxies))
