"""Schema of the pack files (pydantic), also published as JSON Schema for editors."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from menus.model.reply import Channel
from menus.packfile.field_types import (
    FIELD_EXAMPLES,
    CalendarDay,
    LineKindName,
    NumberPrefix,
    ServiceNumber,
    TimeZoneName,
    TrunkPrefix,
)
from menus.packfile.hours_form import CLOCK_PATTERN, DAYS_PATTERN, TIME_PATTERN, HoursForm, QuietHoursForm
from menus.packfile.promise_rules import PromisesForm
from menus.packfile.purchase_form import PurchaseRulesForm
from menus.packfile.reminder_rules import RemindersForm

NAME_PATTERN, KEY_PATTERN = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$", r"^([0-9]{1,2}|\*|#)$"
OPERATOR_PATTERN, COUNTRY_PATTERN, COUNTRY_CODE_PATTERN = (
    r"^[a-z][a-z0-9-]*$",
    r"^[A-Z]{2}$",
    r"^[1-9][0-9]{0,2}$",
)
CURRENCY_PATTERN, USSD_PATTERN = r"^[A-Z]{3}$", r"^\*[0-9*]+#$"
SCRIPT_PATTERN = r"^[A-Z][a-z]{3}$"
DottedName = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]
MenuKey = Annotated[str, StringConstraints(pattern=KEY_PATTERN)]
ProofMethod = Literal["line", "code", "password", "pin", "customer_code"]
ProofNeed = Literal["none", "line", "secret", "address", "code", "password", "pin", "customer_code"]
"""`line`, and `address` before a new address: the line on a trusted connection, or the proof the rules name.
`secret`: any proof but the line."""
NodeKind = Literal["choice", "input", "message", "step", "hand-over", "end"]
PATTERN_EXAMPLES: Mapping[str, str] = {
    **FIELD_EXAMPLES,
    NAME_PATTERN: "small letters, digits and _, with dots between words, like bill.show",
    KEY_PATTERN: "a key: one or two digits, * or #",
    CURRENCY_PATTERN: "three capitals, like EUR",
    USSD_PATTERN: "a code between * and #, like *100#",
    TIME_PATTERN: "an hour from 00:00 to 24:00, like 08:30",
    CLOCK_PATTERN: "a time from 00:00 to 23:59, like 21:30",
    DAYS_PATTERN: "a day or two with - between, like mon-fri",
    SCRIPT_PATTERN: "an ISO 15924 code, like Latn",
    OPERATOR_PATTERN: "small letters, digits and -, like orange-ro",
    COUNTRY_PATTERN: "two capitals, like RO",
    COUNTRY_CODE_PATTERN: "one to three digits, like 40",
}
"""What to write, by pattern, for people who do not read regular expressions."""


class PackForm(BaseModel):
    """Base model of all pack structures: unknown fields are rejected, values are immutable."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class OptionForm(PackForm):
    """One option of a screen; a channel without a key does not show it."""

    text: DottedName
    to: DottedName
    key: MenuKey | None = Field(None, description="The key on every channel that names none of its own.")
    ussd: MenuKey | None = None
    sms: MenuKey | None = None
    voice: MenuKey | None = None


class EachForm(PackForm):
    """One option for each row of a list, numbered from 1; or, without `to`, one line for each."""

    of: DottedName = Field(description="The fact that holds the rows.")
    text: DottedName
    to: DottedName | None = Field(
        None, description="Where a picked row leads; without it rows are shown but cannot be picked."
    )


class AcceptForm(PackForm):
    """What an input screen takes."""

    type: Literal["digits", "text", "email", "date", "msisdn", "month", "password"]
    least: int = Field(1, ge=1, le=160)
    most: int = Field(160, ge=1, le=160)
    secret: bool = Field(default=False, description="Never stored, logged or returned to.")
    keep: DottedName | None = Field(
        None, description="Name of the fact it is stored as; not allowed for a secret."
    )
    speech: bool = Field(
        default=False, description="Whether a caller may say it; the call reads it back for confirmation."
    )
    to: DottedName


