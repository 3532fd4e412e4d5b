"""Schema of a pack's payment reminders: on which days around the due date, and at which hours."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class RemindersForm(BaseModel):
    """When subscribers are reminded of a bill that is not paid; local time."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    before: list[Annotated[int, Field(ge=1, le=60)]] = Field([], description="Days before the due date.")
    on_due_date: bool = False
    overdue: list[Annotated[int, Field(ge=1, le=90)]] = Field([], description="Days after the due date.")
    from_hour: int = Field(8, ge=0, le=22, description="Sent from this hour on.")
    until_hour: int = Field(20, ge=1, le=24, description="Sent before this hour.")
    rest_days: list[Literal["friday", "saturday", "sunday"]] = Field(
        ["sunday"], description="Days without reminders; those of such a day go on the next."
    )

    @model_validator(mode="after")
    def _check_hours(self) -> Self:
        """Refuse hours in which nothing is sent: a reminder would be put off day after day."""
        if self.from_hour >= self.until_hour:
            raise ValueError("from_hour must be before until_hour")
        return self
