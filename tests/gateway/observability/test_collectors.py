"""Metrics, funnel and conversation log: what is recorded of conversations, without any number."""

import json
import logging
import re
from itertools import count
from pathlib import Path

import pytest

from flows.domain.failures import Overloaded
from gateway.dialogs.direct_line import DirectLine
from tests.support.gateway_sandbox import GatewaySandbox

ANA = "+40740000101"
DASHBOARD = Path(__file__).parents[3] / "docs" / "grafana.json"


@pytest.fixture
async def used_sandbox(sandbox: GatewaySandbox, caplog: pytest.LogCaptureFixture) -> GatewaySandbox:
    """Provide a sandbox after one activation of e-invoicing and one abandoned session."""
    caplog.set_level(logging.INFO, "dialtree.conversation")
    await dial_and_press(sandbox.direct_line(), "1", "1", "3", "1")
    line = sandbox.direct_line()
    line.session_numbers = count(2)
    await dial_and_press(line, "7", "1")
    await line.hang_up()
    await sandbox.messages.collect_new()
    await sandbox.container.metrics.refresh_gauges(sandbox.container.database, sandbox.clock())
    return sandbox


async def dial_and_press(line: DirectLine, *keys: str) -> None:
    await line.dial(ANA, "*100#")
    for key in keys:
        await line.press(key)


def scrape_metrics(sandbox: GatewaySandbox) -> str:
    return sandbox.container.metrics_registry.render_exposition().decode()


def test_turns_screens_and_deliveries_are_counted(used_sandbox: GatewaySandbox) -> None:
    told, where = scrape_metrics(used_sandbox), 'channel="ussd",operator="orange-ro"'
    assert f'dialtree_turns_total{{{where},outcome="moved",screen="home"}} 2.0' in told
    assert f'dialtree_screen_abandonments_total{{{where},screen="budget"}} 1.0' in told
    assert f'dialtree_screen_failures_total{{{where},screen="home"}} 1.0' in told
    assert (
        'dialtree_delivery_attempts_total{kind="notice",operator="orange-ro",route="sms",state="sent"} 1.0'
        in told
    )
    assert "dialtree_outbox_age_seconds 0.0" in told


def test_no_label_is_a_number_of_a_person(used_sandbox: GatewaySandbox) -> None:
    labels = re.findall(r'="([^"]*)"', scrape_metrics(used_sandbox))
    assert not [label for label in labels if re.search(r"\d{6}", label)]


def test_each_finished_conversation_is_one_log_record(
    used_sandbox: GatewaySandbox, caplog: pytest.LogCaptureFixture
) -> None:
    ended, left = [
        record.__dict__ for record in caplog.get_records("setup") if record.msg == "conversation.ended"
    ]
    assert ended["path"] == "home budget bill einvoice.confirm einvoice.activate einvoice.done"
    assert [ended["outcome"], left["outcome"], left["path"]] == ["einvoice.done", "abandoned", "home budget"]
    assert ended["subscriber"] == used_sandbox.container.pseudonyms.keyed_hash("orange-ro", ANA)
    assert ANA[1:] not in str([ended, left])


def counter_values(sandbox: GatewaySandbox) -> set[str]:
    return {name.removesuffix("_total") for name in re.findall(r"^# TYPE (\w+)", scrape_metrics(sandbox), re.M)}


def dashboard_metrics() -> set[str]:
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    told = [target["expr"] for each in panels for target in each["targets"]]
    return {re.sub("_(bucket|total)$", "", name) for each in told for name in re.findall(r"dialtree_\w+", each)}


def test_step_outcomes_are_counted(used_sandbox: GatewaySandbox) -> None:
    labels = 'channel="ussd",operator="orange-ro",outcome="ok",step="einvoice.activate"'
    assert f"dialtree_step_outcomes_total{{{labels}}} 1.0" in scrape_metrics(used_sandbox)


async def test_a_shed_password_check_is_counted(sandbox: GatewaySandbox) -> None:
    limit = sandbox.container.passwords.check_limit
    limit.max_running = 0
    with pytest.raises(Overloaded):
        await limit.acquire()
    text = sandbox.container.metrics_registry.render_exposition().decode()
    assert 'dialtree_limit_shed_total{limit="passwords"} 1.0' in text
    assert 'dialtree_limit_calls{limit="sms orange-ro"} 0.0' in text


def test_the_dashboard_asks_for_what_is_counted_and_for_all_of_it(used_sandbox: GatewaySandbox) -> None:
    created = {name for name in counter_values(used_sandbox) if name.endswith("_created")}
    assert dashboard_metrics() == counter_values(used_sandbox) - created
