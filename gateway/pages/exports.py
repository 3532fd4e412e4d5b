"""Exports on the bill page: bills and usage as CSV, by months, centre and detail (B4, B24)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flows.domain.failures import BadRequest
from flows.domain.records import Subscriber
from flows.selfcare.export_period import ExportPeriod, parse_period
from flows.services.file_links import EXPORT_KINDS, FileKind, LinkedFile
from gateway.pages.form_input import FormInput
from gateway.pages.page_request import PageRequest

EXPORT_FIELD = "export"
"""The field that says what is exported: a kind of `EXPORT_KINDS` and a level, `usage totals`."""
DETAIL_LEVELS = ("lines", "totals")
TEXT_NAMES: Mapping[FileKind, str] = {"export": "bills", "usage": "usage"}
"""How the texts of the buttons name a kind."""
PERIOD_INPUTS = tuple(
    FormInput(name, 7, {"type": "text", "autocomplete": "off"}, is_required=False)
    for name in ("period_from", "period_to")
)
"""First and last month; both empty for the latest bill, or for all usage."""
ROOT_INPUT = FormInput("export_root", 64, {"type": "text", "autocomplete": "off"}, is_required=False)
EXPORT_INPUTS = (*PERIOD_INPUTS, ROOT_INPUT)


@dataclass(frozen=True, slots=True)
class ChosenExport:
    """What a form asks for."""

    file: LinkedFile
    period: ExportPeriod | None


def posted_period(request: PageRequest) -> ExportPeriod | None:
    """Return the posted period; None where none was given, ValueError for what is no period."""
    first, last = (request.form_fields.get(each.name, "") for each in PERIOD_INPUTS)
    return parse_period(first, last, request.ports.today())


def export_buttons(request: PageRequest, *, has_bill: bool) -> Iterator[tuple[str, str]]:
    """Yield the field's value and the words of each export of this operator; none where its menu has none."""
    for kind in _offered_kinds(request, has_bill=has_bill):
        for level in DETAIL_LEVELS:
            yield f"{kind} {level}", request.plain_text(f"page.export_{TEXT_NAMES[kind]}_{level}")


def read_choice(request: PageRequest, subscriber: Subscriber, bill_id: str) -> ChosenExport:
    """Return the export a form asks for; ValueError for no period, BadRequest for what is not offered.

    `bill_id` is the latest bill that may be seen; empty when there is none.
    """
    kind, _, level = request.form_fields.get(EXPORT_FIELD, "").partition(" ")
    if kind not in _offered_kinds(request, has_bill=bool(bill_id)) or level not in DETAIL_LEVELS:
        raise BadRequest("no such export")
    root = request.form_fields.get(ROOT_INPUT.name, "").strip().upper()
    bill = bill_id if kind == "export" else ""
    file = LinkedFile(kind, subscriber.account, subscriber.msisdn, bill, root, level)
    return ChosenExport(file, posted_period(request))


def _offered_kinds(request: PageRequest, *, has_bill: bool) -> list[FileKind]:
    flows, capabilities = request.menu.config.flows, request.ports.billing.capabilities
    offered = {
        "export": "export" in flows and has_bill,
        "usage": "usage_export" in flows and "usage" in capabilities,
    }
    return [kind for kind in sorted(EXPORT_KINDS) if offered[kind]]
