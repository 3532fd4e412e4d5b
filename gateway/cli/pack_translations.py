"""Command `dialtree pack export-po` and `import-po`: translators' files of a pack's folder."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from flows.domain.pack_revisions import RevisionError
from gateway.cli.error_output import print_error
from gateway.publishing.pack_folders import read_pack_files, write_pack_files
from gateway.studio.translations import export_translations, import_translations

EXIT_DONE, EXIT_FINDINGS = 0, 1


def main(args: Namespace) -> int:
    """Run the command; 0 when it did what was asked, 1 for a file with faults."""
    return _export(args) if args.what == "export" else _import(args)


def _export(args: Namespace) -> int:
    """Write the PO file of a language, and name on standard error what is missing."""
    export = export_translations(read_pack_files(args.folder), args.language, datetime.now(UTC), args.source)
    if args.output is None:
        sys.stdout.write(export.data.decode())
    else:
        args.output.write_bytes(export.data)
    _print_names("missing", export.missing)
    print(f"{export.total} texts, {len(export.missing)} missing", file=sys.stderr)
    return EXIT_DONE


def _import(args: Namespace) -> int:
    """Write the translations of a PO file into a pack's folder; nothing when it has a fault."""
    try:
        data = args.file.read_bytes()
    except OSError as error:
        raise RevisionError(f"{args.file}: {error.strerror}") from error
    files = read_pack_files(args.folder)
    done = import_translations(files, args.language, data, Path(args.file).name, args.source)
    for finding in done.findings:
        print_error(finding)
    if done.findings:
        print_error("nothing was changed")
        return EXIT_FINDINGS
    write_pack_files(args.folder, done.files)
    _print_names("missing", done.missing)
    _print_names("outdated, left as it was", done.outdated)
    print(f"{done.count} texts changed, {len(done.missing)} missing; run dialtree check {args.folder}")
    return EXIT_DONE


def _print_names(what: str, names: Sequence[str]) -> None:
    for name in names:
        print(f"{what}: {name}", file=sys.stderr)
