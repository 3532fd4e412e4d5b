"""JSON bodies: leaves become fields; anything that two readers could read differently is refused."""

import pytest

from flows.domain.failures import BadRequest
from gateway.http.json_body import JSON_CONTENT_TYPE, MAX_DEPTH, decode_json


def decode(body: str) -> dict[str, str]:
    return dict(decode_json(body.encode(), JSON_CONTENT_TYPE, None))


def test_leaves_become_fields_with_dotted_names() -> None:
    assert decode('{"a": {"b": [1, true, 2.50]}, "c": "x", "d": null}') == {
        "a.b.0": "1",
        "a.b.1": "true",
        "a.b.2": "2.50",
        "c": "x",
    }


def test_half_a_surrogate_pair_becomes_the_replacement_character() -> None:
    cut = decode('{"text": "STOP \\ud83d", "whole": "\\ud83d\\ude00"}')
    assert cut == {"text": "STOP \ufffd", "whole": "\U0001f600"} and cut["text"].encode()


REFUSED = {
    "no JSON": "{",
    "no object": "[1]",
    "a name twice": '{"a": 1, "a": 2}',
    "two ways to one field": '{"a": {"b": 1}, "a.b": 2}',
    "NaN": '{"a": NaN}',
    "a NUL": '{"a": "\\u0000"}',
    "a long value": '{"a": "' + "x" * 4097 + '"}',
    "too many": "{" + ", ".join(f'"{number}": 1' for number in range(65)) + "}",
    "too deep": '{"a": ' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1),
    "far too deep": '{"a": ' * 5000 + "1" + "}" * 5000,
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
def test_an_ambiguous_or_oversized_body_is_refused(body: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        decode(body)
    assert refusal.value.status == 400


@pytest.mark.parametrize(("kind", "charset"), [("text/plain", None), (JSON_CONTENT_TYPE, "utf-7")])
def test_another_content_type_or_charset_is_refused(kind: str, charset: str | None) -> None:
    with pytest.raises(BadRequest) as refusal:
        decode_json(b"{}", kind, charset)
    assert refusal.value.status == 415
