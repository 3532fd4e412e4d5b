"""Detects an unlisted reverse proxy: posts that all come from one private peer share its limits."""

import logging
from dataclasses import dataclass

from gateway.http.client_address import parse_ip

log = logging.getLogger("dialtree.server")
POSTS_JUDGED = 200
"""Webhook and page posts of a process after which its peers are judged."""


@dataclass(slots=True)
class UnlistedProxyCheck:
    """Looks at the peers of the first posts; logs once when all of them are one private address.

    Behind such a proxy every client has the proxy's address: one visitor who posts wrong codes uses up the
    limits of all subscribers, and `sources` sees the proxy only.
    """

    peer: str | None = None
    post_count: int = 0

    def observe_peer(self, peer: str | None) -> None:
        """Count a post and, after `POSTS_JUDGED` from one private address, log `proxy.unlisted`."""
        if self.post_count >= POSTS_JUDGED:
            return
        if self.post_count and peer != self.peer:
            self.post_count = POSTS_JUDGED
            return
        self.peer = peer
        self.post_count += 1
        address = parse_ip(peer or "")
        if self.post_count == POSTS_JUDGED and address is not None and address.is_private:
            log.warning("proxy.unlisted")
