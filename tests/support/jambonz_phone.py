"""A phone behind jambonz: calls by signed webhooks, and the validator of its verbs."""

import hashlib
import hmac
import json
import os
import subprocess
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import ClientSession

from gateway.dialogs.direct_line import gathered_keys
from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay
from gateway.http.listening import serve_app
from gateway.server.app import public_app
from menus.model.reply import Gather
from tests.support.gateway_sandbox import PUBLIC_URL, GatewaySandbox, SandboxFactory
from tests.support.node_packages import PINS, find_node_packages
from tests.support.server_processes import find_program

SECRET = "a-secret-of-jambonz"
VOICE_PATH = "/hooks/orange-ro/jambonz/voice"
CALL_NUMBERS = count(1)


def sign_body(body: bytes, secret: str = SECRET, at: float | None = None) -> str:
    """Return the header of a signed body, as jambonz writes it."""
    moment = int(time.time() if at is None else at)
    digest = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={digest}"


def judge_verbs(answers: Sequence[Any]) -> list[str]:
    """Return what jambonz's own validator says of each answer; empty for a valid one."""
    environment = {**os.environ, "NODE_PATH": str(find_node_packages())}
    called = [find_program("node"), str(PINS / "validate_verbs.js")]
    told = json.dumps(answers).encode()
    done = subprocess.run(called, input=told, env=environment, capture_output=True, check=True)
    judged: list[str] = json.loads(done.stdout)
    return judged


@dataclass(slots=True)
class JambonzPhone:
    """One call at a time; what is answered to it is kept for the validator."""

    client: ClientSession = field(repr=False)
    base: str
    caller: str = ""
    call_sid: str = ""
    answer_path: str = VOICE_PATH
    display: PhoneDisplay = field(default_factory=PhoneDisplay)
    answers: list[Any] = field(default_factory=list, repr=False)
    last: tuple[str, dict[str, Any]] = ("", {})

    async def call(self, caller: str, number: str) -> PhoneDisplay:
        """Call the number; the first request carries the INVITE."""
        self.caller, self.call_sid = caller, f"call-{next(CALL_NUMBERS)}"
        headers = {"from": f"<sip:{caller}@10.0.0.1>", "to": f"<sip:{number}@10.0.0.2>", "via": "x" * 5000}
        return await self.post(VOICE_PATH, {"call_status": "trying", "sip": {"headers": headers}})

    async def press(self, keys: str) -> PhoneDisplay:
        digits = gathered_keys(self.display, keys) or ""
        return await self.post(self.answer_path, {"reason": "dtmfDetected", "digits": digits})

    async def say(self, words: str) -> PhoneDisplay:
        heard = {"is_final": True, "alternatives": [{"transcript": words, "confidence": 0.9}]}
        return await self.post(self.answer_path, {"reason": "speechDetected", "speech": heard})

    async def press_nothing(self) -> PhoneDisplay:
        return await self.post(self.answer_path, {"reason": "timeout"})

    async def repeat_last(self) -> PhoneDisplay:
        return await self.post(*self.last)

    async def hang_up(self) -> None:
        await self.post(f"{VOICE_PATH}-status", {"call_status": "completed", "duration": 9})

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        raise DialogError("jambonz offers no USSD")

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        raise DialogError("the gateway takes no SMS from jambonz")

    async def post(self, path: str, fields: dict[str, Any]) -> PhoneDisplay:
        """Send a signed webhook and return what the caller hears."""
        self.last = path, fields
        told = {"call_sid": self.call_sid, "direction": "inbound", "from": self.caller, "to": "411"}
        body = json.dumps({**told, "call_status": "in-progress", "account_sid": "a", **fields}).encode()
        headers = {"Content-Type": "application/json", "Jambonz-Signature": sign_body(body)}
        async with self.client.post(self.base + path, data=body, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            verbs = await answer.json()
        self.answers.append(verbs)
        self.display = self.display_verbs(verbs)
        return self.display

    def display_verbs(self, verbs: list[dict[str, Any]]) -> PhoneDisplay:
        """Return what the verbs say, ask and do."""
        asked = next((each for each in verbs if each["verb"] == "gather"), None)
        said = [each["text"] for each in verbs if each["verb"] == "say"]
        dialled: dict[str, str] = next((each["target"][0] for each in verbs if each["verb"] == "dial"), {})
        transfer = dialled.get("number") or dialled.get("sipUri") or ""
        if asked is None:
            return PhoneDisplay(tuple(said), None, transfer, ends=bool(verbs))
        self.answer_path = asked["actionHook"].removeprefix(PUBLIC_URL)
        said += [asked["say"]["text"]] if "say" in asked else []
        return PhoneDisplay(tuple(said), Gather(asked["numDigits"], asked.get("finishOnKey", ""), 0, 0))


@asynccontextmanager
async def connect_jambonz(
    sandboxes: SandboxFactory, at: str = "2026-03-10 09:00", **trust: str
) -> AsyncIterator[tuple[JambonzPhone, GatewaySandbox]]:
    """Open a sandbox with a jambonz connection, and yield a phone behind it."""
    section = {"operators": {"orange-ro": {"jambonz": {"webhook_secret": SECRET, "trust": trust}}}}
    async with (
        sandboxes.open(at, more=section) as sandbox,
        serve_app(public_app(sandbox.container), "127.0.0.1", 0) as port,
        ClientSession() as client,
    ):
        yield JambonzPhone(client, f"http://127.0.0.1:{port}"), sandbox
