"""Events of a described provider: USSD requests, text messages, delivery reports."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from flows.domain.failures import BadRequest
from flows.domain.records import Receipt
from flows.engine.inbound import Inbound
from gateway.providers._aggregators.description import EVENT_KINDS, REPORT_STATES, RouteForm
from gateway.providers._aggregators.request_fields import element_prefixes, read_values
from gateway.providers._shared.fields import require_field
from gateway.providers._shared.numbers import read_caller
from gateway.providers.contract import Connection, ConversationEnded, ProviderEvent, SingleEvent, Webhook

log = logging.getLogger("dialtree.providers")
DeliveryReportState = Literal["in_transit", "delivered", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class DescribedEventReader:
    """Reads the requests of one route."""

    provider: str
    route: RouteForm = field(repr=False)

    def read(self, webhook: Webhook, connection: Connection) -> ProviderEvent:
        """Return the event, or one for each element of the list; BadRequest when a value is missing."""
        prefixes = list(element_prefixes(self.route, webhook))
        if not prefixes:
            raise BadRequest(f"{self.route.each} is missing")
        events = [self._read_element(webhook, connection, prefix) for prefix in prefixes]
        return events[0] if len(events) == 1 else tuple(events)

    def _read_element(self, webhook: Webhook, connection: Connection, prefix: str) -> SingleEvent:
        values = read_values(self.route, webhook, prefix)
        if self.route.channel == "report":
            return self._read_report(values)
        if self.route.channel == "sms":
            return self._read_message(values, connection)
        return self._read_step(values, connection)

    def _read_step(self, values: Mapping[str, str], connection: Connection) -> SingleEvent:
        """Read a request of a USSD session; a kind that is not described changes nothing and is logged."""
        kind = values.get("kind", "")
        if kind and kind not in EVENT_KINDS:
            log.info(
                "provider.kind_unknown", extra={"provider": self.provider, "operator": connection.operator}
            )
            return None
        if kind == "ignore":
            return None
        caller = read_caller(require_field(values, "caller"), connection.numbering)
        session_id = self._session_id(values, caller)
        if kind == "end":
            return ConversationEnded(session_id, caller, "ussd")
        return Inbound(
            provider=self.provider,
            channel="ussd",
            operator=connection.operator,
            session_id=session_id,
            caller=caller,
            address=connection.addresses.get("ussd", ""),
            text=values.get("text", ""),
            accumulated=self.route.input == "all",
            request_id=values.get("request_id", ""),
            begins=None if not kind or "begin" not in self._known_kinds() else kind == "begin",
            trust=connection.trust.get("ussd", "none"),
        )

    def _session_id(self, values: Mapping[str, str], caller: str) -> str:
        """Return the session's id; empty where the provider may name none: the caller's dial is the session."""
        if not self.route.session_optional:
            return require_field(values, "session")
        if not values.get("session") and not caller:
            raise BadRequest("session is missing, and the caller is not a number")
        return values.get("session", "")

    def _known_kinds(self) -> frozenset[str]:
        kind = self.route.read.get("kind")
        return frozenset() if kind is None or isinstance(kind, str) else frozenset(kind.map.values())

    def _read_message(self, values: Mapping[str, str], connection: Connection) -> SingleEvent:
        """Read a text message; the reply goes by the outbox."""
        return Inbound(
            provider=self.provider,
            channel="sms",
            operator=connection.operator,
            session_id="",
            caller=read_caller(require_field(values, "caller"), connection.numbering),
            address=connection.addresses.get("sms", ""),
            text=values.get("text", ""),
            request_id=require_field(values, "request_id"),
            inline=False,
            trust=connection.trust.get("sms", "none"),
        )

    def _read_report(self, values: Mapping[str, str]) -> SingleEvent:
        """Read a delivery report; a state that is not described is `unknown`."""
        state = values.get("state", "")
        message_id, our_id = values.get("message_id", ""), values.get("our_id", "")
        if not message_id and not our_id:
            raise BadRequest("message_id is missing")
        return Receipt(
            provider=self.provider,
            message_id=message_id,
            state=cast(DeliveryReportState, state if state in REPORT_STATES else "unknown"),
            raw=values.get("raw", "") or state,
            reason=values.get("reason", ""),
            our_id=our_id,
        )