class ScreenForm(PackForm):
    """One screen or step."""

    kind: NodeKind
    text: DottedName | None = Field(None, description="Its text's name; the screen's own name by default.")
    options: list[OptionForm] = []
    each: EachForm | None = None
    accept: AcceptForm | None = None
    action: DottedName | None = None
    action_argument: str = Field("", alias="with", description="Argument of the action.")
    on: dict[str, DottedName] = {}
    needs: ProofNeed = "none"
    confirm: bool = Field(
        default=False, description="Keys dialled ahead stop here: the subscriber must confirm."
    )
    via: Literal["agent", "card", "sms", "voice", "ussd"] | None = None


class ScreensFile(PackForm):
    """A file of screens."""

    screens: dict[DottedName, ScreenForm] = {}
    otherwise: dict[str, DottedName] = Field(
        {}, description="Where an outcome leads when the step names no edge."
    )


class KeywordForm(PackForm):
    """Words a subscriber may text, and where they lead."""

    words: list[str] = Field(min_length=1)
    to: DottedName
    takes: Literal["email", "digits", "msisdn", "msisdn_code", "month", "text"] | None = Field(
        None, description="What must follow the words."
    )
    keep: DottedName | None = None
    otherwise: DottedName | None = Field(None, description="Where they lead when something else follows.")


class PasswordForm(PackForm):
    """The form an SMS must have to be treated as a password: one word of `least` to `most` characters."""

    to: DottedName
    least: int = Field(8, ge=4)
    most: int = Field(64, le=128)


class TextedAddressForm(PackForm):
    """Where an SMS leads that is an e-mail address alone; `otherwise`, where it cannot be used."""

    to: DottedName
    keep: DottedName | None = None
    otherwise: DottedName


class KeywordsFile(PackForm):
    """`keywords.yaml`: the SMS keywords of a pack."""

    keywords: list[KeywordForm] = []
    password: PasswordForm | None = None
    address: TextedAddressForm | None = None
    code: PasswordForm | None = None
    otherwise: DottedName


ScriptTag = Annotated[str, StringConstraints(pattern=SCRIPT_PATTERN)]


class ScriptForm(PackForm):
    """How a language is written in a second script, for phones that lack its native one."""

    money: str = Field(description="Pattern around {amount}.")


class LanguageForm(PackForm):
    """How one language is written and spoken: locale, date and money patterns, units, fallback."""

    locale: str = Field(max_length=40, description="Babel's name, e.g. ro_RO.")
    speech: str = Field(description="BCP 47 tag for speech, e.g. ro-RO.")
    day: str = Field(description="Date pattern, e.g. dd.MM.yyyy.")
    money: str = Field(description="Pattern around {amount}.")
    unit: dict[str, str] = Field(description="Spoken unit by CLDR plural category.")
    subunit: dict[str, str]
    falls_back_to: str | None = Field(None, description="The language whose texts stand in for missing ones.")
    scripts: dict[ScriptTag, ScriptForm] = Field(
        {}, description="Second scripts for USSD and SMS; `Latn` under `ar` is offered as `ar-Latn`."
    )


class CurrencyForm(PackForm):
    """The operator's currency."""

    code: Annotated[str, StringConstraints(pattern=CURRENCY_PATTERN)]
    decimals: int = Field(ge=0, le=3)


class NumbersForm(PackForm):
    """Where subscribers reach the operator."""

    ussd: Annotated[str, StringConstraints(pattern=USSD_PATTERN)]
    voice: ServiceNumber
    sms: ServiceNumber
    agent: ServiceNumber = Field(description="Number that calls to an agent are transferred to.")


class VoiceForm(PackForm):
    """Time-outs and limits of calls."""

    first_seconds: int = Field(8, ge=1, le=60, description="To the first key.")
    between_seconds: int = Field(4, ge=1, le=30, description="Between two keys.")
    barge_in: bool = Field(default=True, description="Whether a key interrupts a prompt.")
    rows: int = Field(3, ge=1, le=9, description="Rows to pick from read before 'more' is offered.")
    most_turns: int = Field(60, ge=5, le=500, description="Most answers in one call; then it is ended.")
    agent_minutes: int = Field(60, ge=1, le=240, description="Longest duration of a transferred call.")
    agent_hours: HoursForm | None = Field(
        None, description="When calls are transferred to an agent; always by default."
    )


