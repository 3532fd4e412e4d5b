"""OpenAPI document: it names what the pages' forms post."""

import json

import pytest

from gateway.server.openapi import build_document


@pytest.mark.parametrize("button", ["leave", "mail", "promise", "export", "purchases"])
def test_every_button_of_the_bill_page_is_described(button: str) -> None:
    page = json.loads(build_document({}, ["orange-ro"]))["paths"]["/{operator}/bill"]
    assert f'"{button}"' in json.dumps(page["post"])
