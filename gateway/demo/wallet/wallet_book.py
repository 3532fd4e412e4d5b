"""Book of the demo's wallet: requests for approval, what their owners press, and what goes wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Literal, get_args

WalletMode = Literal[
    "ok",
    "lost_answer",
    "error_first",
    "silent",
    "double",
    "late_callback",
    "forged_callback",
    "slow_result",
    "refuse",
    "no_funds",
    "over_limit",
    "no_wallet",
    "pending",
    "expires",
    "wrong_amount",
]
WALLET_MODES: tuple[WalletMode, ...] = get_args(WalletMode)
"""What a request does.

`ok`: paid once its owner approves, and told by a callback. `lost_answer`: accepted, and the connection breaks
before the answer. `error_first`: the first try is answered 500 and not accepted. `silent`: no callback.
`double`: every callback twice. `late_callback`: the callback comes `LATE_SECONDS` after the approval.
`forged_callback`: somebody says that it was paid before its owner has answered. `slow_result`: the money is
taken, and the interface says "pending" for `LATE_SECONDS`, without a callback. `refuse`: the owner says no.
`no_funds`, `over_limit`, `no_wallet`: refused by the wallet. `pending`: no answer, for ever. `expires`: the
owner answers too late. `wrong_amount`: another amount is taken.
"""
WalletEnd = Literal["paid", "rejected", "no_funds", "over_limit", "no_wallet", "expired"]
ENDS_AT_ONCE: dict[WalletMode, WalletEnd] = {
    "no_funds": "no_funds",
    "over_limit": "over_limit",
    "no_wallet": "no_wallet",
}
"""Modes whose request ends before its owner sees it."""
ENDS_OF_APPROVAL: dict[WalletMode, WalletEnd] = {"refuse": "rejected", "expires": "expired"}
"""What an approval comes to in modes in which it is none."""
CALLBACK_COUNTS: dict[WalletMode, int] = {"silent": 0, "slow_result": 0, "late_callback": 0, "double": 2}
"""How many callbacks follow at once; one in the other modes."""
LATE_SECONDS = 90.0
RefundMode = Literal["ok", "pending", "fails"]
"""What a refund does: done by the time it is first asked about, open for as long as it is, or failed."""


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
    message: str = ""
    """What the payer reads beside the amount."""
    end: WalletEnd | None = None
    """How it ended; None while it waits."""
    shown_from: datetime | None = None
    """When the interface begins to tell how it ended; None for at once."""


@dataclass(frozen=True, slots=True)
class WalletRefund:
    """One refund: accepted first, made afterwards."""

    amount: Decimal
    end: Literal["made", "failed"] | None = None
    """How it ended; None while it is open."""


@dataclass(slots=True)
class WalletBook:
    """All requests of the stand-in; `mode` is what new ones do."""

    mode: WalletMode = "ok"
    refund_mode: RefundMode = "ok"
    """What refunds do that are still open when they are asked about."""
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    requests: dict[str, WalletRequest] = field(default_factory=dict)
    refunds: dict[str, WalletRefund] = field(default_factory=dict)
    """Refunds by key."""
    is_refusing: bool = False
    """Whether every call is answered 403, as while a merchant's contract or key is being changed."""
    refused_once: set[str] = field(default_factory=set)
    send_callback: Callable[[WalletRequest], Awaitable[None]] | None = field(default=None, repr=False)
    tasks: set["asyncio.Task[None]"] = field(default_factory=set, repr=False)

    @property
    def money_in(self) -> Decimal:
        """Everything payers have paid."""
        return sum((each.amount for each in self.requests.values() if each.end == "paid"), Decimal(0))

    @property
    def money_back(self) -> Decimal:
        """Everything given back."""
        return sum((each.amount for each in self.refunds.values() if each.end == "made"), Decimal(0))

    async def add(self, request: WalletRequest) -> bool:
        """Take a request; False when its reference was taken before."""
        if request.reference in self.requests:
            return False
        self.requests[request.reference] = replace(request, end=ENDS_AT_ONCE.get(request.mode))
        if request.mode == "forged_callback":
            await self._tell(replace(request, end="paid"))
        return True

    def find_refund(self, key: str) -> WalletRefund | None:
        """Return a refund as it stands now, made or failed as the mode has it."""
        refund = self.refunds.get(key)
        if refund and refund.end is None and self.refund_mode != "pending":
            refund = replace(refund, end="made" if self.refund_mode == "ok" else "failed")
            self.refunds[key] = refund
        return refund

    def fails_first(self, reference: str) -> bool:
        """Return whether this try is answered by an error, as the mode has it."""
        if self.mode != "error_first" or reference in self.refused_once:
            return False
        self.refused_once.add(reference)
        return True

    def find(self, reference: str) -> WalletRequest | None:
        """Return a request as the interface shows it: a result that is slow shows as none."""
        request = self.requests.get(reference)
        if request and request.shown_from and self.now() < request.shown_from:
            return replace(request, end=None)
        return request

    def waiting(self, payer: str) -> list[WalletRequest]:
        """Return the requests on an owner's phone, oldest first; a number without its country code fits too."""
        digits = payer.removeprefix("+")
        mine = (each for each in self.requests.values() if digits.endswith(each.payer))
        return [each for each in mine if each.end is None]

    async def press(self, reference: str, action: str = "approve") -> None:
        """Do what the owner does on the phone: `approve` or `refuse`."""
        request = self.requests[reference]
        if request.end is not None or request.mode == "pending":
            return
        await self.settle(
            reference, "rejected" if action == "refuse" else ENDS_OF_APPROVAL.get(request.mode, "paid")
        )

    async def settle(self, reference: str, end: WalletEnd) -> None:
        """End a request, whatever its mode and state, and tell the merchant as the mode has it."""
        request = self.requests[reference]
        taken = request.amount + 1 if request.mode == "wrong_amount" and end == "paid" else request.amount
        late = self.now() + timedelta(seconds=LATE_SECONDS) if request.mode == "slow_result" else None
        self.requests[reference] = request = replace(request, end=end, amount=taken, shown_from=late)
        for _ in range(CALLBACK_COUNTS.get(request.mode, 1)):
            await self._tell(request)
        if request.mode == "late_callback":
            task = asyncio.ensure_future(self._tell_late(request))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def drop_late_callbacks(self) -> None:
        """Send none of the callbacks that are still to come."""
        for task in self.tasks:
            task.cancel()

    async def _tell(self, request: WalletRequest) -> None:
        if self.send_callback:
            await self.send_callback(request)

    async def _tell_late(self, request: WalletRequest) -> None:
        await asyncio.sleep(LATE_SECONDS)
        await self._tell(request)
