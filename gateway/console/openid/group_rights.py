"""Rights by group: what the groups of a user's ID token permit, by the settings."""

from collections.abc import Collection, Mapping
from typing import Any

from gateway.console.openid.openid_errors import OpenIdRefused
from gateway.console.user_file import USERNAME_PATTERN, ConsoleUser
from gateway.console_settings import OpenIdSettings

NO_RIGHTS = "no_rights"
"""Reason of a refusal: the user is in no group of the settings."""


def read_username(claims: Mapping[str, Any], settings: OpenIdSettings) -> str:
    """Return the name of a user as the console writes names: `Ana.Pop@example.net` is `ana.pop-example.net`.

    Raises OpenIdRefused when the claim is missing or cannot be a name.
    """
    written = str(find_claim(claims, settings.name_claim) or "").strip().lower()
    name = "".join(each if (each.isascii() and each.isalnum()) or each in "._-" else "-" for each in written)
    name = name.lstrip("._-")[:64]
    if not USERNAME_PATTERN.fullmatch(name):
        raise OpenIdRefused("name_claim")
    return name


def read_groups(claims: Mapping[str, Any], settings: OpenIdSettings) -> list[str]:
    """Return the user's groups that the settings name; OpenIdRefused when there is none."""
    written = find_claim(claims, settings.groups_claim)
    groups = [written] if isinstance(written, str) else written if isinstance(written, list) else []
    known = sorted({each for each in groups if isinstance(each, str)} & settings.groups.keys())
    if not known:
        raise OpenIdRefused(NO_RIGHTS)
    return known


def build_group_user(name: str, groups: Collection[str], settings: OpenIdSettings) -> ConsoleUser | None:
    """Return the user with all rights of these groups; None when the settings name none of them any more."""
    rights = [settings.groups[group] for group in groups if group in settings.groups]
    if not rights:
        return None
    roles = frozenset(role for each in rights for role in each.roles)
    return ConsoleUser(name, "", roles, frozenset(operator for each in rights for operator in each.operators))


def find_claim(claims: Mapping[str, Any], name: str) -> Any:
    """Return a claim by its whole name, else by the path that its dots make; None when it is not there."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
