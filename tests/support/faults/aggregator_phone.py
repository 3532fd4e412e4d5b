"""USSD and SMS phone behind an aggregator, posting to any of several web processes."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.support.faults.gateway_processes import HOOK_TOKEN
from tests.support.server_processes import poll_until

WEBHOOK_PATH = f"/hooks/orange-ro/africastalking/{HOOK_TOKEN}"
MENU_STEPS = ("", "1", "1*1", "1*1*3")
"""*100#, Buget, Factura, Factura electronica: up to the question whether to switch."""
YES_STEP = "1*1*3*1"
CONNECTION_ERRORS = (ClientError, TimeoutError, OSError)


class WebProcess(Protocol):
    """A web process, known by its port."""

    @property
    def port(self) -> int: ...


@dataclass
class AggregatorPhone:
    """One caller; `post_step` posts what an aggregator posts: all answers so far."""

    session: ClientSession
    caller: str = "+40740000101"
    session_id: str = "ATUid_1"
    screens: list[str] = field(default_factory=list)

    async def post_step(self, web: WebProcess, text: str) -> str:
        """Post a USSD step and return the screen, `CON ...` or `END ...`; raises when the process is gone."""
        form = {"sessionId": self.session_id, "serviceCode": "*100#", "phoneNumber": self.caller, "text": text}
        self.screens.append(await self._post(web, f"{WEBHOOK_PATH}/ussd", form))
        return self.screens[-1]

    async def post_text(self, web: WebProcess, message_id: str, body: str) -> bytes | None:
        """Text 477; return the response body, or None on 503 or when the process is gone."""
        form = {"id": message_id, "from": self.caller, "to": "477", "text": body, "date": "2026-03-14 09:26:53"}
        try:
            async with self.session.post(f"http://127.0.0.1:{web.port}{WEBHOOK_PATH}/sms", data=form) as answer:
                assert answer.status in (200, 503)
                return await answer.read() if answer.status == 200 else None
        except CONNECTION_ERRORS:
            return None

    async def post_steps(self, *webs: WebProcess, texts: tuple[str, ...] = MENU_STEPS) -> str:
        """Post the steps, each to the next process in turn, and return the last screen."""
        for number, text in enumerate(texts):
            await self.post_step(webs[number % len(webs)], text)
        return self.screens[-1]

    async def _post(self, web: WebProcess, path: str, form: dict[str, str]) -> str:
        async with self.session.post(f"http://127.0.0.1:{web.port}{path}", data=form) as answer:
            body = await answer.text()
            assert answer.status == 200, (answer.status, body)
            return body


def open_http_session() -> ClientSession:
    """Return an HTTP client with a timeout of ten seconds, as aggregators use."""
    return ClientSession(timeout=ClientTimeout(total=10))


async def wait_until_listening(*webs: WebProcess) -> None:
    """Wait until every process listens."""
    for web in webs:

        async def listening(port: int = web.port) -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await poll_until(listening, 30)
