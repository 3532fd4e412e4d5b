"""Saves an edit in the user's draft: finds conflicts, refuses unusable files, overwrites nothing."""

from collections.abc import Callable
from typing import NamedTuple

from flows.domain.pack_revisions import DraftChangedError, PackFiles, RevisionError, StoredDraft
from gateway.console.console_request import ConsoleRequest
from gateway.console.studio.pack_view import PackReader, PackView, editor_of
from menus.model.user_error import UserError
from menus.packs.pack_editing import FileTexts

PackEdit = Callable[[FileTexts], FileTexts]
"""Returns the texts of a pack's files with something changed; UserError where that cannot be."""


class SaveOutcome(NamedTuple):
    """What saving did: the name of the text that says so, and why nothing was saved."""

    note: str
    reason: str = ""

    @property
    def is_saved(self) -> bool:
        """Whether the draft holds what was typed."""
        return self.note == "note_saved"


async def save_edit(request: ConsoleRequest, reader: PackReader, view: PackView, edit: PackEdit) -> SaveOutcome:
    """Save an edit of the pack the user saw, in their draft, which the first edit opens."""
    if request.fields.get("version", "") != view.version:
        return SaveOutcome("fault_conflict")
    try:
        texts = edit(view.files.texts)
        await reader.desk.loader.load_files(view.operator, PackFiles(texts))
    except UserError as error:
        return SaveOutcome("fault_edit", str(error))
    changes = {path: text for path, text in texts.items() if view.files.texts.get(path) != text}
    if not changes:
        return SaveOutcome("note_saved")
    try:
        draft = view.own_draft or await _open_draft(request, reader, view)
        await reader.desk.drafts.save_files(draft, changes, editor_of(request), request.now)
    except DraftChangedError:
        return SaveOutcome("fault_conflict")
    except RevisionError as error:
        return SaveOutcome("fault_edit", str(error))
    return SaveOutcome("note_saved")


async def _open_draft(request: ConsoleRequest, reader: PackReader, view: PackView) -> StoredDraft:
    """Open the user's draft; DraftChangedError where another request of theirs has just opened one."""
    editor = editor_of(request)
    opened = await reader.desk.open_draft(view.operator, editor, view.served)
    first = await reader.find_draft(request, view.operator)
    if first is not None and first.id != opened.id:
        await reader.desk.drafts.discard_draft(opened, editor, request.now)
        raise DraftChangedError
    return opened


def read_words(request: ConsoleRequest, name: str) -> str:
    """Return what was typed in a field: plain line breaks, no spaces or line breaks at its ends."""
    return request.fields.get(name, "").replace("\r\n", "\n").replace("\r", "\n").strip()
