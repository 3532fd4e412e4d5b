"""Tampered stores (T33): whoever writes to Redis or the database runs no code and blocks nobody."""

import ast
import json
import random
import re
from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis as Client
from sqlalchemy import select, update

from flows.domain.ports import SessionKey
from flows.domain.records import Errand, Notice, Secret
from flows.services.file_links import File, named
from gateway.dialogs.direct_line import Direct
from gateway.pages.sealed_token import Envelope
from menus.model.facts import Count, Fact, Money, Month, Rows, Text, stored
from menus.model.session import Session, load
from storage.credentials.one_time_codes import sends
from storage.credentials.passwords import SqlPasswords
from storage.crypto import Seal
from storage.outbox.enqueue import PURPOSE, packed, sealed
from storage.sessions.codec import packed as body_of
from storage.sessions.codec import unpacked
from storage.sessions.connect import connect, reach
from storage.sessions.counters import RedisTallies
from storage.sessions.leaky_bucket import Rate
from storage.sql.engine import Database
from storage.sql.schema import passwords
from tests.sql import NOW, SECRET
from tests.world import World

ROOT = Path(__file__).parent.parent
ANA = "+40740000101"
LABEL = "a/b/c"
SEAL, ENVELOPE = Seal(SECRET, PURPOSE), Envelope.of(SECRET)
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
NOTICE = Notice(LABEL, "orange-ro", ANA, "sms", "notice", "words", "ro")
ERRAND = Errand(LABEL, "orange-ro", "invoice.latest", SESSION.dump(), NOW)


def row(form: str, payload: bytes) -> Any:
    """Return an outbox row as delivery reads it."""
    told = {name: getattr(NOTICE, name) for name in ("key", "operator", "to", "route", "kind", "language")}
    return SimpleNamespace(**told, form=form, payload=payload, step=ERRAND.step, expires_at=NOW)


Decoder = tuple[Callable[[bytes], object], bytes]
DECODERS: dict[str, list[Decoder]] = {
    "menus/model/session.py": [(load, SESSION.dump())],
    "menus/model/facts.py": [(lambda data: load(_with_facts(data)), json.dumps(stored(ROWS)).encode())],
    "storage/sessions/codec.py": [
        (unpacked, body_of(SESSION.dump(), b"reply")),
        (unpacked, body_of(SESSION.dump() * 3, b"reply" * 40)),
    ],
    "storage/outbox/enqueue.py": [
        (lambda data: packed(row("notice", data), SEAL), sealed(NOTICE, SEAL)),
        (lambda data: packed(row("errand", data), SEAL), SEAL.close(ERRAND.session, LABEL)),
    ],
    "storage/credentials/one_time_codes.py": [
        (lambda data: sends(_text(data), NOW), b'["2026-03-01T09:00:00+00:00"]')
    ],
    "gateway/pages/sealed_token.py": [
        (lambda data: ENVELOPE.open(_text(data), LABEL), ENVELOPE.close(("a", "b"), LABEL).encode())
    ],
    "flows/services/file_links.py": [
        (lambda data: named(_text(data)), File("pdf", "A1", ANA, "B1").text().encode())
    ],
}
"""Decoders of stored bytes, by module, each with bytes it can decode."""
CALLS = {"loads", "from_json", "decompress", "fromisoformat", "b64decode", "urlsafe_b64decode", "literal_eval"}
ELSEWHERE = {
    "storage/billing/_client/fields.py",  # what billing answers: tests/test_billing_fuzz.py
    "storage/billing/_client/documents.py",
    "flows/selfcare/document.py",  # the pack's own files
    "gateway/pages/link_form.py",  # texts sealed under our own key
}
"""Modules that decode nothing from a store, or only what was authenticated before."""
NEVER = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle"}


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _with_facts(data: bytes) -> bytes:
    """Return a session whose one fact is decoded from these bytes."""
    return SESSION.dump()[: -len(json.dumps({}))].rpartition(b",{")[0] + b',{"fact":' + data + b"}]"


TEARS = (b"[" * 5_000, b"9" * 5_000, b'"m1e999999999"', b"\\ud800")


