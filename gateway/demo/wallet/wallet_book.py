"""Book of the demo's wallet: requests for approval, what their owners press, and what goes wrong."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal, get_args

WalletMode = Literal[
    "ok",
    "lost_answer",
    "error_first",
    "silent",
    "double",
    "refuse",
    "no_funds",
    "over_limit",
    "no_wallet",
    "pending",
    "wrong_amount",
]
WALLET_MODES: tuple[WalletMode, ...] = get_args(WalletMode)
"""What a request does.

`ok`: paid once its owner approves, and told by a callback. `lost_answer`: accepted, and the connection breaks
before the answer. `error_first`: the first try is answered 500 and not accepted. `silent`: no callback.
`double`: every callback twice. `refuse`: the owner says no. `no_funds`, `over_limit`, `no_wallet`: refused by
the wallet. `pending`: no answer, for ever. `wrong_amount`: another amount is taken.
"""
WalletEnd = Literal["paid", "rejected", "no_funds", "over_limit", "no_wallet", "expired"]
ENDS_AT_ONCE: dict[WalletMode, WalletEnd] = {
    "no_funds": "no_funds",
    "over_limit": "over_limit",
    "no_wallet": "no_wallet",
}
"""Modes whose request ends before its owner sees it."""


@dataclass(frozen=True, slots=True)
class WalletRequest:
    """One request for approval, as the wallet keeps it."""

    reference: str
    external_id: str
    amount: Decimal
    currency: str
    payer: str
    callback_url: str
    mode: WalletMode
    end: WalletEnd | None = None
    """How it ended; None while it waits."""


@dataclass(slots=True)
class WalletBook:
    """All requests of the stand-in; `mode` is what new ones do."""

    mode: WalletMode = "ok"
    requests: dict[str, WalletRequest] = field(default_factory=dict)
    refunds: dict[str, Decimal] = field(default_factory=dict)
    """Amounts given back, by key."""
    is_refusing: bool = False
    """Whether every call is answered 403, as while a merchant's contract or key is being changed."""
    refused_once: set[str] = field(default_factory=set)
    send_callback: Callable[[WalletRequest], Awaitable[None]] | None = field(default=None, repr=False)
    after_change: Callable[[], Awaitable[None]] | None = field(default=None, repr=False)
    """Called once a request has ended: a demo phone then shows what came of it."""

    @property
    def money_in(self) -> Decimal:
        """Everything payers have paid."""
        return sum((each.amount for each in self.requests.values() if each.end == "paid"), Decimal(0))

    @property
    def money_back(self) -> Decimal:
        """Everything given back."""
        return sum(self.refunds.values(), Decimal(0))

    def add(self, request: WalletRequest) -> bool:
        """Take a request; False when its reference was taken before."""
        if request.reference in self.requests:
            return False
        self.requests[request.reference] = replace(request, end=ENDS_AT_ONCE.get(request.mode))
        return True

    def fails_first(self, reference: str) -> bool:
        """Return whether this try is answered by an error, as the mode has it."""
        if self.mode != "error_first" or reference in self.refused_once:
            return False
        self.refused_once.add(reference)
        return True

    async def press(self, reference: str, action: str = "approve") -> None:
        """Do what the owner does on the phone: `approve` or `refuse`."""
        request = self.requests[reference]
        if request.end is not None or request.mode == "pending":
            return
        is_refused = action == "refuse" or request.mode == "refuse"
        await self.settle(reference, "rejected" if is_refused else "paid")

    async def settle(self, reference: str, end: WalletEnd) -> None:
        """End a request, whatever its mode and state, and tell the merchant as the mode has it."""
        request = self.requests[reference]
        taken = request.amount + 1 if request.mode == "wrong_amount" and end == "paid" else request.amount
        self.requests[reference] = request = replace(request, end=end, amount=taken)
        for _ in range({"silent": 0, "double": 2}.get(request.mode, 1)):
            if self.send_callback:
                await self.send_callback(request)
        if self.after_change:
            await self.after_change()
