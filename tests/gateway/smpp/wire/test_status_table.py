"""Statuses: every one of the standard has a meaning and a source; a connection's own go before it."""

import pytest

from gateway.smpp.wire.status_table import load_statuses, meaning_of


def test_every_status_says_where_its_meaning_comes_from() -> None:
    assert len(load_statuses()) >= 48
    assert not [meaning for meaning in load_statuses().values() if not meaning.source.startswith("SMPP ")]


@pytest.mark.parametrize(
    ("status", "name", "kind"),
    [
        (11, "RINVDSTADR", "recipient"),
        (20, "RMSGQFUL", "temporary"),
        (10, "RINVSRCADR", "ours"),
        (8, "RSYSERR", "temporary"),
        (88, "RTHROTTLED", "temporary"),
        (193, "ROPTPARNOTALLWD", "ours"),
    ],
)
def test_a_status_tells_whose_fault_it_is(status: int, name: str, kind: str) -> None:
    meaning = meaning_of(status, {})
    assert (meaning.name, meaning.kind) == (name, kind)


def test_a_status_nobody_explained_is_tried_again() -> None:
    assert (meaning_of(0x4FE, {}).name, meaning_of(0x4FE, {}).kind) == ("0x4fe", "temporary")


def test_a_vendors_opt_out_status_is_a_setting() -> None:
    assert meaning_of(0x40A, {0x40A: "opted_out"}).kind == "opted_out"
    assert meaning_of(0x45, {0x45: "opted_out"}).kind == "opted_out"
