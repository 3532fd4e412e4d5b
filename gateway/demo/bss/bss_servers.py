"""Starts the fake BSS servers on loopback ports and returns settings that use them."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import reduce
from typing import Any, get_args

from flows.domain.records import Capability
from flows.domain.rubrics import COMMUNICATION_PARTS
from gateway.demo import startup
from gateway.demo.bss.data import BssRecords
from gateway.demo.bss.fault_modes import PUBLISHED_TMF_HABITS
from gateway.demo.bss.killbill_resources import DEBIT_PLUGIN
from gateway.demo.bss.killbill_server import KillBillBss
from gateway.demo.bss.tmf_server import TmfBss
from gateway.demo.payfake_server import serve_payfake
from gateway.demo.wallet.wallet_server import WALLET_PORT, share_wallet
from gateway.http.listening import serve_app
from gateway.providers.registry import discover_providers
from gateway.settings import Settings, config_path, load_settings
from gateway.settings_sources import merge_tables
from storage.demo.extras import SPECIMEN_PLATFORM
from storage.demo.world import build_operator_rows, load_demo_world

RUBRICS = (
    *("options", "communications", "prorata", "third_party", "equipment"),
    *COMMUNICATION_PARTS,
)
LINE_KINDS = ("mobile", "fixed", "internet", "data_key")
BSS_KINDS = ("memory", "tmf678", "killbill")
CLIENT_ID, CLIENT_SECRET, HUB_TOKEN = "demo-client", "demo-client-secret", "demo-hub"


@asynccontextmanager
async def demo_settings(kind: str) -> AsyncIterator[Settings]:
    """Yield the demo's settings: its payment provider, its wallet, a fake BSS of this kind (empty: none)."""
    defaults = startup.default_settings(os.environ)
    operators, wallet_port = defaults["operators"], int(os.environ.get("WALLET_PORT") or WALLET_PORT)
    async with (
        serve_demo_bss(kind) as bss_settings,
        serve_payfake(operators) as payments,
        share_wallet(operators, wallet_port) as wallets,
    ):
        base = reduce(merge_tables, (bss_settings, payments, wallets), defaults)
        settings = load_settings(discover_providers(), config_path(os.environ), os.environ, base)
        yield startup.keep_in_demo(settings)


@asynccontextmanager
async def serve_demo_bss(kind: str, now: datetime | None = None) -> AsyncIterator[dict[str, Any]]:
    """Serve a fake BSS per demo operator and yield the settings that use it; empty serves none."""
    async with AsyncExitStack() as stack:
        operators = {}
        for operator in load_demo_world() if kind else ():
            operators[operator] = {"billing": "memory"}
            if kind != "memory":
                book = BssRecords(build_operator_rows(operator, now or datetime.now(UTC)))
                book.faults |= PUBLISHED_TMF_HABITS if kind == "tmf678" else set()
                operators[operator] = await stack.enter_async_context(_serve_bss(kind, book))
        yield {"operators": operators} if operators else {}


@asynccontextmanager
async def _serve_bss(kind: str, records: BssRecords) -> AsyncIterator[dict[str, Any]]:
    app = (
        KillBillBss(records).create_app()
        if kind == "killbill"
        else TmfBss(records, "v4", CLIENT_ID, CLIENT_SECRET).create_app()
    )
    async with serve_app(app, "127.0.0.1", 0) as port:
        url = f"http://127.0.0.1:{port}"
        bss = (
            killbill_settings(records)
            if kind == "killbill"
            else {**tmf_settings(records), **credential_settings(url)}
        )
        yield {"billing": f"{kind}+{url}", "bss": bss}


def tmf_settings(records: BssRecords) -> dict[str, Any]:
    """Return the settings table `bss` for the fake TM Forum server."""
    return {
        "currency": records.rows.currency,
        "serves": [*get_args(Capability)],
        "platform": SPECIMEN_PLATFORM if records.rows.documents else "",
    }


def credential_settings(url: str) -> dict[str, Any]:
    """Return the OAuth2 and hub credentials of that table."""
    credentials = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}
    return {"token_url": f"{url}/token", **credentials, "hub_token": HUB_TOKEN}


def killbill_settings(records: BssRecords) -> dict[str, Any]:
    """Return the settings table `bss` for the fake Kill Bill server.

    Its plans are named as our rubrics.
    """
    return {
        "api_key": "demo",
        "api_secret": "demo-secret",
        "password": "password",
        "due_days": records.rows.operator.due_after.days,
        "debit_plugins": [DEBIT_PLUGIN],
        "takes_charges": True,
        "kinds": {name: name for name in LINE_KINDS},
        "rubrics": {name: name for name in RUBRICS},
    }
