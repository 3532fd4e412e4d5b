"""Scenarios of CAMARA carrier billing: read from the published feature files, with what each expects."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

STANDARD = Path(__file__).parents[2] / "standards" / "camara"
DESCRIPTION = yaml.safe_load((STANDARD / "carrier-billing.yaml").read_text())
REFUND_DESCRIPTION = yaml.safe_load((STANDARD / "carrier-billing-refund.yaml").read_text())
FEATURES = sorted((STANDARD / "features").glob("carrier-billing-*Payment.feature"))
REFUND_FEATURES = sorted((STANDARD / "features").glob("carrier-billing-refund-*.feature"))
ROW = re.compile(r"^\s*\|(.*)\|\s*$")


@dataclass(frozen=True)
class Scenario:
    """One scenario, or one example of an outline."""

    name: str
    """Its tag without the operation: `400.01_no_request_body`."""
    operation: str
    example: str
    """First cell of its example; empty for none."""
    text: str

    @property
    def kind(self) -> str:
        """Its name without the numbers: `no_request_body`."""
        return re.sub(r"^(C?\d\d\d?(\.\d\d)?_)", "", self.name)

    @property
    def status(self) -> int:
        return int(self._found(r"response status code is (\d{3})"))

    @property
    def code(self) -> str:
        return self._found(r'"\$\.code" is "([^"]+)"')

    @property
    def schema(self) -> str:
        return self._found(r'response body complies with the OAS schema at "/components/schemas/(\w+)"')

    @property
    def payment_status(self) -> str:
        return self._found(r'"\$\.paymentStatus" is "(\w+)"')

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.text)
        return found[1] if found else ""


def read_scenarios(path: Path) -> Iterator[Scenario]:
    """Yield the scenarios of a feature file, each example of an outline by itself."""
    operation = path.stem.rpartition("-")[2]
    prefix = re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", operation)
    for block in re.split(r"\n\s*@", path.read_text())[1:]:
        tag, _, text = block.partition("\n")
        name = tag.strip().removeprefix(f"{prefix}_")
        name = re.sub(r"^01_generic_success_scenario_payment_", "", name)  # a tag written twice into one
        rows = [found[1].split("|")[0].strip() for line in text.splitlines() if (found := ROW.match(line))]
        yield from (Scenario(name, operation, example, text) for example in rows[1:] or [""])


def required_fields(schema: str) -> list[str]:
    """Return the fields that the published description requires."""
    schemas = {**DESCRIPTION["components"]["schemas"], **REFUND_DESCRIPTION["components"]["schemas"]}
    return list(schemas[schema].get("required", []))


def published_codes() -> set[str]:
    """Return every error code of the published descriptions."""
    found: set[str] = set()
    todo: list[object] = [DESCRIPTION, REFUND_DESCRIPTION]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            enum = value.get("code", {}).get("enum", []) if isinstance(value.get("code"), dict) else []
            found.update(map(str, enum))
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)
    return found
