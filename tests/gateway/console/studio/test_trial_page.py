"""Page of a menu trial: begun, approved by another person, its figures beside each other, ended."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.console.console_request import MENUS_PATH
from gateway.console.console_texts import fill_console_text
from storage.revisions.trials import BEGUN, CountKey, add_counts
from tests.support.console_site import ConsoleServer, StaffMember, serve_console
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import PageResponse, parse_strictly
from tests.support.studio_forms import HOME, ORANGE, press, trust_shipped_pack, type_words

TRIAL = f"{ORANGE}/trial"


@pytest.fixture
async def console(sandbox: GatewaySandbox, tmp_path: Path) -> AsyncIterator[ConsoleServer]:
    """Provide a console whose shipped pack counts as checked."""
    async with serve_console(sandbox, tmp_path) as served:
        trust_shipped_pack(served, "Salut!")
        yield served


async def begin_trial(
    console: ConsoleServer, share: str = "20"
) -> tuple[StaffMember, StaffMember, PageResponse]:
    """Let mihai propose a revision, dana approve it and mihai begin a trial; return the two and the page."""
    mihai, dana = await console.signed_in("mihai"), await console.signed_in("dana")
    await type_words(mihai, HOME, "home", "Salut!")
    await press(mihai, f"{ORANGE}/draft", "propose", message="A shorter welcome")
    await press(dana, f"{ORANGE}/revisions/1", "approve")
    return mihai, dana, await press(mihai, TRIAL, "begin", number="1", share=share)


async def shares_tried(console: ConsoleServer) -> list[int]:
    """Return the shares of the trials that run, once the process has followed."""
    await console.sandbox.container.revision_follower.follow_published()
    return [each.share_percent for each in console.sandbox.container.menu_versions.trials.values()]


async def test_a_trial_needs_two_people_to_run_and_one_to_end(console: ConsoleServer) -> None:
    mihai, dana, page = await begin_trial(console)
    parse_strictly(page)
    assert "another person must approve it" in page.visible_text and 'value="approve"' not in page.text
    refused = await press(mihai, TRIAL, "approve", trial="1")
    assert "attempt was recorded" in refused.visible_text and await shares_tried(console) == []
    assert ("orange-ro", "mihai", "own trial", "refused") in await console.audit_entries("pack.trial_approved")
    page = await press(dana, TRIAL, "approve")
    assert "revision 1 on 20 % of callers, against the installed pack: running" in page.visible_text
    assert await shares_tried(console) == [20]
    assert "The trial is ended" in (await press(mihai, TRIAL, "end")).visible_text
    assert await shares_tried(console) == []
    assert TRIAL in (await mihai.get(MENUS_PATH)).text


@pytest.mark.parametrize(("number", "share"), [("1", "51"), ("1", "0"), ("1", "x"), ("9", "10"), ("0", "10")])
async def test_what_cannot_be_tried_is_refused(console: ConsoleServer, number: str, share: str) -> None:
    mihai, _, _ = await begin_trial(console, share="99")
    page = await press(mihai, TRIAL, "begin", number=number, share=share)
    assert "Nothing was done" in page.visible_text
    assert await console.site.revision_desk.revisions.trials.read_newest("orange-ro") is None


async def test_both_sides_are_shown_with_what_their_difference_is(console: ConsoleServer) -> None:
    mihai, dana, _ = await begin_trial(console)
    await press(dana, TRIAL, "approve")
    counts: dict[CountKey, int] = {
        (1, "published", BEGUN): 1000,
        (1, "published", "house.bye"): 200,
        (1, "trial", BEGUN): 250,
        (1, "trial", "house.bye"): 80,
        (1, "trial", "house.sorry"): 1,
    }
    await console.sandbox.container.database.write(lambda connection: add_counts(connection, counts))
    page = await mihai.get(TRIAL)
    parse_strictly(page)
    words = " ".join(page.visible_text.split())
    assert "200 (20.0 %)" in words and "80 (32.0 %)" in words and "more than chance" in words
    assert "house.sorry : not as asked" in words.replace("house.sorry:", "house.sorry :")


@pytest.mark.parametrize("language", ["fr", "ro", "ar"])
async def test_the_page_is_there_in_every_language(console: ConsoleServer, language: str) -> None:
    mihai, dana, _ = await begin_trial(console)
    await press(dana, TRIAL, "approve")
    page = await mihai.get(f"{TRIAL}?lang={language}")
    parse_strictly(page)
    assert fill_console_text(language, "menus_trial_end") in page.visible_text
