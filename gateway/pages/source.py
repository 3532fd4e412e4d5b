"""Where a request comes from, as far as counting goes."""

from ipaddress import IPv6Address, ip_address

from aiohttp import web

NEIGHBOURS = 64
"""Bits of an IPv6 address that name a subscriber's network; the rest they choose themselves."""


def remote(request: web.Request) -> str:
    """The peer's address, an IPv6 one cut to its network; empty when there is none.

    Behind a proxy this is the proxy: pass `Pages` a function that reads the proxy's own header then.
    """
    try:
        address = ip_address((request.remote or "").partition("%")[0])
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or int(address) >> (128 - NEIGHBOURS))
