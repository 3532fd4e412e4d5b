"""Tampered stores (T33): whoever writes to Redis or the database runs no code and blocks nobody."""

import ast
import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from sqlalchemy import select, update

from flows.domain.pack_revisions import PackFiles
from flows.domain.ports import SessionKey
from flows.domain.records import DeferredStep, OutboundMessage, Secret
from flows.payments.payment_link import LinkedBill, parse_payment_link
from flows.payments.reminder_planning import RemindedBill, parse_reminded_bill
from flows.selfcare.paper import parse_address_link
from flows.services.file_links import LinkedFile, parse_file_link
from gateway.dialogs.direct_line import DirectLine
from gateway.pages.form_repeats import read_press_time
from gateway.pages.sealed_token import TokenSealer
from menus.model.facts import Count, Fact, Money, Month, Rows, Text, encode_fact
from menus.model.reply import Gather, Prompt, Reply, decode_reply, encode_reply
from menus.model.session import Session, load_session
from storage.audit.chain_pages import parse_missing
from storage.billing._killbill_marks import MARK_FIELD, charge_key
from storage.console.staff_sessions import parse_groups
from storage.credentials.passwords import SqlPasswords
from storage.credentials.send_budgets import parse_sends
from storage.crypto import AeadCipher, SessionCipher
from storage.outbox.enqueue import KEY_PURPOSE, decrypt_item, message_payload
from storage.revisions.packed_files import pack_files, unpack_files
from storage.sessions.codec import decode_body, seal_body, unseal_body
from storage.sessions.codec import encode_body as body_of
from storage.sql.engine import Database
from storage.sql.tables import passwords
from tests.security.altered_bytes import ALTERATIONS, Alteration, altered_bytes
from tests.support.databases import NOW, SECRET
from tests.support.gateway_sandbox import GatewaySandbox

ROOT = Path(__file__).parents[2]
ANA = "+40740000101"
LABEL = "a/b/c"
SEAL, ENVELOPE = AeadCipher(SECRET, KEY_PURPOSE), TokenSealer.from_secret(SECRET)
ROWS = Rows(("bill", "total"), ((Text("B1"), Money(Decimal("45.230"))), (Text("B2"), Money(Decimal("-1")))))
FACTS: dict[str, Fact | Rows] = {
    "total": Money(Decimal("12.50")),
    "due": date(2026, 3, 1),
    "month": Month(2026, 2),
    "count": Count(3),
    "bills": ROWS,
}
SESSION = Session(
    "orange-ro", "ussd", ANA, "a1b2", "home", "ro", "mobile", ("line",), trail=("home",), facts=FACTS
)
PACK_FILES = PackFiles({"pack.yaml": "name: orange-ro\n", "texts/ro.yaml": "home: Bine\n"})
NOTICE = OutboundMessage(LABEL, "orange-ro", ANA, "sms", "notice", "words", "ro")
ERRAND = DeferredStep(LABEL, "orange-ro", "invoice.latest", SESSION.dump(), NOW)


def outbox_row(form: str, payload: bytes) -> Any:
    """Return an outbox row as delivery reads it."""
    names = ("key", "operator", "to", "route", "kind", "language", "is_unprompted", "trace_parent")
    told = {name: getattr(NOTICE, name) for name in names}
    return SimpleNamespace(**told, form=form, payload=payload, step=ERRAND.step, expires_at=NOW)


