"""Release documents: the SBOM fits CycloneDX, the statement names what was built, licences are listed."""

import json
from pathlib import Path

import pytest

from tools import licences, lock_components, release_documents

LOCKED = lock_components.read_components()
WITH_TELEMETRY = lock_components.read_components(lock_components.OTEL_LOCK)


def test_every_locked_package_has_its_hashes_and_a_licence() -> None:
    assert len(LOCKED) > 50 and all(each.sha256 for each in LOCKED)
    assert not [each.name for each in LOCKED if each.licence == "unknown"]


def test_the_sbom_fits_the_published_schema_and_names_every_package() -> None:
    document = release_documents.build_sbom("1.2.3", LOCKED)
    assert [(each["name"], each["version"]) for each in document["components"]] == [
        (each.name, each.version) for each in LOCKED
    ]
    few = release_documents.build_sbom("1.2.3", LOCKED[::15])  # all take 20 s, as `make dist` does
    assert release_documents.check_sbom(few) == ""


def test_an_sbom_that_does_not_fit_is_found() -> None:
    assert release_documents.check_sbom({"bomFormat": "CycloneDX", "specVersion": "1.6", "vers": 1})


def test_the_documents_lie_beside_the_wheel_and_name_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release_documents, "read_components", lambda: LOCKED[:5])
    wheel = tmp_path / "dialtree-1.2.3-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    written = release_documents.write_documents(tmp_path)
    statement = json.loads(written["provenance"].read_text())
    digests = {each["name"]: each["digest"]["sha256"] for each in statement["subject"]}
    assert digests[wheel.name] == release_documents.file_hash(wheel) and len(digests) == 2
    source, lock = statement["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert source["digest"]["gitCommit"] == release_documents.head_commit()
    assert lock["digest"]["sha256"] == release_documents.file_hash(release_documents.LOCK)


@pytest.mark.parametrize("component", WITH_TELEMETRY, ids=lambda each: f"{each.name}-{each.version}")
def test_the_page_lists_every_package_with_its_licence(component: lock_components.LockedComponent) -> None:
    page = licences.PAGE.read_text(encoding="utf-8")
    assert f"| {component.name} | {component.version} | {component.licence} |" in page
    if component.is_copyleft:
        assert f"\n- {component.name} {component.version}: {component.licence}" in page
