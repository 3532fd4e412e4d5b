"""A USSD phone behind any described provider: requests and answers are derived from the description."""

import json
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from typing import Any
from urllib.parse import urlencode
from xml.etree.ElementTree import Element, fromstring, tostring

from aiohttp import BasicAuth, ClientResponse, ClientSession

from gateway.dialogs.format import DialogError
from gateway.dialogs.player import PhoneDisplay
from gateway.providers._aggregators.described_provider import DescribedProvider
from gateway.providers._aggregators.description import RouteForm, SampleForm
from gateway.providers._aggregators.request_fields import as_source_form
from tests.support.missing_channels import WithoutCalls

CONTENT_TYPES = {"json": "application/json", "xml": "text/xml", "form": "application/x-www-form-urlencoded"}
PlacePath = tuple[str, ...]


@dataclass(slots=True)
class DescribedPhone(WithoutCalls):
    """One conversation at a time over a provider's `ussd` route."""

    client: ClientSession = field(repr=False)
    base: str
    operator: str
    provider: DescribedProvider
    session_numbers: Iterator[int] = field(default_factory=lambda: count(1))
    caller: str = ""
    session: str = ""
    step: int = 0
    last: tuple[str, dict[str, Any]] = ("", {})

    @property
    def route(self) -> RouteForm:
        return self.provider.description.routes["ussd"]

    async def dial(self, caller: str, code: str) -> PhoneDisplay:
        """Dial the code; what follows it stands in the dialled string."""
        self.caller, self.session, self.step = caller, f"S{next(self.session_numbers)}", 0
        return await self._send("begin", code)

    async def press(self, keys: str) -> PhoneDisplay:
        """Send the last answer alone."""
        return await self._send("input", keys)

    async def repeat_last(self) -> PhoneDisplay:
        """Send the last request again."""
        return await self._post(*self.last)

    async def hang_up(self) -> None:
        """Send the provider's end of a session, where it has one."""
        raise DialogError("not described")

    async def send_text(self, caller: str, number: str, body: str) -> PhoneDisplay:
        raise DialogError("USSD only")

    async def _send(self, kind: str, text: str) -> PhoneDisplay:
        self.step += 1
        values = {
            "session": self.session,
            "caller": self.caller.removeprefix("+"),
            "number": self.caller.removeprefix("+"),
            "text": text.strip("*#") if self._sends_bare_code and kind == "begin" else text,
            "request_id": str(self.step),
            "kind": self._their_kind(kind),
        }
        return await self._post(*self._write_request(values))

    @property
    def _sends_bare_code(self) -> bool:
        return not self.route.samples[0].expect.get("text", "*").startswith("*")

    def _their_kind(self, kind: str) -> str:
        """Return the provider's word for a kind; empty where it has none."""
        source = self.route.read.get("kind")
        words = {ours: theirs for theirs, ours in as_source_form(source).map.items()} if source else {}
        return words.get(kind, "")

    def _write_request(self, values: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
        """Return URL and arguments of a request: the first sample with these values in it."""
        sample, path, query = self.route.samples[0], {}, {}
        body = _parse_body(self.route, sample)
        for name, source in self.route.read.items():
            place, value = as_source_form(source).at[0], values.get(name)
            if value is None:
                continue
            part, _, segment = place.partition(":")
            if part == "path":
                path[segment] = value
            elif self.route.method == "GET" and value:
                query[place] = value
            elif self.route.method == "POST":
                _set_value(body, tuple(place.split(".")), value)
        url = f"{self.base}/hooks/{self.operator}/{self.provider.NAME}{self._token}/ussd"
        url += "".join(f"/{path[name]}" for name in self.route.path)
        query = {**(sample.query if self.route.method == "GET" else {}), **query}
        return f"{url}?{urlencode(query)}" if query else url, self._arguments(body)

    @property
    def _token(self) -> str:
        settings = self.provider.example_settings()
        return f"/{settings['hook_token']}" if self.provider.description.authentication.kind == "path" else ""

    def _arguments(self, body: Any) -> dict[str, Any]:
        auth = None
        if self.provider.description.authentication.kind == "basic":
            settings = self.provider.example_settings()
            auth = BasicAuth(settings["hook_user"], settings["hook_secret"])
        if self.route.method == "GET":
            return {"auth": auth}
        headers = {"Content-Type": CONTENT_TYPES[self.route.body]}
        return {"data": _write_body(self.route, body), "headers": headers, "auth": auth}

    async def _post(self, url: str, arguments: dict[str, Any]) -> PhoneDisplay:
        self.last = url, arguments
        async with self.client.request(self.route.method, url, **arguments) as answer:
            assert answer.status == 200, await answer.text()
            return self._read_answer(answer, await answer.text())

    def _read_answer(self, answer: ClientResponse, text: str) -> PhoneDisplay:
        """Return what the subscriber sees, found by where the shape has the text and the condition."""
        reply = self.route.reply
        if reply.body == "text":
            (header, words), *_ = [
                (name, each) for name, each in reply.headers.items() if isinstance(each, dict)
            ]
            return PhoneDisplay(tuple(text.split("\n")), ends=answer.headers[header] == words["end"])
        parsed = json.loads(text) if reply.body == "json" else _xml_values(fromstring(text))
        shown, ends = "", False
        for place, shape in _shape_leaves(reply.shape, ()):
            value = _get_value(parsed, place)
            if shape == "$text":
                shown = str(value)
            if isinstance(shape, dict):
                ends = ends or str(value).lower() == shape["end"]
        return PhoneDisplay(tuple(shown.split("\n")), ends=ends)


def _shape_leaves(shape: Any, place: PlacePath) -> Iterator[tuple[PlacePath, Any]]:
    """Yield the leaves of a shape; a condition is one."""
    if isinstance(shape, dict) and shape.keys() != {"continue", "end"}:
        for name, inner in shape.items():
            yield from _shape_leaves(inner, (*place, name))
        return
    yield place, shape


def _parse_body(route: RouteForm, sample: SampleForm) -> Any:
    if route.method == "GET":
        return {}
    return json.loads(sample.body) if route.body == "json" else _xml_values(fromstring(sample.body))


def _write_body(route: RouteForm, body: Any) -> str:
    if route.body == "json":
        return json.dumps(body)
    (root, children), *_ = body.items()
    element = Element(root)
    for name, value in children.items():
        child = Element(name)
        child.text = value
        element.append(child)
    return tostring(element, encoding="unicode")


def _xml_values(root: Element) -> dict[str, dict[str, str]]:
    return {root.tag: {child.tag: child.text or "" for child in root}}


def _set_value(body: Any, place: PlacePath, value: str) -> None:
    """Set a value, with the type it has in the sample."""
    holder = body
    if len(body) == 1 and place[0] not in body:  # XML: the root's name is no part of a place
        (holder,) = body.values()
    for name in place[:-1]:
        holder = holder[name]
    before = deepcopy(holder.get(place[-1]))
    holder[place[-1]] = value == "true" if isinstance(before, bool) else value


def _get_value(parsed: Any, place: PlacePath) -> Any:
    for name in place:
        parsed = parsed[name]
    return parsed
