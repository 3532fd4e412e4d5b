"""A server of tests that speaks ARI as Asterisk 22 does, its unkind sides included; calls are made by hand."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from aiohttp import encode_basic_auth, web

from gateway.http.listening import serve_app

USER, PASSWORD = "dialtree", "secret-of-tests"
TIME = "2026-11-27T10:16:{:06.3f}+0000"


@dataclass(slots=True)
class AriModes:
    """How the server misbehaves."""

    holds_playbacks: bool = False
    """A playback lasts until the test ends it; otherwise it is over before its request is answered."""
    failing_playbacks: int = 0
    """How many of the next playbacks cannot be played."""
    loses_playback_ends: bool = False
    repeats_keys: bool = False
    """Each key is told twice, as where a trunk sends it both as tone and as signal."""
    labels: tuple[str, ...] = ("away",)
    """Labels of the dialplan's extension."""


@dataclass(slots=True)
class AriCall:
    """A call in Asterisk, and what was done with it."""

    id: str
    application: str
    caller: str = "+40740000101"
    endpoint: str = "PJSIP/operator-trunk"
    context: str = "from-operator"
    is_answered: bool = False
    is_up: bool = True
    variables: dict[str, str] = field(default_factory=dict)
    playbacks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Media by playback id; those under way only."""
    done: "asyncio.Queue[tuple[str, Any]]" = field(default_factory=asyncio.Queue)
    """What was done, in order: play, stop, hang_up, continue."""

    def describe(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "name": f"{self.endpoint}-00000005",
            "state": "Up" if self.is_answered else "Ring",
            "caller": {"name": "", "number": self.caller},
            "dialplan": {"context": self.context, "exten": "411", "priority": 1},
        }


@dataclass(slots=True)
class AriServer:
    """Asterisk's side: applications, calls and their events."""

    modes: AriModes = field(default_factory=AriModes)
    port: int = 0
    hears: asyncio.Event = field(default_factory=asyncio.Event)
    """While it is not set, requests are taken and not answered."""
    password: str = PASSWORD
    sockets: dict[str, web.WebSocketResponse] = field(default_factory=dict)
    known_applications: set[str] = field(default_factory=set)
    calls: dict[str, AriCall] = field(default_factory=dict)
    connects: "asyncio.Queue[str]" = field(default_factory=asyncio.Queue)
    refusals: "asyncio.Queue[int]" = field(default_factory=asyncio.Queue)
    numbers: "count[int]" = field(default_factory=lambda: count(1))
    seconds: float = 0.0

    def build_app(self) -> web.Application:
        app = web.Application(middlewares=[self.check_request])
        app.router.add_get("/ari/events", self.open_socket)
        app.router.add_get("/ari/applications/{name}", self.show_application)
        app.router.add_get("/ari/channels/{id}", self.with_call(self.show_call))
        app.router.add_post("/ari/channels/{id}/answer", self.with_call(self.answer))
        app.router.add_post("/ari/channels/{id}/play/{playback}", self.with_call(self.play))
        app.router.add_post("/ari/channels/{id}/variable", self.with_call(self.set_variable))
        app.router.add_post("/ari/channels/{id}/continue", self.with_call(self.leave))
        app.router.add_delete("/ari/channels/{id}", self.with_call(self.hang_up))
        app.router.add_delete("/ari/playbacks/{playback}", self.stop)
        return app

    @web.middleware
    async def check_request(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.headers.get("Authorization") != encode_basic_auth(USER, self.password):
            self.refusals.put_nowait(401)
            return web.Response(status=401)
        await self.hears.wait()
        answer: web.StreamResponse = await handler(request)
        return answer

    def with_call(self, handler: Callable[[web.Request, AriCall], Any]) -> Any:
        async def find_call(request: web.Request) -> web.StreamResponse:
            call = self.calls.get(request.match_info["id"])
            if call is None or not call.is_up:
                return web.json_response({"message": "Channel not found"}, status=404)
            answer: web.StreamResponse = await handler(request, call)
            return answer

        return find_call

    async def open_socket(self, request: web.Request) -> web.StreamResponse:
        name, socket = request.query["app"], web.WebSocketResponse()
        await socket.prepare(request)
        if earlier := self.sockets.get(name):  # it stays open, and hears nothing any more
            await earlier.send_json({"type": "ApplicationReplaced", "application": name})
        self.sockets[name] = socket
        self.known_applications.add(name)
        self.connects.put_nowait(name)
        async for _ in socket:
            pass
        if self.sockets.get(name) is socket:
            del self.sockets[name]
        return socket

    async def show_application(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self.known_applications:
            return web.json_response({"message": "Application not found"}, status=404)
        ids = [call.id for call in self.calls.values() if call.is_up and call.application == name]
        return web.json_response({"name": name, "channel_ids": ids})

    async def show_call(self, request: web.Request, call: AriCall) -> web.StreamResponse:
        return web.json_response(call.describe())

    async def answer(self, request: web.Request, call: AriCall) -> web.StreamResponse:
        call.is_answered = True
        return web.Response(status=204)

    async def play(self, request: web.Request, call: AriCall) -> web.StreamResponse:
        playback, media = request.match_info["playback"], tuple((await request.json())["media"])
        call.playbacks[playback] = media
        has_failed = self.modes.failing_playbacks > 0
        self.modes.failing_playbacks -= has_failed
        call.done.put_nowait(("fail" if has_failed else "play", media))
        if has_failed or not self.modes.holds_playbacks:
            await self.end_playback(call, playback, "failed" if has_failed else "done")
        return web.json_response({"id": playback, "state": "queued"}, status=201)

    async def set_variable(self, request: web.Request, call: AriCall) -> web.StreamResponse:
        body = await request.json()
        call.variables[body["variable"]] = body["value"]
        return web.Response(status=204)

    async def leave(self, request: web.Request, call: AriCall) -> web.StreamResponse:
        place = await request.json()
        if place.get("label") and place["label"] not in self.modes.labels:
            return web.json_response({"message": "Requested label can not be found"}, status=404)
        application, call.application = call.application, ""
        call.done.put_nowait(("continue", place))
        await self.send(call, {"type": "StasisEnd", "channel": call.describe()}, application)
        return web.Response(status=204)

    async def hang_up(self, request: web.Request, call: AriCall) -> web.StreamResponse:
        call.done.put_nowait(("hang_up", request.query.get("reason")))
        await self.end_call(call)
        return web.Response(status=204)

    async def stop(self, request: web.Request) -> web.StreamResponse:
        playback = request.match_info["playback"]
        for call in self.calls.values():
            if playback in call.playbacks:
                call.done.put_nowait(("stop", playback))
                await self.end_playback(call, playback)
                return web.Response(status=204)
        return web.json_response({"message": "Playback not found"}, status=404)

    async def enter(self, call: AriCall, *arguments: str) -> None:
        """Send a call into its application."""
        self.calls[call.id] = call
        await self.send(call, {"type": "StasisStart", "args": [*arguments], "channel": call.describe()})

    async def press(self, call: AriCall, keys: str) -> None:
        """Press keys, 0.2 s each."""
        for key in keys:
            self.seconds = (self.seconds + 0.2) % 60
            event = {"type": "ChannelDtmfReceived", "digit": key, "duration_ms": 100}
            event |= {"timestamp": TIME.format(self.seconds), "channel": call.describe()}
            for _ in range(1 + self.modes.repeats_keys):
                await self.send(call, event)

    async def end_playback(self, call: AriCall, playback: str = "", state: str = "done") -> None:
        """End a playback, by default the one under way."""
        playback = playback or next(iter(call.playbacks))
        media = call.playbacks.pop(playback)
        if self.modes.loses_playback_ends:
            return
        record = {"id": playback, "media_uri": media[-1], "target_uri": f"channel:{call.id}", "state": state}
        await self.send(call, {"type": "PlaybackFinished", "playback": record})

    async def end_call(self, call: AriCall) -> None:
        """End a call; its end is told twice, as Asterisk does, and of a playback under way later still."""
        call.is_up = False
        await self.send(call, {"type": "StasisEnd", "channel": call.describe()})
        await self.send(call, {"type": "ChannelDestroyed", "channel": call.describe()})
        for playback in list(call.playbacks):
            await self.end_playback(call, playback)

    async def send(self, call: AriCall, event: dict[str, Any], application: str = "") -> None:
        """Send an event to the call's application; without a connection it is lost."""
        socket = self.sockets.get(application or call.application)
        if socket is not None and not socket.closed:
            await socket.send_json({"application": call.application, **event})

    async def drop_sockets(self) -> None:
        """Close every connection for events; calls stay up."""
        for socket in list(self.sockets.values()):
            await socket.close()

    async def restart(self) -> None:
        """Lose all calls and applications, as a restarted Asterisk does."""
        self.calls.clear()
        self.known_applications.clear()
        await self.drop_sockets()


@asynccontextmanager
async def serve_ari(modes: AriModes | None = None) -> AsyncIterator[AriServer]:
    """Serve ARI on a free port of loopback during the block."""
    server = AriServer(modes or AriModes())
    server.hears.set()
    async with serve_app(server.build_app(), "127.0.0.1", 0) as server.port:
        yield server
        server.hears.set()
        await server.drop_sockets()
