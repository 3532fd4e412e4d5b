"""Declarations (Typer) of `dialtree console`: serve it, and add, list and remove its users."""

from typing import Annotated

import typer
from typer import Argument, Option

from gateway.cli.command_runner import run_module

console_app = typer.Typer(help="Serve the support console and look after its users.", no_args_is_help=True)
user_app = typer.Typer(help="Look after the console's users.", no_args_is_help=True)
NameArgument = Annotated[str, Argument(metavar="NAME", help="The user's name: small letters, digits, . and -")]


@console_app.command("serve", epilog="Example: dialtree console serve")
def serve_console() -> None:
    """Serve the console on its own listener; the settings need a table console."""
    run_module("console", what="serve")


@user_app.command("add", epilog="Example: dialtree console user add ioana --role support --operator orange-ro")
def add_user(
    name: NameArgument,
    *,
    role: Annotated[list[str], Option(help="support, menus, operations or auditor; may be repeated.")],
    operator: Annotated[list[str], Option(help="An operator the user may see; may be repeated.")],
) -> None:
    """Add a user, or give one another password, roles and operators; asks for the password twice."""
    run_module("console", what="add", name=name, role=role, operator=operator)


@user_app.command("list", epilog="Example: dialtree console user list")
def list_users() -> None:
    """List the users with their roles and operators."""
    run_module("console", what="list")


@user_app.command("remove", epilog="Example: dialtree console user remove ioana")
def remove_user(name: NameArgument) -> None:
    """Remove a user; their sessions end at once."""
    run_module("console", what="remove", name=name)


console_app.add_typer(user_app, name="user")
