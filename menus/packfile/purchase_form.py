"""Schema of the pack's rules for purchases on the bill: ceilings, codes, reservations."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Amount = Annotated[
    Decimal, BeforeValidator(lambda value: Decimal(str(value)) if type(value) is float else value)
]
"""An amount; YAML reads 49.90 as a float, whose shortest form is what was written."""


class PurchaseRulesForm(BaseModel):
    """Purchases on the bill: what is allowed at most, whatever a subscriber chooses."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    per_purchase: Amount = Field(Decimal(50), gt=0, description="Most that one purchase may cost.")
    per_month: Amount = Field(Decimal(300), gt=0, description="Highest monthly cap a subscriber may choose.")
    code_from: Amount | None = Field(
        None, gt=0, description="Amount from which the subscriber confirms by a code sent by SMS."
    )
    hold_minutes: int = Field(5, ge=1, le=60, description="How long a merchant's reservation holds.")
    sim_hours: int = Field(24, ge=0, le=720, description="No purchases for so long after a SIM swap.")
    businesses: bool = Field(default=False, description="Whether lines of businesses make purchases.")
