"""Release documents: a CycloneDX SBOM and a provenance statement beside the wheel (`make dist`)."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tools.lock_components import ROOT, LockedComponent, read_components

JsonObject = dict[str, Any]
LOCK = ROOT / "requirements.lock"
SBOM_NAME = "dialtree.cdx.json"
BUILD_TYPE = "urn:dialtree:make-dist:1"
"""Names what a statement's parameters mean: commit and lock of `make dist`."""


def build_sbom(version: str, components: Sequence[LockedComponent]) -> JsonObject:
    """Return the CycloneDX 1.6 document of a release; the same for the same lock."""
    main: JsonObject = {"type": "application", "bom-ref": "dialtree", "name": "dialtree", "version": version}
    main |= {"licenses": [{"license": {"id": "Apache-2.0"}}]}
    listed = [_sbom_component(each) for each in components]
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid5(NAMESPACE_URL, json.dumps(listed))}",
        "version": 1,
        "metadata": {"component": main},
        "components": listed,
        "dependencies": [{"ref": "dialtree", "dependsOn": [each["bom-ref"] for each in listed]}],
    }


def _sbom_component(component: LockedComponent) -> JsonObject:
    """Return one package; each of its files is a distribution with its hash."""
    purl = f"pkg:pypi/{component.name}@{component.version}"
    files = [
        {"type": "distribution", "url": purl, "hashes": [{"alg": "SHA-256", "content": each}]}
        for each in component.sha256
    ]
    known = {"licenses": [{"license": {"name": component.licence}}]} if component.licence != "unknown" else {}
    return {
        "type": "library",
        "bom-ref": purl,
        "name": component.name,
        "version": component.version,
        "purl": purl,
        **known,
        "externalReferences": files,
    }


def check_sbom(document: JsonObject) -> str:
    """Return what the CycloneDX schema finds wrong; empty when nothing."""
    fault = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(document))
    return str(fault) if fault else ""


def build_statement(files: Sequence[Path], commit: str) -> JsonObject:
    """Return the in-toto statement (SLSA provenance 1.0) of built files: commit and lock they come from."""
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": each.name, "digest": {"sha256": file_hash(each)}} for each in files],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {"target": "dist"},
                "resolvedDependencies": [
                    {"name": "source", "digest": {"gitCommit": commit}},
                    {"name": LOCK.name, "digest": {"sha256": file_hash(LOCK)}},
                ],
            },
            "runDetails": {"builder": {"id": BUILD_TYPE}},
        },
    }


def file_hash(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def head_commit() -> str:
    """Return the commit that is checked out; `unknown` outside a repository, with `-dirty` when changed."""
    command = ("git", "-C", str(ROOT), "describe", "--always", "--abbrev=40", "--dirty", "--exclude", "*")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def write_documents(folder: Path) -> Mapping[str, Path]:
    """Write SBOM and statement beside the built files; ValueError when the SBOM does not fit its schema."""
    [wheel] = folder.glob("*.whl")
    sbom = build_sbom(wheel.name.split("-")[1], read_components())
    if fault := check_sbom(sbom):
        raise ValueError(f"the SBOM does not fit CycloneDX 1.6: {fault}")
    sbom_path = folder / SBOM_NAME
    sbom_path.write_text(json.dumps(sbom, indent=1) + "\n", encoding="utf-8")
    statement_path = folder / f"{wheel.name}.intoto.json"
    built = [*sorted(folder.glob("*.whl")), *sorted(folder.glob("*.tar.gz")), sbom_path]
    statement_path.write_text(
        json.dumps(build_statement(built, head_commit()), indent=1) + "\n", encoding="utf-8"
    )
    return {"sbom": sbom_path, "provenance": statement_path}


def main() -> None:
    """Write the documents of the release in `dist`, or in the folder that is named."""
    for path in write_documents(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist")).values():
        print(path)


if __name__ == "__main__":
    main()
