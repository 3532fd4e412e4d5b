"""Caller numbers as operators' own trunks write them: URIs, `00`, national, without a plus."""

import pytest

from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import NumberingPlan

ROMANIA, TUNISIA = NumberingPlan("40", "0", (9,)), NumberingPlan("216", "", (8,))
IN_ROMANIA = {
    "+40740000101": "+40740000101",
    " 40740000101": "+40740000101",
    "40740000101": "+40740000101",
    "0040740000101": "+40740000101",
    "0740000101": "+40740000101",
    "740000101": "+40740000101",
    "+33612345678": "+33612345678",
    "33612345678": "+33612345678",
    "0033612345678": "+33612345678",
    "sip:+40740000101@trunk.example": "+40740000101",
    "sip:0740000101@10.0.0.1:5060;user=phone": "+40740000101",
    "<sips:%2B40740000101@trunk.example;transport=tls>": "+40740000101",
    "tel:+40-740-000-101": "+40740000101",
    "tel:0740000101;phone-context=+40": "+40740000101",
    "sip:anonymous@anonymous.invalid": "",
    "sip:411@trunk.example": "",
    "ORANGE": "",
    "1234": "",
    "00": "",
    "0741": "",
    "": "",
}


@pytest.mark.parametrize("written", IN_ROMANIA)
def test_a_caller_is_read_as_any_trunk_writes_it(written: str) -> None:
    assert read_caller(written, ROMANIA) == IN_ROMANIA[written]


def test_a_country_without_a_trunk_prefix_reads_its_own_length() -> None:
    assert read_caller("98000101", TUNISIA) == "+21698000101"
    assert read_caller("21698000101", TUNISIA) == "+21698000101"


def test_without_a_numbering_plan_digits_are_international() -> None:
    assert read_caller("254711000111", NumberingPlan()) == "+254711000111"
    assert read_caller("0711000111", NumberingPlan()) == ""
