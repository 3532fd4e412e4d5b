"""Every action of staff is in the audit log, or is not done; stored text is text on every page."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from flows.domain.pack_revisions import PackEditor, PackFiles
from flows.domain.records import AuditEntry
from gateway.console.console_request import MENUS_PATH
from gateway.console.erasures import ERASURES_PATH
from gateway.console.people import PEOPLE_PATH
from gateway.console.queues import QUEUES_PATH
from gateway.console.staff_log_page import STAFF_PATH
from gateway.publishing.checked_packs import hash_checks_portably
from menus.packs.pack_editing import write_text
from tests.gateway.console.test_people import address_of
from tests.gateway.console.test_queues import add_dead_rows
from tests.support.console_routes import PERSON, ConsoleRoute, closed_routes
from tests.support.console_site import ConsoleServer, StaffMember, serve_console
from tests.support.databases import count_rows, dump_table
from tests.support.gateway_sandbox import GatewaySandbox
from tests.support.page_client import ANA, parse_strictly
from tests.support.studio_forms import form_fields

HOSTILE = "</textarea><script>alert(1)</script>"
MIHAI, DANA = PackEditor("mihai"), PackEditor("dana")
BREAK_AUDIT = text("CREATE TRIGGER no_audit BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'full'); END")
MEND_AUDIT = text("DROP TRIGGER no_audit")
TABLES = (
    *("outbox", "outbox_pauses", "tickets", "opt_outs", "console_erasures"),
    *("pack_drafts", "pack_revisions", "pack_publications", "pack_trials"),
)
UNRECORDED = {f"POST {PEOPLE_PATH}"}
"""Leads from a number to its page, which records the look."""


@dataclass(frozen=True, slots=True)
class StaffAction:
    """A form that does something: who posts it, the page it is on, what is typed and pressed."""

    user: str
    page: str
    fields: dict[str, str] = field(default_factory=dict)


TITLES = {"words-ro": "Vara", "words-en": "Summer"}
HOURS = {"verb": "save", "first_day": "mon", "last_day": "sat", "opens": "08:00", "closes": "20:00"}
STUDIO = f"{MENUS_PATH}/{{operator}}"
SCREEN = f"{STUDIO}/screens/{{screen}}/{{language}}"
ACTIONS = {
    f"{PERSON}/ticket": StaffAction("ioana", PERSON, {"answer": "Da."}),
    f"{PERSON}/opt-out": StaffAction("ioana", PERSON, {"reason": "asked_by_phone"}),
    f"{PERSON}/resend": StaffAction("ioana", PERSON),
    f"{PERSON}/export": StaffAction("ioana", PERSON),
    f"{PERSON}/erase": StaffAction("adela", PERSON, {"confirmed": "yes"}),
    ERASURES_PATH: StaffAction("oscar", ERASURES_PATH, {"decision": "refuse"}),
    QUEUES_PATH: StaffAction("oscar", QUEUES_PATH, {"row": "all-dead"}),
    f"{QUEUES_PATH}/lane": StaffAction("oscar", QUEUES_PATH, {"verb": "pause", "lane": "orange-ro notice sms"}),
    f"{STUDIO}/phone": StaffAction("dana", f"{STUDIO}/phone", {"verb": "dial", "caller": ANA}),
    SCREEN: StaffAction("mihai", SCREEN, {"w0": "Salut!"}),
    f"{SCREEN}/options": StaffAction("mihai", SCREEN, {"verb": "remove"}),
    f"{STUDIO}/keywords": StaffAction("mihai", f"{STUDIO}/keywords", {"verb": "remove"}),
    f"{STUDIO}/hours": StaffAction("mihai", f"{STUDIO}/hours", HOURS),
    f"{STUDIO}/add-screen": StaffAction("mihai", f"{STUDIO}/add-screen", {"name": "summer.offer", **TITLES}),
    f"{STUDIO}/draft": StaffAction("mihai", f"{STUDIO}/draft", {"verb": "discard", "confirmed": "yes"}),
    f"{STUDIO}/trial": StaffAction("mihai", f"{STUDIO}/trial", {"verb": "begin", "number": "1", "share": "9"}),
    f"{STUDIO}/revisions/{{number}}": StaffAction("dana", f"{STUDIO}/revisions/2", {"verb": "approve"}),
    f"{STUDIO}/planned": StaffAction("mihai", MENUS_PATH, {"publication": "1"}),
    "/console/sign-out": StaffAction("adela", ERASURES_PATH),
}
"""One action that works for every route that takes a form, in an order in which all of them can."""


@pytest.fixture
async def console(
    sandbox: GatewaySandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConsoleServer]:
    """Provide a console with something of everything that waits to be done; it takes every pack as checked.

    The checks of packs have tests of their own, and take a second each.
    """
    monkeypatch.setattr("gateway.studio.draft_checks.find_faults", lambda *given: [])
    async with serve_console(sandbox, tmp_path) as served:
        await add_dead_rows(served, "orange-ro", ["notice"])
        for body in ("EFACTURA", "SUNATI", "STOP"):
            await served.phone.send_text(ANA, "477", body)
            await sandbox.messages.collect_new()
        await add_erasure(served)
        await add_revisions(served)
        yield served


async def add_erasure(console: ConsoleServer) -> None:
    entry = AuditEntry("orange-ro", ANA, "console.erasure_requested", console.sandbox.clock())
    await console.site.erasures.add_request("orange-ro", "+40740000102", "adela", entry)


async def add_revisions(console: ConsoleServer) -> None:
    """Add a revision that is planned to be published, one that waits, and a draft, all with hostile words."""
    desk, now = console.site.revision_desk, console.sandbox.clock()
    for number in (1, 2, 3):
        draft = await desk.open_draft("orange-ro", MIHAI, 0)
        files = PackFiles(write_text(draft.files.texts, "ro", "home", f"{HOSTILE}{number}"))
        if number < 3:
            opened, checks = replace(draft, files=files), hash_checks_portably()
            await desk.revisions.propose(opened, MIHAI, HOSTILE, now, checks=checks)
    await desk.drafts.save_files(draft, {"texts/ro.yaml": files.texts["texts/ro.yaml"]}, MIHAI, now)
    await desk.approve("orange-ro", 1, DANA)
    await desk.publish("orange-ro", 1, DANA, now + timedelta(hours=9))


class StaffDesk:
    """The members of staff at their browsers, each with the address of the same person."""

    def __init__(self, console: ConsoleServer) -> None:
        self.console = console
        self.browsers: dict[str, StaffMember] = {}
        self.people: dict[str, str] = {}

    async def seat(self, name: str) -> StaffMember:
        """Return the browser of a user, who signs in at the first use."""
        if name not in self.browsers:
            self.browsers[name] = await self.console.signed_in(name)
            if name in ("ioana", "adela"):
                self.people[name] = (await address_of(self.browsers[name], ANA)).rpartition("/")[2]
        return self.browsers[name]

    async def fill_in(self, path: str) -> tuple[StaffMember, str, dict[str, str]]:
        """Return who posts the form of a route, where to, and its fields as the page has them."""
        action = ACTIONS[path]
        browser = await self.seat(action.user)
        person = self.people.get(action.user, "")
        number = "2" if path.endswith("{number}") else "1"
        parts = {"person": person, "number": number}
        address, page = (ConsoleRoute("", each).address(**parts) for each in (path, action.page))
        shown = await browser.get(page)
        assert shown.status == 200 and f'action="{address}"' in shown.text, path
        return browser, address, form_fields(shown, address) | action.fields


async def run_sql(console: ConsoleServer, statement: object) -> None:
    await console.sandbox.container.database.write(lambda connection: connection.execute(statement))  # type: ignore[call-overload]


async def entries_after(console: ConsoleServer, count: int) -> list[tuple[str, str]]:
    """Return who, and what became of it, of the console's audit entries after the first `count` of all."""
    newest = text("SELECT channel, correlation, outcome FROM audit ORDER BY id LIMIT 9 OFFSET :count")
    rows = await console.sandbox.container.database.read(lambda c: c.execute(newest, {"count": count}).all())
    return [(row.correlation, row.outcome) for row in rows if row.channel == "console"]


