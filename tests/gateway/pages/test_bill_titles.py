"""What a bill is called on page and PDF, what stands in the PDF, and its tags for screen readers."""

import io
from dataclasses import replace

import pytest
from pypdf import PdfReader
from pypdf.generic import ContentStream

from flows.domain.failures import Down
from flows.domain.records import Bill
from menus.model.facts import Month
from tests.gateway.pages.test_bill import visitor_with_bill
from tests.gateway.pages.test_file import LUC, open_file, request_link
from tests.gateway.pages.test_file import bouygues_server as bouygues_server
from tests.support.page_client import ANA, BILL, PageServer
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes
from tests.support.shipped_packs import shipped_menu

LATEST = {"ro": "Ultima factură", "en": "Latest bill"}
TITLES = {"fr": "Facture 02/2026", "en": "Bill 02/2026", "ar": "فاتورة 02/2026", "ro": "Factura 02/2026"}
PACKS = {"fr": "bouygues", "en": "bouygues", "ar": "maroc-telecom", "ro": "orange-ro"}


def issue_another_bill(page_server: PageServer) -> None:
    """Let billing report a newer bill of everybody than the one they logged in for."""
    ports = page_server.sandbox.container.operators["orange-ro"]
    real = ports.billing.list_bills

    async def with_a_newer_one(account: str, limit: int, offset: int = 0) -> list[Bill]:
        found = list(await real(account, limit, offset))
        return [replace(found[0], id="newer"), *found][:limit]

    ports.billing = _Overridden(ports.billing, with_a_newer_one)  # type: ignore[assignment]


class _Overridden:
    """A billing system whose list of bills is another."""

    def __init__(self, inner: object, list_bills: object) -> None:
        self.inner, self.list_bills = inner, list_bills

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)


async def refuse(account: str, limit: int, offset: int = 0) -> list[Bill]:
    raise Down


@pytest.mark.parametrize(("language", "month"), [("ro", "Factura 03/2026"), ("en", "Bill 03/2026")])
async def test_the_page_of_the_latest_bill_says_so(page_server: PageServer, language: str, month: str) -> None:
    browser, _page = await visitor_with_bill(page_server)
    page = await browser.get(f"{BILL}?lang={language}")
    assert f"<h1>{LATEST[language]}</h1>" in page.text and f"<caption>{month}</caption>" in page.text


@pytest.mark.parametrize(("language", "month"), [("ro", "Factura 03/2026"), ("en", "Bill 03/2026")])
async def test_a_bill_that_is_no_longer_the_latest_is_called_by_its_month(
    page_server: PageServer, language: str, month: str
) -> None:
    browser, _page = await visitor_with_bill(page_server)
    issue_another_bill(page_server)
    page = await browser.get(f"{BILL}?lang={language}")
    assert f"<h1>{month}</h1>" in page.text and f"<title>{month} - Orange</title>" in page.text
    assert LATEST[language] not in page.text


async def test_a_bill_is_called_by_its_month_while_billing_does_not_say(page_server: PageServer) -> None:
    browser, _page = await visitor_with_bill(page_server, ANA)
    ports = page_server.sandbox.container.operators["orange-ro"]
    ports.billing = _Overridden(ports.billing, refuse)  # type: ignore[assignment]
    page = await browser.get(BILL)
    assert page.status == 200 and "<h1>Factura 03/2026</h1>" in page.text


async def test_the_latest_bill_is_read_with_the_answer_that_it_is_the_latest(page_server: PageServer) -> None:
    browser, _page = await visitor_with_bill(page_server, ANA)
    ports, asked = page_server.sandbox.container.operators["orange-ro"], list[str]()
    real = ports.billing

    async def get_bill(account: str, bill_id: str) -> Bill:
        asked.append(bill_id)
        return await real.get_bill(account, bill_id)

    ports.billing = _Overridden(real, real.list_bills)  # type: ignore[assignment]
    vars(ports.billing)["get_bill"] = get_bill
    assert LATEST["ro"] in (await browser.get(BILL)).text
    of_other_sections = len(asked)
    issue_another_bill(page_server)
    assert "<h1>Factura 03/2026</h1>" in (await browser.get(BILL)).text
    assert len(asked) == 2 * of_other_sections + 1


@pytest.mark.parametrize("language", TITLES)
def test_a_bill_is_called_by_its_month_in_every_language(language: str) -> None:
    facts = {"month": Month(2026, 2)}
    assert (
        shipped_menu(PACKS[language]).fill_text("page.bill_of_month", language, "web", facts)
        == TITLES[language]
    )


async def open_pdf(page_server: PageServer, query: str = "") -> PdfReader:
    token = await request_link(page_server, "PDF 02/26", LUC)
    return PdfReader(io.BytesIO((await open_file(page_server, token, query)).body))


async def test_the_pdf_of_any_month_is_called_by_it_and_says_what_billing_gives(
    bouygues_server: PageServer,
) -> None:
    text = (await open_pdf(bouygues_server)).pages[0].extract_text().replace("\xa0", " ")
    assert TITLES["fr"] in text and "Dernière facture" not in text
    for words in ("Émetteur Bouygues", "N° de client ***", "Période 02/2026", "BT-202602-0101", "Émise le"):
        assert words in text
    assert "34,99" in text and "hors TVA" in text and "TVA" in text


def spoken_roles(pdf: PdfReader) -> list[str]:
    """Return the roles of the document's parts in the order a screen reader reads them."""
    tree = pdf.root_object["/StructTreeRoot"]["/K"][0]  # type: ignore[index]
    return [each.get_object()["/S"] for each in tree["/K"]]


def untagged_texts(pdf: PdfReader) -> int:
    """Return how many texts are drawn outside every tag; AssertionError for tags that are not closed."""
    found = 0
    for page in pdf.pages:
        depth = 0
        for _, operator in ContentStream(page.get_contents(), pdf).operations:
            depth += {b"BDC": 1, b"BMC": 1, b"EMC": -1}.get(operator, 0)
            found += operator in (b"Tj", b"TJ") and not depth
        assert depth == 0
    return found


@pytest.mark.parametrize("query", ["", "?lang=en"])
async def test_the_pdf_is_tagged_in_the_order_it_is_read(bouygues_server: PageServer, query: str) -> None:
    pdf = await open_pdf(bouygues_server, query)
    roles = spoken_roles(pdf)
    assert bool(pdf.root_object["/MarkInfo"]["/Marked"])  # type: ignore[index]
    assert str(pdf.root_object["/Lang"]) == (query[-2:] or "fr")
    assert roles[:3] == ["/P", "/P", "/H1"] and roles.count("/H1") == roles.count("/H2") == 1
    assert untagged_texts(pdf) == 0
