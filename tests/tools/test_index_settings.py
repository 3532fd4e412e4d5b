"""Package index settings: what pip is configured to use reaches uv, and uv's own settings go first."""

from tools.index_settings import make_uv_environment, parse_pip_settings

PRINTED = """:env:.index-url='http://first.example/simple'
:env:.default-timeout='180'
global.index-url='http://second.example/simple'
global.extra-index-url='file:///one\\nfile:///two'
install.find-links='/wheels /more'
global.constraint='/limits.txt'
"""


def test_a_variable_of_pip_goes_before_its_file() -> None:
    assert parse_pip_settings(PRINTED)["index-url"] == "http://first.example/simple"


def test_uv_gets_every_index_of_pip() -> None:
    environment = make_uv_environment(parse_pip_settings(PRINTED), {})
    assert environment == {
        "UV_DEFAULT_INDEX": "http://first.example/simple",
        "UV_INDEX": "file:///one file:///two",
        "UV_FIND_LINKS": "/wheels,/more",
        "UV_HTTP_TIMEOUT": "180",
        "UV_INDEX_STRATEGY": "unsafe-best-match",
    }


def test_a_lock_is_resolved_from_the_main_index_alone() -> None:
    environment = make_uv_environment(parse_pip_settings(PRINTED), {}, main_index_only=True)
    assert "UV_DEFAULT_INDEX" in environment and not {"UV_INDEX", "UV_FIND_LINKS"} & environment.keys()


def test_an_index_of_uv_itself_goes_before_those_of_pip() -> None:
    environment = make_uv_environment(parse_pip_settings(PRINTED), {"UV_INDEX": "http://own.example"})
    assert environment["UV_INDEX"] == "http://own.example" and "UV_DEFAULT_INDEX" not in environment
