"""Arabic in Latin letters (GSM-7) on phones, in Arabic letters in e-mail, calls and pages."""

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from flows.domain.pseudonyms import Keys
from flows.domain.records import Bill, Notice, Preference, Subscriber
from flows.selfcare.sample_facts import VOCABULARY
from flows.services.bill_notices import Announcer
from gateway.pages.languages import offered
from gateway.publishing import pack_compiler
from gateway.publishing.pack_compiler import unrecorded
from menus.machine.menu import Menu
from menus.model.facts import Month, Rows
from menus.packs.overflow_checks import widest
from menus.text.gsm import measure, plain, prepare, segments

OPERATORS = {"tunisie-telecom": "-12,500 DT", "maroc-telecom": "-12,50 DH"}
"""Operators with Arabic in Latin letters, and how each writes a credit."""
ARABIC = range(0x0600, 0x0700)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(params=OPERATORS, scope="module")
def menu(request: pytest.FixtureRequest) -> Menu:
    return pack_compiler.menu(pack_compiler.folder(request.param))


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_compiler.folder("tunisie-telecom"), tmp_path / "tunisie_telecom"))


def arabic(text: str) -> bool:
    return any(ord(letter) in ARABIC for letter in text)


def billed(menu: Menu, notify: Literal["sms", "email"]) -> Notice:
    """Return the bill notice to a subscriber who chose Latin letters."""
    number, first = f"+{menu.form.country_code}98000101", date(2026, 3, 1)
    holder = Subscriber(
        "s1",
        menu.name,
        number,
        "a1",
        "Amine",
        "mobile",
        "residential",
        "fr",
        first,
        "a@x.test",
        email_validated=True,
    )
    total = Decimal("45.23")
    bill = Bill("b1", "TT-1", "a1", first, date(2026, 3, 16), total, Decimal("7.22"), total, "due")
    return Announcer(menu, Keys(b"a key for the tests")).notices(
        bill, holder, Preference(language="ar-Latn", notify=notify), NOW
    )[0]


def test_every_text_sent_to_a_phone_is_in_gsm7_and_is_one_message(menu: Menu) -> None:
    facts = widest(menu.tongues["ar-Latn"], VOCABULARY)
    sent = [
        name for name in menu.tongues["ar-Latn"].catalogue.entries if name.endswith(("_notice", "invitation"))
    ]
    texted = [name for name in sent if not name.endswith("mail_notice")]
    texts = {name: plain(prepare(menu.words(name, "ar-Latn", "sms", facts))) for name in texted}
    assert texts and not [name for name, text in texts.items() if measure(text).alphabet == "ucs2"]
    assert {name: segments(text) for name, text in texts.items() if segments(text) > 1} == {}


def test_no_fact_brings_arabic_letters(menu: Menu) -> None:
    tongue = menu.tongues["ar-Latn"]
    facts = [fact for values in VOCABULARY.values() for fact in values if not isinstance(fact, Rows)]
    shown = [
        tongue.show(fact, "sms")
        for fact in facts
        if getattr(fact, "name", "") in ("", *tongue.catalogue.entries)
    ]
    assert shown and not [text for text in shown if arabic(text)]


def test_amounts_are_written_with_the_currency_people_read(menu: Menu) -> None:
    written = menu.tongues["ar-Latn"].written
    assert plain(written.money(Decimal("-12.5"))) == OPERATORS[menu.name]


def test_calls_mails_and_pages_are_in_arabic_letters(menu: Menu) -> None:
    for name, channel in (("house.bye", "voice"), ("billday.email_subject", "email"), ("page.total", "web")):
        said = menu.words(name, "ar-Latn", channel, {"month": Month(2026, 3)})
        assert arabic(said) and said == menu.words(name, "ar", channel, {"month": Month(2026, 3)})


def test_a_bill_is_texted_in_latin_and_mailed_in_arabic_letters(menu: Menu) -> None:
    text, mail = billed(menu, "sms"), billed(menu, "email")
    assert (text.language, mail.language) == ("ar-Latn", "ar")
    assert not arabic(text.body) and arabic(mail.subject) and arabic(mail.body)


def test_the_pages_offer_the_language_once(menu: Menu) -> None:
    assert offered(menu) == ("fr", "ar")


def test_no_recording_is_missed_in_a_script_nobody_hears(menu: Menu) -> None:
    assert not [line for line in unrecorded(menu.folder) if "ar-Latn" in line]


@pytest.mark.parametrize("line", ["home: الرئيسية", "code.notice: رمزكم {code}"], ids=["a screen", "a message"])
def test_the_other_script_in_a_text_is_a_finding(line: str, pack: Path) -> None:
    texts = pack / "texts" / "ar-Latn.yaml"
    name = line.partition(":")[0]
    kept = [each for each in texts.read_text().splitlines() if not each.startswith(f"{name}:")]
    texts.write_text("\n".join([*kept, line, ""]))
    assert f"text '{name}' is not in GSM-7 in ar-Latn" in "\n".join(map(str, pack_compiler.findings(pack)))


def test_a_text_forgotten_in_a_second_script_is_a_finding(pack: Path) -> None:
    texts = pack / "texts" / "ar-Latn.yaml"
    kept = [each for each in texts.read_text().splitlines() if not each.startswith("line.chosen:")]
    texts.write_text("\n".join(kept))
    assert "text 'line.chosen' is not in GSM-7 in ar-Latn" in "\n".join(map(str, pack_compiler.findings(pack)))


def test_a_script_is_named_by_its_code(pack: Path) -> None:
    form = pack / "pack.yaml"
    form.write_text(form.read_text().replace("Latn:", "latin:"))
    assert "like Latn" in "\n".join(map(str, pack_compiler.findings(pack)))
