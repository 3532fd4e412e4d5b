"""Past conversations in the console: the screens as they were seen, secrets masked, erased with the person."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from flows.domain.pack_revisions import PackEditor
from flows.domain.records import Secret
from gateway.console.past_conversations import PastConversations
from gateway.console.subject_requests import erase_subject
from menus.machine.unavailable_options import without_options_to
from storage.audit.conversation_rows import ConversationRows
from storage.privacy.data_map import DataSubject
from storage.privacy.retention import apply_retention
from tests.support.console_site import ConsoleServer
from tests.support.console_site import console as console
from tests.support.page_client import ANA, PageResponse
from tests.support.studio_forms import trust_shipped_pack, with_greeting

SUBJECT = DataSubject("orange-ro", ANA)


async def story_of(console: ConsoleServer) -> PageResponse:
    """Return the page an agent sees of Ana."""
    return await (await console.signed_in("ioana")).look_up(ANA)


async def count_kept(console: ConsoleServer) -> int:
    """Return the rows of the history."""
    await console.sandbox.container.write_behind.write_pending()
    count = text("SELECT count(*) FROM conversations")
    return int(await console.sandbox.container.database.read(lambda c: c.execute(count).scalar_one()))


def forget_revision(console: ConsoleServer, revision: str) -> None:
    """Serve another revision and forget this one, as a console does that was started again since."""
    versions = console.site.container.menu_versions
    versions.publish(replace(console.sandbox.menu, revision="00000000"))
    versions.menus["orange-ro"].pop(revision)


async def test_a_ussd_conversation_is_shown_screen_by_screen_with_its_keys(console: ConsoleServer) -> None:
    phone = console.phone
    seen = [await phone.dial(ANA, "*100#"), await phone.press("1"), await phone.press("0")]
    shown = (await story_of(console)).visible_text
    for screen in seen:
        assert " ".join(" ".join(screen.lines).split()) in shown
    assert "2026-03-10 09:00 : home, budget" in shown and "09:00:00 · answered 1 ·" in shown


async def test_a_call_is_shown_as_it_was_heard_and_silence_is_named(console: ConsoleServer) -> None:
    heard = await console.phone.call(ANA, "411")
    again = await console.phone.press_nothing()
    shown = (await story_of(console)).visible_text
    assert " ".join(heard.lines) in shown and "answered silence" in shown
    assert " ".join(again.lines) in shown


async def test_texts_are_shown_with_what_came_back(console: ConsoleServer) -> None:
    answers = [await console.phone.send_text(ANA, "477", body) for body in ("EFACTURA", "STOP")]
    shown = (await story_of(console)).visible_text
    assert "answered EFACTURA" in shown and "answered STOP · house.stopped" in shown
    for answer in answers:
        assert " ".join(" ".join(answer.lines).split()) in shown


@pytest.mark.parametrize("secret", ["ThankYou1", "wrongPassw0rd", "884213", "my secret is 8842"])
async def test_a_text_that_may_be_a_secret_is_masked(console: ConsoleServer, secret: str) -> None:
    await console.phone.send_text(ANA, "477", secret)
    await console.sandbox.container.write_behind.write_pending()
    page = await story_of(console)
    assert "answered ***" in page.visible_text and secret not in page.text
    exported = await console.sandbox.container.privacy.export(SUBJECT)
    assert exported["screens"] and secret not in str(exported["screens"])


async def test_a_longer_number_on_a_menu_is_masked_and_a_wrong_key_is_not(console: ConsoleServer) -> None:
    await console.phone.dial(ANA, "*100#")
    for keys in ("99", "4711"):
        await console.phone.press(keys)
    page = await story_of(console)
    assert (
        "answered 99" in page.visible_text and "answered ***" in page.visible_text and "4711" not in page.text
    )


async def test_rows_are_encrypted_and_bound_to_their_caller(console: ConsoleServer) -> None:
    await console.phone.dial(ANA, "*100#")
    assert await count_kept(console) == 1
    container = console.sandbox.container
    secret = Secret(container.settings.secret_key.get_secret_value())
    database, rows = container.database, ConversationRows(secret)
    plain = text("SELECT turns FROM conversations")
    (stored,) = (await database.read(lambda c: c.execute(plain).all()))[0]
    assert b"house" not in bytes(stored)
    move = text("UPDATE conversations SET conversation = 'another'")
    await database.write(lambda connection: connection.execute(move))
    (moved,) = await database.read(lambda c: rows.read_newest(c, "orange-ro", ANA, 5))
    assert moved.turns == () and "cannot be read" in (await story_of(console)).visible_text


async def test_the_history_is_exported_and_erased_with_the_person(console: ConsoleServer) -> None:
    await console.phone.dial(ANA, "*100#")
    await console.sandbox.container.write_behind.write_pending()
    exported = await console.sandbox.container.privacy.export(SUBJECT)
    assert [(each["channel"], each["screen"]) for each in exported["screens"]] == [("ussd", "home")]
    assert exported["conversations"][0]["channel"] == "ussd"
    report = await erase_subject(console.sandbox.container, SUBJECT, confirmed=True)
    assert report["conversations"] == "1 deleted" and await count_kept(console) == 0


async def test_it_is_kept_as_long_as_the_operator_says(console: ConsoleServer) -> None:
    await console.phone.dial(ANA, "*100#")
    assert await count_kept(console) == 1
    database, now = console.sandbox.container.database, console.sandbox.clock()
    for days, left in ((29, 1), (31, 0)):
        await apply_retention(database, now + timedelta(days=days))
        assert await count_kept(console) == left


async def test_an_operator_that_keeps_none_has_none(console: ConsoleServer) -> None:
    menu = console.sandbox.menu
    rules = menu.config.rules.model_copy(update={"conversation_days": 0})
    config = menu.config.model_copy(update={"rules": rules})
    console.site.container.menu_versions.publish(replace(menu, config=config))
    await console.phone.dial(ANA, "*100#")
    assert await count_kept(console) == 0


async def test_another_operators_staff_see_nothing_of_it(console: ConsoleServer) -> None:
    await console.phone.dial(ANA, "*100#")
    page = await (await console.signed_in("claire")).look_up(ANA, "orange-fr")
    assert "answered" not in page.visible_text and "*100#" not in page.visible_text


async def test_a_look_is_audited_before_it_is_shown(console: ConsoleServer) -> None:
    await console.phone.dial(ANA, "*100#")
    await story_of(console)
    assert await console.audit_entries("console.view") == [("orange-ro", "ioana", "story", "ok")]


async def test_a_screen_of_a_revision_that_is_gone_has_todays_words_and_says_so(console: ConsoleServer) -> None:
    menu = console.sandbox.menu
    console.site.container.menu_versions.publish(replace(menu, revision="00000000"))
    seen = await console.phone.dial(ANA, "*100#")
    console.site.container.menu_versions.menus["orange-ro"].pop("00000000")
    shown = (await story_of(console)).visible_text
    assert "today's words" in shown and " ".join(" ".join(seen.lines).split()) in shown


async def test_an_earlier_revision_is_loaded_once(console: ConsoleServer) -> None:
    revision, desk = console.sandbox.menu.revision, console.site.revision_desk
    past = PastConversations(console.site.container.menu_versions, desk)
    forget_revision(console, revision)
    for _ in range(2):
        found = await past._find_menu("orange-ro", revision)
        assert found is not None and found.revision == revision
    assert len(desk.loader.cached) == 1


async def test_an_earlier_revision_has_the_options_that_billing_could_serve(
    console: ConsoleServer,
) -> None:
    versions = console.site.container.menu_versions
    versions.adapt_to_billing(lambda menu: without_options_to(menu, {"meter.show"}))
    await console.phone.dial(ANA, "*100#")
    seen = await console.phone.press("1")
    forget_revision(console, console.sandbox.menu.revision)
    shown = (await story_of(console)).visible_text
    assert " ".join(" ".join(seen.lines).split()) in shown and "today's words" not in shown


async def test_a_revision_that_was_tried_and_never_published_is_loaded_again(console: ConsoleServer) -> None:
    desk, mihai, dana = console.site.revision_desk, PackEditor("mihai"), PackEditor("dana")
    trust_shipped_pack(console, "Salut!")
    files = with_greeting("Salut!")
    await desk.approve("orange-ro", (await desk.push_files("orange-ro", files, mihai, "Short")).number, dana)
    await desk.begin_trial("orange-ro", 1, 50, mihai)
    revision = (await desk.loader.load_files("orange-ro", files)).draft.revision
    past = PastConversations(console.site.container.menu_versions, desk)
    found = await past._find_menu("orange-ro", revision)
    assert found is not None and found.revision == revision
