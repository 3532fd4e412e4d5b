"""A small run of the SMPP fuzz (`python -m tests.security.fuzz_smpp` is the large one)."""

from collections import Counter

import pytest

from tests.security.fuzz_smpp import run_fuzz


@pytest.fixture
async def results() -> Counter[str]:
    return await run_fuzz(20_000, 7)


async def test_every_broken_pdu_is_answered_and_none_raises(results: Counter[str]) -> None:
    assert min(results[what] for what in ("message", "USSD operation", "receipt", "lost framing")) >= 50
    assert min(results[what] for what in ("answer 0x0", "answer 0x8", "generic_nack")) >= 50
    assert set(results) <= {
        *("message", "USSD operation", "receipt", "lost framing", "response"),
        *("answer 0x0", "answer 0x8", "generic_nack"),
    }
