"""Descriptions: every shipped one agrees with its samples; faults are named with file, line and column."""

from pathlib import Path

import pytest

from gateway.http.sample_check import check_description
from gateway.providers._aggregators.description_loader import AGGREGATORS_FOLDER

SHIPPED = sorted(AGGREGATORS_FOLDER.glob("*.yaml"))
GOOD = """\
about: A provider for this test.
sources: [this test]
authentication: {kind: path}
routes:
  ussd:
    channel: ussd
    body: json
    read:
      session: id
      caller: from
      text: in
      kind: {at: type, map: {new: begin, more: input}}
    reply:
      body: json
      shape: {out: $text, more: {continue: "true", end: "false"}}
      types: {more: boolean}
    samples:
      - body: '{"id": "1", "from": "40740000101", "in": "*100#", "type": "new"}'
        expect: {kind: begin, session: "1"}
        reply: Hello
        answer: '{"out": "Hello", "more": true}'
"""


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_description_agrees_with_its_samples(path: Path) -> None:
    assert check_description(path) == []


@pytest.mark.parametrize(
    ("right", "wrong", "finding"),
    [
        ("kind: path", "kind: sesame", "acme.yaml:3:24: 'sesame' is not known here; write one of"),
        ("$text,", "$words,", "acme.yaml:15:14: $words is not read; write it under read:"),
        (
            "new: begin",
            "new: start",
            "acme.yaml:12:13: 'start' is not known here; write one of: begin, input, end, ignore",
        ),
        ("session: id", "session: path:id", "acme.yaml:9:16: path:id is no segment; name it under path:"),
        ("      caller: from\n", "", "acme.yaml:9:7: 'caller' is missing"),
        (
            "kind: path",
            "kind: header",
            "acme.yaml:3:17: no setting is called 'hook_secret'; write it under settings:",
        ),
        (
            "kind: begin, session",
            "kind: input, session",
            "acme.yaml:18:9: kind: the sample is read as 'begin', not 'input'",
        ),
        ('"more": true', '"more": false', "acme.yaml:18:9: answer: "),
        ('"from": "40740000101", ', "", "acme.yaml:18:9: the sample is refused: caller is missing"),
        ("about: A", "abuot: A", "acme.yaml:1:1: 'about' is missing"),
    ],
)
def test_a_fault_is_named_with_its_place(tmp_path: Path, right: str, wrong: str, finding: str) -> None:
    path = tmp_path / "acme.yaml"
    path.write_text(GOOD)
    assert check_description(path) == []
    path.write_text(GOOD.replace(right, wrong))
    assert [str(each).removeprefix(f"{tmp_path}/")[: len(finding)] for each in check_description(path)][:1] == [
        finding
    ]
