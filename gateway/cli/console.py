"""Command `dialtree console`: serves the support console; adds, lists and removes its users."""

from argparse import Namespace
from collections.abc import Callable, Mapping
from getpass import getpass
from pathlib import Path

from flows.domain.records import Secret
from gateway.cli.common import read_settings, run_in_container
from gateway.cli.error_output import print_error
from gateway.cli.table_output import print_table
from gateway.console.console_server import run_console
from gateway.console.user_file import UserFile, build_user, check_password_form
from gateway.observability import logging
from gateway.settings import Settings
from gateway.settings_sources import SettingsError
from storage.console.sign_in_attempts import hash_staff_password

EXIT_DONE, EXIT_REFUSED = 0, 2


def main(args: Namespace) -> int:
    """Run the command and return its exit status."""
    settings = read_settings()
    if settings.console is None:
        raise SettingsError("console: the settings have no table [console]; docs/console.md shows one")
    if args.what == "serve":
        logging.configure_logging()
        run_in_container(settings, run_console)
        return EXIT_DONE
    if not settings.console.users_file:
        raise SettingsError("console.users_file: the settings name no file of users")
    users = UserFile(Path(settings.console.users_file))
    return USER_ACTIONS[args.what](users, args, settings)


def _add_user(users: UserFile, args: Namespace, settings: Settings) -> int:
    strange = sorted(set(args.operator) - settings.operators.keys())
    if strange:
        print_error(f"no operator {', '.join(strange)} is served")
        return EXIT_REFUSED
    build_user(args.name, "", args.role, args.operator)
    password = _ask_password(args.name)
    if not password:
        return EXIT_REFUSED
    users.save_user(build_user(args.name, hash_staff_password(Secret(password)), args.role, args.operator))
    print(f"{args.name} may sign in")
    return EXIT_DONE


def _ask_password(name: str) -> str:
    """Ask for a new password twice, unseen; return an empty one when it is refused."""
    password = getpass("Password: ")
    fault = check_password_form(name, password)
    if not fault and getpass("Again: ") != password:
        fault = "the two passwords differ"
    if fault:
        print_error(fault)
    return "" if fault else password


def _list_users(users: UserFile, args: Namespace, settings: Settings) -> int:
    rows = [
        (user.name, ", ".join(sorted(user.roles)), ", ".join(sorted(user.operators)))
        for _, user in sorted(users.read_users().items())
    ]
    print_table(("user", "roles", "operators"), rows, "{:<16}  {:<28}  {}")
    return EXIT_DONE


def _remove_user(users: UserFile, args: Namespace, settings: Settings) -> int:
    if not users.remove_user(args.name):
        print_error(f"there is no user {args.name}")
        return EXIT_REFUSED
    print(f"{args.name} may not sign in any more")
    return EXIT_DONE


USER_ACTIONS: Mapping[str, Callable[[UserFile, Namespace, Settings], int]] = {
    "add": _add_user,
    "list": _list_users,
    "remove": _remove_user,
}