async def table_dumps(console: ConsoleServer) -> dict[str, str]:
    return {each: await dump_table(console.sandbox.container.database, each) for each in TABLES}


async def test_an_action_that_cannot_be_recorded_does_nothing_on_any_route(
    console: ConsoleServer,
) -> None:
    desk = StaffDesk(console)
    forms = {path: await desk.fill_in(path) for path in ACTIONS}
    before = await table_dumps(console)
    await run_sql(console, BREAK_AUDIT)
    for path, (browser, address, fields) in forms.items():
        assert (await browser.post(address, fields)).status == 503, path
    await run_sql(console, MEND_AUDIT)
    assert await table_dumps(console) == before
    assert "Sign out" in (await desk.browsers["adela"].get(ERASURES_PATH)).text


async def test_every_route_that_takes_a_form_leaves_an_entry_with_who(console: ConsoleServer) -> None:
    posts = {each.name for each in closed_routes(console, "POST")}
    assert posts - UNRECORDED == {f"POST {path}" for path in ACTIONS}
    desk = StaffDesk(console)
    for path in ACTIONS:
        browser, address, fields = await desk.fill_in(path)
        before = await count_rows(console.sandbox.container.database, "audit")
        assert (await browser.post(address, fields)).status == 200, path
        entries = await entries_after(console, before)
        assert {who for who, _ in entries} == {ACTIONS[path].user}, path
        assert "refused" not in {outcome for _, outcome in entries}, path


