"""Command statuses of an SMSC's vendor are settings, written as its documents write them."""

import pytest
from pydantic import ValidationError

from gateway.providers.smpp import Settings, session_settings

ACCOUNT = {"host": "smsc.example.net", "system_id": "dialtree", "password": "secret"}


def test_a_vendors_statuses_reach_the_session() -> None:
    settings = Settings.model_validate({**ACCOUNT, "statuses": {"0x40A": "opted_out", "69": "recipient"}})
    assert session_settings(settings).status_kinds == {0x40A: "opted_out", 0x45: "recipient"}


@pytest.mark.parametrize(
    "statuses", [{"blacklisted": "opted_out"}, {"0x40A": "nobody"}], ids=["no number", "no kind"]
)
def test_what_is_no_status_stops_the_start(statuses: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="statuses"):
        Settings.model_validate({**ACCOUNT, "statuses": statuses})
