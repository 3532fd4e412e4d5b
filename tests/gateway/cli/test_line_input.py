"""Line input: the history file holds only what it was given, in the order it was typed."""

from pathlib import Path

from gateway.cli.line_input import MAX_HISTORY_LINES, PhoneHistory, history_file, open_input


async def offered_lines(history: PhoneHistory) -> list[str]:
    """Return what the arrow keys offer, newest first."""
    return [line async for line in history.load()]


async def test_only_what_is_remembered_is_stored(tmp_path: Path) -> None:
    history = PhoneHistory(tmp_path / "state" / "history")
    history.append_string("ThankYou1")
    for line in ("1", "1", " ", "2"):
        history.remember(line)
    assert history.path.read_text() == "1\n2\n"
    assert history.path.stat().st_mode & 0o077 == 0
    assert await offered_lines(PhoneHistory(history.path)) == ["2", "1"]


async def test_the_oldest_lines_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "history"
    path.write_text("".join(f"{number}\n" for number in range(MAX_HISTORY_LINES + 5)))
    offered = await offered_lines(PhoneHistory(path))
    assert (len(offered), offered[-1]) == (MAX_HISTORY_LINES, "5")


async def test_a_history_that_cannot_be_written_lasts_while_we_run(tmp_path: Path) -> None:
    history = PhoneHistory(tmp_path)
    assert await offered_lines(history) == []
    history.remember("1")
    assert await offered_lines(history) == ["1"]


async def test_a_damaged_history_still_offers_its_other_lines(tmp_path: Path) -> None:
    (tmp_path / "history").write_bytes(b"1\n\xff\xfe\n2\n")
    assert (await offered_lines(PhoneHistory(tmp_path / "history")))[::2] == ["2", "1"]


def test_a_relative_state_folder_is_ignored() -> None:
    assert history_file({"XDG_STATE_HOME": "/srv/state"}) == Path("/srv/state/dialtree/history")
    assert history_file({"XDG_STATE_HOME": "state"}) == Path.home() / ".local/state/dialtree/history"


def test_a_pipe_has_neither_prompt_nor_history() -> None:
    assert not open_input({}).is_terminal
