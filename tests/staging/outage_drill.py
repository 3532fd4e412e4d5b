"""Drill: the SMS provider is out for five minutes; alert, dashboard and console say so, and all recovers.

Run: python -m tests.staging.outage_drill [--outage 300]
"""

import argparse
import asyncio
import re
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from html import unescape
from itertools import count

from aiohttp import ClientSession, CookieJar

from gateway.console.queues import QUEUES_PATH
from tests.staging.dashboard_panel import ThresholdPanel, find_panel
from tests.staging.drill_scale import FULL_OUTAGE_SECONDS, DrillScale
from tests.staging.prometheus_server import PrometheusClient
from tests.staging.staging_provider import OUT_CODE, OUT_STATUS
from tests.staging.staging_site import OPERATOR, STAFF, STAFF_PASSWORD, ReportStep, StagingSite, run_staging
from tests.support.console_site import StaffMember
from tests.support.debian_packages import DEBIAN_PACKAGES
from tests.support.faults.aggregator_phone import MENU_STEPS, YES_STEP, AggregatorPhone, open_http_session
from tests.support.server_processes import ProgramMissing

ALERT, PANEL = "DialtreeCircuitOpen", "Open circuit breakers"
BACKLOG = 'sum(max by (state) (dialtree_outbox_rows{state=~"due|again|sending"}))'
"""Messages that are not finished; the gauge is the same in every process."""
GIVEN_UP = 'max(dialtree_outbox_rows{state="dead"})'
REASON = f"twilio: TryLater: HTTP {OUT_STATUS} code {OUT_CODE}"
"""What the console must say of a message: provider, class of the failure, HTTP status, the provider's code."""
DELIVERED = "delivered"
WITNESS, AFFECTED = "+40740000105", "+40740000101"
"""Subscribers whose confirmations are sent before the outage, and in it."""
BURST_COUNT = 12
"""Texts to 477 when the outage begins: enough for each worker to see five failures in a row."""
POLL_SECONDS = 0.25
STEP_SECONDS = 120.0
"""Longest a step may take, apart from waits that belong to it."""
DRAIN_SECONDS = 600.0
"""Longest until nothing waits: a notice tried three times in the outage is tried again five minutes later."""


class StepMissed(Exception):  # noqa: N818 - it reads as a statement where it is caught
    """A step of the drill was not seen in time."""


@dataclass
class OutageDrill:
    """One run of the drill on a staging site."""

    site: StagingSite
    scale: DrillScale
    prometheus: PrometheusClient
    phones: ClientSession
    staff: StaffMember
    report: ReportStep
    panel: ThresholdPanel = field(default_factory=partial(find_panel, PANEL))
    row: str = ""
    """The outbox row of the affected subscriber's message."""
    text_numbers: "count[int]" = field(default_factory=count)

    async def run(self) -> None:
        """Show all steps in their order; StepMissed for the first that is not seen."""
        await self.show_baseline()
        self.site.provider.is_out = True
        began = time.monotonic()
        self.report("provider out", f"it answers {OUT_STATUS} with code {OUT_CODE}")
        traffic = asyncio.create_task(self.send_texts())
        try:
            await self.show_outage()
            await asyncio.sleep(max(0.0, self.scale.outage_seconds - (time.monotonic() - began)))
            self.site.provider.is_out = False
            lasted = time.monotonic() - began
            self.report("provider back", f"after {lasted:.1f} s; refused {self.site.provider.refused_count}")
            await self.show_recovery()
        finally:
            traffic.cancel()
            with suppress(asyncio.CancelledError):
                await traffic

    async def show_baseline(self) -> None:
        """Show that all is well: processes up, no alert, panel green, a message delivered."""
        await self.staff.sign_in(STAFF, STAFF_PASSWORD)
        await self.switch_bills(WITNESS)
        await self.wait_for("message delivered", partial(self.find_delivered, WITNESS))
        await self.wait_for("processes up", self.find_all_up)
        await self.wait_for("no alert", self.find_no_alert)
        await self.wait_for("panel green", self.find_green)

    async def show_outage(self) -> None:
        """Show that a console's user, the alert and the dashboard tell of the outage."""
        await self.switch_bills(AFFECTED)
        await self.wait_for("console, story", self.find_reason)
        for _ in range(BURST_COUNT):
            await self.send_text()
        await self.wait_for("panel red", self.find_red)
        await self.wait_for("console, queues", self.find_queue_reason)
        await self.wait_for("alert", partial(self.find_alert, "firing"), self.scale.outage_seconds)

    async def show_recovery(self) -> None:
        """Show that the outage ends for everybody who was told of it."""
        await self.wait_for("alert resolved", self.find_alert_resolved, DRAIN_SECONDS)
        await self.wait_for("panel green", self.find_green)
        await self.wait_for("queue drained", self.find_drained, DRAIN_SECONDS)
        await self.wait_for("console, story", partial(self.find_delivered, AFFECTED))

    async def wait_for(self, step: str, look: Callable[[], Awaitable[str]], more_seconds: float = 0.0) -> None:
        """Look until something is found and report it; StepMissed after the time of a step and more."""
        until = time.monotonic() + STEP_SECONDS + more_seconds
        while not (found := await look()):
            if time.monotonic() > until:
                raise StepMissed(step)
            await asyncio.sleep(POLL_SECONDS)
        self.report(step, found)

    async def switch_bills(self, caller: str) -> None:
        """Dial *100# and switch to e-bills, each step at another serving process; an SMS confirms it."""
        phone = AggregatorPhone(self.phones, caller, session_id=f"drill {caller}")
        await phone.post_steps(*self.site.webs, texts=(*MENU_STEPS, YES_STEP))

    async def send_texts(self) -> None:
        """Text 477 from one number after another until cancelled, as on any day."""
        while True:
            await self.send_text()
            await asyncio.sleep(max(1.0, self.scale.outage_seconds / 60))

    async def send_text(self) -> None:
        number = next(self.text_numbers)
        web = self.site.webs[number % len(self.site.webs)]
        phone = AggregatorPhone(self.phones, f"+4074888{number:04}")
        await phone.post_text(web, f"drill {number}", "AJUTOR")

    async def find_all_up(self) -> str:
        health = await self.prometheus.target_health()
        up = [each for each in health if each == "up"]
        return f"{len(up)} of {len(health)}" if health and up == health else ""

    async def find_no_alert(self) -> str:
        states = await self.prometheus.alert_states()
        return "" if states else "none pending, none firing"

    async def find_alert(self, state: str) -> str:
        """Return which alerts there are once the drill's is in this state."""
        states = await self.prometheus.alert_states()
        return describe_alerts(states) if states.get(ALERT) == state else ""

    async def find_alert_resolved(self) -> str:
        """Return the other alerts once the drill's is inactive; a process that is not scraped tells nothing."""
        if not await self.find_all_up():
            return ""
        states = await self.prometheus.alert_states()
        return "" if ALERT in states else f"{ALERT} inactive; others: {describe_alerts(states) or 'none'}"

    async def find_green(self) -> str:
        """Return the panel's value once it is below red, with all processes scraped."""
        if not await self.find_all_up():
            return ""
        value = await self.prometheus.query_value(self.panel.query)
        return "" if value is None or self.panel.is_red(value) else self.describe_panel(value)

    async def find_red(self) -> str:
        value = await self.prometheus.query_value(self.panel.query)
        return self.describe_panel(value) if value is not None and self.panel.is_red(value) else ""

    def describe_panel(self, value: float) -> str:
        return f"{self.panel.title!r} = {value:g}, red from {self.panel.red_from:g}: {self.panel.query}"

    async def find_drained(self) -> str:
        waiting = await self.prometheus.query_value(BACKLOG)
        given_up = await self.prometheus.query_value(GIVEN_UP)
        return "" if waiting is None or waiting else f"0 messages wait, {given_up or 0:g} were given up"

    async def find_reason(self) -> str:
        """Return the reason the affected subscriber's story gives, and remember the message's row."""
        row = find_row((await self.staff.look_up(AFFECTED)).text, REASON)
        self.row = row[0] if row else ""
        return f"message {self.row}: {REASON}" if row else ""

    async def find_queue_reason(self) -> str:
        row = find_row((await self.staff.get(QUEUES_PATH)).text, REASON)
        return ", ".join(row)

    async def find_delivered(self, number: str) -> str:
        """Return what the story of a subscriber says of a delivered message; of the row remembered, if any."""
        row = find_row((await self.staff.look_up(number)).text, DELIVERED, self.row)
        return ", ".join(row[:-1])


