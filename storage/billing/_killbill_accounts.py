"""Kill Bill accounts: read with their custom fields, and changed.

Sources: the project's API reference (account, custom field) for the calls, its database schema for the lengths
of the columns. A PUT leaves what it does not name as it is; an empty text empties a field.
"""

from collections.abc import Mapping
from textwrap import wrap

from flows.domain.bill_delivery import BillDestination
from flows.domain.failures import NotEligible
from storage.billing import _killbill_mapping
from storage.billing._client.account_changes import change_account
from storage.billing._client.answer_fields import as_object, clean_text, identifier_text, objects_in
from storage.billing._client.http import BssClient, path_segment
from storage.billing._client.ownership import require_named
from storage.billing._client.paging import BssResource

MAX_EMAIL_CHARS, MAX_ADDRESS_CHARS = 128, 100
"""Characters an account's `email` takes, and each of `address1` and `address2`."""
NO_ADDRESS: Mapping[str, str] = dict.fromkeys((*_killbill_mapping.ADDRESS_FIELDS, "state"), "")
VALIDATED_FIELD = "emailValidated"


class KillBillAccounts:
    """Reads and changes the accounts of one tenant; `media_field` is the custom field of the media."""

    def __init__(self, client: BssClient, media_field: str) -> None:
        self._client, self._media_field = client, media_field

    async def get_account(self, account: str) -> BssResource:
        """Return an account; NotFound when the answer is another one."""
        holder = as_object((await self._client.get(self._path(account))).body)
        require_named(holder.get("accountId"), account, "account")
        return holder

    async def list_fields(self, account: str) -> list[dict[str, str]]:
        """Return the account's custom fields: id, name and value."""
        fields = (await self._client.get(f"{self._path(account)}/customFields")).body
        return [
            {
                "id": identifier_text(each.get("customFieldId")),
                "name": clean_text(each.get("name")),
                "value": clean_text(each.get("value")),
            }
            for each in objects_in(fields)
            if identifier_text(each.get("objectId")) == account
        ]

    async def get_destination(self, account: str) -> BillDestination:
        """Return how bills reach the account: by its custom field, and its e-mail address."""
        fields, holder = await self.list_fields(account), await self.get_account(account)
        media = _killbill_mapping.media_from_fields(fields, self._media_field)
        return BillDestination(media, _killbill_mapping.email_of_account(holder))

    async def set_destination(self, account: str, destination: BillDestination) -> bool:
        """Set the account's address, then its custom fields; False when it has these values."""
        if len(destination.email) > MAX_EMAIL_CHARS:
            raise NotEligible("the e-mail address is longer than Kill Bill stores")

        async def is_met() -> bool:
            return destination.is_met_by(await self.get_destination(account))

        async def send_change() -> int:
            await self._set_email(account, destination.email)
            return await self._set_field(account, self._media_field, destination.media)

        return await change_account(is_met, send_change)

    async def set_address(self, account: str, address: str) -> bool:
        """Set the account's postal address in place of all its parts; False when it has this one."""
        wanted = {**NO_ADDRESS, **split_address(address)}

        async def is_met() -> bool:
            holder = await self.get_account(account)
            return all(clean_text(holder.get(name)) == value for name, value in wanted.items())

        async def send_change() -> int:
            return (await self._client.send("PUT", self._path(account), wanted)).status

        return await change_account(is_met, send_change)

    async def _set_email(self, account: str, email: str) -> None:
        """Set the account's e-mail address as validated; what is set already is not sent again."""
        if not email:
            return
        if _killbill_mapping.email_of_account(await self.get_account(account)) != email:
            await self._client.send("PUT", self._path(account), {"email": email})
        await self._set_field(account, VALIDATED_FIELD, "true")

    async def _set_field(self, account: str, name: str, value: str) -> int:
        """Change a custom field, or add it where the account has none of that name; return the status."""
        path = f"{self._path(account)}/customFields"
        existing = next((each for each in await self.list_fields(account) if each["name"] == name), None)
        if existing and existing["value"] == value:
            return 200
        if existing:
            change = {"customFieldId": existing["id"], "name": name, "value": value}
            return (await self._client.send("PUT", path, [change])).status
        new_field = {"objectType": "ACCOUNT", "name": name, "value": value}
        return (await self._client.send("POST", path, [new_field])).status

    def _path(self, account: str) -> str:
        return f"1.0/kb/accounts/{path_segment(account)}"


def split_address(address: str) -> dict[str, str]:
    """Return an address as `address1` and, when it is long, `address2`; NotEligible when it fits in neither.

    It is cut behind a comma where one is in reach, so that both parts are read as the one line they were.
    """
    text = clean_text(address)
    if len(text) <= MAX_ADDRESS_CHARS:
        return {"address1": text}
    head, comma, _ = text[: MAX_ADDRESS_CHARS + 1].rpartition(", ")
    parts = [head, text[len(head) + 2 :]] if comma else wrap(text, MAX_ADDRESS_CHARS, break_long_words=False)
    if len(parts) != 2 or any(len(part) > MAX_ADDRESS_CHARS for part in parts):
        raise NotEligible("the postal address is longer than Kill Bill stores")
    return {"address1": parts[0], "address2": parts[1]}
