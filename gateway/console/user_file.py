"""File of the console's users: names, argon2id hashes, roles and operators, as JSON with mode 0600."""

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from gateway.console_settings import CONSOLE_ROLES as CONSOLE_ROLES
from gateway.console_settings import ConsoleRole as ConsoleRole
from menus.model.user_error import UserError

USERNAME_PATTERN = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
PRIVATE_MODE = 0o600
MIN_PASSWORD_LENGTH = 12
"""Fewest characters of a password (NIST SP 800-63B, 15 without a second factor, permits less)."""
MAX_PASSWORD_LENGTH = 128


class UserFileError(UserError):
    """The file of users, a name, a role or a password cannot be used."""


@dataclass(frozen=True, slots=True)
class ConsoleUser:
    """One member of staff."""

    name: str
    password_hash: str = field(repr=False)
    roles: frozenset[ConsoleRole]
    operators: frozenset[str]
    """The operators whose people and messages the user may see."""

    def has_role(self, *roles: ConsoleRole) -> bool:
        """Return whether the user has one of these roles."""
        return not self.roles.isdisjoint(roles)


@dataclass(frozen=True, slots=True)
class UserFile:
    """Reads and writes the file; it is read for every request, so that a change takes effect at once."""

    path: Path | None
    """None where the settings name no file: nobody has a password then."""

    def read_users(self) -> Mapping[str, ConsoleUser]:
        """Return the users by name; none without a file.

        Raises UserFileError when others may read or write it, or when it is not what we write.
        """
        if self.path is None:
            return {}
        try:
            with self.path.open("rb") as file:
                _require_private(file.fileno(), self.path)
                raw = json.load(file)
            return {name: _parse_user(name, each) for name, each in raw["users"].items()}
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if isinstance(error, UserFileError):
                raise
            raise UserFileError(f"{self.path}: not a file of users") from error

    def save_user(self, user: ConsoleUser) -> None:
        """Add a user, or replace the one of the same name."""
        self._write_users({**self.read_users(), user.name: user})

    def remove_user(self, name: str) -> bool:
        """Remove a user; False when there is none of this name."""
        users = self.read_users()
        self._write_users({key: user for key, user in users.items() if key != name})
        return name in users

    def _write_users(self, users: Mapping[str, ConsoleUser]) -> None:
        """Replace the file in one step, so that no reader sees half of it."""
        if self.path is None:
            raise UserFileError("console.users_file: the settings name no file of users")
        rows = {
            user.name: {
                "password": user.password_hash,
                "roles": sorted(user.roles),
                "operators": sorted(user.operators),
            }
            for user in users.values()
        }
        beside = self.path.with_name(f"{self.path.name}.new")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"users": rows}, file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self.path)


def build_user(name: str, password_hash: str, roles: list[str], operators: list[str]) -> ConsoleUser:
    """Build a user. Raises UserFileError for a name or role that cannot be, and without role or operator."""
    if not USERNAME_PATTERN.fullmatch(name):
        raise UserFileError(f"{name!r}: a name has small letters, digits, dots and dashes, 64 at most")
    strange = sorted(set(roles) - set(CONSOLE_ROLES))
    if strange or not roles:
        raise UserFileError(f"roles are {', '.join(CONSOLE_ROLES)}; not {', '.join(strange) or 'none'}")
    if not operators:
        raise UserFileError("name an operator, or a user would see nothing")
    return ConsoleUser(name, password_hash, frozenset(cast(list[ConsoleRole], roles)), frozenset(operators))


def check_password_form(name: str, password: str) -> str:
    """Return why a new password is refused; empty when it is not."""
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        return f"a password has {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
    if name in password.lower() or len(set(password)) < MIN_PASSWORD_LENGTH // 2:
        return "this password is too easy to guess"
    return ""


def _parse_user(name: str, raw: Any) -> ConsoleUser:
    return build_user(name, str(raw["password"]), list(raw["roles"]), list(raw["operators"]))


def _require_private(descriptor: int, path: Path) -> None:
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if mode & ~PRIVATE_MODE:
        raise UserFileError(f"{path}: others may read or write it (mode {mode:04o}); run chmod 600 {path}")
