"""Client address of a request, trusting X-Forwarded-For only from the configured proxies."""

from collections.abc import Callable, Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from aiohttp import web

from gateway.http.webhook_messages import AddressedRequest

IPAddress = IPv4Address | IPv6Address
Networks = tuple[IPv4Network | IPv6Network, ...]
IPV6_NETWORK_BITS = 64
"""Bits of the IPv6 prefix a rate limit counts by; subscribers choose the remaining bits themselves."""
FORWARDED_HEADER = "X-Forwarded-For"
MAX_FORWARDED_HOPS = 16
"""Addresses read from the header, counted from the right (the nearest hop first)."""


def parse_networks(cidrs: Iterable[str]) -> Networks:
    """Parse CIDR texts; ValueError for anything else."""
    return tuple(ip_network(cidr) for cidr in cidrs)


def check_networks(cidrs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the values if they are CIDR networks; ValueError otherwise."""
    parse_networks(cidrs)
    return cidrs


def in_networks(address: IPAddress, networks: Networks) -> bool:
    """Return whether the address is in one of the networks."""
    return any(address.version == network.version and address in network for network in networks)


def resolve_client_ip(request: AddressedRequest, trusted_proxies: Networks) -> IPAddress | None:
    """Return the nearest address that is not a trusted proxy; None when the peer has no address.

    Header entries to the left of that address were written by untrusted clients and are ignored.
    """
    nearest = parse_ip(request.remote or "")
    if nearest is None or not trusted_proxies or not in_networks(nearest, trusted_proxies):
        return nearest
    hops = ",".join(request.headers.getall(FORWARDED_HEADER, ())).split(",")[-MAX_FORWARDED_HOPS:]
    for text in reversed(hops):
        address = parse_ip(text)
        if address is None:
            return nearest
        nearest = address
        if not in_networks(nearest, trusted_proxies):
            return nearest
    return nearest


def parse_ip(text: str) -> IPAddress | None:
    """Parse an address as written in a header, IPv4-mapped IPv6 as IPv4; None when it is not an address."""
    try:
        address = ip_address(text.strip().partition("%")[0].strip("[]"))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def rate_limit_key(address: IPAddress | None) -> str:
    """Return the key an address is rate-limited by: an IPv6 address by its /64; empty without an address."""
    if isinstance(address, IPv6Address):
        return str(int(address) >> (128 - IPV6_NETWORK_BITS))
    return "" if address is None else str(address)


def rate_limit_key_reader(trusted_proxies: Networks) -> Callable[[web.Request], str]:
    """Return a function from a request to its rate-limit key."""
    return lambda request: rate_limit_key(resolve_client_ip(request, trusted_proxies))
