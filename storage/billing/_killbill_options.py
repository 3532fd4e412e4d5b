"""Settings of the Kill Bill billing backend."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.domain.records import Secret
from storage.billing._client.caching import FRESH_SECONDS
from storage.billing._client.http import ConnectionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class KillBillOptions(ConnectionOptions):
    """The `bss` settings of an operator whose billing is `killbill+https://host`."""

    api_key: Secret = field(repr=False)
    """The tenant's API key."""
    api_secret: Secret = field(repr=False)
    user: str = "admin"
    password: Secret = field(default=Secret(""), repr=False)
    due_days: int = 14
    """Days from the invoice date to the due date."""
    media_field: str = "presentationMedia"
    """The account's custom field that holds `paper` or `email`; without it bills are on paper."""
    document_path: str = "1.0/kb/invoices/{invoice}/html"
    """Path of an invoice's document; a plugin's where it renders PDF, `plugins/NAME/{invoice}`."""
    debit_plugins: tuple[str, ...] = ()
    """Payment plugins whose default payment method is a direct debit mandate, such as `killbill-gocardless`."""
    takes_charges: bool = False
    """Whether charges of merchants go on the account's draft invoice; its accounts need the control tag
    `AUTO_INVOICING_REUSE_DRAFT`, so that the draft becomes the next bill."""
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Line kind by product name; `mobile` for any other."""
    rubrics: Mapping[str, str] = field(default_factory=dict)
    """Rubric by product, plan or usage name, or by item type."""
    currency: str = ""
    """ISO 4217 code; invoices in another currency are refused. Empty means the operator's own."""
    cache_seconds: float = FRESH_SECONDS
