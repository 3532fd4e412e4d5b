"""Structure figures: names, packages and their imports by layer, and the files one USSD key passes through.

Run as `python -m tools.structure`. A crossing is a call from one file of ours into another; the frames of
libraries between the two do not count.
"""

import ast
import asyncio
import re
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from gateway.demo.startup import HOOK_TOKEN, OPERATOR_DEFAULTS
from gateway.providers.registry import discover_providers
from gateway.server.app import public_app
from gateway.settings import load_settings
from gateway.wiring.container import build_container
from storage.demo.world import seed_demo_world

ROOT = Path(__file__).parent.parent
LAYERS = ("gateway", "storage", "flows", "menus")
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
WORD_BREAK = re.compile(r"_|(?<=[a-z0-9])(?=[A-Z])")
OPERATOR = "orange-ro"
HOOK = f"/hooks/{OPERATOR}/africastalking/{HOOK_TOKEN}/ussd"
WARM_UP_CALLER, TRACED_CALLER = "+40740000105", "+40740000101"
"""Two callers of one language: a second session of the same caller would be offered to continue the first."""
SETTINGS: Mapping[str, object] = {
    "demo": True,
    "public_url": "http://127.0.0.1:8080",
    "secret_key": "nothing in this demo is a secret",
    "database_url": "sqlite://",
    "operators": {OPERATOR: OPERATOR_DEFAULTS},
}


@dataclass(frozen=True, slots=True)
class LayerFigures:
    """What one layer is made of."""

    modules: int
    lines: int
    packages: int
    """Top-level packages and modules of the layer."""
    package_imports: int
    """Pairs of them of which the first imports the second."""


@dataclass(slots=True)
class CallTrace:
    """Calls of functions of ours; `record_call` is a profile function for `sys.setprofile`."""

    calls: int = 0
    files: set[str] = field(default_factory=set)
    crossings: Counter[tuple[str, str]] = field(default_factory=Counter)
    frames: set[FrameType] = field(default_factory=set, repr=False)
    """Frames seen: a coroutine that continues is no new call."""

    def record_call(self, frame: FrameType, event: str, _: Any) -> None:
        """Count a call, and whether it comes from another file of ours."""
        callee = own_file(frame)
        if event != "call" or callee is None or frame in self.frames:
            return
        self.frames.add(frame)
        self.calls += 1
        self.files.add(callee)
        caller = _calling_file(frame)
        if caller is not None and caller != callee:
            self.crossings[caller, callee] += 1


def own_file(frame: FrameType) -> str | None:
    """Return the path of a frame's file below the root; None for the files of libraries."""
    path = Path(frame.f_code.co_filename)
    if not path.is_relative_to(ROOT):
        return None
    name = path.relative_to(ROOT)
    return str(name) if name.parts[0] in LAYERS else None


def _calling_file(frame: FrameType) -> str | None:
    caller = frame.f_back
    while caller is not None:
        if (name := own_file(caller)) is not None:
            return name
        caller = caller.f_back
    return None


async def trace_ussd_key(key: str = "1") -> CallTrace:
    """Return the calls of one key of the demo's menus, pressed for the second time: caches are filled."""
    trace = CallTrace()
    settings = load_settings(discover_providers(), Path("no file"), {}, dict(SETTINGS))
    async with build_container(settings) as container:
        await seed_demo_world(container.database, container.passwords, container.clock())
        async with TestClient(TestServer(public_app(container))) as client:
            for caller in (WARM_UP_CALLER, TRACED_CALLER):
                await _post_text(client, caller, "")
                sys.setprofile(trace.record_call if caller == TRACED_CALLER else None)
                await _post_text(client, caller, key)
                sys.setprofile(None)
    return trace


async def _post_text(client: TestClient[Any, Any], caller: str, text: str) -> None:
    form = {"sessionId": f"session of {caller}", "serviceCode": "*100#", "phoneNumber": caller, "text": text}
    async with client.post(HOOK, data=form) as answer:
        answer.raise_for_status()


def layer_figures(layer: str) -> LayerFigures:
    """Return the figures of one layer, migrations left out."""
    files = [path for path in (ROOT / layer).rglob("*.py") if "migrations" not in path.parts]
    pairs = {(above, below) for path in files for above, below in _package_imports(layer, path)}
    packages = {_package_of(".".join(path.relative_to(ROOT).with_suffix("").parts)) for path in files}
    lines = sum(path.read_text().count("\n") for path in files)
    return LayerFigures(len(files), lines, len(packages - {f"{layer}.__init__"}), len(pairs))


def _package_imports(layer: str, path: Path) -> Iterator[tuple[str, str]]:
    above = _package_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == layer:
            for alias in node.names:
                below = _package_of(f"{node.module}.{alias.name}")
                if below != above:
                    yield above, below


def _package_of(module: str) -> str:
    return ".".join(module.split(".")[:2])


def public_names() -> list[str]:
    """Return the public functions, methods and classes of all layers."""
    files = [
        path for layer in LAYERS for path in (ROOT / layer).rglob("*.py") if "migrations" not in path.parts
    ]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    names = [node.name for node in nodes if isinstance(node, DEFINITIONS)]
    return [name for name in names if not name.startswith("_")]


def _print_names() -> None:
    names = public_names()
    short = [name for name in names if len([part for part in WORD_BREAK.split(name) if part]) == 1]
    shared = [name for name, times in Counter(short).items() if times >= 5]
    print(f"public names {len(names)}, of one word {len(short)} ({len(short) / len(names):.0%})")
    print(f"one-word names defined five times or more: {', '.join(sorted(shared)) or 'none'}")


def _print_key(trace: CallTrace) -> None:
    by_layer = Counter(name.split("/")[0] for name in trace.files)
    shares = ", ".join(f"{by_layer[layer]} {layer}" for layer in LAYERS)
    print(f"one USSD key: {trace.calls} calls in {len(trace.files)} files ({shares})")
    print(f"    {trace.crossings.total()} calls from file to file, over {len(trace.crossings)} pairs of files")
    for (caller, callee), times in sorted(trace.crossings.items()):
        print(f"    {times:3} {caller} -> {callee}")


def main() -> None:
    """Print all figures."""
    for layer in LAYERS:
        figures = layer_figures(layer)
        print(
            f"{layer:8} {figures.modules:4} modules, {figures.lines:6} lines, {figures.packages:3} packages, "
            f"{figures.package_imports:3} imports between them"
        )
    _print_names()
    _print_key(asyncio.run(trace_ussd_key()))


if __name__ == "__main__":
    main()
