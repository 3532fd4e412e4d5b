"""Secret leak test: known secrets go in everywhere; every byte written is searched for them."""

import base64
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from aiohttp import ClientSession
from redis.asyncio import from_url
from sqlalchemy import text

from flows.domain.records import Bill
from gateway.demo.faulty_billing import FaultyBilling
from gateway.http.listening import serve_app
from gateway.observability.logging import JsonFormatter
from gateway.server.app import public_app
from storage.demo.world import seed_demo_world
from storage.sql.engine import Database
from storage.sql.tables import metadata
from tests.support.gateway_sandbox import HOOK_TOKEN, GatewaySandbox, SandboxFactory
from tests.support.provider_phones import AfricasTalkingPhone, TwilioPhone, connect_webhooks
from tests.support.server_processes import RedisServer

ANA, STRANGER = "+40740000101", "+40791357924"
SECRETS = ("ThankYou1", "Kanarek77", "918273645546", "4111111111111111", "canary-address-42")
WEBHOOK_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
HEAD_BYTES = 19
"""Bytes before the hop in a Redis session value; the last of them is the hop's length."""
SEALED_MARK = 2
"""First byte of an encrypted body."""
WEBHOOK_PATHS = ("ussd", "ussd-ended", "sms", "sms-report", "sms-optout", "voice", "voice-event")
FIELDS = ("sessionId", "serviceCode", "networkCode", "text", "linkId", "to", "dtmfDigits", "input")


def encoded_forms(secret: str) -> Iterator[bytes]:
    """Return a secret's encodings: plain, UCS-2, escaped, base64 at any offset, hex, reversed."""
    for data in (secret.encode(), secret.encode("utf-16-be"), secret.encode("utf-16-le")):
        yield from (data, data.hex().encode(), data.hex().upper().encode(), data[::-1])
        for shift in range(3):
            coded = base64.b64encode(b"\0" * shift + data)
            yield coded[(0, 2, 3)[shift] : len(data) * 4 // 3 - 2].rstrip(b"=")
    yield quote(secret).encode()
    yield "".join(f"%{letter:02X}" for letter in secret.encode()).encode()


def find_secrets(secrets: tuple[str, ...], *places: bytes) -> list[str]:
    """Return which secrets occur in which place, in any encoding."""
    return [
        f"{secret} as {form!r} in place {index}"
        for secret in secrets
        for form in encoded_forms(secret)
        for index, place in enumerate(places)
        if len(form) > 5 and form in place
    ]


@pytest.fixture
def captured_log() -> Iterator[StringIO]:
    """Capture the log at its most verbose level."""
    out, root = StringIO(), logging.getLogger("dialtree")
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter())
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)


async def send_secrets_everywhere(sandbox: GatewaySandbox) -> bytes:
    """Send every secret in every field of every webhook, page and screen; return the answers."""
    answers = b""
    async with serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port, ClientSession() as client:
        base = f"http://127.0.0.1:{port}"
        for secret in SECRETS:
            fields = dict.fromkeys(FIELDS, secret)
            for number in (ANA, STRANGER):
                callers = dict.fromkeys(("phoneNumber", "from", "callerNumber"), number)
                body = urlencode(fields | callers | {"id": f"{secret[:3]}{number[-3:]}"})
                for tail in WEBHOOK_PATHS:
                    async with client.post(f"{base}{WEBHOOK_PATH}/{tail}", data=body, headers=FORM) as got:
                        assert got.status < 500
                        answers += await got.read()
            typed = dict.fromkeys(("number", "code", "link"), secret)
            for page in ("bill", "address", "mailbox", "confirm"):
                async with client.post(f"{base}/orange-ro/{page}", data=typed) as got:
                    answers += await got.read()
    return answers


async def send_secrets_by_phone(sandbox: GatewaySandbox) -> None:
    """Send every secret by phone: as a text, as keys and as speech; return the answers."""
    async with connect_webhooks(sandbox) as wire:
        for line in (AfricasTalkingPhone, TwilioPhone):
            phone = line(wire, sandbox.menu, sandbox.messages)
            for secret in SECRETS:
                await phone.send_text(ANA, "477", secret)
                await phone.call(ANA, "411")
                await phone.press(secret[-6:])


def database_bytes(sandbox: GatewaySandbox) -> bytes:
    """Return the bytes of the database and of its write-ahead log."""
    path = sandbox.container.settings.database_url.removeprefix("sqlite:///")
    return b"".join(file.read_bytes() for file in Path(path).parent.glob(f"{Path(path).name}*"))


