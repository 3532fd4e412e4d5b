"""GSUP links on an HLR that does what it should not: repeats, nonsense, no number, cut connections."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from gateway.gsup.gsup_message import GsupMessage, GsupType, SessionPhase
from gateway.gsup.ussd_component import (
    ComponentType,
    UssdComponent,
    UssdOperation,
    decode_component,
    encode_component,
)
from gateway.gsup.ussd_text import decode_ussd_text, encode_ussd_text
from gateway.links.event_intake import EventIntake
from gateway.providers._gsup import gsup_link
from gateway.settings_sources import SettingsError
from tests.support.fake_hlr import FakeHlr, serve_fake_hlr, write_dial
from tests.support.gateway_sandbox import GatewaySandbox, SandboxFactory
from tests.support.gsup_phone import wait_for_link
from tests.support.server_processes import poll_until
from tests.support.smpp_phone import hold_links


def account(hlr: FakeHlr, **more: object) -> dict[str, Any]:
    return {
        "host": "127.0.0.1",
        "port": hlr.port,
        "control_port": hlr.control_port,
        "retry_seconds": 0.5,
        **more,
    }


@asynccontextmanager
async def connect_link(
    sandboxes: SandboxFactory, **more: object
) -> AsyncIterator[tuple[FakeHlr, GatewaySandbox]]:
    async with serve_fake_hlr() as hlr:
        settings = {"operators": {"orange-ro": {"gsup": account(hlr, **more)}}}
        async with sandboxes.open(more=settings) as sandbox, hold_links(sandbox):
            await wait_for_link(sandbox)
            yield hlr, sandbox


def read_screen(message: GsupMessage) -> tuple[str, bool]:
    """Return the first line of what a reply shows, and whether it ends the session."""
    component = decode_component(message.component)
    text = decode_ussd_text(component.octets, component.data_coding)
    return text.split("\n")[0], message.phase is SessionPhase.END


def press(key: str, component: bytes | None = None) -> GsupMessage:
    answer = UssdComponent(ComponentType.RETURN_RESULT, 7, UssdOperation.REQUEST, *encode_ussd_text(key))
    whole = encode_component(answer) if component is None else component
    return replace(write_dial(""), phase=SessionPhase.CONTINUE, component=whole)


async def test_a_beginning_delivered_again_shows_the_first_screen_again(sandboxes: SandboxFactory) -> None:
    async with connect_link(sandboxes) as (hlr, _):
        for _ in range(2):
            hlr.send(write_dial("*100#"))
            assert read_screen(await hlr.next_message()) == ("Bine ati venit la Orange!", False)
        hlr.send(press("1"))
        assert read_screen(await hlr.next_message()) == ("Buget", False)


async def test_an_equal_key_is_a_new_one_once_its_screen_was_written(sandboxes: SandboxFactory) -> None:
    async with connect_link(sandboxes) as (hlr, _):
        hlr.send(write_dial("*100#"))
        await hlr.next_message()
        shown = []
        for _ in range(2):
            hlr.send(press("1"))
            shown.append(read_screen(await hlr.next_message())[0])
    assert shown == ["Buget", "Factura"]


async def test_a_key_of_a_session_that_is_lost_shows_the_first_screen(sandboxes: SandboxFactory) -> None:
    async with connect_link(sandboxes) as (hlr, _):
        hlr.send(press("1"))
        assert read_screen(await hlr.next_message()) == ("Bine ati venit la Orange!", False)


REGISTER_SERVICE = b"\xa1\x06\x02\x01\x07\x02\x01\x0a"


@pytest.mark.parametrize(
    "message",
    [
        replace(write_dial("*100#"), component=b""),
        replace(write_dial("*100#"), component=b"\xa1\x7f\x02"),
        replace(write_dial("*100#"), component=REGISTER_SERVICE),
        press("1", b"\xff\xff\xff"),
        press("1", REGISTER_SERVICE),
    ],
    ids=["nothing dialled", "lying length", "another service", "nonsense", "an invoke nobody asked for"],
)
async def test_a_request_that_cannot_be_read_ends_with_a_text(
    sandboxes: SandboxFactory, message: GsupMessage
) -> None:
    async with connect_link(sandboxes) as (hlr, sandbox):
        hlr.send(message)
        text, ends = read_screen(await hlr.next_message())
        apology = sandbox.container.conversations.apology_reply("orange-ro", "ussd").text
    assert ends and text == apology.split("\n")[0]


@pytest.mark.parametrize("component", [b"\xa3\x06\x02\x01\x07\x02\x01\x48", b"\xa4\x03\x02\x01\x07"])
async def test_a_phone_that_refuses_a_screen_ends_its_session(
    sandboxes: SandboxFactory, component: bytes
) -> None:
    async with connect_link(sandboxes) as (hlr, sandbox):
        ended: list[str] = []
        sandbox.container.conversations.close_listeners.append(ended.append)
        hlr.send(write_dial("*100#"))
        await hlr.next_message()
        hlr.send(press("1", component))
        hlr.send(replace(write_dial("*100#"), session_id=b"\x20\0\0\2"))
        await hlr.next_message()
    assert len(ended) == 1 and hlr.received.empty()


async def test_an_error_of_the_network_ends_the_session(sandboxes: SandboxFactory) -> None:
    async with connect_link(sandboxes) as (hlr, sandbox):
        ended: list[str] = []
        sandbox.container.conversations.close_listeners.append(ended.append)
        hlr.send(write_dial("*100#"))
        await hlr.next_message()
        hlr.send(GsupMessage(GsupType.ERROR, write_dial("").imsi, b"\x20\0\0\1", SessionPhase.END, cause=0x6F))
        hlr.send(replace(write_dial("*100#"), session_id=b"\x20\0\0\2"))
        await hlr.next_message()
    assert len(ended) == 1


async def test_a_number_that_cannot_be_asked_ends_with_a_text(sandboxes: SandboxFactory) -> None:
    async with connect_link(sandboxes) as (hlr, _):
        hlr.control_answer = b"GET_REPLY 2 something else"
        hlr.send(write_dial("*100#"))
        assert read_screen(await hlr.next_message())[1]


async def test_an_end_whose_number_cannot_be_asked_is_not_answered(sandboxes: SandboxFactory) -> None:
    async with connect_link(sandboxes) as (hlr, _):
        hlr.control_answer = b"GET_REPLY 2 something else"
        hlr.send(GsupMessage(GsupType.ERROR, write_dial("").imsi, b"\x20\0\0\1", SessionPhase.END, cause=0x6F))
        hlr.send(replace(write_dial("*100#"), session_id=b"\x20\0\0\2"))
        assert (await hlr.next_message()).session_id == b"\x20\0\0\2"
    assert hlr.received.empty()


async def test_a_turn_whose_time_is_over_is_not_run(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gsup_link, "GUARD_MARGIN_SECONDS", 30.0)  # all of the guard timer
    async with connect_link(sandboxes) as (hlr, _):
        hlr.send(write_dial("*100#"))
        assert read_screen(await hlr.next_message())[1]


async def test_an_end_that_cannot_be_stored_is_logged(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(*_: object) -> None:
        raise OSError

    async def is_logged() -> bool:
        return "link.end_not_stored" in caplog.messages

    async with connect_link(sandboxes) as (hlr, _):
        monkeypatch.setattr(EventIntake, "accept", fail)
        hlr.send(GsupMessage(GsupType.ERROR, write_dial("").imsi, b"\x20\0\0\1", SessionPhase.END, cause=0x6F))
        hlr.send(replace(write_dial("*100#"), session_id=b"\x20\0\0\2"))
        await hlr.next_message()
        await poll_until(is_logged)


async def test_a_screen_goes_by_the_next_connection_when_its_own_broke(
    sandboxes: SandboxFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connect_link(sandboxes) as (hlr, sandbox):
        engine = sandbox.container.conversations
        run_turn = type(engine).run_turn

        async def cut_and_run(self: Any, event: Any) -> Any:
            hlr.writers[-1].transport.abort()
            await wait_for_link(sandbox, "down")
            return await run_turn(self, event)

        monkeypatch.setattr(type(engine), "run_turn", cut_and_run)
        hlr.send(write_dial("*100#"))
        assert read_screen(await hlr.next_message()) == ("Bine ati venit la Orange!", False)
        assert hlr.connections == 2


async def test_two_operators_with_one_name_are_refused(sandboxes: SandboxFactory) -> None:
    async with serve_fake_hlr() as hlr:
        both = {"operators": {name: {"gsup": account(hlr)} for name in ("orange-ro", "orange-fr")}}
        with pytest.raises(SettingsError, match=r"operators\.orange-fr\.gsup\.name: is that of orange-ro"):
            async with sandboxes.open(more=both):
                pass


@pytest.mark.parametrize(
    ("section", "says"),
    [
        ({"gsup": {"page_size": "160/70"}}, r"gsup\.page_size: the network carries 128/56 only"),
        ({"gsup": {}, "routes": {"sms": "gsup"}}, r"routes\.sms: gsup sends no messages"),
        ({"gsup": {"host": "8.8.8.8"}}, r"gsup\.host.*private network"),
        ({"gsup": {"name": "EUSE-dialtree"}}, r"gsup\.name.*leave out EUSE-"),
        ({"gsup": {"binds": 2}}, r"gsup\.binds"),
    ],
)
async def test_settings_the_network_cannot_have_stop_the_start(
    sandboxes: SandboxFactory, section: dict[str, Any], says: str
) -> None:
    with pytest.raises(SettingsError, match=says):
        async with sandboxes.open(more={"operators": {"orange-ro": section}}):
            pass
