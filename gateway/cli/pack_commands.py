"""Command declarations (Typer) of packs: check, walk, draw and begin one."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from gateway.cli import options as opt
from gateway.cli.command_runner import run_module, select_packs

pack_app = typer.Typer()
new_app = typer.Typer(help="Begin a pack or a provider of your own.", no_args_is_help=True)


@pack_app.command(epilog="Example: dialtree check packs/acme_tel --json")
def check(
    folders: Annotated[
        list[Path] | None,
        Argument(
            metavar="[PACKS]...",
            help="Packs, folders of packs, operators, descriptions of providers; by default all shipped ones.",
        ),
    ] = None,
    *,
    schema: Annotated[bool, Option("--schema", help="Print the JSON Schema of a pack's files.")] = False,
    json: Annotated[bool, Option("--json", help="Print findings as JSON.")] = False,
    dialogs: Annotated[
        Path | None, Option(metavar="FOLDER", help="Play these dialogs; name screens that none reaches.")
    ] = None,
    prompts: Annotated[
        bool, Option("--prompts", help="Print the recordings a pack could still bring.")
    ] = False,
    spoken: Annotated[
        bool, Option("--spoken", help="Print what calls say, in words; name what a synthesiser misreads.")
    ] = False,
    pages: Annotated[
        bool, Option("--pages", help="Print the screens that take more than one page, and how many do.")
    ] = False,
    packs: opt.PacksOption = None,
) -> None:
    """Look for faults in packs and in descriptions of providers."""
    kinds = {
        "schema": schema,
        "json": json,
        "dialogs": dialogs,
        "prompts": prompts,
        "spoken": spoken,
        "pages": pages,
    }
    run_module("check", packs=folders or [], beside=select_packs(packs), **kinds)


@pack_app.command(epilog="Example: dialtree walk acme-tel --channel ussd --packs packs")
def walk(
    operator: opt.OperatorArgument,
    *,
    channel: Annotated[
        opt.ChannelName | None, Option(help="The channel to walk; by default all three.")
    ] = None,
    dialogs: Annotated[
        list[Path] | None,
        Option(metavar="FOLDER", help="Dialogs elsewhere; what they do is not walked again."),
    ] = None,
    into: Annotated[
        Path | None, Option(metavar="FOLDER", help="Where to write; by default the pack's `dialogs`.")
    ] = None,
    packs: opt.PacksOption = None,
) -> None:
    """Write dialogs that make every move of an operator's menus."""
    kinds = {"channel": channel, "dialogs": dialogs or [], "into": into}
    run_module("walk", operator=operator, beside=select_packs(packs), **kinds)


@pack_app.command(epilog="Example: dialtree draw orange-ro --channel voice -o map.svg")
def draw(
    operator: Annotated[str, Argument(help="An operator's name, or the folder of a pack.")],
    *,
    channel: Annotated[opt.ChannelName, Option(help="The channel to draw.")] = "ussd",
    svg: Annotated[bool, Option("--svg", help="Draw as SVG (the default).")] = False,
    mermaid: Annotated[bool, Option("--mermaid", help="Draw as Mermaid text.")] = False,
    dialog: Annotated[Path | None, Option(metavar="FILE", help="Highlight the path of a dialog.")] = None,
    output: Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="Write to a file.")] = None,
    packs: opt.PacksOption = None,
) -> None:
    """Draw the map of an operator's menus."""
    if svg and mermaid:
        raise typer.BadParameter("not together with --svg", param_hint="--mermaid")
    form = {"channel": channel, "mermaid": mermaid, "dialog": dialog, "output": output}
    run_module("draw", operator=operator, beside=select_packs(packs), **form)


@new_app.command("operator", epilog="Example: dialtree new operator acme-tel --languages fr,en")
def new_operator(
    name: Annotated[str, Argument(help="Its name outside, e.g. acme-tel.")],
    *,
    into: Annotated[Path, Option(metavar="FOLDER", help="A folder of packs.")] = Path("packs"),
    languages: Annotated[str, Option(metavar="fr,en", help="Its languages, the default first.")] = "en",
) -> None:
    """Write a new pack with a first dialog as its test."""
    run_module("new_operator", name=name, into=into, languages=languages)


@new_app.command("provider", epilog="Example: dialtree new provider acme_ussd --into providers")
def new_provider(
    name: Annotated[str, Argument(help="Its name in the settings, e.g. acme_ussd.")],
    *,
    into: Annotated[Path, Option(metavar="FOLDER", help="A folder of descriptions.")] = Path("providers"),
) -> None:
    """Write a description of an HTTP provider to start from; no Python is needed."""
    run_module("new_provider", name=name, into=into)


pack_app.add_typer(new_app, name="new")
