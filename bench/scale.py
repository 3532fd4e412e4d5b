"""Scaling bench: the arithmetic of a billing day, and its busiest minute played with a zone lost.

Run: python -m bench.scale [--subscribers 100000000] [--step-microseconds 245] [--outbox-rows 5500]
It measures nothing of this machine: give it what the other benches measured on yours.
"""

import argparse
from dataclasses import replace

from bench.scale_plan import BillingDay, Deployment, MachineFigures, plan_deployment
from bench.scale_simulation import Peak, PeakResult, simulate_peak

ZONES = 3
USUAL_DAY, USUAL_FIGURES = BillingDay(), MachineFigures()


def main() -> None:
    """Print the plan, and the busiest minute with the planned processes and with too few."""
    args = _parse_arguments()
    day = BillingDay(subscribers=args.subscribers)
    figures = MachineFigures(
        step_cpu_seconds=args.step_microseconds / 1e6, outbox_rows_per_second=args.outbox_rows
    )
    planned = plan_deployment(day, figures, ZONES)
    _print_plan(day, planned)
    peak = Peak(day.steps_per_second, planned.processes, ZONES, figures.step_cpu_seconds, args.seconds)
    needed = int(day.steps_per_second * figures.step_cpu_seconds) + 1
    too_few = -(-needed // ZONES) * ZONES
    for name, processes in (("as planned", planned.processes), ("without reserve", too_few)):
        _print_peak(name, processes, simulate_peak(replace(peak, processes=processes)))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.scale")
    parser.add_argument("--subscribers", type=int, default=USUAL_DAY.subscribers)
    parser.add_argument("--step-microseconds", type=float, default=USUAL_FIGURES.step_cpu_seconds * 1e6)
    parser.add_argument("--outbox-rows", type=float, default=USUAL_FIGURES.outbox_rows_per_second)
    parser.add_argument("--seconds", type=float, default=60, help="length of the simulated peak")
    return parser.parse_args()


def _print_plan(day: BillingDay, planned: Deployment) -> None:
    print(f"{day.subscribers:,} subscribers, {day.dialling_share:.0%} dial, {day.steps} steps each")
    print(f"  {day.steps_per_second:,.0f} steps a second in the burst, {day.open_sessions:,.0f} open sessions")
    print(f"  {day.notices_per_second:,.0f} notices a second for {day.notice_hours:.0f} hours")
    print(f"  {planned.processes} processes in {ZONES} zones, {planned.redis_primaries} primaries of Redis")
    print(f"  {planned.outbox_partitions} PostgreSQL for the outbox")
    print(
        f"  {planned.session_megabytes:,.0f} MB of sessions, {planned.outbox_gigabytes_a_day:,.0f} GB of outbox"
    )


def _print_peak(name: str, processes: int, result: PeakResult) -> None:
    middle, late, last = (result.percentile(share) * 1e3 for share in (0.5, 0.98, 1))
    print(
        f"{name}: {processes} processes, a zone lost: {result.arrived:,} steps, {result.answered:,} answered,"
        f" {result.given_up:,} given up, {result.sent_again:,} sent again;"
        f" median {middle:.1f} ms, 98 % within {late:.1f} ms, all within {last:.0f} ms"
    )


if __name__ == "__main__":
    main()