async def test_a_right_password_opens_nothing_that_cannot_be_recorded(console: ConsoleServer) -> None:
    browser = console.new_browser()
    await run_sql(console, BREAK_AUDIT)
    assert (await browser.sign_in("mihai")).status == 503 and not browser.session_token
    await run_sql(console, MEND_AUDIT)


SHOWS_HOSTILE = {
    PERSON,
    QUEUES_PATH,
    ERASURES_PATH,
    STAFF_PATH,
    f"{STAFF_PATH}/{{before}}",
    *(STUDIO, SCREEN, f"{STUDIO}/draft", f"{STUDIO}/trial", f"{STUDIO}/revisions/{{number}}"),
    MENUS_PATH,
}
"""Pages on which stored words are to be found; the others have none."""


async def poison_tables(console: ConsoleServer) -> None:
    """Write markup into what people, providers and staff can write."""
    for statement in (
        "UPDATE outbox SET reason = :words, state = 'dead', due_at = NULL",
        "UPDATE tickets SET detail = :words, answer = :words",
        "UPDATE console_erasures SET requested_by = :words",
    ):
        await run_sql(console, text(statement).bindparams(words=HOSTILE))
    at = console.sandbox.clock()
    entry = AuditEntry("orange-ro", ANA, "console.view", at, "console", HOSTILE, "ok", HOSTILE)
    await console.site.staff_log.record_entry(entry)


async def test_stored_text_is_text_on_every_page(console: ConsoleServer) -> None:
    await poison_tables(console)
    desk, shown = StaffDesk(console), set[str]()
    for route in closed_routes(console, "GET"):
        user = next(each for each in ("adela", "oscar", "mihai") if each in route.users())
        browser = await desk.seat(user)
        address = route.address(person=desk.people.get(user, ""), before="999999")
        page = await browser.get(address)
        assert page.status == 200 and "<script" not in page.text, route.name
        parse_strictly(page)
        shown |= {route.path} if "&lt;script&gt;" in page.text else set()
    assert shown == SHOWS_HOSTILE | ({"/console"} & shown)
