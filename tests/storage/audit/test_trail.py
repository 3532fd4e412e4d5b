"""Audit lines: the fast serialiser writes what `json` writes, so that old lines verify."""

import json
from datetime import UTC, datetime

import pytest

from flows.domain.records import Secret
from storage.audit.trail import AuditWriter
from storage.crypto import derive_key, keyed_hash

KEY = derive_key(Secret("a secret of the test"), "audit")
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "word", ["", "plain", 'quo"te', "back\\slash", "line\nbreak", "\x00\x1f\x7f", "ș €", "\u2028"]
)
def test_an_audit_line_is_serialised_as_json_does(word: str) -> None:
    words = ["orange-ro", "f" * 32, "sms", "deliver", word, "sent", "n1"]
    line = json.dumps(["2026-03-01T12:00:00.000000+00:00", *words], ensure_ascii=False)
    assert AuditWriter(Secret("a secret of the test")).entry_mac(AT, words) == keyed_hash(KEY, "line", line)
