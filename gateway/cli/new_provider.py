"""Command `dialtree new provider`: a description of an HTTP provider to start from."""

import re
from argparse import Namespace
from pathlib import Path
from string import Template

from gateway.cli.new_operator import STARTER_FOLDER, ScaffoldError
from gateway.providers.registry import FOLDER_VARIABLE, discover_providers

PROVIDER_NAME = re.compile(r"[a-z][a-z0-9_]*")


def main(args: Namespace) -> int:
    """Write the description and print the next steps; ScaffoldError when it cannot be created."""
    path = write_description(args.name, args.into)
    print(
        f"{path} is written. Change it to what the provider's documentation says, then:\n"
        f"  dialtree check {path}\n"
        f"  export {FOLDER_VARIABLE}={args.into}\n"
        f"  and a section [operators.OPERATOR.{args.name}] in dialtree.toml"
    )
    return 0


def write_description(name: str, into: Path) -> Path:
    """Write a description and return its path; ScaffoldError when the name is not valid or taken."""
    path = into / f"{name}.yaml"
    if not PROVIDER_NAME.fullmatch(name):
        raise ScaffoldError(f"{name!r} is no name; write small letters, digits and _, e.g. acme_ussd")
    if path.exists():
        raise ScaffoldError(f"{path} is there already; choose another name or folder")
    if name in discover_providers():
        raise ScaffoldError(f"{name} is a provider we have; choose another name")
    template = Template((STARTER_FOLDER / "provider.yaml").read_text(encoding="utf-8"))
    into.mkdir(parents=True, exist_ok=True)
    words = {"title": name.replace("_", " ").title(), "file": path}
    path.write_text(template.substitute(words), encoding="utf-8")
    return path
