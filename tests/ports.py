"""Ports for servers of our own."""

import random
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path


def free_port(*above: int) -> int:
    """A loopback port nobody has right now, nor those so far above it; `Server.start` checks who got it.

    It is not one of those the kernel gives to clients: who asks such a port over and over whether a server
    is there yet is one day given the port itself, connects to itself, and the server cannot have it for the
    minute the kernel remembers that connection.
    """
    while True:
        port = random.choice(ours())
        if all(is_free(each) for each in (port, *(port + each for each in above))):
            return port


@cache
def ours() -> Sequence[int]:
    """Where servers may be; anywhere, on a machine that gives clients every port."""
    everywhere = range(10_000, 60_000)
    return [port for port in everywhere if port not in clients()] or everywhere


def clients() -> range:
    """The ports the kernel gives to clients; IANA's dynamic ones where it does not say."""
    told = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first, last = map(int, told.read_text().split()) if told.exists() else (49_152, 65_535)
    return range(first, last + 1)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
