"""USSD and SMS phone behind an aggregator, posting to any of several web processes."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import ClientError, ClientSession, ClientTimeout

from tests.services import eventually

HOOKS = "/hooks/orange-ro/africastalking/demo"
MENU = ("", "1", "1*1", "1*1*3")
"""*100#, Buget, Factura, Factura electronica: up to the question whether to switch."""
YES = "1*1*3*1"
GONE = (ClientError, TimeoutError, OSError)


class Web(Protocol):
    """A web process, known by its port."""

    @property
    def port(self) -> int: ...


@dataclass
class Phone:
    """One caller; `post_step` posts what an aggregator posts: all answers so far."""

    session: ClientSession
    caller: str = "+40740000101"
    session_id: str = "ATUid_1"
    seen: list[str] = field(default_factory=list)

    async def step(self, web: Web, text: str) -> str:
        """Post a USSD step and return the screen, `CON ...` or `END ...`; raises when the process is gone."""
        form = {"sessionId": self.session_id, "serviceCode": "*100#", "phoneNumber": self.caller, "text": text}
        self.seen.append(await self._posted(web, f"{HOOKS}/ussd", form))
        return self.seen[-1]

    async def text(self, web: Web, message_id: str, body: str) -> bytes | None:
        """Text 477; return the response body, or None on 503 or when the process is gone."""
        form = {"id": message_id, "from": self.caller, "to": "477", "text": body, "date": "2026-03-14 09:26:53"}
        try:
            async with self.session.post(f"http://127.0.0.1:{web.port}{HOOKS}/sms", data=form) as answer:
                assert answer.status in (200, 503)
                return await answer.read() if answer.status == 200 else None
        except GONE:
            return None

    async def walk(self, *webs: Web, texts: tuple[str, ...] = MENU) -> str:
        """Post the steps, each to the next process in turn, and return the last screen."""
        for number, text in enumerate(texts):
            await self.step(webs[number % len(webs)], text)
        return self.seen[-1]

    async def _posted(self, web: Web, path: str, form: dict[str, str]) -> str:
        async with self.session.post(f"http://127.0.0.1:{web.port}{path}", data=form) as answer:
            body = await answer.text()
            assert answer.status == 200, (answer.status, body)
            return body


def line() -> ClientSession:
    """Return an HTTP client with a timeout of ten seconds, as aggregators use."""
    return ClientSession(timeout=ClientTimeout(total=10))


async def serves(*webs: Web) -> None:
    """Wait until every process listens."""
    for web in webs:

        async def listening(port: int = web.port) -> bool:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(listening, 30)
