"""Prometheus metrics of the nightly comparison of payments, as a file for a textfile collector."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import get_args

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from flows.payments.reconciliation import DifferenceKind, PaymentDifference

DIFFERENCE_KINDS: tuple[DifferenceKind, ...] = get_args(DifferenceKind)


def write_difference_metrics(
    path: Path, operator: str, differences: Sequence[PaymentDifference], checked_at: datetime
) -> None:
    """Write the number of differences of each kind, zeros as well, and the time; OSError if it cannot.

    The file is replaced as a whole, so that a collector never reads half of it.
    """
    registry, counts = CollectorRegistry(), Counter(each.kind for each in differences)
    gauge = Gauge(
        "dialtree_payment_differences",
        "Payments of the compared day on which provider, gateway and billing do not agree",
        ("operator", "kind"),
        registry=registry,
    )
    for kind in DIFFERENCE_KINDS:
        gauge.labels(operator, kind).set(counts[kind])
    last = Gauge(
        "dialtree_payment_check_timestamp_seconds",
        "When payments were compared last, in seconds since 1970",
        ("operator",),
        registry=registry,
    )
    last.labels(operator).set(checked_at.timestamp())
    write_to_textfile(str(path), registry)
