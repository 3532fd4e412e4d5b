"""Map TM Forum billing accounts (TMF666) and products (TMF637) to subscribers and bill media."""

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, cast, get_args

from flows.domain.bill_delivery import BillDestination, BillMedia
from flows.domain.failures import NotFound
from flows.domain.records import LineKind, Subscriber
from storage.billing._client.answer_fields import (
    as_object,
    clean_text,
    identifier_text,
    objects_in,
    parse_day,
    parse_instant,
    require_identifier,
)
from storage.billing._client.ownership import (
    OwnershipClaim,
    collect_numbers,
    end_day,
    number_digits,
    start_day,
)
from storage.billing._tmf_mapping import characteristics

PAPER_WORDS, ELECTRONIC_WORDS = (
    ("paper", "post", "print", "letter"),
    ("mail", "electronic", "ebill", "online", "web", "pdf"),
)
LINE_KINDS: tuple[LineKind, ...] = get_args(LineKind)
UNREADABLE_CHANGE = datetime.max.replace(tzinfo=UTC)
"""Stands for a SIM change with an unreadable time: codes are withheld, as after a change just now."""
ADDRESS_PARTS = ("street1", "street2", "postCode", "city", "country")
"""Parts of a postal address as it is read, in the order they are written in."""


def account_destination(account: Mapping[str, Any], names: Mapping[str, str]) -> BillDestination:
    """Return how bills reach an account: by e-mail when any of its media is electronic."""
    is_email = any(match_medium(each, names) == "email" for each in presentation_media(account))
    return BillDestination("email" if is_email else "paper", _email_address(account)[0])


def presentation_media(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the `presentationMedia` of a billing account."""
    return list(objects_in(as_object(account.get("billStructure")).get("presentationMedia")))


def match_medium(presentation: Mapping[str, Any], names: Mapping[str, str]) -> BillMedia | Literal[""]:
    """Return our name of a presentation medium; empty for another one, such as SMS."""
    words = {clean_text(presentation.get("name")).lower(), clean_text(presentation.get("id")).lower()}
    for ours, theirs in names.items():
        if theirs.lower() in words:
            return cast(BillMedia, ours)
    joined = " ".join(sorted(words)).replace("-", "")
    if any(word in joined for word in ELECTRONIC_WORDS):
        return "email"
    return "paper" if any(word in joined for word in PAPER_WORDS) else ""


def parse_subscriber(
    product: Mapping[str, Any], account: Mapping[str, Any], operator: str, msisdn: str, zone: tzinfo
) -> Subscriber:
    """Build the subscriber: identity and start from the product, addresses from the billing account."""
    words = characteristics(product.get("productCharacteristic"))
    parties = [*objects_in(product.get("relatedParty")), *objects_in(account.get("relatedParty"))]
    is_business = any(each.get("@referredType") == "Organization" for each in parties)
    kind = words.get("kind", "").lower()
    email, is_validated = _email_address(account)
    return Subscriber(
        id=require_identifier(product.get("id")),
        operator=operator,
        msisdn=msisdn,
        account=billing_account_of(product),
        name=next((clean_text(each.get("name")) for each in parties if clean_text(each.get("name"))), ""),
        kind=kind if kind in LINE_KINDS else "mobile",
        segment="business" if is_business else "residential",
        language=words.get("language", "")[:8],
        since=parse_day(product.get("startDate"), zone, "startDate"),
        email=email,
        email_validated=is_validated,
        address=postal_address(account),
        sim_changed_at=_sim_change(words.get("simchangedat"), zone),
        siret=words.get("siret", ""),
    )


def _sim_change(value: object, zone: tzinfo) -> datetime | None:
    """Return when the SIM was changed, None if never; an unreadable time counts as just now."""
    return (parse_instant(value, zone) or UNREADABLE_CHANGE) if value else None


def ownership_claim(product: Mapping[str, Any], zone: tzinfo) -> OwnershipClaim[Mapping[str, Any]]:
    """Return a product's owner fields: numbers, billing account, status and period."""
    words, period = characteristics(product.get("productCharacteristic")), as_object(product.get("validFor"))
    return OwnershipClaim(
        record=product,
        accounts=frozenset(_account_ids(product)),
        numbers=collect_numbers(product.get("publicIdentifier"), words.get("msisdn", "")),
        status=clean_text(product.get("status")),
        starts=start_day(product.get("startDate") or period.get("startDateTime"), zone),
        ends=end_day(product.get("terminationDate") or period.get("endDateTime"), zone),
    )


def msisdn_of(product: Mapping[str, Any]) -> str:
    """Return the line's number in E.164: `publicIdentifier`, or the characteristic `msisdn`; else empty."""
    own = characteristics(product.get("productCharacteristic")).get("msisdn", "")
    digits = number_digits(product.get("publicIdentifier")) or number_digits(own)
    return f"+{digits}" if digits else ""


def billing_account_of(product: Mapping[str, Any]) -> str:
    """Return the id of the billing account a product is charged to; NotFound when it has none."""
    for account in _account_ids(product):
        return require_identifier(account, "billingAccount")
    raise NotFound


def _account_ids(product: Mapping[str, Any]) -> list[str]:
    accounts = [as_object(product.get("billingAccount")), *objects_in(product.get("billingAccount"))]
    return [name for name in (identifier_text(each.get("id")) for each in accounts) if name]


def _contact_media(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        each
        for contact in objects_in(account.get("contact"))
        for each in objects_in(contact.get("contactMedium"))
    ]


def _email_address(account: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the first e-mail address, and whether its `contactType` is `validated`."""
    for each in _contact_media(account):
        medium = as_object(each.get("characteristic"))
        address = clean_text(medium.get("emailAddress"), 320)
        if "@" in address:
            return address, clean_text(medium.get("contactType")).lower() == "validated"
    return "", False


def postal_address(account: Mapping[str, Any]) -> str:
    """Return the first postal address as one line; empty when there is none."""
    for each in _contact_media(account):
        medium = as_object(each.get("characteristic"))
        parts = [clean_text(medium.get(part)) for part in ADDRESS_PARTS]
        if parts[0]:
            return ", ".join(filter(None, parts))
    return ""
