"""Settings of telemetry: the OpenTelemetry collector, what is exported and how much of it."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from gateway.http.client_address import check_networks


class TelemetrySettings(BaseModel):
    """The table `telemetry`: traces and metrics are exported once it is there. Needs the extra `otel`."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    endpoint: str = Field(pattern=r"^https?://[^@\s?#]+$", repr=False)
    """Base URL of the collector's OTLP/HTTP receiver, e.g. `http://127.0.0.1:4318`; `/v1/traces` and
    `/v1/metrics` are added."""
    headers: Mapping[str, SecretStr] = Field(default_factory=dict, repr=False)
    """Headers of every export, e.g. `Authorization` where the collector asks for it."""
    ca_file: str = ""
    """CA file the collector's certificate is verified with; empty means the system's."""
    service_name: str = Field("dialtree", min_length=1)
    """`service.name` of everything exported."""
    traces: bool = True
    """Whether traces are exported."""
    metrics: bool = True
    """Whether the metrics of /metrics are exported, too."""
    sample_ratio: float = Field(1.0, ge=0, le=1)
    """Share of turns that are traced; a delivery is traced if the turn that caused it is."""
    trusted_peers: tuple[str, ...] = ()
    """Networks whose `traceparent` header is believed, as CIDR; a turn is then part of the caller's trace."""
    queue_spans: int = Field(4096, ge=512, le=1_000_000)
    """Spans that may wait for export; further ones are dropped and counted."""
    metrics_seconds: float = Field(60.0, ge=1, le=3600)
    """Interval of exporting metrics."""
    timeout_seconds: float = Field(5.0, ge=0.1, le=30)
    """Time one export may take, in seconds, with its retries."""

    @field_validator("trusted_peers")
    @classmethod
    def _check_networks(cls, cidrs: tuple[str, ...]) -> tuple[str, ...]:
        return check_networks(cidrs)

    @field_validator("ca_file")
    @classmethod
    def _check_file(cls, ca_file: str) -> str:
        if ca_file and not Path(ca_file).is_file():
            raise ValueError("this file does not exist")
        return ca_file
