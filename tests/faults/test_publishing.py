"""Publishing to processes: each serves a revision, live conversations stay, a rollback reaches all."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
from aiohttp import ClientSession

from flows.domain.pack_revisions import FOLDER_NUMBER, PackEditor, PackFiles
from flows.domain.records import Secret
from gateway.publishing.checked_packs import hash_checks_portably
from gateway.publishing.pack_compiler import pack_folder
from gateway.publishing.pack_folders import read_pack_files
from storage.revisions.drafts import SqlPackDrafts
from storage.revisions.revisions import SqlPackRevisions
from tests.support.faults.aggregator_phone import AggregatorPhone, open_http_session, wait_until_listening
from tests.support.faults.gateway_processes import SECRET, GatewayProcess
from tests.support.faults.harness import FaultHarness
from tests.support.server_processes import poll_until

pytestmark = [pytest.mark.postgres]

OPERATOR = "orange-ro"
ANA, DAN = PackEditor("ana"), PackEditor("dan")
INSTALLED = read_pack_files(pack_folder(OPERATOR))
OLD_TITLE, NEW_TITLE = "budget: Buget\n", "budget: Bugetul meu\n"


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with open_http_session() as opened:
        yield opened


async def publish(harness: FaultHarness, files: PackFiles) -> int:
    """Publish files as a revision, as two people do."""
    secret, now = Secret(SECRET), datetime.now(UTC)
    drafts, revisions = SqlPackDrafts(harness.database, secret), SqlPackRevisions(harness.database, secret)
    draft = await drafts.open_draft(OPERATOR, ANA, files, now, base=FOLDER_NUMBER)
    revision = await revisions.propose(draft, ANA, "A title", now, checks=hash_checks_portably())
    await revisions.approve(OPERATOR, revision.number, DAN, now)
    await revisions.publish(OPERATOR, revision.number, DAN, now)
    return revision.number


async def title_at(session: ClientSession, web: GatewayProcess) -> str:
    """Dial anew and return the first line of the screen behind 1."""
    phone = AggregatorPhone(session, session_id=f"ATUid_{datetime.now(UTC).timestamp()}")
    await phone.post_step(web, "")
    return (await phone.post_step(web, "1")).splitlines()[0]


async def wait_for_title(session: ClientSession, webs: list[GatewayProcess], title: str) -> None:
    for web in webs:

        async def shows_title(at: GatewayProcess = web) -> bool:
            return await title_at(session, at) == f"CON {title}"

        await poll_until(shows_title, 60)


async def wait_for_log(harness: FaultHarness, what: str, count: int) -> None:
    """Wait until so many processes have logged that they serve this."""

    async def has_logged() -> bool:
        lines = harness.launcher.log.read_text().splitlines()
        return sum("packs.published" in line and f'"{what}"' in line for line in lines) >= count

    await poll_until(has_logged)


async def test_two_processes_serve_a_revision_and_the_one_before_it_again(
    harness: FaultHarness, session: ClientSession
) -> None:
    await harness.seed_demo_data()
    for role in ("worker", "link"):
        harness.start_process(role=role)
    webs = [harness.start_process(role="web") for _ in range(2)]
    await wait_until_listening(*webs)
    await wait_for_title(session, webs, "Buget")
    live = AggregatorPhone(session, session_id="ATUid_live")
    await live.post_step(webs[0], "")
    texts = INSTALLED.texts["texts/ro.yaml"].replace(OLD_TITLE, NEW_TITLE)
    await publish(harness, INSTALLED.with_changes({"texts/ro.yaml": texts}))
    await wait_for_title(session, webs, "Bugetul meu")
    assert (await live.post_step(webs[0], "1")).startswith("CON Buget\n")
    late = harness.start_process(role="web")
    await wait_until_listening(late)
    assert await title_at(session, late) == "CON Bugetul meu"
    revisions = SqlPackRevisions(harness.database, Secret(SECRET))
    await revisions.publish(OPERATOR, FOLDER_NUMBER, DAN, datetime.now(UTC))
    await wait_for_title(session, [*webs, late], "Buget")
    await wait_for_log(harness, "folder", 5)
