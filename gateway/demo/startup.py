"""Demo world: default settings, seeding of the demo subscribers, and start-up text."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.domain.records import OutboundMessage
from gateway.demo.smsc.smsc_modes import SmscModes
from gateway.demo.wallet.owner_page import OWNER_PATH
from gateway.demo.wallet.wallet_server import find_owner
from gateway.publishing import pack_compiler
from gateway.settings import Settings, read_packs_folder
from gateway.wiring.container import Container
from menus.machine.menu import Menu
from menus.text.masking import mask_recipient
from storage.demo.generic_people import OperatorProfile, build_generic_operator
from storage.demo.world import load_demo_world, seed_demo_world

STATE_FOLDER = Path("var")
SECRET_FILE = STATE_FOLDER / "demo-secret"
DATABASE_URL = f"sqlite:///{STATE_FOLDER}/demo.db"
OWN_DATABASES = frozenset({DATABASE_URL, "sqlite://"})
"""Databases that no setting names: the demo's default file, and the one in memory for scripts."""
HOOK_TOKEN, AUTH_TOKEN = "demo", "demo-auth-token"
OPERATOR_DEFAULTS: Mapping[str, Any] = {
    "billing": "sql",
    "routes": {"sms": "africastalking"},
    "africastalking": {"username": "sandbox", "api_key": "demo", "hook_token": HOOK_TOKEN},
    "twilio": {
        "account_sid": "ACdemo",
        "auth_token": AUTH_TOKEN,
        "sender": "+15005550006",
        "trust": {"sms": "line"},
    },
}
"""Settings of each operator in the demo."""
SHOP_OPERATOR = "bouygues"
DEMO_MERCHANTS: Mapping[str, Any] = {
    "parkplus": {"token": "demo-token-of-the-parkplus-merchant", "category": "parking"},
    "cineplus": {"token": "demo-token-of-the-cineplus-merchant", "category": "streaming"},
}
"""The operator whose demo has merchants, and the merchants: docs/purchases.md shows a purchase of theirs."""
SMSC_OPERATOR, SMSC_PORT = "orange-ro", 2775
"""The operator with a link to `dialtree smsc`, which has one phone; variable SMSC_PORT names another port."""


def default_settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the demo's default settings; the file and the environment override them."""
    port = environ.get("PORT") or "8080"
    return {
        "demo": True,
        "host": "127.0.0.1",
        "public_url": f"http://127.0.0.1:{port}",
        "internal_port": "0",
        "secret_key": _machine_secret(),
        "database_url": DATABASE_URL,
        "operators": {
            name: {**OPERATOR_DEFAULTS, **_own_settings(name, environ)}
            for name in pack_compiler.available_operators(read_packs_folder(environ))
        },
    }


def _own_settings(operator: str, environ: Mapping[str, str]) -> Mapping[str, Any]:
    if operator == SHOP_OPERATOR:
        return {"purchases": {"merchants": DEMO_MERCHANTS}}
    return {"smpp": smsc_account(environ)} if operator == SMSC_OPERATOR else {}


def smsc_account(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings of the link to `dialtree smsc`, which is looked for every second."""
    account = {"host": "127.0.0.1", "port": environ.get("SMSC_PORT") or SMSC_PORT}
    credentials = {"system_id": "dialtree", "password": SmscModes().password}
    return {**account, **credentials, "dialect": "plain", "retry_seconds": 1}


def keep_in_demo(settings: Settings) -> Settings:
    """Return the settings as the demo's, whatever the settings file says: nothing is sent."""
    return settings.model_copy(update={"demo": True})


def _machine_secret() -> str:
    """Return the secret key of this machine, so that codes and links survive a restart of the demo."""
    STATE_FOLDER.mkdir(exist_ok=True)
    if not SECRET_FILE.exists():
        SECRET_FILE.write_text(secrets.token_hex(32))
        SECRET_FILE.chmod(0o600)
    return SECRET_FILE.read_text()


async def seed_demo(container: Container) -> None:
    """Seed the container's database with the demo subscribers."""
    await seed_demo_world(container.database, container.passwords, container.clock(), build_dataset(container))


def build_dataset(container: Container) -> dict[str, Any]:
    """Return the demo data of the served operators; generic people for operators without their own."""
    served = container.settings.operators.keys()
    known_data = {name: data for name, data in load_demo_world().items() if name in served}
    others = sorted(served - load_demo_world().keys())
    return {
        **known_data,
        **{name: operator_dataset(container.menu_versions.current_menu(name)) for name in others},
    }


def operator_dataset(menu: Menu) -> Mapping[str, Any]:
    """Return the demo data of one operator: its own, or generic people in the form of its pack."""
    own: Mapping[str, Any] | None = load_demo_world().get(menu.name)
    return own or build_generic_operator(_operator_profile(menu))


def _operator_profile(menu: Menu) -> OperatorProfile:
    form = menu.config
    kinds, language = tuple(form.rules.proof) or ("mobile",), next(iter(form.languages))
    return OperatorProfile(form.country_code, form.time_zone, form.currency.code, kinds, language)


def default_caller(container: Container, operator: str) -> str:
    """Return the number of the operator's first subscriber; empty for an operator not served."""
    data = build_dataset(container).get(operator)
    return str(data["subscribers"][0]["msisdn"]) if data else ""


def format_message(notice: OutboundMessage) -> str:
    """Return a recorded message as the terminal prints it; the demo shows codes in clear."""
    to = mask_recipient(notice.to) if notice.route == "sms" else notice.to
    return f"{'to' if notice.route == 'sms' else 'mail to'} {to}: {notice.body}"


def welcome_text(container: Container, port: int) -> str:
    """Return the start-up text: what to try once the demo serves."""
    url = f"http://127.0.0.1:{port}"
    hook = f"{url}/hooks/orange-ro/africastalking/demo/ussd"
    return f"""
Dialtree serves {", ".join(container.settings.operators)} on {url} (loopback only).

The phone, with keys, messages and what goes on behind them:
  {url}/phone

Dial in another terminal:
  .venv/bin/dialtree dial '*100#' --operator orange-ro --from +40740000101
  .venv/bin/dialtree dial 411 --operator orange-ro --from +40740000101
  .venv/bin/dialtree dial 477 --operator orange-ro --from +40740000101     (then text: ThankYou1)

Or dial over SMPP, as behind an SMSC; '*100#', its keys, '477 ThankYou1':
  .venv/bin/dialtree smsc

Or be the aggregator:
  curl -s {hook} -d 'sessionId=ATUid_1&serviceCode=*100%23&phoneNumber=%2B40740000101&networkCode=99999&text='

What a wallet asks for is approved on the phone that pays, or here for all phones:
  {wallet_page(container.settings)}
{billing_sources(container.settings)}
Messages that would go out appear below. Stop with Ctrl-C.
"""


def wallet_page(settings: Settings) -> str:
    """Return the address of the demo wallet's page."""
    owners = (find_owner(each.wallet) for each in settings.operators.values())
    return next((f"{each.url}{OWNER_PATH}" for each in owners if each), "")


def billing_sources(settings: Settings) -> str:
    """Return the lines that name the BSS URLs; docs/billing.md queries them to see what a change did."""
    remote = {name: each.billing for name, each in settings.operators.items() if "+http" in each.billing}
    served = (f"  {name}: {billing}" for name, billing in remote.items())
    return "\n".join(["", "Bills are read from:", *served, ""]) if remote else ""
