"""Typed text: parts hide themselves, and it is the same string for everything else."""

import json

from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from menus.model.typed_text import TypedText


@given(st.text(), st.sampled_from(["*", " ", "a"]))
def test_a_part_hides_itself(text: str, separator: str) -> None:
    typed = TypedText(text)
    parts = [
        typed,
        typed[1:],
        typed.strip(),
        *typed.split(),
        *typed.split(separator),
        typed.partition(separator)[2],
    ]
    assert {repr(part) for part in parts} == {"'***'"}


@given(st.text())
def test_it_is_the_same_string(text: str) -> None:
    typed = TypedText(text)
    assert (typed, hash(typed), typed.split("*")) == (text, hash(text), text.split("*"))
    assert (typed[1:3], typed.partition("*"), f"{typed}") == (text[1:3], text.partition("*"), text)


def test_it_is_stored_as_a_string() -> None:
    assert json.loads(to_json([TypedText("a")])) == ["a"]
