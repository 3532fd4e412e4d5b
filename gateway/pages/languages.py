"""Page languages: texts a language must have, and content negotiation of a visitor's language."""

import re
from collections.abc import Sequence

from flows.domain.rubrics import LINE_RUBRICS
from flows.selfcare.invoice import OTHER_RUBRIC
from menus.machine.menu import Menu
from menus.text.language_data import load_language

REQUIRED_TEXTS = (
    *("page.language", "page.problem", "page.help", "page.go_on", "page.limited", "page.stale"),
    *(
        "page.bill_title",
        "page.bill_of_month",
        "page.bill_how",
        "page.bill_life",
        "page.number",
        "page.number_hint",
        "page.code",
    ),
    *("page.code_hint", "page.see", "page.refused", "page.line", "page.bill_number", "page.total", "page.tax"),
    *("page.remaining", "page.due", "page.state", "page.detail", "page.rubric", "page.amount"),
    *(f"page.rubric_{rubric}" for rubric in (*LINE_RUBRICS, OTHER_RUBRIC)),
    *("page.pdf", "page.leave", "page.leave_hint", "page.link", "page.link_hint", "page.gone_title"),
    *("page.gone", "page.address_title", "page.address", "page.address_hint", "page.address_bad"),
    *("page.address_send", "page.address_done", "page.confirm_title", "page.confirm_send"),
    *("page.mailbox_title", "page.mailbox", "page.mailbox_hint", "page.mailbox_bad", "page.mailbox_send"),
    *("page.mailbox_sent", "page.mailbox_soon", "page.mailbox_done"),
    *("page.address_pending", "page.address_ticket", "page.confirm_done", "page.confirm_other"),
    *("page.confirm_bills", "page.confirm_pending", "page.confirm_refused"),
    *("page.confirm_notice_kept", "page.confirm_notice_pending"),
    *("page.bill_mail", "page.mail_code", "page.code_mailed"),
    *("page.purchases_title", "page.purchase_list", "page.purchase_spent", "page.purchase_cap"),
    *("page.purchase_alert", "page.purchase_on", "page.purchase_off", "page.purchase_save"),
    *("page.purchase_wrong", "page.purchase_block", "page.purchase_open"),
    *("page.pay_title", "page.pay_button", "page.pay_host", "page.pay_changed", "page.pay_settled"),
    *("page.pay_receipt", "page.paid_title", "page.paid_open", "page.paid_booked", "page.paid_failed"),
    *("page.paid_unknown", "page.paid_refunded", "page.ways_title", "page.debit", "page.promise"),
    "page.promise_button",
    *(
        "page.file_title",
        "page.file_send",
        "page.file_code",
        "page.file_stays",
        "page.file_refused",
        "page.file_download",
        "page.file_preparing",
        "page.resend",
        "page.code_wait",
    ),
    *(
        "page.period_from",
        "page.period_from_hint",
        "page.period_to",
        "page.period_to_hint",
        "page.period_wrong",
    ),
    *("page.issued", "page.centre", "page.label", "page.currency"),
    *("page.day", "page.kind", "page.quantity", "page.unit", "page.export_empty", "page.exports_title"),
    *("page.export_root", "page.export_root_hint", "page.export_bills_lines", "page.export_bills_totals"),
    *("page.export_usage_lines", "page.export_usage_totals", "page.activity_down", "page.payments_title"),
    *("page.unbilled_title", "page.unbilled_sum", "page.meter_title", "page.services_title"),
    "page.usage_title",
    *("page.period", "page.seller", "page.customer", "page.net", "page.summary", "page.duplicate"),
)
"""Every text the pages show; a language without all of them is not offered."""
_LANGUAGE_RANGE = re.compile(r"([a-z]{2,3})(?:-[a-z0-9-]*)?(?:;q=([01](?:\.[0-9]{0,3})?))?", re.IGNORECASE)
_MAX_HEADER_CHARACTERS = 200


def offered_languages(menu: Menu) -> tuple[str, ...]:
    """Return the pack's languages that have all texts of the pages, in the pack's order."""
    return tuple(
        language
        for language in menu.config.languages
        if all(name in menu.language_packs[language].catalogue for name in REQUIRED_TEXTS)
    )


def negotiate_language(languages: Sequence[str], requested: str, accept_language: str) -> str:
    """Return the language requested, else the best of Accept-Language, else the first."""
    if requested in languages:
        return requested
    ranges = (
        _LANGUAGE_RANGE.fullmatch("".join(part.split()))
        for part in accept_language[:_MAX_HEADER_CHARACTERS].split(",")
    )
    ranked = [(-float(match[2] or 1), match[1].lower()) for match in ranges if match]
    matching = [language for rank, language in sorted(ranked, key=_sort_key) if rank and language in languages]
    return matching[0] if matching else languages[0]


def _sort_key(ranked: tuple[float, str]) -> float:
    return ranked[0]


def text_direction(language: str) -> str:
    """Return the value of HTML's `dir` for the language."""
    return "rtl" if load_language(language).right_to_left else "ltr"
