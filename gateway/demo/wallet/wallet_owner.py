"""Client of the demo's wallet for its owners: a demo phone reads the requests on it and answers them."""

from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientConnectionError, ClientSession, ClientTimeout

from gateway.demo.wallet.owner_page import OWNER_PATH, OwnerAction

TIMEOUT = ClientTimeout(total=10)


@dataclass(frozen=True, slots=True)
class WalletPrompt:
    """A request for approval as a phone shows it."""

    reference: str
    amount: str
    currency: str
    message: str

    @property
    def text(self) -> str:
        """What the phone shows, in one line."""
        return f"{self.amount} {self.currency}".rstrip() + f", {self.message}"


@dataclass(slots=True)
class WalletOwner:
    """The wallets of all phones, at the address of the stand-in."""

    url: str
    shown: set[str] = field(default_factory=set)
    """References of the requests that were shown before."""

    async def list_waiting(self, payer: str) -> list[WalletPrompt]:
        """Return the requests that wait on a phone, the oldest first; none where the demo has ended."""
        if not payer:
            return []
        try:
            async with ClientSession(timeout=TIMEOUT) as client:
                async with client.get(self._path("requests"), params={"payer": payer}) as answer:
                    waiting: list[dict[str, Any]] = (await answer.json())["requests"]
        except ClientConnectionError:
            return []
        return [WalletPrompt(**each) for each in waiting]

    async def take_new(self, payer: str) -> list[WalletPrompt]:
        """Return the requests that were not returned before."""
        new = [each for each in await self.list_waiting(payer) if each.reference not in self.shown]
        self.shown |= {each.reference for each in new}
        return new

    async def answer(self, reference: str, action: OwnerAction) -> None:
        """Approve or refuse a request."""
        await self._post(f"requests/{reference}", {"action": action})

    async def set_mode(self, mode: str) -> None:
        """Choose what new requests do, one of `WALLET_MODES`."""
        await self._post("mode", {"mode": mode})

    async def _post(self, path: str, form: dict[str, str]) -> None:
        async with ClientSession(timeout=TIMEOUT) as client:
            async with client.post(self._path(path), data=form, allow_redirects=False):
                pass

    def _path(self, path: str) -> str:
        return f"{self.url}{OWNER_PATH}/{path}"
