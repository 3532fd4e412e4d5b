"""Option types of the command line (Typer): names, help texts and choices that commands share."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

ChannelName = Literal["ussd", "sms", "voice"]
BillingKind = Literal["memory", "tmf678", "killbill"]
RowState = Literal[
    "pending", "claimed", "again", "unknown", "sent", "delivered", "failed", "dead", "expired", "opted_out"
]
TicketStateName = Literal["open", "answered", "closed"]
PausableKindName = Literal["notice", "campaign"]
MessageKindName = Literal["code", "reply", "errand", "notice", "ticket", "campaign"]
SmsOrEmail = Literal["sms", "email"]
ReplayState = Literal["dead", "failed", "unknown", "expired"]

DemoOption = Annotated[bool, Option("--demo", help="Use the demo's own database and settings.")]
PacksOption = Annotated[
    Path | None,
    Option(
        "--packs",
        metavar="FOLDER",
        exists=True,
        file_okay=False,
        help="A folder of packs beside the shipped ones.",
    ),
]
BillingOption = Annotated[
    BillingKind | None, Option("--billing", help="Read bills from a BSS of this kind instead.")
]
OperatorArgument = Annotated[str, Argument(metavar="OPERATOR", help="E.g. orange-ro.")]
ReferenceArgument = Annotated[
    str, Argument(metavar="REFERENCE", help="The reference the subscriber was given, e.g. KUXJDQO7.")
]
NumberArgument = Annotated[str, Argument(metavar="MSISDN", help="The subscriber's number, e.g. +40740000101.")]
AuditIdArgument = Annotated[int, Argument(metavar="ID", min=1, help="The entry's id in the table `audit`.")]
OwnerOption = Annotated[
    str | None,
    Option("--operator", help="The operator; by default the only one served, or the one whose country fits."),
]