def altered(good: bytes) -> st.SearchStrategy[bytes]:
    """Return random bytes, or good ones with a piece moved to another place."""
    place, piece = st.integers(0, len(good)), st.one_of(st.binary(max_size=8), st.sampled_from(TEARS))
    cut = st.tuples(place, place, piece).map(lambda at: good[: at[0]] + at[2] + good[at[1] :])
    return st.one_of(st.binary(max_size=200), cut)


TRIED = [
    pytest.param(*each, id=f"{name}-{number}")
    for name, tried in DECODERS.items()
    for number, each in enumerate(tried)
]


def trees() -> Iterator[tuple[str, ast.Module]]:
    for floor in ("gateway", "storage", "flows", "menus"):
        for path in sorted((ROOT / floor).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), ast.parse(path.read_text())


def called(tree: ast.AST, how: Any = ast.Name | ast.Attribute) -> set[str]:
    """Yield the last name of everything called, or only of bare-name calls."""
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return {getattr(each, "attr", "") or getattr(each, "id", "") for each in calls if isinstance(each, how)}


def test_T33_every_module_that_decodes_is_tried_here() -> None:
    rooms = ("storage/", "flows/", "menus/", "gateway/pages/")
    found = {name for name, tree in trees() if name.startswith(rooms) and called(tree) & CALLS}
    assert found - ELSEWHERE <= DECODERS.keys()
    assert found >= ELSEWHERE


def test_T33_nothing_that_could_run_code_is_ever_used_to_read() -> None:
    for name, tree in trees():
        nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
        modules = {alias.name for node in nodes for alias in node.names}
        modules |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
        assert not modules & NEVER, name
        assert not called(tree, ast.Name) & {"eval", "exec", "compile", "__import__"}, name


@pytest.mark.parametrize(("decode", "good"), TRIED)
def test_T33_what_we_wrote_is_read(decode: Callable[[bytes], object], good: bytes) -> None:
    assert decode(good) is not None


@pytest.mark.parametrize(("decode", "good"), TRIED)
@given(data=st.data())
@settings(max_examples=400)
def test_T33_altered_and_random_bytes_are_read_or_a_value_error(
    decode: Callable[[bytes], object], good: bytes, data: st.DataObject
) -> None:
    try:
        decode(data.draw(altered(good)))
    except ValueError:
        return


WORDS = ("", "xx", "home", "house.bye", "pin", "0:", "9999:x", "\u202e", "\u00b3")
AWKWARD: tuple[Any, ...] = (None, True, -1, 10**30, 1.5, [], {}, *WORDS)
CELLS = ("m1", "mNaN", "m1e999999", "y2026-13", "d2026-01-01", "i\u00b3", "i9", "wnone", "t", "n", "e", "")
KEPT = ("bill", "bills", "email", "total", "held", "said", "line", "month")
EXAMPLES = 400


async def test_T33_an_altered_session_blocks_no_conversation(sandbox: World) -> None:
    """A turn may fail on it once; the next one is answered."""
    dice, broke = random.Random(33), 0
    phone = sandbox.direct()
    for _ in range(EXAMPLES):
        await phone.dial(ANA, "*100#")
        await kept(phone, await altered_session(sandbox, phone, dice))
        try:
            await phone.press(dice.choice("0123"))
        except Exception:
            broke += 1
            assert await forgotten(phone)
        assert (await phone.press("1")).lines
    assert broke < EXAMPLES / 4


async def altered_session(sandbox: World, phone: Direct, dice: random.Random) -> bytes:
    """Return the session of an open conversation on some screen, with one field altered."""
    opened = await sessions_of(phone).open(key_of(phone), "look")
    row = json.loads(opened.session)
    row[Session.__slots__.index("state")] = dice.choice(sorted(sandbox.menu.nodes))
    where = dice.randrange(len(row))
    cell, odd = dice.choice(CELLS), dice.choice(AWKWARD)
    facts = {dice.choice(KEPT): dice.choice((cell, ["bill total", [cell, cell]]))}
    row[where] = dice.choice((facts, odd) if where == len(row) - 1 else (odd, [odd], ["home", "xx"]))
    await sessions_of(phone).release(key_of(phone), opened)
    return json.dumps(row).encode()