VOICE_REPLY = Reply("voice", "ro", "home", 0, prompts=(Prompt("say", "Bine"),), gather=Gather(1, "#", 5, 3))
SESSION_SEAL = SessionCipher(SECRET)
DecoderCase = tuple[Callable[[bytes], object], bytes]
DECODERS: dict[str, list[DecoderCase]] = {
    "menus/model/session.py": [(load_session, SESSION.dump())],
    "menus/model/reply.py": [
        (lambda data: decode_reply(data, "ussd"), encode_reply(Reply("ussd", "ro", "home", 0, "1 Buget"))),
        (lambda data: decode_reply(data, "voice"), encode_reply(VOICE_REPLY)),
    ],
    "menus/model/facts.py": [
        (lambda data: load_session(_with_facts(data)), json.dumps(encode_fact(ROWS)).encode())
    ],
    "storage/sessions/codec.py": [
        (decode_body, body_of(SESSION.dump(), b"reply")),
        (decode_body, body_of(SESSION.dump() * 3, b"reply" * 40)),
        (partial(unseal_body, SESSION_SEAL, "{a}b"), seal_body(SESSION_SEAL, "{a}b", SESSION.dump(), b"reply")),
    ],
    "storage/outbox/enqueue.py": [
        (
            lambda data: decrypt_item(outbox_row("notice", data), SEAL),
            SEAL.encrypt(message_payload(NOTICE), NOTICE.key),
        ),
        (lambda data: decrypt_item(outbox_row("errand", data), SEAL), SEAL.encrypt(ERRAND.session, LABEL)),
    ],
    "gateway/pages/form_repeats.py": [(read_press_time, NOW.isoformat().encode())],
    "storage/audit/chain_pages.py": [(partial(parse_missing, now=NOW), b'[[7, 9, "2026-03-01T09Z"]]')],
    "storage/revisions/packed_files.py": [(unpack_files, pack_files(PACK_FILES))],
    "storage/console/staff_sessions.py": [(lambda data: parse_groups(_text(data)), b'["support", "menus"]')],
    "storage/billing/_killbill_marks.py": [
        (lambda data: charge_key({"itemDetails": _text(data)}), json.dumps({MARK_FIELD: "a charge"}).encode())
    ],
    "storage/credentials/send_budgets.py": [
        (lambda data: parse_sends(_text(data), NOW), b'["2026-03-01T09:00:00+00:00"]')
    ],
    "gateway/pages/sealed_token.py": [
        (
            lambda data: ENVELOPE.unseal_words(_text(data), LABEL),
            ENVELOPE.seal_words(("a", "b"), LABEL).encode(),
        )
    ],
    "flows/selfcare/paper.py": [(lambda data: parse_address_link(_text(data)), b'["A1", "+40740000101"]')],
    "flows/payments/payment_link.py": [
        (lambda data: parse_payment_link(_text(data)), LinkedBill("A1", "B1", ANA, ANA, "ro").encode().encode())
    ],
    "flows/payments/reminder_planning.py": [
        (parse_reminded_bill, RemindedBill("A1", "B1", "S1", ANA).encode())
    ],
    "flows/services/file_links.py": [
        (lambda data: parse_file_link(_text(data)), LinkedFile("pdf", "A1", ANA, "B1").encode().encode())
    ],
}
"""Decoders of stored bytes, by module, each with bytes it can decode."""
CALLS = {"loads", "from_json", "decompress", "fromisoformat", "b64decode", "urlsafe_b64decode", "literal_eval"}
TESTED_ELSEWHERE = {
    "storage/billing/_client/answer_fields.py",  # what billing answers: tests/system/test_billing_fuzz.py
    "storage/billing/_client/documents.py",
    "flows/selfcare/document.py",  # the pack's own files
    "gateway/pages/link_form.py",  # texts sealed under our own key
    "gateway/pages/file.py",  # likewise
    "menus/machine/quiet_hours.py",  # the pack's own rules
    "menus/packfile/field_types.py",  # likewise
    "storage/purchases/charge_rows.py",  # authenticated, with the row's id
    "storage/audit/conversation_rows.py",  # likewise, with its conversation
    "storage/payments/intents.py",  # likewise: numbers encrypted with their row's id
    "storage/sql/server_clock.py",  # the database server's own clock, never a stored value
}
"""Modules that decode nothing from a store, or only what was authenticated before."""
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _with_facts(data: bytes) -> bytes:
    """Return a session whose one fact is decoded from these bytes."""
    return SESSION.dump()[: -len(json.dumps({}))].rpartition(b",{")[0] + b',{"fact":' + data + b"}]"


DECODER_CASES = [
    pytest.param(*each, id=f"{name}-{number}")
    for name, tried in DECODERS.items()
    for number, each in enumerate(tried)
]


