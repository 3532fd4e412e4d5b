"""Languages of the pages: selection, text direction, and every text present in every pack."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import pytest
from pypdf import PdfReader

import gateway.pages as package
from gateway.pages import html
from gateway.pages.bill import INPUTS
from gateway.pages.bill_pdf import drawn
from gateway.pages.bill_view import Statement
from gateway.pages.languages import TEXTS, negotiated, offered
from gateway.pages.page_request import Visit
from gateway.publishing import pack_compiler
from menus.machine.menu import Menu
from menus.text.catalogue import Catalogue
from tests.pages import ADDRESS, ANA, BILL, CONFIRM, MAILBOX, Outline, Street, outline
from tests.pages import page_server as page_server
from tests.pages import sandbox as sandbox
from tests.pages import sandboxes as sandboxes
from tests.world import World

FOLDER = Path(package.__file__).parent
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
    assert negotiated(LANGUAGES, asked, header) == language


@pytest.mark.parametrize("operator", pack_compiler.names())
def test_every_language_of_every_pack_has_the_words_of_the_pages(operator: str) -> None:
    menu = pack_compiler.menu(pack_compiler.folder(operator))
    missing = {
        language: [name for name in TEXTS if name not in tongue.catalogue]
        for language, tongue in menu.tongues.items()
    }
    assert not any(missing.values()), missing


def test_the_list_of_texts_is_what_the_pages_say() -> None:
    source = "".join(path.read_text() for path in FOLDER.glob("*.py") if path.name != "languages.py")
    said = set(re.findall(r'["\'](page\.[a-z_]+)["\']', source))
    built = {f"page.{each.name}{tail}" for each in (*INPUTS, *_others()) for tail in ("", "_hint")}
    built |= {name for name in TEXTS if name.startswith("page.rubric_")}
    built |= {f"page.{name}" for name in ("line", "bill_number", "total", "tax", "remaining", "due", "state")}
    assert said | built == set(TEXTS)


def _others() -> tuple[html.Input, ...]:
    return html.Input("link", 1), html.Input("address", 1), html.Input("mailbox", 1)


@pytest.mark.parametrize("path", [BILL, ADDRESS, MAILBOX, CONFIRM])
@pytest.mark.parametrize("language", ["ro", "en"])
async def test_every_page_is_well_formed_and_labelled(page_server: Street, path: str, language: str) -> None:
    page = await page_server.browser().get(f"{path}?lang={language}")
    read = outline(page)
    assert (read.root["lang"], read.root["dir"]) == (language, "ltr")
    assert page.headers["Content-Language"] == language
    assert f'action="{path}?lang={language}"' in page.text and 'aria-current="true"' in page.text


async def test_the_language_chosen_stays_through_the_whole_journey(page_server: Street) -> None:
    browser = page_server.browser()
    await browser.get(f"{BILL}?lang=en")
    wrong = await browser.submit(f"{BILL}?lang=en", number=ANA, code="1")
    assert "The number or the code is wrong" in wrong.visible_text
    assert 'role="alert"' in wrong.text and '<a href="#code">' in wrong.text and "aria-invalid" in wrong.text
    page = await browser.submit(f"{BILL}?lang=en", number=ANA, code=await page_server.code())
    assert "Left to pay 79.90 lei" in page.visible_text and "unpaid" in page.visible_text
    assert "/orange-ro/bill.pdf?lang=en" in page.text
    document = await browser.get("/orange-ro/bill.pdf?lang=en")
    assert "Left to pay" in PdfReader(BytesIO(document.body)).pages[0].extract_text()


async def test_the_browser_says_which_language_it_likes(page_server: Street) -> None:
    page = await page_server.browser().get(BILL, **{"Accept-Language": "en-US,en;q=0.8"})
    assert "Phone number" in page.visible_text and f'action="{BILL}"' in page.text


def arabic(menu: Menu) -> Menu:
    """Return the pack with a toy Arabic added, in which every text is the same word."""
    english = menu.tongues["en"]
    entries = {
        name: replace(entry, variants={"all": replace(entry.on("web"), parts=("فاتورة <&> 7",))})
        for name, entry in english.catalogue.entries.items()
    }
    tongue = replace(english, language="ar", native="ar", catalogue=Catalogue("ar", entries))
    locale = menu.form.languages["en"].model_copy(update={"locale": "ar_MA"})
    form = menu.form.model_copy(update={"languages": {**menu.form.languages, "ar": locale}})
    return replace(menu, form=form, tongues={**menu.tongues, "ar": tongue})


async def test_arabic_runs_from_the_right(sandbox: World, page_server: Street) -> None:
    sandbox.house.conversations.shelf.publish(replace(arabic(sandbox.menu), revision="toy"))
    page = await page_server.browser().get(f"{BILL}?lang=ar")
    read = outline(page)
    assert (read.root["lang"], read.root["dir"]) == ("ar", "rtl")
    assert "فاتورة &lt;&amp;&gt; 7" in page.text and "<&>" not in page.text


def test_a_language_without_all_the_words_is_not_offered(sandbox: World) -> None:
    toy = arabic(sandbox.menu)
    assert offered(toy) == ("ro", "en", "ar")
    entries = {name: entry for name, entry in toy.tongues["ar"].catalogue.entries.items() if name != TEXTS[-1]}
    poor = replace(toy.tongues["ar"], catalogue=Catalogue("ar", entries))
    assert offered(replace(toy, tongues={**toy.tongues, "ar": poor})) == ("ro", "en")


def statement(language: str, *words: str) -> Statement:
    title, label, value = words
    rows = ((label, value),)
    return Statement("Orange", language, title, "ORO-202603-0101", rows, title, (label, value), rows)


def test_the_document_keeps_romanian_letters() -> None:
    data = drawn(
        statement("ro", "Factură șțȘȚăâî", "Scadența", "79,90\u00a0lei"), datetime(2026, 3, 1, tzinfo=UTC)
    )
    text = PdfReader(BytesIO(data)).pages[0].extract_text()
    assert "Factură șțȘȚăâî" in text and "Scadența" in text and "79,90\u00a0lei" in text


def test_the_document_joins_arabic_letters() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    document = drawn(statement("ar", "فاتورة", "المبلغ 79.90", "07***101"), at)
    text = PdfReader(BytesIO(document)).pages[0].extract_text()
    assert "فاتورة" in text and "79.90" in text and "07***101" in text


def test_whatever_stands_in_a_bill_is_escaped(sandbox: World) -> None:
    table = html.table("<i>", [("a&b", '"><script>')], ("x", "y"))
    assert "<script>" not in table and "&lt;i&gt;" in table and "a&amp;b" in table
    Outline(table)


def test_page_requests_show_no_secret_in_repr(sandbox: World) -> None:
    people = sandbox.house.conversations.people["orange-ro"]
    visit = Visit(
        sandbox.menu,
        people.world,
        BILL,
        "ro",
        ("ro",),
        asked=False,
        form_token="s1",
        sitting="s2",
        fields={"code": "s3"},
    )
    assert not any(secret in repr(visit) for secret in ("s1", "s2", "s3"))


def contrast(one: str, other: str) -> float:
    """Return WCAG's contrast ratio of two colours written #rrggbb."""
    lights = sorted((_light(one), _light(other)), reverse=True)
    return (lights[0] + 0.05) / (lights[1] + 0.05)


def _light(colour: str) -> float:
    parts = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_stands_out_from_white() -> None:
    css = (FOLDER / "style.css").read_text()
    colours = set(re.findall(r"#[0-9a-f]{6}", css)) - {"#ffffff"}
    assert colours and all(contrast(colour, "#ffffff") >= 4.5 for colour in colours)
