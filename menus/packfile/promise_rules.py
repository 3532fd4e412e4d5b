"""Schema of a pack's promises to pay: how long, in how many parts, from which amount, how often."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class PromisesForm(BaseModel):
    """What subscribers may promise where the pack lists the flow `promise`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    days: list[Annotated[int, Field(ge=1, le=60)]] = Field(
        [3, 7, 10], max_length=6, description="Choices: pay within so many days."
    )
    instalments: int = Field(2, ge=1, le=4, description="One more choice: pay in so many parts; 1 for none.")
    instalment_days: int = Field(15, ge=1, le=60, description="Days between two parts, and before the first.")
    least_amount: Decimal = Field(Decimal(10), ge=0, description="Bills with less left are not put off.")
    most_a_year: int = Field(3, ge=1, le=24, description="Promises of an account in twelve months.")
