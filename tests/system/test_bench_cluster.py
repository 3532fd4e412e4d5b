"""The cluster benchmark: ratios within a round, and no result unless every node did its part."""

import pytest

from bench.cluster import ClusterFigures, format_case, require_division
from bench.cluster_servers import Deployment
from tests.support.server_processes import RedisServer

pytestmark = pytest.mark.redis


def test_ratios_are_formed_within_a_round_for_each_kind_of_process() -> None:
    pairs = [
        (
            ClusterFigures(100, 9.0, {"gateway": 3 * spent, "Redis": 0.0}),
            ClusterFigures(90, 5.0, {"gateway": spent, "Redis": 0.0}),
        )
        for spent in (10.0, 1000.0, 30.0)
    ]
    lines = format_case("menus", pairs)
    assert lines[0] == "menus" and "gateway 90, Redis 0; 100 answers/s, p99 9.0 ms" in lines[1]
    assert lines[3:] == ["  gateway: 3.00 times (3.00 to 3.00)"]


async def test_a_node_without_sessions_is_no_result(redis_server: RedisServer, redis_url: str) -> None:
    assert redis_url == redis_server.url  # the fixture has emptied it
    with pytest.raises(SystemExit, match=r"keys of the nodes: \[0\]"):
        await require_division(Deployment([], [redis_server], []))
