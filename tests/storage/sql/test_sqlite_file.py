"""SQLite files: who may read them."""

import stat
from pathlib import Path

import pytest
from sqlalchemy import text

from storage.sql.engine import connect


def file_modes(folder: Path) -> dict[str, int]:
    """Return the permissions of the files in a folder, by name."""
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.parametrize("before", [None, 0o644, 0o660])
async def test_a_sqlite_file_is_closed_to_other_users(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "own.db"
    if before is not None:
        path.touch(before)
        path.chmod(before)
    database = connect(f"sqlite:///{path}")
    await database.write(lambda c: c.execute(text("CREATE TABLE things (id INTEGER)")).close())
    modes = file_modes(tmp_path)
    await database.close()
    assert len(modes) == 3 and set(modes.values()) == {(before or 0o600) & ~0o007}
