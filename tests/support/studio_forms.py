"""Staff at the forms of the menu studio: typing words in a field, pressing a button."""

import re

from flows.domain.pack_revisions import PackFiles
from gateway.console.console_request import MENUS_PATH
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files
from menus.packfile.yaml_source import YamlValue
from menus.packs.pack_editing import write_text
from tests.support.console_site import ConsoleServer, StaffMember
from tests.support.page_client import PageResponse

ORANGE = f"{MENUS_PATH}/orange-ro"
HOME = f"{ORANGE}/screens/home/ro"


def trust_shipped_pack(console: ConsoleServer, *greetings: str) -> None:
    """Let the console take the shipped pack as checked, and the same with each of these Romanian greetings.

    A check takes a second of processor time.
    """
    for each in (read_pack_files(pack_folder("orange-ro")), *map(with_greeting, greetings)):
        console.site.revision_desk.checker.remembered[("orange-ro", each.digest)] = []


def with_greeting(words: str) -> PackFiles:
    """Return the shipped pack with another Romanian greeting on its screens."""
    files = read_pack_files(pack_folder("orange-ro"))
    greeting: YamlValue = {"all": words, "voice": "Bine ați venit la Orange."}
    return PackFiles(write_text(files.texts, "ro", "home", greeting))


def form_fields(page: PageResponse, path: str) -> dict[str, str]:
    """Return the hidden fields of the first form that posts to a path."""
    form = page.text[page.text.index(f'action="{path}"') :].partition("</form>")[0]
    return PageResponse(200, {}, form.encode()).hidden_fields


def field_of(page: PageResponse, text: str) -> str:
    """Return the name of the first field with the words of a text."""
    found = re.search(rf'<label for="(w\d+)"><bdi dir="ltr">{re.escape(text)}</bdi>', page.text)
    assert found, text
    return found[1]


async def type_words(browser: StaffMember, path: str, text: str, words: str) -> PageResponse:
    """Open a screen's page and save other words for a text."""
    page = await browser.get(path)
    return await browser.post(path, form_fields(page, path) | {field_of(page, text): words})


async def press(browser: StaffMember, path: str, verb: str, action: str = "", **fields: str) -> PageResponse:
    """Open a page and press a button of the first form that posts to it, or to `action`."""
    page = await browser.get(path)
    return await browser.post(action or path, form_fields(page, action or path) | {"verb": verb} | fields)