async def test_T15_no_secret_is_written_anywhere(
    sandbox: GatewaySandbox, captured_log: StringIO, capfd: pytest.CaptureFixture[str]
) -> None:
    answers = await send_secrets_everywhere(sandbox)
    notices = [notice.body for notice in await sandbox.messages.collect_new()]
    await send_secrets_by_phone(sandbox)
    notices += [notice.body for notice in await sandbox.messages.collect_new()]
    await sandbox.container.write_behind.flush()
    told = captured_log.getvalue().encode()
    out = "".join(capfd.readouterr()).encode()
    assert not find_secrets(
        SECRETS, answers, *(body.encode() for body in notices), told, out, database_bytes(sandbox)
    )
    assert not find_secrets((ANA[3:], STRANGER[3:]), answers, told, out)


PRIVATE = (
    ANA[1:],
    STRANGER[1:],
    ANA[3:],
    STRANGER[3:],
    "0740000101",
    "471,93 lei",
    "4471.93",
    "planted-mailbox",
)
"""Personal data that conversations carry: numbers, an amount and an address."""


class PlantedBilling(FaultyBilling):
    """Billing whose latest bill has an amount that occurs nowhere else."""

    async def list_bills(self, account: str, limit: int, offset: int = 0) -> Sequence[Bill]:
        bills = await super().list_bills(account, limit, offset)
        return [replace(bill, total=Decimal("4471.93"), remaining=Decimal("4471.93")) for bill in bills]


async def hold_conversations(sandbox: GatewaySandbox) -> str:
    """Leave conversations open on each channel, at screens with numbers, amounts and addresses; return them."""
    ports = sandbox.container.operators["orange-ro"]
    ports.billing = PlantedBilling(ports.billing)
    shown: list[str] = []
    async with connect_webhooks(sandbox) as wire:
        phone = AfricasTalkingPhone(wire, sandbox.menu, sandbox.messages)
        for dialled in ("*100*1*1*1#", "*100*1*1*2#", "*100*1*1*3#"):
            shown += (await phone.dial(ANA, dialled)).lines
        shown += (await phone.send_text(ANA, "477", "NOTIF EMAIL planted-mailbox@example.test")).lines
        shown += (await phone.send_text(ANA, "477", "FACTURA")).lines
        await phone.call(ANA, "411")
        await phone.press("1")
    return " ".join(shown)


async def test_T15_redis_holds_no_secret_and_nothing_of_anybody(
    sandboxes: SandboxFactory, redis_server: RedisServer
) -> None:
    async with sandboxes.open(more={"redis_url": redis_server.url}) as sandbox:
        shown = await hold_conversations(sandbox)
        await send_secrets_everywhere(sandbox)
        await sandbox.messages.collect_new()
        await send_secrets_by_phone(sandbox)
        keys, values = await redis_bytes(redis_server.url)
    assert "471,93 lei" in shown and "p***@example.test" in shown
    assert len(keys) > 500 and len(values) > 500
    assert not find_secrets((*SECRETS, *PRIVATE), keys, values)


@pytest.mark.postgres
async def test_T15_postgres_holds_no_secret(sandboxes: SandboxFactory, postgres_database: str) -> None:
    async with sandboxes.open(more={"database_url": postgres_database}) as sandbox:
        database = sandbox.container.database
        await seed_demo_world(database, sandbox.container.passwords, sandbox.clock())
        await send_secrets_everywhere(sandbox)
        await sandbox.messages.collect_new()
        await send_secrets_by_phone(sandbox)
        await sandbox.messages.collect_new()
        await sandbox.container.write_behind.flush()
        tables = {name: await table_bytes(database, name) for name in metadata.tables}
    assert all(tables[name] for name in ("outbox", "audit", "codes", "password_tries", "changes"))
    assert not find_secrets(SECRETS, *tables.values())


async def table_bytes(database: Database, table: str) -> bytes:
    """Return the raw bytes of everything a table holds."""
    everything = text(f'SELECT * FROM "{table}"')
    rows = await database.read(lambda connection: connection.execute(everything).all())
    return b" ".join(each if isinstance(each, bytes) else str(each).encode() for row in rows for each in row)


async def redis_bytes(url: str) -> tuple[bytes, bytes]:
    """Return every Redis key and value. Those of sessions are sealed: none is of an older format."""
    client: Any = from_url(url)
    keys = values = b""
    async for key in client.scan_iter():
        value = await client.get(key)
        keys, values = keys + key + b" ", values + value + b" "
        if len(value) > HEAD_BYTES and value[0] in (0xD1, 0xD2):
            assert value[HEAD_BYTES + value[HEAD_BYTES - 1]] == SEALED_MARK
    await client.aclose()
    return keys, values
