"""USSD is answered in time while a part hangs (`python -m tests.faults.hung_parts` asks a thousand times)."""

import pytest

from tests.faults.hung_parts import PARTS, measure_parts
from tests.support.server_processes import PostgresServer, run_server

pytestmark = [pytest.mark.postgres, pytest.mark.redis, pytest.mark.alone]


@pytest.mark.parametrize("part", PARTS)
async def test_every_ussd_request_is_answered_while_a_part_hangs(part: str) -> None:
    with run_server(PostgresServer) as server:
        (times,) = await measure_parts(server, 40, part)
    assert times.is_in_time, str(times)
