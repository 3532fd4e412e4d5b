"""Arabic in Latin letters (GSM-7) on phones, in Arabic letters in e-mail, calls and pages."""

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Bill, OutboundMessage, Preference, Subscriber
from flows.selfcare.sample_facts import SAMPLE_FACTS
from flows.services.bill_notices import BillAnnouncer
from gateway.pages.languages import offered_languages
from gateway.publishing import pack_compiler
from gateway.publishing.pack_compiler import missing_recordings
from menus.machine.menu import Menu
from menus.model.facts import Month, Rows
from menus.packs.overflow_checks import widest_facts
from menus.text.gsm import count_segments, measure_text, prepare_text, to_wire_text
from tests.support.shipped_packs import shipped_menu

OPERATORS = {"tunisie-telecom": "-12,500 DT", "maroc-telecom": "-12,50 DH"}
"""Operators with Arabic in Latin letters, and how each writes a credit."""
ARABIC = range(0x0600, 0x0700)
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture(params=OPERATORS, scope="module")
def menu(request: pytest.FixtureRequest) -> Menu:
    return shipped_menu(request.param)


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_compiler.pack_folder("tunisie-telecom"), tmp_path / "tunisie_telecom"))


def arabic_letters(text: str) -> bool:
    return any(ord(letter) in ARABIC for letter in text)


def bill_notice(menu: Menu, notify: Literal["sms", "email"]) -> OutboundMessage:
    """Return the bill notice to a subscriber who chose Latin letters."""
    number, first = f"+{menu.config.country_code}98000101", date(2026, 3, 1)
    holder = Subscriber(
        "s1",
        menu.name,
        number,
        "a1",
        "Amine",
        "mobile",
        "residential",
        "fr",
        date(2020, 1, 1),
        "a@x.test",
        email_validated=True,
    )
    total = Decimal("45.23")
    bill = Bill("b1", "TT-1", "a1", first, date(2026, 3, 16), total, Decimal("7.22"), total, "due")
    return BillAnnouncer(menu, Pseudonyms(b"a key for the tests")).build_notices(
        bill, holder, Preference(language="ar-Latn", notify=notify), NOW
    )[0]


def test_every_text_sent_to_a_phone_is_in_gsm7_and_is_one_message(menu: Menu) -> None:
    facts = widest_facts(menu.language_packs["ar-Latn"], SAMPLE_FACTS)
    sent = [
        name
        for name in menu.language_packs["ar-Latn"].catalogue.entries
        if name.endswith(("_notice", "invitation"))
    ]
    texted = [name for name in sent if not name.endswith("mail_notice")]
    texts = {name: to_wire_text(prepare_text(menu.fill_text(name, "ar-Latn", "sms", facts))) for name in texted}
    assert texts and not [name for name, text in texts.items() if measure_text(text).alphabet == "ucs2"]
    assert {name: count_segments(text) for name, text in texts.items() if count_segments(text) > 1} == {}


def test_no_fact_brings_arabic_letters(menu: Menu) -> None:
    tongue = menu.language_packs["ar-Latn"]
    facts = [fact for values in SAMPLE_FACTS.values() for fact in values if not isinstance(fact, Rows)]
    shown = [
        tongue.format_fact(fact, "sms")
        for fact in facts
        if getattr(fact, "name", "") in ("", *tongue.catalogue.entries)
    ]
    assert shown and not [text for text in shown if arabic_letters(text)]


def test_amounts_are_written_with_the_currency_people_read(menu: Menu) -> None:
    written = menu.language_packs["ar-Latn"].written_formatter
    assert to_wire_text(written.format_money(Decimal("-12.5"))) == OPERATORS[menu.name]


def test_calls_mails_and_pages_are_in_arabic_letters(menu: Menu) -> None:
    for name, channel in (("house.bye", "voice"), ("billday.email_subject", "email"), ("page.total", "web")):
        said = menu.fill_text(name, "ar-Latn", channel, {"month": Month(2026, 3)})
        assert arabic_letters(said) and said == menu.fill_text(name, "ar", channel, {"month": Month(2026, 3)})


def test_a_bill_is_texted_in_latin_and_mailed_in_arabic_letters(menu: Menu) -> None:
    text, mail = bill_notice(menu, "sms"), bill_notice(menu, "email")
    assert (text.language, mail.language) == ("ar-Latn", "ar")
    assert not arabic_letters(text.body) and arabic_letters(mail.subject) and arabic_letters(mail.body)


def test_the_pages_offer_the_language_once(menu: Menu) -> None:
    assert offered_languages(menu) == ("fr", "ar")


def test_no_recording_is_missed_in_a_script_nobody_hears(menu: Menu) -> None:
    assert not [line for line in missing_recordings(menu.folder) if "ar-Latn" in line]


@pytest.mark.parametrize("line", ["home: الرئيسية", "code.notice: رمزكم {code}"], ids=["a screen", "a message"])
def test_the_other_script_in_a_text_is_a_finding(line: str, pack: Path) -> None:
    texts = pack / "texts" / "ar-Latn.yaml"
    name = line.partition(":")[0]
    kept = [each for each in texts.read_text().splitlines() if not each.startswith(f"{name}:")]
    texts.write_text("\n".join([*kept, line, ""]))
    assert f"text '{name}' is not in GSM-7 in ar-Latn" in "\n".join(map(str, pack_compiler.validate_pack(pack)))


def test_a_text_forgotten_in_a_second_script_is_a_finding(pack: Path) -> None:
    texts = pack / "texts" / "ar-Latn.yaml"
    kept = [each for each in texts.read_text().splitlines() if not each.startswith("line.chosen:")]
    texts.write_text("\n".join(kept))
    assert "text 'line.chosen' is not in GSM-7 in ar-Latn" in "\n".join(
        map(str, pack_compiler.validate_pack(pack))
    )


def test_a_script_is_named_by_its_code(pack: Path) -> None:
    form = pack / "pack.yaml"
    form.write_text(form.read_text().replace("Latn:", "latin:"))
    assert "like Latn" in "\n".join(map(str, pack_compiler.validate_pack(pack)))
