"""Pack revisions: a pack's files as drafts and numbered revisions, their states and publications."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from menus.model.user_error import UserError

PACK_PATH = re.compile(r"(?:pack|screens|keywords|(?:texts|languages)/[A-Za-z][A-Za-z0-9-]{0,15})\.yaml")
"""Paths of the files a revision holds. Recordings and dialogs stay in the folder of the installed pack."""
MAX_FILE_CHARACTERS = 256 * 1024
MAX_FILES = 64
MAX_MESSAGE_CHARACTERS = 500
FOLDER_NUMBER = 0
"""Number that stands for the pack in its folder: what is served while no revision is published."""

RevisionState = Literal["proposed", "approved", "rejected", "published", "superseded"]
"""Waits for a second person; may be published; may not; is served now; was served before."""


class RevisionError(UserError):
    """A draft or revision cannot be changed as asked."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class DraftChangedError(RevisionError):
    """The draft was saved, proposed or discarded meanwhile; open it again."""


class OwnRevisionError(RevisionError):
    """Who edited a revision may not approve it; another person must."""


class RevisionStateError(RevisionError):
    """The revision's state does not allow this."""


class UnknownRevisionError(RevisionError):
    """There is no such revision."""


class UnreadableRevisionError(RevisionError):
    """The stored revision was altered, or written with another `secret_key`."""


class FindingsPresentError(RevisionError):
    """The pack has findings; each is a line of the message: file, line, column, what."""

    def __init__(self, findings: tuple[str, ...]) -> None:
        self.findings = findings
        super().__init__("\n".join(findings))


@dataclass(frozen=True, slots=True)
class PackFiles:
    """The text files of a pack by path in its folder, e.g. `texts/ro.yaml`; lines end with a newline."""

    texts: Mapping[str, str] = field(repr=False)

    def __post_init__(self) -> None:
        """Raise RevisionError for a path or size no pack has."""
        for path, text in self.texts.items():
            if not PACK_PATH.fullmatch(path):
                raise RevisionError(f"{path}: not a file of a pack")
            if len(text) > MAX_FILE_CHARACTERS:
                raise RevisionError(f"{path}: larger than {MAX_FILE_CHARACTERS} characters")
        if len(self.texts) > MAX_FILES:
            raise RevisionError(f"a pack has at most {MAX_FILES} files")
        texts = {path: self.texts[path].replace("\r\n", "\n") for path in sorted(self.texts)}
        object.__setattr__(self, "texts", MappingProxyType(texts))

    def encode(self) -> bytes:
        """Return the canonical form: JSON, sorted by path, UTF-8."""
        return json.dumps(dict(self.texts), ensure_ascii=False, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        """SHA-256 of the canonical form, in hexadecimal digits: equal for equal files only."""
        return hashlib.sha256(self.encode()).hexdigest()

    def with_changes(self, changes: Mapping[str, str | None]) -> "PackFiles":
        """Return the files with some replaced or added; None removes one."""
        texts = {**self.texts, **changes}
        return PackFiles({path: text for path, text in texts.items() if text is not None})

    def changed_paths(self, other: "PackFiles") -> Iterator[str]:
        """Yield the paths of the files that differ from another pack's, or that only one of the two has."""
        for path in sorted({*self.texts, *other.texts}):
            if self.texts.get(path) != other.texts.get(path):
                yield path


@dataclass(frozen=True, slots=True)
class PackEditor:
    """Who does something with a draft or revision."""

    name: str
    """Name of the user of the console, or the author given to a command."""
    account: str = ""
    """Account on the machine of who runs a command; empty in the console."""

    @property
    def identities(self) -> frozenset[str]:
        """The names by which the four-eyes rule knows the person."""
        return frozenset({self.name, self.account} - {""})


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """A draft: files that somebody edits, not yet a revision."""

    id: int
    operator: str
    author: str
    """Who opened it."""
    editors: frozenset[str]
    """Everybody who saved a file of it, the author included."""
    base: int
    """Number of the revision it began with; `FOLDER_NUMBER` for the folder's pack."""
    version: int
    """Grows by one with each save; a save names the version it read (compare and set)."""
    updated_at: datetime
    files: PackFiles = field(repr=False)


@dataclass(frozen=True, slots=True)
class PackRevision:
    """A numbered revision of an operator's pack; its files never change."""

    operator: str
    number: int
    """From 1 per operator, without gaps."""
    digest: str
    """`PackFiles.digest` of its files."""
    base: int
    """Number of the revision its draft began with."""
    author: str
    editors: frozenset[str]
    """Everybody who edited it: none of them may approve it."""
    message: str
    """What changed and why, in the author's words."""
    created_at: datetime
    state: RevisionState
    approver: str = ""
    """Who approved or rejected it."""
    decided_at: datetime | None = None
    checks: str = ""
    """Hash of the checks that found nothing in it; those of another release check it again."""


@dataclass(frozen=True, slots=True)
class PackPublication:
    """That a revision is served from some time on, until a later publication."""

    id: int
    operator: str
    number: int
    """The revision, or `FOLDER_NUMBER`."""
    publisher: str
    created_at: datetime
    effective_at: datetime
    """When it takes effect; later than `created_at` when it was scheduled."""
