"""Loader of provider descriptions: faults are named with file, line and column."""

import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from gateway.providers._aggregators.described_provider import DescribedProvider, build_provider, known_settings
from gateway.providers._aggregators.description import (
    EVENT_KINDS,
    REPORT_STATES,
    ProviderForm,
    RouteForm,
    SourceForm,
)
from gateway.providers._aggregators.reply_writer import REPLY_NAMES, shape_names
from gateway.providers._aggregators.request_fields import as_source_form
from menus.packfile.yaml_source import Finding, PackError, ValuePath, read_yaml
from menus.packs.file_validation import validate_source

AGGREGATORS_FOLDER = Path(__file__).parents[1] / "aggregators"
"""The shipped descriptions."""
SENDER_NAMES = ("to", "digits", "text", "key", "callback", "sender")
"""Names the shape of a message may use beside the settings."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def load_folder(folder: Path, now: Callable[[], datetime] = _utc_now) -> Mapping[str, DescribedProvider]:
    """Load every description of a folder, by file name; PackError with the findings of the first bad one.

    A start asks for the providers several times: a file is read once, and looked at with one system call.
    """
    return {
        name.removesuffix(".yaml"): _load_version(folder / name, changed_at, now)
        for name, changed_at in _list_versions(folder)
    }


def _list_versions(folder: Path) -> list[tuple[str, int]]:
    """Return the names of a folder's descriptions and when each was changed (ns); none where no folder is."""
    if not folder.is_dir():
        return []
    with os.scandir(folder) as files:
        return sorted((each.name, each.stat().st_mtime_ns) for each in files if each.name.endswith(".yaml"))


def load_provider(path: Path, now: Callable[[], datetime] = _utc_now) -> DescribedProvider:
    """Load one description; PackError when it cannot be used."""
    return _load_version(path, path.stat().st_mtime_ns if path.is_file() else 0, now)


@lru_cache(maxsize=256)
def _load_version(path: Path, changed_at: int, now: Callable[[], datetime]) -> DescribedProvider:
    """Load a description, once per version of the file."""
    return build_provider(path.stem, load_description(path), now)


def load_description(path: Path) -> ProviderForm:
    """Read and check one description; PackError with its findings."""
    source = read_yaml(path)
    form = validate_source(ProviderForm, source)
    findings = [source.finding_at(place, message) for place, message in find_faults(form)]
    if not path.stem.isidentifier():
        findings.append(
            Finding(source.file, 1, 1, f"{path.stem!r} is no name; use small letters, digits and _")
        )
    if findings:
        raise PackError(findings)
    return form


def find_faults(form: ProviderForm) -> Iterator[tuple[ValuePath, str]]:
    """Yield what the schema cannot see: names that do not exist, words that are none of ours."""
    settings = known_settings(form)
    for name, route in form.routes.items():
        yield from (((("routes", name, *place)), message) for place, message in _route_faults(route))
    for setting in _authentication_settings(form):
        if setting not in settings:
            yield ("authentication",), f"no setting is called {setting!r}; write it under settings:"
    if form.sender:
        used = shape_names(form.sender.shape) | {
            name for text in (form.sender.url, *form.sender.headers.values()) for name in shape_names(text)
        }
        for name in sorted(used - set(SENDER_NAMES) - settings.keys()):
            yield ("sender",), f"${name} is neither a setting nor one of {', '.join(SENDER_NAMES)}"


def _authentication_settings(form: ProviderForm) -> list[str]:
    """Return the settings the authentication needs."""
    checks = form.authentication
    by_kind: Mapping[str, list[str]] = {
        "path": [],
        "basic": [checks.user_setting, checks.setting],
        "query": list(checks.fields.values()),
    }
    return by_kind.get(checks.kind, [checks.setting])


REQUIRED_VALUES: Mapping[str, tuple[str, ...]] = {
    "ussd": ("caller", "text"),
    "sms": ("caller", "text", "request_id"),
    "report": ("state",),
}
"""Names a route must read, by its channel."""


def _missing_values(route: RouteForm) -> Iterator[str]:
    yield from (name for name in REQUIRED_VALUES[route.channel] if name not in route.read)
    if route.channel == "report" and not {"message_id", "our_id"} & route.read.keys():
        yield "message_id"
    if route.channel == "ussd" and not (route.session_optional or "session" in route.read):
        yield "session"


def _route_faults(route: RouteForm) -> Iterator[tuple[ValuePath, str]]:
    for name in _missing_values(route):
        yield ("read",), f"{name!r} is missing; write where it stands in a request"
    known = {*route.read, *REPLY_NAMES}
    for name in sorted(shape_names(route.reply.shape) - known):
        yield ("reply", "shape"), f"${name} is not read; write it under read:"
    if route.reply.body == "xml" and not (isinstance(route.reply.shape, dict) and len(route.reply.shape) == 1):
        yield ("reply", "shape"), "an XML answer has one element; write its children below it"
    for name, words in (("kind", EVENT_KINDS), ("state", REPORT_STATES)):
        source = route.read.get(name)
        if isinstance(source, SourceForm):
            unknown = {*source.map.values(), *([source.other] if source.other else [])} - set(words)
            for word in sorted(unknown):
                yield ("read", name), f"{word!r} is not known here; write one of: {', '.join(words)}"
    for name, source in route.read.items():
        for place in as_source_form(source).at:
            if place.startswith("path:") and place.removeprefix("path:") not in route.path:
                yield ("read", name), f"{place} is no segment; name it under path:"
