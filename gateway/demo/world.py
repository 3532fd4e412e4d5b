"""The demo: settings that leave nothing to set, and the demo world behind them."""

import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flows.domain.records import Notice
from gateway.publishing import pack_compiler
from gateway.settings import Settings, packs_folder
from gateway.wiring.container import House
from menus.text.masking import recipient
from storage.demo.generic_people import Where, generic
from storage.demo.world import known, seed

FOLDER = Path("var")
SECRET = FOLDER / "demo-secret"
HOOK_TOKEN, AUTH_TOKEN = "demo", "demo-auth-token"
OPERATOR: Mapping[str, Any] = {
    "billing": "sql",
    "routes": {"sms": "africastalking"},
    "africastalking": {"username": "sandbox", "api_key": "demo", "hook_token": HOOK_TOKEN},
    "twilio": {"account_sid": "ACdemo", "auth_token": AUTH_TOKEN, "sender": "+15005550006"},
}
"""What each operator of the demo is set to."""


def base(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the settings may leave out in the demo; the file and the environment go over it."""
    port = environ.get("PORT") or "8080"
    return {
        "demo": True,
        "host": "127.0.0.1",
        "public_url": f"http://127.0.0.1:{port}",
        "internal_port": "0",
        "secret_key": _secret(),
        "database_url": f"sqlite:///{FOLDER}/demo.db",
        "operators": {name: dict(OPERATOR) for name in pack_compiler.served(packs_folder(environ))},
    }


def _secret() -> str:
    """One per machine: codes and links of the demo survive its restart."""
    FOLDER.mkdir(exist_ok=True)
    if not SECRET.exists():
        SECRET.write_text(secrets.token_hex(32))
        SECRET.chmod(0o600)
    return SECRET.read_text()


async def settle(house: House) -> None:
    """Put the demo world into the house's tables."""
    await seed(house.database, house.passwords, house.hooks.now(), world(house))


def world(house: House) -> dict[str, Any]:
    """The demo world of the operators that are served, with generic people for those it does not know."""
    served = house.settings.operators.keys()
    ours = {name: told for name, told in known().items() if name in served}
    return {**ours, **{name: generic(_where(house, name)) for name in sorted(served - known().keys())}}


def _where(house: House, operator: str) -> Where:
    form = house.conversations.shelf.current(operator).form
    kind, language = next(iter(form.rules.proof), "mobile"), next(iter(form.languages))
    return Where(form.country_code, form.time_zone, form.currency.code, kind, language)


def phone(house: House, operator: str) -> str:
    """The number of the operator's first person; empty for one that is not served."""
    told = world(house).get(operator)
    return str(told["subscribers"][0]["msisdn"]) if told else ""


def told(notice: Notice) -> str:
    """A recorded message as the terminal prints it: this is the demo, so codes and all."""
    to = recipient(notice.to) if notice.route == "sms" else notice.to
    return f"{'to' if notice.route == 'sms' else 'mail to'} {to}: {notice.body}"


def welcome(house: House, port: int) -> str:
    """What to try, once the demo serves."""
    url = f"http://127.0.0.1:{port}"
    hook = f"{url}/hooks/orange-ro/africastalking/demo/ussd"
    return f"""
Dialtree serves {", ".join(house.settings.operators)} on {url} (loopback only).

The phone, with keys, messages and what goes on behind them:
  {url}/phone

Dial in another terminal:
  .venv/bin/dialtree dial '*100#' --operator orange-ro --from +40740000101
  .venv/bin/dialtree dial 411 --operator orange-ro --from +40740000101
  .venv/bin/dialtree dial 477 --operator orange-ro --from +40740000101     (then text: ThankYou1)

Or be the aggregator:
  curl -s {hook} -d 'sessionId=ATUid_1&serviceCode=*100%23&phoneNumber=%2B40740000101&networkCode=99999&text='
{behind(house.settings)}
Messages that would go out appear below. Stop with Ctrl-C.
"""


def behind(settings: Settings) -> str:
    """Where the BSSs are that bills are read from; docs/billing.md asks them what became of a change."""
    remote = {name: each.billing for name, each in settings.operators.items() if "+http" in each.billing}
    served = (f"  {name}: {billing}" for name, billing in remote.items())
    return "\n".join(["", "Bills are read from:", *served, ""]) if remote else ""
