"""Schema of hours in a pack: when agents answer, and when messages that nobody waits for are held."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

TIME_PATTERN = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
CLOCK_PATTERN = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
DAYS_PATTERN = r"^(mon|tue|wed|thu|fri|sat|sun)(-(mon|tue|wed|thu|fri|sat|sun))?$"
TimeOfDay = Annotated[str, StringConstraints(pattern=TIME_PATTERN)]
ClockTime = Annotated[str, StringConstraints(pattern=CLOCK_PATTERN)]
DayRange = Annotated[str, StringConstraints(pattern=DAYS_PATTERN)]


class HoursForm(BaseModel):
    """Opening hours, in the operator's time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: DayRange = Field("mon-sun", description="A day, or from one to another: mon-sat.")
    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")


class QuietHoursForm(BaseModel):
    """When SMS that nobody waits for are held, in the operator's time zone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start: ClockTime = Field(alias="from", description="Held from this time on, each day.")
    end: ClockTime = Field(
        alias="to", description="Sent again from this time on, on the next day if it is before `from`."
    )
    rest_days: list[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]] = Field(
        [], max_length=6, description="Days without such messages; those of such a day go on the next."
    )

    @model_validator(mode="after")
    def _check_ends(self) -> Self:
        """Refuse hours that hold messages for ever."""
        if self.start == self.end or len(set(self.rest_days)) == 7:
            raise ValueError("from and to must differ, or messages would wait for ever")
        return self