def parse_sources() -> Iterator[tuple[str, ast.Module]]:
    for floor in ("gateway", "storage", "flows", "menus"):
        for path in sorted((ROOT / floor).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def called_names(tree: ast.AST, how: Any = ast.Name | ast.Attribute) -> set[str]:
    """Yield the last name of everything called, or only of bare-name calls."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(each, "attr", "") or getattr(each, "id", "") for each in calls if isinstance(each, how)}


def test_T33_every_module_that_decodes_is_tried_here() -> None:
    rooms = ("storage/", "flows/", "menus/", "gateway/pages/")
    found = {name for name, tree in parse_sources() if name.startswith(rooms) and called_names(tree) & CALLS}
    assert found - TESTED_ELSEWHERE <= DECODERS.keys()
    assert found >= TESTED_ELSEWHERE


def test_T33_nothing_that_could_run_code_is_ever_used_to_read() -> None:
    for name, tree in parse_sources():
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {alias.name for node in nodes for alias in node.names}
        modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not modules & UNSAFE_MODULES, name
        assert not called_names(tree, ast.Name) & {"eval", "exec", "compile", "__import__"}, name


@pytest.mark.parametrize(("decode", "good"), DECODER_CASES)
def test_T33_what_we_wrote_is_read(decode: Callable[[bytes], object], good: bytes) -> None:
    assert decode(good) is not None


@pytest.mark.parametrize(("decode", "good"), DECODER_CASES)
@given(alteration=ALTERATIONS)
@settings(max_examples=400)
def test_T33_altered_and_random_bytes_are_read_or_a_value_error(
    decode: Callable[[bytes], object], good: bytes, alteration: Alteration
) -> None:
    try:
        decode(altered_bytes(good, alteration))
    except ValueError:
        return


WORDS = ("", "xx", "home", "house.bye", "pin", "0:", "9999:x", "\u202e", "\u00b3")
AWKWARD: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, [], {}, *WORDS)
CELLS = ("m1", "mNaN", "m1e999999", "y2026-13", "d2026-01-01", "i\u00b3", "i9", "wnone", "t", "n", "e", "")
KEPT_FACTS = ("bill", "bills", "email", "total", "held", "said", "line", "month")
EXAMPLE_COUNT = 400


async def test_T33_an_altered_session_blocks_no_conversation(sandbox: GatewaySandbox) -> None:
    """A turn may fail on it once; the next one is answered."""
    dice, broke = random.Random(33), 0
    phone = sandbox.direct_line()
    for _ in range(EXAMPLE_COUNT):
        await phone.dial(ANA, "*100#")
        await store_session(phone, await altered_session(sandbox, phone, dice))
        try:
            await phone.press(dice.choice("0123"))
        except Exception:
            broke += 1
            assert await is_forgotten(phone)
        assert (await phone.press("1")).lines
    assert broke < EXAMPLE_COUNT / 4


async def altered_session(sandbox: GatewaySandbox, phone: DirectLine, dice: random.Random) -> bytes:
    """Return the session of an open conversation on some screen, with one field altered."""
    opened = await session_store(phone).open(session_key(phone), "look")
    row = json.loads(opened.session)
    row[Session.__slots__.index("state")] = dice.choice(sorted(sandbox.menu.nodes))
    where = dice.randrange(len(row))
    cell, odd = dice.choice(CELLS), dice.choice(AWKWARD)
    facts = {dice.choice(KEPT_FACTS): dice.choice((cell, ["bill total", [cell, cell]]))}
    row[where] = dice.choice((facts, odd) if where == len(row) - 1 else (odd, [odd], ["home", "xx"]))
    await session_store(phone).release(session_key(phone), opened)
    return json.dumps(row).encode()


def session_store(phone: DirectLine) -> Any:
    return phone.conversations.sessions


def session_key(phone: DirectLine) -> SessionKey:
    last = phone.last_request
    assert last is not None
    return phone.conversations.session_key(last)


async def store_session(phone: DirectLine, session: bytes | None) -> None:
    """Store these bytes as the conversation's session."""
    opened = await session_store(phone).open(session_key(phone), "put")
    assert await session_store(phone).save(session_key(phone), opened, "put", session, b"")


async def is_forgotten(phone: DirectLine) -> bool:
    """Return whether the next turn starts a new session."""
    opened = await session_store(phone).open(session_key(phone), "see")
    await session_store(phone).release(session_key(phone), opened)
    return bool(opened.status == "new")


async def test_T33_anothers_session_put_in_its_place_is_nobodys(sandbox: GatewaySandbox) -> None:
    """Ana's proven session stored under Dan's key shows Dan nothing of Ana."""
    ana, dan = sandbox.direct_line(), sandbox.direct_line()
    ana.session_prefix, dan.session_prefix = "a", "b"
    await ana.dial(ANA, "*100#")
    hers = await session_store(ana).open(session_key(ana), "look")
    await dan.dial("+40740000105", "*100#")
    await store_session(dan, hers.session)
    shown = await dan.press("1")
    his = await session_store(dan).open(session_key(dan), "look")
    assert shown.lines and load_session(his.session).caller == "+40740000105"


HASHES = ("", "x", "é", "m=-1", "m=4294967295", "t=4294967295", "t=99999999999", "p=0", "v=0")


@pytest.mark.parametrize("change", HASHES)
async def test_T33_no_stored_hash_exhausts_memory_or_time(database: Database, change: str) -> None:
    """A hash string itself sets the memory and time its check takes."""
    store = SqlPasswords(database)
    await store.set_password("orange-ro", ANA, Secret("right"), "pin", NOW)
    good = await database.read(lambda connection: str(connection.execute(select(passwords.c.hash)).scalar()))
    wanted = re.sub(rf"\b{change[:2]}\d+", change, good) if "=" in change else change
    await database.write(lambda each: each.execute(update(passwords).values(hash=wanted)).close())
    assert wanted != good
    assert await store.verify_password("orange-ro", ANA, Secret("right"), "pin", NOW) == "wrong"
    store.close()
