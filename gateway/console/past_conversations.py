"""Past conversations of a person: each screen rendered again from the menu revision it was shown from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cachetools import LRUCache

from flows.domain.conversation_records import StoredConversation, StoredTurn, join_parts
from flows.domain.pack_revisions import FOLDER_NUMBER, RevisionError
from flows.engine.flood_guard import WINDOW_SECONDS
from flows.engine.menu_versions import MenuVersions
from gateway.studio.revision_desk import RevisionDesk
from menus.machine.menu import Menu
from menus.model.facts import Count
from menus.model.reply import Reply
from menus.model.user_error import UserError
from menus.render.text_screen import render_reply
from menus.text.gsm import prepare_text, to_wire_text
from storage.console.link_tokens import mask_link_tokens

MAX_REVISIONS_TRIED = 4
"""Revisions served before that are loaded to find the one a conversation ran on, 0.3 s each at most."""
CACHED_MISSES = 64


@dataclass(frozen=True, slots=True)
class ShownTurn:
    """A turn as the page shows it."""

    happened_at: datetime
    answers: Sequence[str] = field(repr=False)
    screen: str
    """Name of the screen."""
    text: str | None = field(repr=False)
    """The screen as it was seen or heard; empty when nothing was sent, None when no menu has it any more."""
    language: str
    is_current_wording: bool
    """Whether its revision is not known here any more, so that the words are today's."""


@dataclass(frozen=True, slots=True)
class ShownConversation:
    """A conversation as the page shows it."""

    channel: str
    turns: Sequence[ShownTurn]


@dataclass(frozen=True, slots=True)
class PastConversations:
    """Renders kept conversations."""

    menu_versions: MenuVersions = field(repr=False)
    desk: RevisionDesk = field(repr=False)
    missing: LRUCache[tuple[str, str], bool] = field(
        default_factory=lambda: LRUCache(CACHED_MISSES), repr=False
    )
    """Operators' revisions that were looked for in vain."""

    async def show_all(self, operator: str, stored: Sequence[StoredConversation]) -> list[ShownConversation]:
        """Return the conversations as the page shows them, the newest first, parts of one joined."""
        revisions = {turn.session.revision for each in stored for turn in each.turns}
        menus = {revision: await self._find_menu(operator, revision) for revision in sorted(revisions)}
        current = self.menu_versions.current_menu(operator)
        return [
            ShownConversation(
                channel, [_show_turn(menus[turn.session.revision], current, turn) for turn in turns]
            )
            for channel, turns in join_parts(stored)
        ]

    async def _find_menu(self, operator: str, revision: str) -> Menu | None:
        """Return the menu of a revision as callers had it; None where neither process nor database has it."""
        found = self.menu_versions.find_revision(operator, revision)
        if found is not None or (operator, revision) in self.missing:
            return found
        for number in await self._list_candidates(operator):
            menu = await self._load_menu(operator, number)
            if menu is not None and menu.revision == revision:
                return self.menu_versions.adapt(menu)
        self.missing[operator, revision] = True
        return None

    async def _list_candidates(self, operator: str) -> Sequence[int]:
        """Return the revisions that callers may have had: those served last, the one tried last, the folder."""
        revisions = self.desk.revisions
        served = await revisions.publications.numbers_served(operator, self.desk.clock())
        trial = await revisions.trials.read_newest(operator)
        tried = [trial.number] if trial else []
        return list(dict.fromkeys((*served[:MAX_REVISIONS_TRIED], *tried, FOLDER_NUMBER)))

    async def _load_menu(self, operator: str, number: int) -> Menu | None:
        try:
            files = await self.desk.read_files(operator, number)
            return (await self.desk.loader.load_files(operator, files)).menu
        except (RevisionError, UserError):
            return None


def _show_turn(menu: Menu | None, current: Menu, turn: StoredTurn) -> ShownTurn:
    session, words = turn.session, _screen_text(menu or current, turn)
    return ShownTurn(
        turn.happened_at,
        turn.answers,
        session.state if turn.replacement is None else turn.replacement,
        words if words is None else mask_link_tokens(words),
        session.language,
        is_current_wording=menu is None,
    )


def _screen_text(menu: Menu, turn: StoredTurn) -> str | None:
    """Return the words that were sent; None where this menu has no such screen, text or value any more."""
    if turn.replacement == "":
        return ""
    session = turn.session
    try:
        if turn.replacement is not None:
            facts = {"minutes": Count(round(WINDOW_SECONDS / 60))}
            words = menu.fill_text(turn.replacement, session.language, session.channel, facts)
            return to_wire_text(prepare_text(words))
        return _reply_text(render_reply(menu, session, turn.note if session.channel == "voice" else ""))
    except KeyError:
        return None


def _reply_text(reply: Reply) -> str:
    return reply.text or "\n".join(each.text for each in reply.prompts)
