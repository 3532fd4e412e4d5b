"""Free loopback ports for test servers."""

import random
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path


def free_port(*above: int) -> int:
    """Return a free loopback port whose offsets `above` are free, too; the server checks who got it.

    It avoids the ephemeral ports the kernel gives to clients: a client that polls such a port until a
    server listens may be given that very port itself and connect to itself, and then the server cannot
    have it for the minute the kernel remembers that connection.
    """
    while True:
        port = random.choice(allowed_ports())
        if all(is_port_free(each) for each in (port, *(port + each for each in above))):
            return port


@cache
def allowed_ports() -> Sequence[int]:
    """Return the ports servers may use: all of them on a machine that makes every port ephemeral."""
    everywhere, given_to_clients = range(10_000, 60_000), ephemeral_ports()
    return [port for port in everywhere if port not in given_to_clients] or everywhere


def ephemeral_ports() -> range:
    """Return the kernel's ephemeral port range; IANA's dynamic ports where it is not readable."""
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first, last = map(int, told.read_text().split()) if told.exists() else (49_152, 65_535)
    return range(first, last + 1)


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
