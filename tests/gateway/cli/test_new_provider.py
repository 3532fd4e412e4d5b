"""`dialtree new provider`: what it writes is a description without a fault, and can be served."""

from argparse import Namespace
from pathlib import Path

import pytest

from gateway.cli.new_operator import ScaffoldError
from gateway.cli.new_provider import main, write_description
from gateway.http.sample_check import check_description
from gateway.providers.registry import FOLDER_VARIABLE, discover_providers
from menus.packfile.yaml_source import PackError


def test_what_it_writes_has_no_fault_and_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(Namespace(name="acme_ussd", into=tmp_path)) == 0
    assert check_description(tmp_path / "acme_ussd.yaml") == []
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert "ussd" in discover_providers()["acme_ussd"].ROUTES


@pytest.mark.parametrize("name", ["Acme", "acme-ussd", "1acme", "../acme", "twilio", "hubtel"])
def test_a_name_that_cannot_be_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ScaffoldError, match=name):
        write_description(name, tmp_path)


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    write_description("acme", tmp_path).write_text("mine")
    with pytest.raises(ScaffoldError, match="there already"):
        write_description("acme", tmp_path)
    assert (tmp_path / "acme.yaml").read_text() == "mine"


def test_a_broken_description_stops_the_start_with_its_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_description("acme", tmp_path)
    path.write_text(path.read_text().replace("kind: path", "kind: sesame"))
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    with pytest.raises(PackError, match=r"acme\.yaml:8:24: 'sesame'"):
        discover_providers()
