"""Page of one screen: its texts in a language as a form, its findings, its options, its previews."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiohttp import web

from gateway.console import console_responses as responses
from gateway.console.console_request import ConsoleRequest, parse_row_id
from gateway.console.studio.draft_saving import SaveOutcome, read_words, save_edit
from gateway.console.studio.pack_view import PackView
from gateway.console.studio.screen_preview import ChannelPreview, preview_channels
from gateway.console.studio.screen_texts import WordsField, list_fields, show_typed, text_names, write_fields
from gateway.console.studio.studio_page import StudioPage, operator_path, screen_path
from menus.machine.screen import Node
from menus.packfile.schema import CHANNELS
from menus.packfile.yaml_source import Finding
from menus.packfile.yaml_writing import YamlEditError
from menus.packs.pack_editing import FileTexts, add_option, remove_option, write_option_keys, write_text

MAX_OPTIONS = 40
"""Options a screen may have by this page; a phone shows far fewer."""


class ScreenPage(StudioPage):
    """Shows a screen and changes its texts and options in the user's draft."""

    async def show_screen(self, request: ConsoleRequest) -> web.Response:
        """Show the screen in the language the address names."""
        return await self.with_view(request, self._show_stored)

    async def save_texts(self, request: ConsoleRequest) -> web.Response:
        """Save the words typed; what was typed is shown again where it was not saved."""
        return await self.with_view(request, self._save_texts)

    async def change_option(self, request: ConsoleRequest) -> web.Response:
        """Set the keys of an option, add one or take one out."""
        return await self.with_view(request, self._change_option)

    async def _show_stored(self, request: ConsoleRequest, view: PackView) -> web.Response:
        node = _find_node(request, view)
        if node is None:
            return self.lead_to_map(view.operator, "fault_nothing")
        return _screen_page(request, view, node, _stored_fields(request, view, node), SaveOutcome(request.note))

    async def _save_texts(self, request: ConsoleRequest, view: PackView) -> web.Response:
        node = _find_node(request, view)
        if node is None:
            return self.lead_to_map(view.operator, "fault_nothing")
        stored = _stored_fields(request, view, node)
        typed = {
            name: read_words(request, name) for each in stored if (name := each.form_name) in request.fields
        }
        fields, language = show_typed(stored, typed), request.parts["language"]
        draft = view.loaded.draft
        outcome = await save_edit(
            request, self.reader, view, lambda files: write_fields(files, draft, language, fields)
        )
        if outcome.is_saved:
            return responses.redirect_to(f"{_own_path(request)}?note={outcome.note}")
        status = 409 if outcome.note == "fault_conflict" else 422
        return _screen_page(request, view, node, fields, outcome, status)

    async def _change_option(self, request: ConsoleRequest, view: PackView) -> web.Response:
        node = _find_node(request, view)
        if node is None:
            return self.lead_to_map(view.operator, "fault_nothing")

        def edit(files: FileTexts) -> FileTexts:
            return _edit_options(request, view, node, files)

        outcome = await save_edit(request, self.reader, view, edit)
        if outcome.is_saved:
            return responses.redirect_to(f"{_own_path(request)}?note={outcome.note}")
        fields = _stored_fields(request, view, node)
        return _screen_page(request, view, node, fields, outcome, 422)


def _find_node(request: ConsoleRequest, view: PackView) -> Node | None:
    """Return the screen of the address; None where no file of the pack has it, or the pack not the language."""
    node = view.loaded.draft.nodes.get(request.parts["screen"])
    if node is None or node.is_read_back or request.parts["language"] not in view.languages:
        return None
    return node


def _stored_fields(request: ConsoleRequest, view: PackView, node: Node) -> Sequence[WordsField]:
    return list_fields(view.loaded, node, request.parts["language"], view.findings)


def _own_path(request: ConsoleRequest) -> str:
    parts = request.parts
    return screen_path(parts["operator"], parts["screen"], parts["language"])


def _edit_options(request: ConsoleRequest, view: PackView, node: Node, files: FileTexts) -> FileTexts:
    """Return the files with what one of the page's small forms asks for."""
    definition = _definition(node)
    if request.fields.get("verb", "") == "add":
        return _add_option(request, view, node, files)
    index = parse_row_id(request.fields.get("index", ""))
    if index is None:
        raise YamlEditError("the option has no number")
    if request.fields.get("verb", "") == "remove":
        return remove_option(files, node.name, definition, index)
    return write_option_keys(files, node.name, definition, index, _typed_keys(request))


def _add_option(request: ConsoleRequest, view: PackView, node: Node, files: FileTexts) -> FileTexts:
    """Return the files with a new option and its words in every language."""
    taken = {name for each in view.loaded.draft.nodes.values() for name in text_names(each)}
    names = (f"{node.name}.option_{number}" for number in range(1, MAX_OPTIONS + 1))
    name = next((each for each in names if each not in taken), "")
    if not name:
        raise YamlEditError(f"{node.name} has {MAX_OPTIONS} options already")
    for language in view.languages:
        files = write_text(files, language, name, read_words(request, f"label-{language}"))
    option = {"text": name, **_typed_keys(request), "to": request.fields.get("to", "")}
    return add_option(files, node.name, _definition(node), option)


def _typed_keys(request: ConsoleRequest) -> Mapping[str, str]:
    """Return the keys typed, by channel; those left empty are not there."""
    typed = {channel: read_words(request, f"key-{channel}") for channel in CHANNELS}
    return {channel: key for channel, key in typed.items() if key}


def _definition(node: Node) -> dict[str, Any]:
    """Return the screen as its file has it; a screen without options gets a list of none."""
    values: Any = node.source.value
    for part in node.source_path:
        values = values[part]
    return {**values, "options": values.get("options", [])}


def _screen_page(
    request: ConsoleRequest,
    view: PackView,
    node: Node,
    fields: Sequence[WordsField],
    outcome: SaveOutcome,
    status: int = 200,
) -> web.Response:
    language, draft = request.parts["language"], view.loaded.draft
    values = {
        "view": view,
        "node": node,
        "address": _own_path(request),
        "menu_language": language,
        "channels": CHANNELS,
        "fields": fields,
        "findings": _other_findings(view, node, fields),
        "outcome": outcome,
        "options": _option_rows(view, node, language),
        "targets": sorted(draft.nodes),
        "previews": _previews(view, node, language),
        "operator_path": operator_path,
        "screen_path": screen_path,
    }
    return responses.staff_page(request, "studio/screen.html", values, status)


def _other_findings(view: PackView, node: Node, fields: Sequence[WordsField]) -> Sequence[Finding]:
    """Return the findings that no field shows: those of this screen first."""
    shown = {what for each in fields for what in each.findings}
    rest = [each for each in view.findings if each.what not in shown]
    return sorted(rest, key=lambda each: f"{node.name}:" not in each.what)


def _option_rows(view: PackView, node: Node, language: str) -> Sequence[tuple[str, Mapping[str, str], str]]:
    """Return label, keys and target of each option."""
    entries = view.loaded.draft.language_packs[language].catalogue.entries
    labels = [
        "".join(entries[each.text].template_for("ussd").parts) if each.text in entries else each.text
        for each in node.options
    ]
    return [(label, each.keys, each.to) for label, each in zip(labels, node.options, strict=True)]


def _previews(view: PackView, node: Node, language: str) -> Sequence[ChannelPreview]:
    menu = view.loaded.menu
    return preview_channels(view.loaded.draft, menu, node, language) if menu and node.is_waiting else []
