"""Map TM Forum billing accounts (TMF666) and products (TMF637) to subscribers and bill media."""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Literal, cast, get_args

from flows.domain.failures import NotFound
from flows.domain.records import Kind, Media, Subscriber
from storage.billing._client.fields import day, moment, name, table, tables, text
from storage.billing._tmf_mapping import characteristics

PAPER, ELECTRONIC = (
    ("paper", "post", "print", "letter"),
    ("mail", "electronic", "ebill", "online", "web", "pdf"),
)
KINDS: tuple[Kind, ...] = get_args(Kind)


def media(account: Mapping[str, Any], names: Mapping[str, str]) -> Media:
    """Return how bills reach an account: by e-mail when any of its media is electronic."""
    return "email" if any(medium(each, names) == "email" for each in presented(account)) else "paper"


def presented(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the `presentationMedia` of a billing account."""
    return list(tables(table(account.get("billStructure")).get("presentationMedia")))


def medium(found: Mapping[str, Any], names: Mapping[str, str]) -> Media | Literal[""]:
    """Return our name of a presentation medium; empty for another one, such as SMS."""
    words = {text(found.get("name")).lower(), text(found.get("id")).lower()}
    for ours, theirs in names.items():
        if theirs.lower() in words:
            return cast(Media, ours)
    joined = " ".join(sorted(words)).replace("-", "")
    if any(word in joined for word in ELECTRONIC):
        return "email"
    return "paper" if any(word in joined for word in PAPER) else ""


def subscriber(
    product: Mapping[str, Any], account: Mapping[str, Any], operator: str, msisdn: str, zone: tzinfo
) -> Subscriber:
    """Build the subscriber: identity and start from the product, addresses from the billing account."""
    words = characteristics(product.get("productCharacteristic"))
    parties = [*tables(product.get("relatedParty")), *tables(account.get("relatedParty"))]
    is_business = any(each.get("@referredType") == "Organization" for each in parties)
    kind = words.get("kind", "").lower()
    email, is_validated = _email(account)
    return Subscriber(
        id=name(product.get("id")),
        operator=operator,
        msisdn=msisdn,
        account=holder(product),
        name=next((text(each.get("name")) for each in parties if text(each.get("name"))), ""),
        kind=kind if kind in KINDS else "mobile",
        segment="business" if is_business else "residential",
        language=words.get("language", "")[:8],
        since=day(product.get("startDate"), zone, "startDate"),
        email=email,
        email_validated=is_validated,
        address=_address(account),
        sim_changed_at=moment(words.get("simchangedat"), zone),
        siret=words.get("siret", ""),
    )


def number(product: Mapping[str, Any]) -> str:
    """Return the line's number in E.164: `publicIdentifier`, or the characteristic `msisdn`."""
    own = characteristics(product.get("productCharacteristic")).get("msisdn", "")
    digits = text(product.get("publicIdentifier")) or own
    return f"+{digits}" if digits.isdecimal() else digits


def holder(product: Mapping[str, Any]) -> str:
    """Return the id of the billing account a product is charged to; NotFound when it has none."""
    accounts = [table(product.get("billingAccount")), *tables(product.get("billingAccount"))]
    for account in accounts:
        if account.get("id"):
            return name(account["id"], "billingAccount")
    raise NotFound


def _media_of(account: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for contact in tables(account.get("contact")) for each in tables(contact.get("contactMedium"))]


def _email(account: Mapping[str, Any]) -> tuple[str, bool]:
    """Return the first e-mail address, and whether its `contactType` is `validated`."""
    for each in _media_of(account):
        medium = table(each.get("characteristic"))
        address = text(medium.get("emailAddress"), 320)
        if "@" in address:
            return address, text(medium.get("contactType")).lower() == "validated"
    return "", False


def _address(account: Mapping[str, Any]) -> str:
    for each in _media_of(account):
        medium = table(each.get("characteristic"))
        parts = [text(medium.get(part)) for part in ("street1", "street2", "postCode", "city", "country")]
        if parts[0]:
            return ", ".join(filter(None, parts))
    return ""
