"""Pack folders: reads a pack's files from a folder of YAML and writes them to one."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.domain.pack_revisions import PACK_PATH, PackFiles, RevisionError
from gateway.publishing.pack_compiler import pack_folder


def read_pack_files(folder: Path) -> PackFiles:
    """Return the YAML files of a pack's folder; RevisionError for a folder without `pack.yaml`."""
    paths = [path for path in _list_pack_paths(folder) if (folder / path).is_file()]
    if "pack.yaml" not in paths:
        raise RevisionError(f"{folder}: no pack, it has no pack.yaml")
    try:
        return PackFiles({path: (folder / path).read_text(encoding="utf-8") for path in paths})
    except UnicodeDecodeError as error:
        raise RevisionError(f"{folder}: a file is not UTF-8") from error


def write_pack_files(folder: Path, files: PackFiles) -> None:
    """Make a folder hold these files and no other file of a pack; recordings, dialogs and all else stay."""
    for path, text in files.texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8", newline="\n")
    for path in _list_pack_paths(folder):
        if path not in files.texts:
            (folder / path).unlink()


@contextmanager
def temporary_pack_folder(operator: str, files: PackFiles, installed: Path | None = None) -> Iterator[Path]:
    """Write the files to a folder of the operator's name for the duration of the block.

    `installed` is the folder whose recordings (`prompts`) belong to them.
    """
    with tempfile.TemporaryDirectory(prefix="dialtree-pack-") as root:
        folder = pack_folder(operator, Path(root))
        write_pack_files(folder, files)
        if installed is not None and (installed / "prompts").is_dir():
            (folder / "prompts").symlink_to((installed / "prompts").absolute())
        yield folder


def _list_pack_paths(folder: Path) -> list[str]:
    """Return the files of a folder that belong to a pack, relative to it."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*.yaml"))
    return sorted(path for path in found if PACK_PATH.fullmatch(path))
