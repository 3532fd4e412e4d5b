"""Languages of the pages: selection, text direction, and every text present in every pack."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

import gateway.pages as package
from flows.selfcare.csv_format import COLUMN_TEXTS
from gateway.http.html_templates import HtmlTemplates
from gateway.pages.bill import FORM_INPUTS
from gateway.pages.bill_pdf import render_pdf
from gateway.pages.bill_view import SUMMARY_ROWS, Statement
from gateway.pages.exports import DETAIL_LEVELS, ROOT_INPUT, TEXT_NAMES
from gateway.pages.file import EXPORT_INPUTS
from gateway.pages.form_input import FormInput
from gateway.pages.languages import REQUIRED_TEXTS, negotiate_language, offered_languages
from gateway.pages.page_request import PageRequest
from gateway.pages.routes import TEMPLATE_FOLDER
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.text.catalogue import Catalogue
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import (
    ADDRESS,
    ANA,
    BILL,
    CONFIRM,
    MAILBOX,
    PageServer,
    StrictPageParser,
    parse_strictly,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes
from tests.support.shipped_packs import shipped_menu

PAGES_FOLDER = Path(package.__file__).parent
LANGUAGES = ("ro", "en", "ar")


@pytest.mark.parametrize(
    ("asked", "header", "language"),
    [
        ("", "", "ro"),
        ("en", "", "en"),
        ("en", "ro", "en"),
        ("xx", "en", "en"),
        ("", "en-GB,en;q=0.9", "en"),
        ("", "de, en;q=0.5, ro;q=0.7", "ro"),
        ("", "en;q=0, ro;q=0.1", "ro"),
        ("", "AR-MA", "ar"),
        ("", "*", "ro"),
        ("", "en;q=nan,;;,==,en;q=", "ro"),
        ("", "de," * 5000 + "en", "ro"),
    ],
)
def test_a_visitor_gets_the_language_asked_for(asked: str, header: str, language: str) -> None:
    assert negotiate_language(LANGUAGES, asked, header) == language


@pytest.mark.parametrize("operator", pack_compiler.shipped_operators())
def test_every_language_of_every_pack_has_the_words_of_the_pages(operator: str) -> None:
    menu = shipped_menu(operator)
    missing = {
        language: [name for name in REQUIRED_TEXTS if name not in tongue.catalogue]
        for language, tongue in menu.language_packs.items()
    }
    assert not any(missing.values()), missing


def test_the_list_of_texts_is_what_the_pages_say() -> None:
    files = [*PAGES_FOLDER.glob("*.py"), *TEMPLATE_FOLDER.glob("*.html")]
    source = "".join(path.read_text() for path in files if path.name != "languages.py")
    said = set(re.findall(r'["\'](page\.[a-z_]+[a-z])["\']', source))
    built = {
        f"page.{each.name}{tail}"
        for each in (*FORM_INPUTS, *EXPORT_INPUTS, ROOT_INPUT, *_other_languages())
        for tail in ("", "_hint")
    }
    built |= set(COLUMN_TEXTS.values()) | {f"page.{name}" for name in SUMMARY_ROWS}
    built |= {name for name in REQUIRED_TEXTS if name.startswith("page.rubric_")}
    built |= {f"page.{name}" for name in ("line", "bill_number", "total", "tax", "remaining", "due", "state")}
    built |= {f"page.purchase_{verb}" for verb in ("block", "open")}
    built |= {f"page.export_{name}_{level}" for name in TEXT_NAMES.values() for level in DETAIL_LEVELS}
    assert said | built == set(REQUIRED_TEXTS)


def _other_languages() -> tuple[FormInput, ...]:
    return FormInput("link", 1), FormInput("address", 1), FormInput("mailbox", 1)


@pytest.mark.parametrize("path", [BILL, ADDRESS, MAILBOX, CONFIRM])
@pytest.mark.parametrize("language", ["ro", "en"])
async def test_every_page_is_well_formed_and_labelled(
    page_server: PageServer, path: str, language: str
) -> None:
    page = await page_server.new_visitor().get(f"{path}?lang={language}")
    read = parse_strictly(page)
    assert (read.root["lang"], read.root["dir"]) == (language, "ltr")
    assert page.headers["Content-Language"] == language
    assert f'action="{path}?lang={language}"' in page.text and 'aria-current="true"' in page.text


async def test_the_language_chosen_stays_through_the_whole_journey(page_server: PageServer) -> None:
    browser = page_server.new_visitor()
    await browser.get(f"{BILL}?lang=en")
    wrong = await browser.submit(f"{BILL}?lang=en", number=ANA, code="1")
    assert "The number or the code is wrong" in wrong.visible_text
    assert 'role="alert"' in wrong.text and '<a href="#code">' in wrong.text and "aria-invalid" in wrong.text
    page = await browser.submit(f"{BILL}?lang=en", number=ANA, code=await page_server.request_code())
    assert "Left to pay 79.90 lei" in page.visible_text and "unpaid" in page.visible_text
    assert "/orange-ro/bill.pdf?lang=en" in page.text
    document = await browser.get("/orange-ro/bill.pdf?lang=en")
    assert "Left to pay" in PdfReader(BytesIO(document.body)).pages[0].extract_text()


async def test_the_raw_form_of_files_is_kept_through_the_whole_journey(page_server: PageServer) -> None:
    page = await page_server.new_visitor().get("/orange-ro/file?lang=en&format=raw")
    assert 'action="/orange-ro/file?lang=en&amp;format=raw"' in page.text


async def test_the_browser_says_which_language_it_likes(page_server: PageServer) -> None:
    page = await page_server.new_visitor().get(BILL, **{"Accept-Language": "en-US,en;q=0.8"})
    assert "Phone number" in page.visible_text and f'action="{BILL}"' in page.text


def with_arabic(menu: Menu) -> Menu:
    """Return the pack with a toy Arabic added, in which every text is the same word."""
    english = menu.language_packs["en"]
    entries = {
        name: replace(entry, variants={"all": replace(entry.template_for("web"), parts=("فاتورة <&> 7",))})
        for name, entry in english.catalogue.entries.items()
    }
    tongue = replace(english, language="ar", native_language="ar", catalogue=Catalogue("ar", entries))
    locale = menu.config.languages["en"].model_copy(update={"locale": "ar_MA"})
    form = menu.config.model_copy(update={"languages": {**menu.config.languages, "ar": locale}})
    return replace(menu, config=form, language_packs={**menu.language_packs, "ar": tongue})


async def test_arabic_runs_from_the_right(sandbox: GatewaySandbox, page_server: PageServer) -> None:
    sandbox.container.menu_versions.publish(replace(with_arabic(sandbox.menu), revision="toy"))
    page = await page_server.new_visitor().get(f"{BILL}?lang=ar")
    read = parse_strictly(page)
    assert (read.root["lang"], read.root["dir"]) == ("ar", "rtl")
    assert "فاتورة &lt;&amp;&gt; 7" in page.text and "<&>" not in page.text


def test_a_language_without_all_the_words_is_not_offered(sandbox: GatewaySandbox) -> None:
    toy = with_arabic(sandbox.menu)
    assert offered_languages(toy) == ("ro", "en", "ar")
    entries = {
        name: entry
        for name, entry in toy.language_packs["ar"].catalogue.entries.items()
        if name != REQUIRED_TEXTS[-1]
    }
    poor = replace(toy.language_packs["ar"], catalogue=Catalogue("ar", entries))
    assert offered_languages(replace(toy, language_packs={**toy.language_packs, "ar": poor})) == ("ro", "en")


def bill_view(language: str, *words: str) -> Statement:
    title, label, value = words
    rows = ((label, value),)
    return Statement("Orange", language, title, "ORO-202603-0101", rows, title, (label, value), rows)


def test_the_document_keeps_romanian_letters() -> None:
    data = render_pdf(
        bill_view("ro", "Factură șțȘȚăâî", "Scadența", "79,90\u00a0lei"), datetime(2026, 3, 1, tzinfo=UTC)
    )
    text = PdfReader(BytesIO(data)).pages[0].extract_text()
    assert "Factură șțȘȚăâî" in text and "Scadența" in text and "79,90 lei" in text


@pytest.mark.parametrize("language", ["fr", "ar"])
def test_long_words_in_the_document_wrap_and_cover_nothing(language: str) -> None:
    number, label = "2026-0000-0000-0001-ABCDEFGHIJ" * 7, "Numéro de la facture " * 5
    document = render_pdf(bill_view(language, number, label, number), datetime(2026, 3, 1, tzinfo=UTC))
    page = PdfReader(BytesIO(document)).pages[0]
    spans: list[tuple[float, float, str]] = []

    def note_span(text: str, matrix: list[float], text_matrix: list[float], font: object, size: float) -> None:
        spans.append((text_matrix[4], text_matrix[5], text))

    text = page.extract_text(visitor_text=note_span)
    assert "".join(text.split()).count("ABCDEFGHIJ") >= 7
    middle = float(page.mediabox.width) / 2
    written = [(x, y) for x, y, words in spans if words.strip()]
    assert {x < middle for x, _ in written} == {True, False} and len({y for _, y in written}) > 8


def test_the_document_joins_arabic_letters() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    document = render_pdf(bill_view("ar", "فاتورة", "المبلغ 79.90", "07***101"), at)
    text = PdfReader(BytesIO(document)).pages[0].extract_text()
    assert "فاتورة" in text and "79.90" in text and "07***101" in text


def test_whatever_stands_in_a_bill_is_escaped(tmp_path: Path) -> None:
    (tmp_path / "parts.html").write_text((TEMPLATE_FOLDER / "parts.html").read_text())
    (tmp_path / "bill.html").write_text(
        '{% from "parts.html" import table with context %}{{ table("<i>", rows, ("x", "y")) }}'
    )
    table = HtmlTemplates(tmp_path).render("bill.html", {"rows": [("a&b", '"><script>')]})
    assert "<script>" not in table and "&lt;i&gt;" in table and "a&amp;b" in table
    StrictPageParser(table)


def test_page_requests_show_no_secret_in_repr(sandbox: GatewaySandbox) -> None:
    ports = sandbox.container.operators["orange-ro"]
    visit = PageRequest(
        sandbox.menu,
        ports,
        HtmlTemplates(TEMPLATE_FOLDER),
        BILL,
        "ro",
        ("ro",),
        language_requested=False,
        form_token="s1",
        login_token="s2",
        form_fields={"code": "s3"},
    )
    assert not any(secret in repr(visit) for secret in ("s1", "s2", "s3"))


def contrast_ratio(one: str, other: str) -> float:
    """Return WCAG's contrast ratio of two colours written #rrggbb."""
    lights = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def colour_schemes() -> list[dict[str, str]]:
    """Return the colours of the light and of the dark scheme, by name."""
    blocks = re.findall(r":root \{([^}]*)\}", (PAGES_FOLDER / "style.css").read_text())
    return [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks]


@pytest.mark.parametrize("scheme", colour_schemes(), ids=["light", "dark"])
def test_every_colour_stands_out_from_its_ground(scheme: dict[str, str]) -> None:
    grounds = {"on-button": "button"}
    pairs = [(colour, scheme[grounds.get(name, "page")]) for name, colour in scheme.items() if name != "page"]
    wanted = {scheme["ring"]: 3.0, scheme["line"]: 3.0}
    assert all(contrast_ratio(colour, ground) >= wanted.get(colour, 4.5) for colour, ground in pairs)


def test_both_schemes_name_the_same_colours() -> None:
    light, dark = colour_schemes()
    assert light.keys() == dark.keys()
