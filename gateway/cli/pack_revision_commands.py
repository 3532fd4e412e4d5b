"""Declarations (Typer) of `dialtree pack`: a pack's revisions between folders, database and processes."""

from pathlib import Path
from typing import Annotated

import typer
from typer import Argument, Option

from gateway.cli import options as opt
from gateway.cli.command_runner import run_module
from gateway.cli.pack_trial_commands import trial_app

revisions_app = typer.Typer(
    help="Move packs between folders and the database; approve and publish them.", no_args_is_help=True
)
revisions_app.add_typer(trial_app, name="trial")
RevisionArgument = Annotated[int, Argument(metavar="NUMBER", min=1, help="The revision's number.")]
PackPlace = Annotated[
    str, Argument(metavar="[NUMBER|FOLDER]", help="A revision, 0 for the installed folder, or a folder.")
]


@revisions_app.command("revisions", epilog="Example: dialtree pack revisions orange-ro")
def list_pack_revisions(operator: opt.OperatorArgument, *, demo: opt.DemoOption = False) -> None:
    """List an operator's revisions, the newest first, and the publications planned."""
    run_module("pack_desk", what="revisions", operator=operator, demo=demo)


@revisions_app.command("pull", epilog="Example: dialtree pack pull orange-ro --into packs")
def pull_pack(
    operator: opt.OperatorArgument,
    number: Annotated[
        int | None, Argument(metavar="[NUMBER]", min=0, help="By default the one served now.")
    ] = None,
    *,
    into: Annotated[Path, Option(metavar="FOLDER", help="A folder of packs.")] = Path("packs"),
    force: Annotated[bool, Option("--force", help="Replace files that differ.")] = False,
    demo: opt.DemoOption = False,
) -> None:
    """Write a revision's files to a folder."""
    run_module("pack_desk", what="pull", operator=operator, number=number, into=into, force=force, demo=demo)


@revisions_app.command("push", epilog="Example: dialtree pack push orange-ro -m 'Shorter greeting'")
def push_pack(
    operator: opt.OperatorArgument,
    *,
    message: Annotated[str, Option("-m", "--message", help="What changed, and why.")],
    folder: Annotated[
        Path | None,
        Option(
            "--from", metavar="FOLDER", exists=True, file_okay=False, help="The pack; packs/NAME by default."
        ),
    ] = None,
    author: Annotated[
        str, Option(metavar="NAME", help="Who wrote it, where that is somebody else than you.")
    ] = "",
    demo: opt.DemoOption = False,
) -> None:
    """Check a folder and make it a revision that waits for approval."""
    given = {"message": message, "folder": folder, "author": author}
    run_module("pack_desk", what="push", operator=operator, demo=demo, **given)


@revisions_app.command("diff", epilog="Example: dialtree pack diff orange-ro 3 4")
def compare_packs(
    operator: opt.OperatorArgument,
    old: PackPlace = "",
    new: PackPlace = "",
    *,
    demo: opt.DemoOption = False,
) -> None:
    """Compare what is served with packs/NAME, or two packs, by screens, options and texts."""
    run_module("pack_desk", what="diff", operator=operator, old=old, new=new, demo=demo)


@revisions_app.command("approve", epilog="Example: dialtree pack approve orange-ro 4")
def approve_revision(
    operator: opt.OperatorArgument, number: RevisionArgument, *, demo: opt.DemoOption = False
) -> None:
    """Approve a revision that you did not edit."""
    run_module("pack_desk", what="approve", operator=operator, number=number, demo=demo)


@revisions_app.command("reject", epilog="Example: dialtree pack reject orange-ro 4")
def reject_revision(
    operator: opt.OperatorArgument, number: RevisionArgument, *, demo: opt.DemoOption = False
) -> None:
    """Refuse a revision for good."""
    run_module("pack_desk", what="reject", operator=operator, number=number, demo=demo)


@revisions_app.command("publish", epilog="Example: dialtree pack publish orange-ro 4 --at 2026-04-01T06:00")
def publish_revision(
    operator: opt.OperatorArgument,
    number: RevisionArgument,
    *,
    at: Annotated[
        str, Option(metavar="TIME", help="From then on; in the operator's time zone unless it names one.")
    ] = "",
    demo: opt.DemoOption = False,
) -> None:
    """Serve an approved revision in all processes; conversations under way stay on theirs."""
    run_module("pack_desk", what="publish", operator=operator, number=number, at=at, demo=demo)


@revisions_app.command("cancel", epilog="Example: dialtree pack cancel orange-ro 7")
def cancel_publication(
    operator: opt.OperatorArgument,
    publication: Annotated[int, Argument(metavar="ID", min=1, help="As `pack revisions` lists it.")],
    *,
    demo: opt.DemoOption = False,
) -> None:
    """Cancel a publication that is planned."""
    run_module("pack_desk", what="cancel", operator=operator, publication=publication, demo=demo)


@revisions_app.command("rollback", epilog="Example: dialtree pack rollback orange-ro")
def roll_back(
    operator: opt.OperatorArgument,
    *,
    to: Annotated[
        int | None, Option(metavar="NUMBER", min=0, help="A revision served before; 0 for the folder's pack.")
    ] = None,
    demo: opt.DemoOption = False,
) -> None:
    """Serve the revision that was served before, or the folder's pack where there was none."""
    run_module("pack_desk", what="rollback", operator=operator, to=to, demo=demo)


FolderArgument = Annotated[
    Path, Argument(metavar="FOLDER", exists=True, file_okay=False, help="The pack, e.g. packs/acme_tel.")
]
LanguageArgument = Annotated[str, Argument(metavar="LANGUAGE", help="Translated to, e.g. ro or ar-Latn.")]
SourceOption = Annotated[str, Option(metavar="LANGUAGE", help="Translated from; by default the pack's first.")]


@revisions_app.command("export-po", epilog="Example: dialtree pack export-po packs/acme_tel ro -o ro.po")
def export_po(
    folder: FolderArgument,
    language: LanguageArgument,
    *,
    source: SourceOption = "",
    output: Annotated[Path | None, Option("-o", "--output", metavar="FILE", help="Write to a file.")] = None,
) -> None:
    """Write a language's texts for translators (gettext PO), and name those that are missing."""
    run_module(
        "pack_translations", what="export", folder=folder, language=language, source=source, output=output
    )


@revisions_app.command("import-po", epilog="Example: dialtree pack import-po packs/acme_tel ro ro.po")
def import_po(
    folder: FolderArgument,
    language: LanguageArgument,
    file: Annotated[Path, Argument(metavar="FILE", help="The file translators return.")],
    *,
    source: SourceOption = "",
) -> None:
    """Write the translations of a PO file into a pack's folder, once every placeholder is right."""
    run_module("pack_translations", what="import", folder=folder, language=language, source=source, file=file)
