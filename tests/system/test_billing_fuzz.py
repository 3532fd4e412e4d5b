"""Fuzzed billing answers: whatever a BSS returns, the subscriber gets a screen that fits."""

import json
from pathlib import Path

from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from menus.text.gsm import measure_text
from tests.storage.billing.test_failures import ACCOUNT, EMPTY_DIALOG, dial_and_press, serve_response
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.system.test_dialogs_by_backend import open_with_backend

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MONEY = st.fixed_dictionaries({"unit": st.sampled_from(["RON", "EUR", "", None]), "value": st.floats() | JSON})
FIELDS = {
    **dict.fromkeys(("amountDue", "remainingAmount", "taxIncludedAmount", "taxExcludedAmount"), MONEY | JSON),
    **dict.fromkeys(("billDate", "paymentDueDate"), st.datetimes().map(str) | st.text(max_size=30) | JSON),
    "state": st.sampled_from(["sent", "partiallyPaid", "settled", "new"]) | JSON,
    "category": st.sampled_from(["normal", "credit note"]) | JSON,
    "id": st.text(max_size=200) | JSON,
    "billNo": st.text(max_size=300) | JSON,
    "taxItem": st.lists(st.fixed_dictionaries({"taxAmount": MONEY | JSON}), max_size=3) | JSON,
}
"""Fields of a bill by the published schema: rarely of the right type, mostly not."""


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(odd=st.fixed_dictionaries({}, optional=FIELDS))
async def test_T35_whatever_billing_answers_the_subscriber_gets_a_fitting_screen(
    odd: dict[str, object], sandboxes: SandboxFactory, tmp_path: Path
) -> None:
    days = {"billDate": "2026-03-01", "paymentDueDate": "2026-03-15"}
    bill: dict[str, object] = {**days, "state": "sent", "id": "b"}
    bill |= {"taxIncludedAmount": {"unit": "RON", "value": 79.9}, "billingAccount": {"id": ACCOUNT}}
    text = json.dumps([{**bill, **odd}])
    async with open_with_backend("tmf678-v4", sandboxes, EMPTY_DIALOG, tmp_path) as (sandbox, bss):
        line = sandbox.direct_line()
        await dial_and_press(line)
        bss.override_response = serve_response(lambda: web.Response(text=text, content_type="application/json"))
        lines = await dial_and_press(line, "1", "1", "1")
    shown = "\n".join(line for line in lines if line != "= end")
    assert lines and measure_text(shown).units <= 182 and all(each.isprintable() for each in lines)


async def test_T35_ten_megabytes_are_not_read(sandboxes: SandboxFactory, tmp_path: Path) -> None:
    async with open_with_backend("tmf678-v4", sandboxes, EMPTY_DIALOG, tmp_path) as (sandbox, bss):
        line = sandbox.direct_line()
        await dial_and_press(line)
        bss.override_response = serve_response(
            lambda: web.Response(text="[" + " " * 10_000_000 + "]", content_type="application/json")
        )
        lines = await dial_and_press(line, "1", "1", "1")
    assert "nu raspunde" in lines[0]
