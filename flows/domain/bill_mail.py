"""Bill mail: the e-mail that carries a bill itself, as the issuer's document or as a link to it."""

from dataclasses import dataclass, field, fields

from flows.domain.records import BillDocument, OutboundMessage

MAX_ATTACHMENT_BYTES = 5 * 1024 * 1024
"""Larger documents go as a link: mailboxes commonly refuse mails above 10 MB, and base64 adds a third."""
ATTACHED_SUFFIX = "pdf"
"""The only kind of document that is attached: mail filters take HTML and XML for attacks."""
LINK_SLOT = "{link}"
"""Stands in `BillEnclosure.link_text` for the link, which is made when the mail is sent."""


@dataclass(frozen=True, slots=True)
class BillEnclosure:
    """The bill a mail carries. Stored with the mail; the document itself is fetched when it is sent."""

    account: str = field(repr=False)
    bill_id: str
    number: str
    """The bill's printed number, the document's file name."""
    subscription: str
    msisdn: str = field(repr=False)
    """The bill's line, E.164."""
    is_mobile: bool
    """Whether the line itself gets the code that opens the link; else the phone it was registered from."""
    attached_text: str = field(repr=False)
    """Paragraph added to the body when the document is attached."""
    link_text: str = field(repr=False)
    """Paragraph added to it when it is not, with `LINK_SLOT`."""
    is_link: bool = False
    """Whether the operator wants a link whatever the document's size."""

    def encode(self) -> list[object]:
        """Return the fields as JSON values, in their order."""
        return [getattr(self, name) for name in self.__slots__]


@dataclass(frozen=True, slots=True)
class BillMail(OutboundMessage):
    """An e-mail with a bill."""

    enclosure: BillEnclosure = field(kw_only=True)
    document: BillDocument | None = field(default=None, repr=False, kw_only=True)
    """The document, fetched just before the mail is sent; never stored."""


def carry_bill(mail: OutboundMessage, enclosure: BillEnclosure) -> BillMail:
    """Return the mail with a bill in it."""
    values = {each.name: getattr(mail, each.name) for each in fields(OutboundMessage)}
    return BillMail(**values, enclosure=enclosure)


def parse_enclosure(values: list[object]) -> BillEnclosure:
    """Return the enclosure of stored JSON values; ValueError when they are none."""
    try:
        return BillEnclosure(*values)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError("the stored enclosure has other fields") from error