def sessions_of(phone: Direct) -> Any:
    return phone.conversations.sessions


def key_of(phone: Direct) -> SessionKey:
    last, keys = phone.last, phone.conversations.keys
    assert last is not None
    return keys.session(last.operator, last.provider, last.channel, last.session_id, last.caller)


async def kept(phone: Direct, session: bytes | None) -> None:
    """Store these bytes as the conversation's session."""
    opened = await sessions_of(phone).open(key_of(phone), "put")
    assert await sessions_of(phone).save(key_of(phone), opened, "put", session, b"")


async def forgotten(phone: Direct) -> bool:
    """Return whether the next turn starts a new session."""
    opened = await sessions_of(phone).open(key_of(phone), "see")
    await sessions_of(phone).release(key_of(phone), opened)
    return bool(opened.status == "new")


async def test_T33_anothers_session_put_in_its_place_is_nobodys(sandbox: World) -> None:
    """Ana's proven session stored under Dan's key shows Dan nothing of Ana."""
    ana, dan = sandbox.direct(), sandbox.direct()
    ana.name, dan.name = "a", "b"
    await ana.dial(ANA, "*100#")
    hers = await sessions_of(ana).open(key_of(ana), "look")
    await dan.dial("+40740000105", "*100#")
    await kept(dan, hers.session)
    shown = await dan.press("1")
    his = await sessions_of(dan).open(key_of(dan), "look")
    assert shown.lines and load(his.session).caller == "+40740000105"


HASHES = ("", "x", "é", "m=-1", "m=4294967295", "t=4294967295", "t=99999999999", "p=0", "v=0")


@pytest.mark.parametrize("change", HASHES)
async def test_T33_no_stored_hash_exhausts_memory_or_time(database: Database, change: str) -> None:
    """A hash string itself sets the memory and time its check takes."""
    store = SqlPasswords(database)
    await store.put("orange-ro", ANA, Secret("right"), "pin", NOW)
    good = await database.read(lambda connection: str(connection.execute(select(passwords.c.hash)).scalar()))
    wanted = re.sub(rf"\b{change[:2]}\d+", change, good) if "=" in change else change
    await database.write(lambda each: each.execute(update(passwords).values(hash=wanted)).close())
    assert wanted != good
    assert await store.check("orange-ro", ANA, Secret("right"), "pin", NOW) == "wrong"
    store.close()


VALUES = (b"", b"nan", b"-nan", b"inf", b"1e400", b"0x10", b"-1", b"9223372036854775807", b"abc", b"\x00")
HEADS = (b"\xd0", b"\xd1" + b"\xff" * 11, b"\xd1" + b"\x00" * 17, b"\xd2\x00", b"\xd1" + b"\xff" * 18)


@pytest.mark.redis
@pytest.mark.parametrize("life", [60_000, None])
async def test_T33_no_value_in_redis_makes_a_script_fail(redis_url: str, life: int | None) -> None:
    """A failing script would look like a Redis outage to everybody; with and without an expiry."""
    dice, key = random.Random(33), SessionKey("tag", "a")
    chance = [dice.choice(HEADS) + dice.randbytes(dice.randrange(60)) for _ in range(200)]
    sessions = connect(redis_url, limit=Rate(50, 10), wait_seconds=0.05, budget_seconds=5.0)
    caller = reach(redis_url, 5.0)
    async with Client.from_url(redis_url) as client:
        for value in (*VALUES, *HEADS, *chance):
            await RedisTallies(caller, SECRET).count("what", "who", 60)
            for name in ["{tag}a", "{tag}", *[each async for each in client.scan_iter("tally:*")]]:
                await client.set(name, value, px=life)
            await sessions.release(key, await sessions.open(key, "1"))
            assert await RedisTallies(caller, SECRET).count("what", "who", 60) is not None
            await client.flushdb()
    await sessions.aclose()
    await caller.aclose()
