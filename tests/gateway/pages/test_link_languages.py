"""Pages behind links: first in the language of the message, then in any other without losing the link."""

import re

import pytest

from tests.gateway.pages.test_file import FILE_PATH, LUC, request_file_code, request_link
from tests.gateway.pages.test_file import bouygues_server as bouygues_server
from tests.support.page_client import (
    ADDRESS,
    CONFIRM,
    PageResponse,
    PageServer,
    PageVisitor,
    parse_strictly,
)
from tests.support.page_client import page_server as page_server
from tests.support.page_client import sandbox as sandbox
from tests.support.page_client import sandboxes as sandboxes

_SWITCH = '<form class="language" method="post" action="([^"]*lang={}[^"]*)">(.*?)</form>'


def language_of(page: PageResponse) -> str:
    return str(parse_strictly(page).root["lang"])


async def open_in_english_browser(visitor: PageVisitor, path: str, token: str) -> PageResponse:
    """Post the link's token as a browser does whose language is English."""
    page = await visitor.get(path, **{"Accept-Language": "en"})
    fields = page.hidden_fields | {"link": token}
    return await visitor.post(path, fields, **{"Accept-Language": "en"})


async def press_language(visitor: PageVisitor, language: str) -> PageResponse:
    """Press the last page's button for another language."""
    assert visitor.last_response
    found = re.search(_SWITCH.format(language), visitor.last_response.text)
    assert found, "the page has no button for the language"
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', found[2]))
    return await visitor.post(found[1].replace("&amp;", "&"), fields)


def form_url(page: PageResponse) -> str:
    """Return the URL of the page's main form, its last."""
    return str(re.findall(r'<form method="post" action="([^"]*)"', page.text)[-1]).replace("&amp;", "&")


async def test_a_page_and_its_code_are_in_the_language_of_the_message(bouygues_server: PageServer) -> None:
    token = await request_link(bouygues_server, "PDF 02/26", LUC)
    page = await open_in_english_browser(bouygues_server.new_visitor(), FILE_PATH, token)
    [code] = await bouygues_server.sandbox.messages.collect_new()
    assert (language_of(page), code.language) == ("fr", "fr")
    assert form_url(page) == f"{FILE_PATH}?lang=fr"


async def test_a_language_in_the_url_comes_before_the_language_of_the_message(
    bouygues_server: PageServer,
) -> None:
    token = await request_link(bouygues_server, "PDF 02/26", LUC)
    page = await bouygues_server.new_visitor().submit(f"{FILE_PATH}?lang=en", link=token)
    assert language_of(page) == "en"


async def test_another_language_keeps_the_link_and_sends_no_second_code(bouygues_server: PageServer) -> None:
    visitor, token = bouygues_server.new_visitor(), await request_link(bouygues_server, "PDF 02/26", LUC)
    await open_in_english_browser(visitor, FILE_PATH, token)
    code = await request_file_code(bouygues_server)
    page = await press_language(visitor, "en")
    assert (page.status, language_of(page)) == (200, "en") and token not in page.text
    assert await bouygues_server.sandbox.messages.collect_new() == []
    file = await visitor.submit(form_url(page), code=code)
    assert file.headers["Content-Type"] == "application/pdf"


async def test_another_language_says_the_same_of_the_code(bouygues_server: PageServer) -> None:
    visitor, token = bouygues_server.new_visitor(), await request_link(bouygues_server, "PDF 02/26", LUC)
    await open_in_english_browser(visitor, FILE_PATH, token)
    refused = await visitor.submit(FILE_PATH, resend="1")
    [minutes] = re.findall(r'name="wait" value="([1-9][0-9]*)"', refused.text)
    page = await press_language(visitor, "en")
    assert f'name="wait" value="{minutes}"' in page.text
    assert f"{minutes} min" in page.visible_text


@pytest.mark.parametrize("posted", ["", "-1", "1e9", "²", "99999", "<b>"])
async def test_a_wait_that_no_page_named_is_none(bouygues_server: PageServer, posted: str) -> None:
    visitor, token = bouygues_server.new_visitor(), await request_link(bouygues_server, "PDF 02/26", LUC)
    await open_in_english_browser(visitor, FILE_PATH, token)
    page = await visitor.submit(f"{FILE_PATH}?lang=en", switch="1", wait=posted)
    assert page.status == 200 and 'name="wait" value="0"' in page.text


async def test_an_address_form_keeps_its_link_in_another_language(page_server: PageServer) -> None:
    visitor, token = page_server.new_visitor(), await page_server.request_address_link()
    first = await open_in_english_browser(visitor, ADDRESS, token)
    page = await press_language(visitor, "en")
    assert (language_of(first), language_of(page)) == ("ro", "en")
    done = await visitor.submit(form_url(page), address="Str. Lungă nr. 7, Brașov")
    assert (done.status, language_of(done)) == (200, "en") and "<nav" not in done.text


async def test_a_confirmation_is_in_the_language_of_its_mail(page_server: PageServer) -> None:
    token = await page_server.request_email_link("ana@example.test")
    done = await open_in_english_browser(page_server.new_visitor(), CONFIRM, token)
    assert (done.status, language_of(done)) == (200, "ro") and "<nav" not in done.text


async def test_a_link_that_opens_nothing_says_so_in_every_language(page_server: PageServer) -> None:
    visitor = page_server.new_visitor()
    await open_in_english_browser(visitor, ADDRESS, "no-such-token")
    page = await press_language(visitor, "ro")
    assert (page.status, language_of(page)) == (404, "ro")
