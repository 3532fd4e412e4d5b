"""Settings of the support console: its listener, its users and how long they stay signed in."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, field_validator


class ConsoleSettings(BaseModel):
    """The table `console`: `dialtree console serve` serves the console once it is there."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    public_url: str = Field(pattern=r"^https?://[^/\s]+$")
    """URL by which staff reach it; https outside the demo, except on this machine."""
    users_file: str = Field(min_length=1)
    """The users, which `dialtree console user` writes; readable by the gateway's own user only."""
    host: str = "127.0.0.1"
    """Address its listener binds."""
    port: int = Field(8081, ge=0, le=65535)
    """Port of its listener."""
    internal_port: int | None = Field(None, ge=0, le=65535)
    """Port of its /healthz, /readyz and /metrics; by default 1310 above `port` of the gateway."""
    idle_minutes: int = Field(15, ge=1, le=240)
    """After so long without a request a user is signed out."""
    session_hours: int = Field(8, ge=1, le=24)
    """After so long a user is signed out in any case."""

    @field_validator("users_file")
    @classmethod
    def _check_folder(cls, users_file: str) -> str:
        if not Path(users_file).absolute().parent.is_dir():
            raise ValueError("its folder does not exist")
        return users_file