def find_row(page: str, words: str, first_cell: str = "") -> list[str]:
    """Return the cells of a page's first table row with these words, that begins with `first_cell`; or none."""
    for body in re.findall(r"<tr>(.*?)</tr>", page, re.DOTALL):
        cells = [plain_text(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", body, re.DOTALL)]
        if any(words in cell for cell in cells) and first_cell in ("", cells[0]):
            return cells
    return []


def plain_text(markup: str) -> str:
    """Return the text of a piece of a page."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", markup)).split())


def describe_alerts(states: Mapping[str, str]) -> str:
    """Return the alerts with their states."""
    return ", ".join(f"{name} {state}" for name, state in sorted(states.items()))


def print_step(step: str, value: str) -> None:
    """Print a step with the time of day (UTC)."""
    print(f"{datetime.now(UTC):%H:%M:%S}  {step:<18} {value}", flush=True)


async def run_drill(scale: DrillScale, report: ReportStep = print_step) -> None:
    """Start everything, run the drill and stop everything; SIGTERM ends it like Ctrl-C."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    report("scale", f"waits of alerts and scrapes times {scale.factor:g}; rates keep their windows")
    async with (
        run_staging(scale, report) as site,
        ClientSession() as asking,
        ClientSession(cookie_jar=CookieJar(unsafe=True)) as browser,
        open_http_session() as phones,
    ):
        prometheus = PrometheusClient(asking, site.prometheus.url)
        staff = StaffMember(browser, site.console_url)
        try:
            await OutageDrill(site, scale, prometheus, phones, staff, report).run()
        except StepMissed:
            print(*site.last_log_lines(), sep="\n", file=sys.stderr)
            raise


def main(arguments: Sequence[str] | None = None) -> int:
    """Print each step; return 0 when all were seen, 1 for a step that was not, 2 for a missing program."""
    parser = argparse.ArgumentParser(prog="python -m tests.staging.outage_drill")
    parser.add_argument("--outage", type=float, default=FULL_OUTAGE_SECONDS, metavar="SECONDS")
    scale = DrillScale(parser.parse_args(arguments).outage)
    try:
        asyncio.run(run_drill(scale))
    except ProgramMissing as missing:
        package = DEBIAN_PACKAGES[str(missing)]
        print(f"{missing} is not installed: apt-get install {package}", file=sys.stderr)
        return 2
    except StepMissed as missed:
        print(f"NOT SEEN: {missed}", file=sys.stderr)
        return 1
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted", file=sys.stderr)
        return 130
    print_step("done", f"every step was seen ({OPERATOR})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
