"""Components of the lock: name, version, hashes and licence of everything a running gateway installs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).parent.parent
RUNTIME_LOCK = ROOT / "requirements" / "runtime.lock"
OTEL_LOCK = ROOT / "requirements" / "otel.lock"
"""The same with the extra `otel`."""
_PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
CLASSIFIER = "License :: OSI Approved :: "
LICENCE_NAMES: Mapping[str, str] = {
    "Apache License 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "MIT License": "MIT",
    "MIT license": "MIT",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Library or Lesser General Public License (LGPL)": "LGPL-2.1-or-later",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
}
"""SPDX names of what packages write in other words."""
ELSEWHERE: Mapping[str, str] = {"async-timeout": "Apache-2.0", "colorama": "BSD-3-Clause"}
"""Licences of packages that only other Pythons or systems install."""


@dataclass(frozen=True, slots=True)
class LockedComponent:
    """One pinned package."""

    name: str
    version: str
    sha256: tuple[str, ...]
    """Hashes of its files, any of which may be installed."""
    licence: str
    """SPDX expression or the package's own words; `unknown` where it is not installed here."""

    @property
    def is_copyleft(self) -> bool:
        return "GPL" in self.licence or "MPL" in self.licence


def read_components(lock: Path = RUNTIME_LOCK) -> Sequence[LockedComponent]:
    """Return the components of a lock, in its order."""
    return tuple(_parse_blocks(lock.read_text(encoding="utf-8")))


def _parse_blocks(text: str) -> Iterator[LockedComponent]:
    for block in re.split(r"\n(?=[A-Za-z0-9])", text):
        pin = _PIN.match(block)
        if pin:
            yield LockedComponent(pin[1], pin[2], tuple(_HASH.findall(block)), find_licence(pin[1]))


def find_licence(name: str) -> str:
    """Return the licence an installed package states: as an expression, in a classifier, or in words."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return ELSEWHERE.get(name, "unknown")
    return _stated_licence(dict(stated.json))


def _stated_licence(stated: Mapping[str, str | list[str]]) -> str:
    expression = stated.get("license_expression", "")
    if expression:
        return str(expression)
    classified = [
        str(each).removeprefix(CLASSIFIER)
        for each in stated.get("classifier", ())
        if str(each).startswith(CLASSIFIER)
    ]
    words = str(stated.get("license", "")).splitlines()[:1]
    written = " AND ".join(classified) or "".join(words) or "unknown"
    return LICENCE_NAMES.get(written, written)
