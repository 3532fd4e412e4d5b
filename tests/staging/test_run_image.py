"""The image test says what is missing, and what it plays of the manifests is what podman can play."""

import re
from pathlib import Path

import pytest

from tests.staging import run_image
from tests.staging.compose_services import SERVICES
from tests.staging.container_engine import ContainerEngine
from tests.staging.run_image import (
    PROJECT,
    PROMETHEUS,
    STORES,
    compose_folder,
    playable_objects,
    read_values,
)


def test_a_missing_engine_is_told_with_the_packages_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(run_image, "PROGRAM_PATH", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["run_image", str(tmp_path / "store")])
    assert run_image.main() == 2
    told = capsys.readouterr().err
    assert told.startswith("NO CONTAINER ENGINE: apt-get install podman") and "mmdebstrap" in told
    assert not (tmp_path / "store").exists()


def test_the_stand_ins_have_the_names_that_compose_asks_for() -> None:
    asked = {SERVICES[service]["image"] for service in (*STORES, "prometheus")}
    assert {name.removeprefix("localhost/") for name in (*STORES.values(), PROMETHEUS)} == asked


def test_the_compose_folder_fills_in_every_value_and_is_gone_afterwards() -> None:
    with compose_folder(4711) as folder:
        values = dict(read_values(folder / ".env"))
        assert all(values.values()) and {"POSTGRES_PASSWORD", "SECRET_KEY"} <= values.keys()
        assert ":4711" in (folder / "deploy" / "dialtree.toml").read_text()
    assert not folder.exists()


def test_one_pod_of_each_role_is_played_with_the_settings_given() -> None:
    objects = list(playable_objects('public_url = "https://gw.example.net"\n'))
    kinds = [(each["kind"], each["metadata"]["name"]) for each in objects]
    assert kinds == [
        ("ConfigMap", "dialtree"),
        ("Deployment", "dialtree-serve"),
        ("Deployment", "dialtree-worker"),
    ]
    assert {each["spec"]["replicas"] for each in objects[1:]} == {1}


def test_podman_is_given_limits_this_process_has(tmp_path: Path) -> None:
    engine = ContainerEngine(tmp_path / "store")
    engine.write_settings()
    limits = re.findall(r"(\w+)=(\d+):\d+", (tmp_path / "store" / "containers.conf").read_text())
    assert {name for name, _ in limits} <= {"nofile", "nproc"}
    assert engine.environment["CONTAINERS_CONF"].startswith(str(tmp_path)) and PROJECT
