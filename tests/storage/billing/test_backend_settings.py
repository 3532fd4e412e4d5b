"""Backend settings: types, limits and unknown fields, named without the value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from flows.domain.records import Secret
from storage.billing._client.backend_settings import parse_options


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyOptions:
    """Options of every type that a backend has."""

    api_key: Secret = field(repr=False)
    name: str = "default"
    due_days: int = 14
    timeout_seconds: float = 2.5
    hosts: tuple[str, ...] = ("a",)
    kinds: Mapping[str, str] = field(default_factory=dict)


def test_what_is_left_out_has_the_dataclass_own_default() -> None:
    assert parse_options(AnyOptions, {"api_key": "k"}) == AnyOptions(api_key=Secret("k"))


def test_words_of_the_environment_become_every_type() -> None:
    table = {"api_key": 12, "name": 7, "due_days": "30", "timeout_seconds": "1.5", "hosts": "a, b,"}
    expected = AnyOptions(
        api_key=Secret("12"), name="7", due_days=30, timeout_seconds=1.5, hosts=("a", "b"), kinds={"x": "y"}
    )
    assert parse_options(AnyOptions, {**table, "kinds": {"x": "y"}}) == expected


@pytest.mark.parametrize(
    ("table", "named"),
    [
        ({}, r"bss\.api_key: missing"),
        ({"apikey": "s3cr3t"}, r"bss\.apikey: not known here; there are api_key, name"),
        ({"api_key": {"s3cr3t": 1}}, r"bss\.api_key: "),
        ({"api_key": "k", "timeout_seconds": "s3cr3t"}, r"bss\.timeout_seconds: "),
        ({"api_key": "k", "timeout_seconds": 0}, r"bss\.timeout_seconds: .*greater than 0"),
        ({"api_key": "k", "timeout_seconds": "nan"}, r"bss\.timeout_seconds: "),
        ({"api_key": "k", "due_days": "s3cr3t"}, r"bss\.due_days: "),
        ({"api_key": "k", "kinds": "s3cr3t"}, r"bss\.kinds: "),
        ({"api_key": "k", "hosts": 5}, r"bss\.hosts: "),
    ],
)
def test_a_wrong_field_is_named_and_its_value_is_not_repeated(table: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named) as caught:
        parse_options(AnyOptions, table)
    assert "s3cr3t" not in str(caught.value) and caught.value.__suppress_context__
