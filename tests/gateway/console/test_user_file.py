"""The file of the console's users, and the commands that write it."""

import stat
from argparse import Namespace
from pathlib import Path

import pytest

from gateway.cli import console as command
from gateway.console.console_texts import CONSOLE_LANGUAGES, load_texts
from gateway.console.user_file import UserFile, UserFileError, build_user, check_password_form
from gateway.console_settings import ConsoleSettings
from gateway.providers.registry import discover_providers
from gateway.settings import Settings, load_settings
from gateway.settings_safety import require_safe_settings
from gateway.settings_sources import SettingsError
from tests.support.console_site import USERS, write_users


@pytest.fixture
def users(tmp_path: Path) -> UserFile:
    return write_users(tmp_path / "users.json")


def test_users_are_read_as_they_were_written(users: UserFile) -> None:
    read = users.read_users()
    assert read.keys() == USERS.keys()
    assert sorted(read["ines"].roles) == ["auditor", "operations", "support"]
    assert set(read["ines"].operators) == {"bouygues"}
    assert "argon2id" in read["ines"].password_hash and "argon2id" not in repr(read["ines"])


def test_only_its_owner_may_read_it(users: UserFile, tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o640)
    with pytest.raises(UserFileError, match="chmod 600"):
        users.read_users()


@pytest.mark.parametrize("body", ["", "[]", '{"users": {"a": {}}}', '{"users": {"a": 1}}', '{"users": []}'])
def test_a_file_that_is_not_ours_is_refused(users: UserFile, tmp_path: Path, body: str) -> None:
    (tmp_path / "users.json").write_text(body)
    with pytest.raises(UserFileError):
        users.read_users()


@pytest.mark.parametrize(
    ("name", "roles", "operators"),
    [
        ("", ["support"], ["x"]),
        ("Ana", ["support"], ["x"]),
        ("a b", ["support"], ["x"]),
        ("a", ["root"], ["x"]),
        ("a", [], ["x"]),
        ("a", ["support"], []),
    ],
)
def test_a_user_that_cannot_be_is_refused(name: str, roles: list[str], operators: list[str]) -> None:
    with pytest.raises(UserFileError):
        build_user(name, "", roles, operators)


def test_a_password_is_long_and_not_the_name() -> None:
    assert check_password_form("ioana", "correct horse battery") == ""
    for weak in ("short", "ioana ioana ioana", "aaaaaaaaaaaaaaaa", "x" * 129):
        assert check_password_form("ioana", weak)


def build_settings(folder: Path, public_url: str = "http://127.0.0.1", **more: bool) -> Settings:
    raw = {
        "public_url": "https://gw.example",
        "secret_key": "o5sT9sAq4mB2vN8xK1jL7pR3wE6yU0iZ",
        "operators": {"orange-ro": {}},
        "console": {"public_url": public_url, "users_file": str(folder / "users.json")},
    }
    return load_settings(discover_providers(), folder / "none", {}, {**raw, **more})


def run_command(folder: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], **args: object) -> int:
    answers = iter(typed)
    monkeypatch.setattr(command, "getpass", lambda prompt: next(answers))
    monkeypatch.setattr(command, "read_settings", lambda: build_settings(folder))
    return command.main(Namespace(**args))


def test_a_user_is_added_listed_and_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    added = {"what": "add", "name": "ioana", "role": ["support"], "operator": ["orange-ro"]}
    assert run_command(tmp_path, monkeypatch, ["a good long one", "a good long one"], **added) == 0
    assert run_command(tmp_path, monkeypatch, [], what="list") == 0
    assert "ioana" in (shown := capsys.readouterr().out) and "argon2" not in shown
    assert [run_command(tmp_path, monkeypatch, [], what="remove", name="ioana") for _ in "ab"] == [0, 2]


@pytest.mark.parametrize("typed", [["a good long one", "another long one"], ["short", "short"]])
def test_a_password_that_differs_or_is_weak_adds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str]
) -> None:
    added = {"what": "add", "name": "ioana", "role": ["support"], "operator": ["orange-ro"]}
    assert run_command(tmp_path, monkeypatch, typed, **added) == 2
    assert not (tmp_path / "users.json").exists()


def test_an_operator_that_is_not_served_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    added = {"what": "add", "name": "ioana", "role": ["support"], "operator": ["nobody-xx"]}
    assert run_command(tmp_path, monkeypatch, [], **added) == 2


def test_without_a_table_there_is_no_console(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = build_settings(tmp_path).model_copy(update={"console": None})
    monkeypatch.setattr(command, "read_settings", lambda: bare)
    with pytest.raises(SettingsError, match=r"\[console\]"):
        command.main(Namespace(what="serve"))


def test_outside_the_demo_the_console_is_reached_over_https(tmp_path: Path) -> None:
    require_safe_settings(build_settings(tmp_path, "https://console.example"))
    with pytest.raises(SettingsError, match=r"console\.public_url"):
        require_safe_settings(build_settings(tmp_path, "http://console.example"))
    require_safe_settings(build_settings(tmp_path, "http://console.example", demo=True))


def test_a_users_file_in_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="folder does not exist"):
        ConsoleSettings.model_validate({"public_url": "http://a", "users_file": f"{tmp_path}/no/users.json"})


@pytest.mark.parametrize("language", CONSOLE_LANGUAGES)
def test_every_language_has_every_text(language: str) -> None:
    assert load_texts(language).keys() == load_texts("en").keys()
    slots = {name: sorted(s for s in text.split() if "{" in s) for name, text in load_texts("en").items()}
    assert all(load_texts(language)[name].count("{") == len(each) for name, each in slots.items())
