"""Forms that change one part of a pack: SMS keywords, the agents' opening hours, a new screen."""

import re
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest, parse_row_id
from gateway.console.studio.draft_saving import SaveOutcome, read_words, save_edit
from gateway.console.studio.pack_view import PackView
from gateway.console.studio.studio_page import StudioPage, operator_path, screen_path
from menus.packfile.schema import NAME_PATTERN
from menus.packfile.yaml_writing import YamlEditError
from menus.packs.pack_editing import (
    FileTexts,
    add_keyword,
    add_screen,
    clear_agent_hours,
    remove_keyword,
    write_agent_hours,
    write_keyword_words,
    write_text,
)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
FormEdit = Callable[[ConsoleRequest, PackView, FileTexts], FileTexts]
FormValues = Callable[[ConsoleRequest, PackView], dict[str, Any]]


class PackForms(StudioPage):
    """The three pages; each shows what is stored and saves what is typed."""

    async def show_keywords(self, request: ConsoleRequest) -> web.Response:
        """Show the words subscribers may text."""
        return await self._show(request, "keywords", _keyword_values)

    async def save_keywords(self, request: ConsoleRequest) -> web.Response:
        """Save the words of a keyword, add one or take one out."""
        return await self._save(request, "keywords", _keyword_values, _edit_keywords)

    async def show_hours(self, request: ConsoleRequest) -> web.Response:
        """Show when calls are transferred to an agent."""
        return await self._show(request, "hours", _hours_values)

    async def save_hours(self, request: ConsoleRequest) -> web.Response:
        """Save the opening hours."""
        return await self._save(request, "hours", _hours_values, _edit_hours)

    async def show_new_screen(self, request: ConsoleRequest) -> web.Response:
        """Show the form of a new screen."""
        return await self._show(request, "add-screen", _screen_values)

    async def add_screen(self, request: ConsoleRequest) -> web.Response:
        """Add a screen and lead to its page."""
        return await self._save(request, "add-screen", _screen_values, _edit_screens)

    async def _show(self, request: ConsoleRequest, page: str, values: FormValues) -> web.Response:
        async def show(request: ConsoleRequest, view: PackView) -> web.Response:
            return _form_page(request, view, page, values, SaveOutcome(request.note))

        return await self.with_view(request, show)

    async def _save(
        self, request: ConsoleRequest, page: str, values: FormValues, edit: FormEdit
    ) -> web.Response:
        async def save(request: ConsoleRequest, view: PackView) -> web.Response:
            outcome = await save_edit(request, self.reader, view, lambda files: edit(request, view, files))
            if not outcome.is_saved:
                return _form_page(request, view, page, values, outcome, 422)
            path = f"{operator_path(view.operator)}/{page}"
            if page == "add-screen":
                path = screen_path(view.operator, request.fields["name"], view.languages[0])
            return responses.redirect_to(f"{path}?note={outcome.note}")

        return await self.with_view(request, save)


def _form_page(
    request: ConsoleRequest,
    view: PackView,
    page: str,
    values: FormValues,
    outcome: SaveOutcome,
    status: int = 200,
) -> web.Response:
    shown = {
        "view": view,
        "address": f"{operator_path(view.operator)}/{page}",
        "outcome": outcome,
        "operator_path": operator_path,
        "targets": sorted(view.loaded.draft.nodes),
        **values(request, view),
    }
    return responses.staff_page(request, f"studio/{page.replace('-', '_')}.html", shown, status)


def _keyword_values(request: ConsoleRequest, view: PackView) -> dict[str, Any]:
    is_new = request.fields.get("verb", "") == "add"
    keywords = view.loaded.draft.keywords.config.keywords
    return {"keywords": keywords, "typed": request.fields.get("words", "") if is_new else ""}


def _edit_keywords(request: ConsoleRequest, view: PackView, files: FileTexts) -> FileTexts:
    words = [line.strip() for line in read_words(request, "words").split("\n") if line.strip()]
    if request.fields.get("verb", "") == "add":
        return add_keyword(files, words, request.fields.get("to", ""))
    index = parse_row_id(request.fields.get("index", ""))
    if index is None:
        raise YamlEditError("the keyword has no number")
    if request.fields.get("verb", "") == "remove":
        return remove_keyword(files, index)
    return write_keyword_words(files, index, words)


def _hours_values(request: ConsoleRequest, view: PackView) -> dict[str, Any]:
    config = view.loaded.draft.config
    hours = config.voice.agent_hours
    first, _, last = (hours.days if hours else "mon-sun").partition("-")
    shown = {"first_day": first, "last_day": last or first}
    shown |= {"opens": hours.start if hours else "", "closes": hours.end if hours else ""}
    typed = {name: request.fields.get(name, value) for name, value in shown.items()}
    return {"hours": typed, "days": DAYS, "zone": config.time_zone}


def _edit_hours(request: ConsoleRequest, view: PackView, files: FileTexts) -> FileTexts:
    if request.fields.get("verb", "") == "clear":
        return clear_agent_hours(files)
    first, last = read_words(request, "first_day"), read_words(request, "last_day")
    days = first if first == last else f"{first}-{last}"
    return write_agent_hours(files, days, read_words(request, "opens"), read_words(request, "closes"))


def _screen_values(request: ConsoleRequest, view: PackView) -> dict[str, Any]:
    return {"typed": request.fields}


def _edit_screens(request: ConsoleRequest, view: PackView, files: FileTexts) -> FileTexts:
    """Return the files with a new message screen and its words in every language."""
    name = request.fields.get("name", "")
    if not re.fullmatch(NAME_PATTERN, name) or name in view.loaded.draft.nodes:
        raise YamlEditError(request.text("fault_screen_name"))
    for language in view.languages:
        files = write_text(files, language, name, read_words(request, f"words-{language}"))
    return add_screen(files, name, {"kind": "message"})
