"""TMF666 patches: bodies that change a billing account's media, e-mail address or postal address.

A patch replaces whole arrays (RFC 7386), so what is not meant to change is sent back as it was read.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

from flows.domain.bill_delivery import BillDestination
from storage.billing import _tmf_account_mapping as accounts
from storage.billing._client.answer_fields import as_object, clean_text, objects_in

REQUIRED_PARTS = ("name", "relatedParty")
"""What the update schema of TMF666 requires."""
POSTAL_PARTS = frozenset({*accounts.ADDRESS_PARTS, "stateOrProvince"})
"""Parts of an old postal address that must not stay beside a new one."""
Account = Mapping[str, Any]


def media_patch(
    account: Account, destination: BillDestination, names: Mapping[str, str], today: date
) -> dict[str, Any]:
    """Return the patch for paper or e-mail; other media stay, and so does the rest of `billStructure`."""
    others = [each for each in accounts.presentation_media(account) if not accounts.match_medium(each, names)]
    wanted = {"name": names.get(destination.media, destination.media), "isRef": False}
    structure = {**as_object(account.get("billStructure")), "presentationMedia": [*others, wanted]}
    email = {"emailAddress": destination.email, "contactType": "validated"}
    contact = {"contact": _with_medium(account, "email", email, today)} if destination.email else {}
    return {**_required_parts(account), "billStructure": structure, **contact}


def address_patch(account: Account, address: str, today: date) -> dict[str, Any]:
    """Return the patch for a postal address, which is one line of text and stands in `street1`."""
    contacts = _with_medium(account, "postalAddress", {"street1": address}, today)
    return {**_required_parts(account), "contact": contacts}


def _required_parts(account: Account) -> dict[str, Any]:
    return {part: account[part] for part in REQUIRED_PARTS if part in account}


def _with_medium(
    account: Account, medium_type: str, characteristic: Mapping[str, str], today: date
) -> list[dict[str, Any]]:
    """Return the account's contacts with this medium in place of the one that is read, or added."""
    key, is_replaced = next(iter(characteristic)), False
    contacts = [dict(each) for each in objects_in(account.get("contact"))]
    for contact in contacts:
        media = [dict(each) for each in objects_in(contact.get("contactMedium"))]
        for medium in media:
            if not is_replaced and _is_shown(medium, key):
                medium["characteristic"] = _merge_characteristic(medium, characteristic)
                is_replaced = True
        contact |= {"contactMedium": media} if "contactMedium" in contact else {}
    new_medium = {"mediumType": medium_type, "characteristic": dict(characteristic)}
    return contacts if is_replaced else _with_new_medium(contacts, new_medium, today)


def _is_shown(medium: Mapping[str, Any], key: str) -> bool:
    """Return whether this medium is the one an account's address is read from."""
    value = clean_text(as_object(medium.get("characteristic")).get(key), 320)
    return "@" in value if key == "emailAddress" else bool(value)


def _merge_characteristic(medium: Mapping[str, Any], new: Mapping[str, str]) -> dict[str, Any]:
    old, dropped = as_object(medium.get("characteristic")), POSTAL_PARTS if "street1" in new else frozenset()
    return {**{part: value for part, value in old.items() if part not in dropped}, **new}


def _with_new_medium(
    contacts: list[dict[str, Any]], medium: dict[str, Any], today: date
) -> list[dict[str, Any]]:
    """Add a medium to the account's first contact, or a contact where there is none."""
    if not contacts:
        since = {"startDateTime": f"{today.isoformat()}T00:00:00Z"}
        return [{"contactType": "billing", "validFor": since, "contactMedium": [medium]}]
    first = contacts[0]
    return [{**first, "contactMedium": [*objects_in(first.get("contactMedium")), medium]}, *contacts[1:]]
