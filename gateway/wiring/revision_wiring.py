"""Revision wiring: the installed packs, the follower of published revisions, and the desk of staff."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from flows.domain.records import Secret
from gateway.publishing import pack_compiler
from gateway.publishing.revision_follower import InstalledPacks, RevisionFollower
from gateway.settings import Settings
from gateway.studio.draft_checks import DraftChecker
from gateway.studio.pack_loading import PackLoader
from gateway.studio.revision_desk import RevisionDesk
from menus.machine.menu import Menu
from storage.revisions.drafts import SqlPackDrafts
from storage.revisions.revisions import SqlPackRevisions
from storage.sql.engine import Database


async def start_follower(
    settings: Settings,
    database: Database,
    root: Path,
    load: Callable[[Path], Menu],
    clock: Callable[[], datetime],
) -> RevisionFollower:
    """Publish the packs in their folders and the revisions that replace them; return what follows the latter.

    Raises PackError for a folder that cannot be used, whether or not a revision is published instead.
    """
    secret = Secret(settings.secret_key.get_secret_value())
    follower = RevisionFollower(
        SqlPackRevisions(database, secret),
        pack_compiler.load_menus(settings.operators, settings.packs, root, load),
        [name for name, operator in settings.operators.items() if operator.revisions],
        InstalledPacks(partial(pack_compiler.find_pack, beside=settings.packs, root=root), load),
        clock,
    )
    await follower.serve_last_usable()
    return follower


def build_desk(settings: Settings, database: Database, follower: RevisionFollower) -> RevisionDesk:
    """Return what staff propose, approve and publish revisions with."""
    secret = Secret(settings.secret_key.get_secret_value())
    return RevisionDesk(
        SqlPackDrafts(database, secret),
        follower.revisions,
        DraftChecker(),
        PackLoader(follower.installed.locate),
        follower.installed.locate,
        follower.clock,
    )
