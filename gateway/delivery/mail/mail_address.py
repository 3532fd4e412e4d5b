"""E-mail addresses: IDN domains as A-labels, internationalised local parts (EAI), From settings."""

import re
from dataclasses import dataclass, field
from email.utils import parseaddr

FROM_ERROR = 'must be one address, as a@b.example or "Name" <a@b.example>; quote a name with a comma in it'
_LOCAL_PART = re.compile(r"[^\s\"(),:;<>@\[\]\\\x00-\x1f\x7f]{1,64}")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class MailAddress:
    """An address as it is written in the envelope: its domain in ASCII."""

    local_part: str = field(repr=False)
    domain: str = field(repr=False)

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}"

    @property
    def needs_smtputf8(self) -> bool:
        """Return whether only a relay that offers SMTPUTF8 (RFC 6531) can take it."""
        return not self.local_part.isascii()


def parse_mail_address(text: str) -> MailAddress:
    """Parse `local@domain`, the domain converted to A-labels; ValueError for anything else."""
    local_part, separator, domain = text.strip().rpartition("@")
    if not separator or not _LOCAL_PART.fullmatch(local_part):
        raise ValueError("not an e-mail address")
    return MailAddress(local_part, _ascii_domain(domain))


def parse_sender(text: str) -> tuple[str, MailAddress]:
    """Parse a From setting to display name and address; ValueError when it is not exactly one."""
    name, address = parseaddr(text)
    written = f"<{address}>" if "<" in text else address
    if not address or not text.rstrip().endswith(written) or (name and "<" not in text):
        raise ValueError(FROM_ERROR)
    try:
        parsed = parse_mail_address(address)
    except ValueError:
        raise ValueError(FROM_ERROR) from None
    if parsed.needs_smtputf8:
        raise ValueError(FROM_ERROR)
    return name, parsed


def _ascii_domain(domain: str) -> str:
    """Return a domain in lower case as A-labels; ValueError when it is none."""
    try:
        written = domain.encode("idna").decode().lower()
    except UnicodeError:
        raise ValueError("not an e-mail address") from None
    if len(written) > 253 or not all(_LABEL.fullmatch(label) for label in written.split(".")):
        raise ValueError("not an e-mail address")
    return written
