"""Building blocks of the pages: sealed tokens, signed forms, client addresses."""

import pytest
from aiohttp.test_utils import make_mocked_request

from flows.domain.records import Secret
from gateway.http import client_address
from gateway.pages.csrf import CsrfTokens
from gateway.pages.sealed_token import TokenSealer
from tests.support.databases import SECRET

client_address_of = client_address.rate_limit_key_reader(())


def test_a_sealed_token_opens_under_its_label_only() -> None:
    envelope = TokenSealer.from_secret(SECRET)
    closed = envelope.seal_words(("one", "două"), "label")
    assert envelope.unseal_words(closed, "label") == ["one", "două"]
    assert envelope.unseal_words(closed, "other") is None
    assert TokenSealer.from_secret(Secret("another")).unseal_words(closed, "label") is None
    assert "one" not in repr(envelope) and closed != envelope.seal_words(("one", "două"), "label")


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 43, "=", "😀" * 20])
def test_a_foreign_token_does_not_open(text: str) -> None:
    assert TokenSealer.from_secret(SECRET).unseal_words(text, "label") is None


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("not an address", ""),
        ("", ""),
    ],
)
def test_a_rate_limit_key_is_an_ipv4_address(address: str, source: str) -> None:
    assert client_address_of(make_mocked_request("GET", "/").clone(remote=address)) == source


def test_an_ipv6_network_is_one_rate_limit_key() -> None:
    request = make_mocked_request("GET", "/")
    one, two, other = ("2001:db8::1", "2001:db8::ffff%eth0", "2001:db8:0:1::1")
    assert client_address_of(request.clone(remote=one)) == client_address_of(request.clone(remote=two))
    assert client_address_of(request.clone(remote=one)) != client_address_of(request.clone(remote=other))


def test_log_ids_of_links_reveal_nothing() -> None:
    forms, token = CsrfTokens(b"k" * 32), Secret("a-token")
    assert forms.keyed_hash("address", token) != forms.keyed_hash("confirm", token)
    assert "a-token" not in forms.keyed_hash("address", token) and len(forms.keyed_hash("address", token)) == 64
    assert "kkk" not in repr(forms)
