"""Traced ports: a span around every call to billing, payment providers, stores and actions."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast

from opentelemetry.trace import SpanKind

from flows.domain.actions import Action, ActionRequest, OperatorPorts, Outcome
from gateway.telemetry.spans import AttributeValues, SpanFactory

T = TypeVar("T")
TRACED_PORTS = (
    *("billing", "payments", "wallet"),
    *("ledger", "codes", "passwords", "intents", "policies", "charges", "promises"),
)
"""Fields of `OperatorPorts` whose calls get spans, named by field and method: `billing.get_bill`."""


def trace_ports(ports: OperatorPorts, operator: str, spans: SpanFactory) -> None:
    """Put spans around the calls of an operator's ports."""
    for name in TRACED_PORTS:
        port = getattr(ports, name)
        if port is not None:
            setattr(ports, name, trace_port(port, name, spans, {"operator": operator}))


def trace_port(inner: T, name: str, spans: SpanFactory, values: AttributeValues) -> T:
    """Return an object with the same methods, each `async` one in a span `{name}.{method}`.

    Its class has every public name of the inner one's as its own, so that it satisfies the same protocols.
    """
    kind = type(inner)
    members = {
        each: _trace_method(getattr(kind, each), f"{name}.{each}", spans, values)
        if iscoroutinefunction(getattr(kind, each))
        else _forward(each)
        for each in dir(kind)
        if not each.startswith("_")
    }
    members["__getattr__"] = lambda self, each: getattr(inner, each)
    traced = type(f"Traced{kind.__name__}", (), {"_inner": inner, **members})
    return cast(T, traced())


def _forward(name: str) -> property:
    return property(lambda self: getattr(self._inner, name))


def _trace_method(
    method: Callable[..., Awaitable[Any]], name: str, spans: SpanFactory, values: AttributeValues
) -> Callable[..., Awaitable[Any]]:
    async def call_traced(self: Any, *arguments: Any, **options: Any) -> Any:
        with spans.open_call(name, values):
            return await method(self._inner, *arguments, **options)

    return call_traced


def trace_actions(actions: Mapping[str, Action], spans: SpanFactory) -> Mapping[str, Action]:
    """Return the actions, each run in a span `step` with its outcome."""
    return {name: replace(action, run=_trace_run(name, action, spans)) for name, action in actions.items()}


def _trace_run(name: str, action: Action, spans: SpanFactory) -> Callable[[ActionRequest], Awaitable[Outcome]]:
    async def run_traced(ask: ActionRequest) -> Outcome:
        with spans.open_call("step", {"action": name}, SpanKind.INTERNAL) as span:
            outcome = await action.run(ask)
            span.set_attributes({"outcome": outcome.name})
            return outcome

    return run_traced
