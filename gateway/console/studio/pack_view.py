"""Pack of an operator as the studio shows it: the user's draft or what is published, with findings."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from flows.domain.pack_revisions import PackEditor, PackFiles, StoredDraft
from gateway.console.console_request import ConsoleRequest
from gateway.studio.pack_loading import LoadedPack
from gateway.studio.revision_desk import RevisionDesk
from menus.packfile.yaml_source import Finding


@dataclass(frozen=True, slots=True)
class PackView:
    """What a user sees of an operator's pack."""

    operator: str
    files: PackFiles = field(repr=False)
    own_draft: StoredDraft | None
    """The user's draft; None where the files are those that are published."""
    served: int
    """Number of the revision that is published."""
    loaded: LoadedPack
    findings: Sequence[Finding]

    @property
    def version(self) -> str:
        """Names this state of the draft: a form posts it back, so that nothing saved later is overwritten."""
        draft = self.own_draft
        return f"{draft.id}.{draft.version}" if draft else f"0.{self.served}"

    @property
    def languages(self) -> Sequence[str]:
        """The languages of the menus, second scripts among them."""
        return [*self.loaded.draft.language_packs]


@dataclass(frozen=True, slots=True)
class PackReader:
    """Reads packs for the pages."""

    desk: RevisionDesk = field(repr=False)

    async def read_view(self, request: ConsoleRequest, operator: str) -> PackView:
        """Return what the user sees of an operator's pack; PackError for files that cannot be loaded."""
        served = await self.desk.served_number(operator)
        own_draft = await self.find_draft(request, operator)
        files = own_draft.files if own_draft else await self.desk.read_files(operator, served)
        loaded = await self.desk.loader.load_files(operator, files)
        findings = await self.desk.checker.check_draft(operator, files, self.desk.locate_pack(operator))
        return PackView(operator, files, own_draft, served, loaded, findings)

    async def find_draft(self, request: ConsoleRequest, operator: str) -> StoredDraft | None:
        """Return the user's own draft of an operator's pack."""
        return await self.desk.drafts.find_draft(operator, request.user.name)


def editor_of(request: ConsoleRequest) -> PackEditor:
    """Return the user as who edits, proposes and approves."""
    return PackEditor(request.user.name)