class RulesForm(PackForm):
    """The operator's rules: limits, proofs and policies that differ between operators."""

    list_depth: int = Field(6, ge=1, le=36, description="Bills listed.")
    document_months: int = Field(24, ge=1, le=600, description="Months a document stays readable.")
    code_digits: int = Field(6, ge=6, le=8)
    code_digits_web: int | None = Field(None, ge=6, le=8, description="Digits of codes for the bill page.")
    code_minutes: int = Field(
        10, ge=1, le=15, description="Lifetime of a one-time code; OWASP and NIST recommend 10."
    )
    publish_delay_days: int = Field(0, ge=0, le=60)
    newcomer_wait: bool = Field(default=False, description="New subscriptions wait until the next month.")
    originals_elsewhere_from: CalendarDay | None = Field(
        None, description="Bills of businesses issued since are copies: the law keeps originals on a platform."
    )
    business: Literal["allow", "refuse", "agency", "certified"] = "allow"
    proof: dict[LineKindName, ProofMethod] = Field(
        description="Kind of line (mobile, fixed, data_key...) -> proof."
    )
    address_proof: dict[LineKindName, ProofMethod] = Field(
        {}, description="Proof before a new address; `code` by default."
    )
    number_kinds: dict[NumberPrefix, LineKindName] = Field(
        {}, description="Beginning of a number -> its kind of line."
    )
    vouched: list[LineKindName] | None = Field(
        None, description="Kinds a trusted connection proves; all by default."
    )
    bill_sender: Literal["billing", "gateway"] = Field(
        "billing", description="Who e-mails the bills themselves; `billing`: our mail only announces them."
    )
    bill_attached: bool = Field(
        default=True, description="Whether the gateway attaches the bill; if not, its mail has a link to it."
    )
    reach: dict[LineKindName, Literal["sms", "email"]] = Field(
        {}, description="Kind of line -> how codes and first passwords reach it; sms by default."
    )
    reminders: RemindersForm | None = Field(None, description="Reminders of unpaid bills; none without it.")
    quiet_hours: QuietHoursForm | None = Field(
        None, description="When bill notices, reminders and campaigns by SMS are held; never without it."
    )
    promises: PromisesForm = Field(default_factory=lambda: PromisesForm.model_validate({}))
    misses: int = Field(3, ge=1, le=9, description="Wrong answers in a row before the session is given up.")
    resume_minutes: int = Field(
        10, ge=0, le=1440, description="How long a dropped session or call may be continued; 0 for not at all."
    )
    conversation_days: int = Field(
        30, ge=0, le=366, description="Days that conversations are kept for the help desk; 0 for not at all."
    )
    purchases: PurchaseRulesForm | None = None
    lost: Literal["goodbye", "agent"] = Field(
        "goodbye", description="Where a call goes after too many wrong answers."
    )


class PackFile(PackForm):
    """`pack.yaml`: who the operator is and what its rules are."""

    name: Annotated[str, StringConstraints(pattern=OPERATOR_PATTERN)]
    title: str
    country: Annotated[str, StringConstraints(pattern=COUNTRY_PATTERN)]
    country_code: Annotated[str, StringConstraints(pattern=COUNTRY_CODE_PATTERN)]
    trunk: TrunkPrefix = Field("0", description="The national prefix, shown before masked numbers.")
    number_digits: list[Annotated[int, Field(ge=5, le=14)]] = Field(
        [], description="How many digits numbers of the country have behind its code; any by default."
    )
    time_zone: TimeZoneName
    languages: dict[str, LanguageForm] = Field(min_length=1, description="The first is the default.")
    currency: CurrencyForm
    numbers: NumbersForm
    voice: VoiceForm = Field(default_factory=lambda: VoiceForm.model_validate({}))
    flows: list[DottedName] = []
    gates: dict[str, DottedName] = Field({}, description="Node that asks for a proof, by proof.")
    agencies: dict[NumberPrefix, DottedName] = Field(
        {}, description="Prefix of a number -> name of the text about the nearest agency."
    )
    rules: RulesForm


CHANNELS: tuple[Channel, ...] = ("ussd", "sms", "voice")
