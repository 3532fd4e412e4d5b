"""Settings of the TM Forum billing backend."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flows.domain.records import Secret
from storage.billing._client.caching import FRESH_SECONDS
from storage.billing._client.http import ConnectionOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class TmForumOptions(ConnectionOptions):
    """The `bss` settings of an operator whose billing is `tmf678+https://host/path`."""

    dialect: str = "v4"
    """`v4` or `v5`."""
    bills: str = "tmf-api/customerBillManagement/{dialect}"
    """Path of TMF678 below the address."""
    accounts: str = "tmf-api/accountManagement/v4"
    """Path of TMF666."""
    payments: str = "tmf-api/payment/v4"
    """Path of TMF676."""
    usages: str = "tmf-api/usageManagement/v4"
    """Path of TMF635, which takes charges of merchants, with `charges` in `serves`."""
    charge_query: str = "usageCharacteristic.value={key}"
    """Query of TMF635 `usage` that finds a charge by its key; what it finds is checked."""
    consumption: str = "tmf-api/usageConsumptionManagement/v2/usageConsumptionReport?publicIdentifier={msisdn}"
    """Query of TMF677 for what a line has used, with `meter` in `serves`; placeholders as in `resolver`."""
    resolver: str = "tmf-api/productInventory/v4/product?publicIdentifier={msisdn}"
    """Query that finds a number's product; `{msisdn}` is E.164 with its plus, `{digits}` without."""
    holder: str = "tmf-api/productInventory/v4/product?billingAccount.id={account}"
    """Query that finds an account's products, for bill notices."""
    token_url: str = ""
    """OAuth2 token endpoint for client credentials; empty sends no token."""
    client_id: str = ""
    client_secret: Secret = field(default=Secret(""), repr=False)
    scope: str = ""
    currency: str = ""
    """ISO 4217 code; amounts in another currency are refused. Empty means the operator's own."""
    media: Mapping[str, str] = field(default_factory=dict)
    """The BSS's own names of the media: `paper = "..."`, `email = "..."`."""
    rubrics: Mapping[str, str] = field(default_factory=dict)
    """Rubric by the BSS's own rate name or rate type."""
    debit_types: tuple[str, ...] = ("bankAccountDebit", "directDebit")
    """`@referredType` (else `@type`) of the account's `defaultPaymentMethod` that is a direct debit mandate."""
    debit_plan: str = "directDebit"
    """`planType` of the active payment plan whose `validFor.startDateTime` is the next collection."""
    promise_plan: str = "promiseToPay"
    """`planType` of the payment plans that are promises to pay, with `promises` in `serves`."""
    serves: tuple[str, ...] = ("documents",)
    """Capabilities besides bills: `documents`, `payments`; from unbilled rates `usage`, `purchases`,
    `unbilled`; from TMF676 `history`, from TMF677 `meter`, from TMF637 `services`, from TMF666 `debits`
    and `promises`; by TMF635 `charges`."""
    document_hosts: tuple[str, ...] = ()
    """Other hosts a bill's `billDocument` may be on; with the port unless it is the default."""
    document_networks: tuple[str, ...] = ()
    """Internal networks, such as `10.1.0.0/16`, those hosts may be in; otherwise they must be public."""
    platform: str = ""
    """Platform that holds the legal originals, when the BSS delivers copies."""
    hub_token: Secret = field(default=Secret(""), repr=False)
    """Secret path segment of the BSS event endpoint; empty accepts no events. Used by the gateway."""
    cache_seconds: float = FRESH_SECONDS
    """Time an answer is served from the cache, 900 at most."""
