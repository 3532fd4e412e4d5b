"""The small parts behind the pages: what is kept for a while, and where a request comes from."""

from datetime import timedelta

import pytest
from aiohttp.test_utils import make_mocked_request

from flows.records import Secret
from gateway.pages.forms import Forms
from gateway.pages.kept import Kept
from gateway.pages.source import remote
from tests.sql import NOW

MINUTE = timedelta(minutes=1)


def test_what_is_kept_is_gone_at_its_time() -> None:
    kept: Kept[str] = Kept(MINUTE, 10)
    kept.put("token", "value", NOW)
    assert kept.get("token", NOW + MINUTE - timedelta(microseconds=1)) == "value"
    assert kept.get("token", NOW + MINUTE) is None
    assert kept.get("another", NOW) is None


def test_a_change_prolongs_nothing_and_invents_nothing() -> None:
    kept: Kept[str] = Kept(MINUTE, 10)
    kept.put("token", "value", NOW)
    kept.change("token", "other")
    kept.change("unknown", "other")
    assert kept.get("token", NOW) == "other" and kept.get("token", NOW + MINUTE) is None
    assert kept.get("unknown", NOW) is None


def test_beyond_the_bound_the_oldest_is_forgotten() -> None:
    kept: Kept[int] = Kept(MINUTE, 3)
    for number in range(5):
        kept.put(f"token {number}", number, NOW)
    assert [kept.get(f"token {number}", NOW) for number in range(5)] == [None, None, 2, 3, 4]


def test_tokens_themselves_are_not_kept() -> None:
    kept: Kept[str] = Kept(MINUTE, 3)
    kept.put("a-long-token", "value", NOW)
    kept.drop("a-long-token")
    kept.drop("a-long-token")
    kept.put("a-long-token", "value", NOW)
    assert "a-long-token" not in repr(vars(kept))


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("not an address", ""),
        ("", ""),
    ],
)
def test_a_source_is_an_address(address: str, source: str) -> None:
    assert remote(make_mocked_request("GET", "/").clone(remote=address)) == source


def test_an_ipv6_network_is_one_source() -> None:
    request = make_mocked_request("GET", "/")
    one, two, other = ("2001:db8::1", "2001:db8::ffff%eth0", "2001:db8:0:1::1")
    assert remote(request.clone(remote=one)) == remote(request.clone(remote=two))
    assert remote(request.clone(remote=one)) != remote(request.clone(remote=other))


def test_marks_of_links_tell_nothing_of_them() -> None:
    forms, token = Forms(b"k" * 32), Secret("a-token")
    assert forms.mark("address", token) != forms.mark("confirm", token)
    assert "a-token" not in forms.mark("address", token) and len(forms.mark("address", token)) == 64
    assert "kkk" not in repr(forms)
