"""USSD dialect: how one vendor's gateway speaks USSD over SMPP, read from a YAML file."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from menus.packfile.schema import PackForm
from menus.packfile.yaml_source import Finding, PackError, ValuePath, read_yaml
from menus.packs.file_validation import validate_source

DIALECTS_FOLDER = Path(__file__).parents[1] / "dialects"


def read_hexadecimal(value: object) -> object:
    """Return a number written as `0x12`, as protocol documents write them; anything else as it is."""
    try:
        return int(value, 16) if isinstance(value, str) and value[:2].lower() == "0x" else value
    except ValueError:
        return value


Number = Annotated[int, BeforeValidator(read_hexadecimal)]
Operation = Annotated[Number, Field(ge=0, le=255)]
EndMark = Literal["none", "low_bit", "plus_one"]


class DialectForm(PackForm):
    """One dialect. Operations are values of ussd_service_op (TLV 0x0501, SMPP 3.4, 5.3.2.44)."""

    about: str = Field(min_length=1, description="What speaks it, for people.")
    source: str = Field(min_length=1, description="Where the facts come from.")
    unusable: str = Field("", description="Why it cannot be used yet, and what to ask the operator for.")
    session: Literal["its", "reference", "none"] = Field(
        "its",
        description="What names a session besides the caller: `its` its_session_info (TLV 0x1383), `reference`"
        " user_message_reference (TLV 0x0204), `none` nothing.",
    )
    mask: Number = Field(0xFFFF, ge=0x0001, le=0xFFFF, description="Bits of its_session_info that stay equal.")
    with_code: bool = Field(
        default=False, description="Whether the service code belongs to the session's name, too."
    )
    open: tuple[Operation, ...] = Field((), description="Operations that begin a session; empty for any.")
    reply: tuple[Operation, ...] = Field((), description="Operations that bring an answer; empty for any.")
    abort: tuple[Operation, ...] = Field((), description="Operations by which the network ends a session.")
    confirm: tuple[Operation, ...] = Field((), description="Operations that only confirm what we sent.")
    unmarked: Literal["sms", "abort", "input"] = Field(
        "sms", description="What a message without an operation is: an SMS, an abort, or an input."
    )
    go_on: Operation = Field(2, description="Our operation of a screen that waits for an answer.")
    end: Operation = Field(17, description="Our operation of a last screen.")
    end_mark: EndMark = Field(
        "none",
        description="What its_session_info says of the end: `low_bit` is set in a last message, in both"
        " directions; `plus_one` adds 1 to ours.",
    )
    echo: tuple[Literal["its", "reference"], ...] = Field(
        ("its", "reference"), description="What our reply repeats of the request."
    )
    code_in: Literal["text", "destination"] = Field(
        "text", description="Where the dialled string stands in the first request."
    )
    service_type: str = Field("USSD", max_length=5)
    gsm7_coding: Number = Field(15, ge=0, le=255, description="data_coding of our GSM-7 texts.")
    ucs2_coding: Number = Field(0x48, ge=0, le=255, description="data_coding of our UCS-2 texts.")


def find_faults(form: DialectForm) -> Iterator[tuple[ValuePath, str]]:
    """Yield what the schema cannot see: operations that mean two things, marks nothing carries."""
    for name in ("abort", "confirm"):
        others = {*form.open, *form.reply, *(form.confirm if name == "abort" else form.abort)}
        for operation in set(getattr(form, name)) & others:
            yield (name,), f"operation {operation} means two things; write it once"
    if form.end_mark != "none" and form.session != "its":
        yield ("end_mark",), "its_session_info does not name the session; write session: its"


def load_dialects(folder: Path = DIALECTS_FOLDER) -> Mapping[str, DialectForm]:
    """Load every dialect of a folder, by file name; PackError with the findings of the first faulty one."""
    return {path.stem: load_dialect(path) for path in sorted(folder.glob("*.yaml"))}


def load_dialect(path: Path) -> DialectForm:
    """Load one dialect; PackError with file, line and column of each fault."""
    return _load_version(path, path.stat().st_mtime_ns if path.is_file() else 0)


@lru_cache(maxsize=64)
def _load_version(path: Path, _changed_at: int) -> DialectForm:
    source = read_yaml(path)
    form = validate_source(DialectForm, source)
    if findings := [source.finding_at(place, message) for place, message in find_faults(form)]:
        raise PackError(findings)
    return form


def check_dialect(path: Path) -> list[Finding]:
    """Return the faults of a dialect's file."""
    try:
        load_dialect(path)
    except PackError as error:
        return error.findings
    return []
