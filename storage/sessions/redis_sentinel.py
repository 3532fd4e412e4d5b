"""Redis Sentinel: master discovery that asks all sentinels at once."""

import asyncio
from typing import Any

from redis.asyncio import Redis
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel

from storage.sessions.redis_errors import REDIS_ERRORS

Address = tuple[str, int]


class ParallelSentinel(Sentinel):
    """Sentinels of one deployment, of which any may be silent, gone or misconfigured.

    The library asks them one after the other, so that a silent first one uses up every caller's time.
    """

    async def discover_master(self, service_name: str) -> Address:
        """Return the address the first sentinel gives; MasterNotFoundError when none knows the master."""
        lookups = [asyncio.create_task(self._ask_sentinel(each, service_name)) for each in self.sentinels]
        try:
            for answer in asyncio.as_completed(lookups):
                address = await answer
                if address is not None:
                    return address
        finally:
            for lookup in lookups:
                lookup.cancel()
            await asyncio.gather(*lookups, return_exceptions=True)
        raise MasterNotFoundError(f"no sentinel knows a master of {service_name!r}")

    async def _ask_sentinel(self, sentinel: Redis, service_name: str) -> Address | None:
        """Return the address one sentinel gives; None when it has none or does not answer."""
        try:
            state: Any = await sentinel.sentinel_master(service_name)
        except REDIS_ERRORS:
            return None
        is_usable = state and self.check_master_state(state, service_name)
        return (state["ip"], state["port"]) if is_usable else None
