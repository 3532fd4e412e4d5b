"""Sink notifier: posts CloudEvents to merchants, over TLS, to hosts of their settings only."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ssl import SSLContext
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver
from aiohttp.resolver import ThreadedResolver

from flows.domain.circuit_breaker import CircuitBreaker
from flows.domain.connect_failure import describe_unreachable
from flows.domain.failures import Rejected, TryLater
from flows.domain.records import DeferredStep
from flows.domain.trace_scope import record_http_status
from gateway.purchases.merchant_settings import MerchantSettings
from storage.billing._client.ssrf_guard import GuardedResolver, UrlAllowList

TIMEOUT = ClientTimeout(total=5)
"""Limit of one delivery: a deferred step holds one of few places."""
CLOSED_FOR_SECONDS = 60.0
"""Wait while the circuit of a host is open."""
TRANSIENT_STATUSES = frozenset({408, 425, 429})
"""Statuses below 500 after which an event is posted again."""
CONTENT_TYPE = "application/cloudevents+json"


@dataclass(slots=True)
class SinkNotifier:
    """Delivers the tasks that `flows/purchases/notifications.py` builds."""

    merchants: Mapping[str, Mapping[str, MerchantSettings]] = field(repr=False)
    """Merchants by name, by operator."""
    now: Callable[[], datetime]
    resolver: AbstractResolver | None = field(default=None, repr=False)
    """Resolves names in place of the system, for tests."""
    tls: SSLContext | bool = field(default=True, repr=False)
    breakers: dict[str, CircuitBreaker] = field(default_factory=dict, repr=False)
    """Circuit breaker by host; only hosts of the settings are in it."""

    async def run_task(self, task: DeferredStep) -> None:
        """Post one event; Rejected where the merchant does not take it, TryLater to post it again."""
        content = json.loads(task.session)
        url, settings = content["url"], self.merchants.get(task.operator, {}).get(content["merchant"])
        if settings is None or not allows_sink(url, settings):
            raise Rejected("the host of the sink is not in the settings any more")
        host = urlsplit(url).netloc
        breaker = self.breakers.setdefault(host, CircuitBreaker(host, self.now))
        if not breaker.allow_request():
            raise TryLater("the circuit of the sink is open", CLOSED_FOR_SECONDS)
        try:
            status = await self._post(url, settings, content)
        except (ClientError, OSError, TimeoutError) as error:
            failure = TryLater(describe_unreachable("the sink", error))
            breaker.record_failure(failure)
            raise failure from error
        breaker.record_success()
        _raise_for_status(status)

    async def _post(self, url: str, settings: MerchantSettings, content: Mapping[str, object]) -> int:
        """Post an event and return the status; redirects are not followed and the body is not read."""
        headers = {"Content-Type": CONTENT_TYPE}
        if content["token"]:
            headers["Authorization"] = f"Bearer {content['token']}"
        allowed = UrlAllowList(settings.sink_hosts, settings.sink_networks)
        names = GuardedResolver(allowed, self.resolver or ThreadedResolver())
        connector = TCPConnector(resolver=names, use_dns_cache=False, ssl=self.tls, force_close=True)
        async with (
            ClientSession(connector=connector, timeout=TIMEOUT, cookie_jar=DummyCookieJar()) as session,
            session.post(
                url, data=json.dumps(content["event"]), headers=headers, allow_redirects=False
            ) as response,
        ):
            record_http_status(response.status)
            return response.status


def allows_sink(url: str, settings: MerchantSettings) -> bool:
    """Return whether events may be posted to a URL: over TLS, on a host of the merchant's settings."""
    return UrlAllowList(settings.sink_hosts).allows_secure_url(url)


def _raise_for_status(status: int) -> None:
    if status in TRANSIENT_STATUSES or status >= 500:
        raise TryLater(f"the sink answered {status}")
    if not 200 <= status < 300:
        raise Rejected(f"the sink answered {status}")
