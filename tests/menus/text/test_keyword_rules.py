"""SMS rules without a keyword: an address alone, a code alone, and what stands around an address."""

import pytest

from menus.packfile.schema import KeywordsFile
from menus.text.keywords import KeywordMatch, KeywordTable

TABLE = KeywordTable(
    KeywordsFile.model_validate(
        {
            "keywords": [
                {"words": ["EMAIL TOUT"], "takes": "email", "to": "all"},
                {
                    "words": ["EMAIL"],
                    "takes": "email",
                    "keep": "address",
                    "to": "given",
                    "otherwise": "explain",
                },
            ],
            "address": {"to": "given", "keep": "address", "otherwise": "explain"},
            "code": {"to": "redeem", "least": 6, "most": 8},
            "otherwise": "help",
        }
    )
)


@pytest.mark.parametrize(
    "body",
    [
        *("EMAIL amine@exemple.test", "email : amine@exemple.test", "EMAIL: amine@exemple.test."),
        *("EMAIL=<amine@exemple.test>", "EMAIL:amine@exemple.test", "EMAIL  amine@exemple.test "),
    ],
)
def test_punctuation_around_an_address_does_no_harm(body: str) -> None:
    assert TABLE.match_keyword(body) == KeywordMatch("given", "amine@exemple.test", "address")


def test_a_longer_keyword_is_not_hidden_by_a_shorter_one() -> None:
    assert TABLE.match_keyword("EMAIL TOUT amine@exemple.test") == KeywordMatch("all", "amine@exemple.test")


@pytest.mark.parametrize("body", ["amine@exemple.test", " <amine@exemple.test> "])
def test_an_address_alone_is_one(body: str) -> None:
    assert TABLE.match_address(body) == KeywordMatch("given", "amine@exemple.test", "address")


@pytest.mark.parametrize("body", ["bonjour", "482913", "amine@exemple", "a@b.test merci"])
def test_other_texts_are_no_address(body: str) -> None:
    assert TABLE.match_address(body) is None


def test_what_is_meant_for_an_address_is_explained_with_what_was_texted() -> None:
    assert TABLE.match_broken_address("amine @exemple.test") == KeywordMatch("explain", "amine @exemple.test")
    assert TABLE.match_broken_address("bonjour") is None
    assert TABLE.match_keyword("EMAIL amine@exemple") == KeywordMatch("explain", "amine@exemple")


@pytest.mark.parametrize(
    ("body", "digits"), [("482913", "482913"), ("٤٨٢٩١٣", "482913"), ("48291357", "48291357")]
)
def test_digits_alone_are_a_code_and_a_secret(body: str, digits: str) -> None:
    assert TABLE.match_code(body) == KeywordMatch("redeem", digits, is_secret=True)


@pytest.mark.parametrize("body", ["48291", "482913579", "48 29 13", "code 482913"])
def test_other_digits_are_no_code(body: str) -> None:
    assert TABLE.match_code(body) is None
