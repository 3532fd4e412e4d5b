"""Load shedding: with too many concurrent turns new sessions are refused and live ones continue."""

from tests.world import World

ANA, BARBU = "+40740000101", "+40740000102"


async def test_F37_at_the_turn_limit_new_sessions_are_refused(sandbox: World) -> None:
    crowd = sandbox.house.conversations.crowd
    ours, theirs = sandbox.direct(), sandbox.direct()
    await ours.dial(ANA, "*100#")
    crowd.most = 0
    turned = await theirs.dial(BARBU, "*100#")
    assert turned.ends and turned.lines[0].startswith("Serviciul nu")
    assert not (await ours.press("1")).ends
    assert (crowd.inside, crowd.turned_away) == (0, 1)
    assert "dialtree_sessions_shed_total 1.0" in sandbox.house.hooks.metrics.page().decode()


async def test_F37_below_the_turn_limit_the_same_step_is_answered(sandbox: World) -> None:
    crowd, line = sandbox.house.conversations.crowd, sandbox.direct()
    crowd.most = 0
    assert (await line.dial(ANA, "*100#")).ends
    crowd.most = 1
    assert not (await line.dial(ANA, "*100#")).ends


async def test_F37_an_sms_is_never_refused(sandbox: World) -> None:
    sandbox.house.conversations.crowd.most = 0
    said = await sandbox.direct().text(ANA, "477", "FACTURA")
    assert "79,90" in said.lines[0]
