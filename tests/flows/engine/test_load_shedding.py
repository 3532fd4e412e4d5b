"""Load shedding: with too many concurrent turns new sessions are refused and live ones continue."""

from tests.support.gateway_sandbox import GatewaySandbox

ANA, BARBU = "+40740000101", "+40740000102"


async def test_F37_at_the_turn_limit_new_sessions_are_refused(sandbox: GatewaySandbox) -> None:
    crowd = sandbox.container.conversations.load_shedder
    ours, theirs = sandbox.direct_line(), sandbox.direct_line()
    await ours.dial(ANA, "*100#")
    crowd.max_turns = 0
    turned = await theirs.dial(BARBU, "*100#")
    assert turned.ends and turned.lines[0].startswith("Serviciul nu")
    assert not (await ours.press("1")).ends
    assert (crowd.active_turns, crowd.shed_count) == (0, 1)
    assert "dialtree_sessions_shed_total 1.0" in sandbox.container.metrics_registry.render_exposition().decode()


async def test_F37_below_the_turn_limit_the_same_step_is_answered(sandbox: GatewaySandbox) -> None:
    crowd, line = sandbox.container.conversations.load_shedder, sandbox.direct_line()
    crowd.max_turns = 0
    assert (await line.dial(ANA, "*100#")).ends
    crowd.max_turns = 1
    assert not (await line.dial(ANA, "*100#")).ends


async def test_F37_an_sms_is_never_refused(sandbox: GatewaySandbox) -> None:
    sandbox.container.conversations.load_shedder.max_turns = 0
    said = await sandbox.direct_line().send_text(ANA, "477", "FACTURA")
    assert "79,90" in said.lines[0]
