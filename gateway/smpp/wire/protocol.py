"""Numbers of SMPP 3.4: command ids, TLV tags, command statuses, esm_class bits (5.1 to 5.3)."""

from typing import Final


class Command:
    """Command ids (5.1.2.1); a response has the highest bit set."""

    GENERIC_NACK: Final = 0x80000000
    BIND_RECEIVER: Final = 0x01
    BIND_TRANSMITTER: Final = 0x02
    QUERY_SM: Final = 0x03
    SUBMIT_SM: Final = 0x04
    DELIVER_SM: Final = 0x05
    UNBIND: Final = 0x06
    BIND_TRANSCEIVER: Final = 0x09
    OUTBIND: Final = 0x0B
    ENQUIRE_LINK: Final = 0x15
    ALERT_NOTIFICATION: Final = 0x102
    DATA_SM: Final = 0x103
    RESPONSE_BIT: Final = 0x80000000


class Tag:
    """Tags of the TLVs we read or write (5.3.2)."""

    USER_MESSAGE_REFERENCE: Final = 0x0204
    SAR_REFERENCE: Final = 0x020C
    SAR_TOTAL: Final = 0x020E
    SAR_NUMBER: Final = 0x020F
    SC_INTERFACE_VERSION: Final = 0x0210
    RECEIPTED_MESSAGE_ID: Final = 0x001E
    NETWORK_ERROR_CODE: Final = 0x0423
    MESSAGE_PAYLOAD: Final = 0x0424
    MESSAGE_STATE: Final = 0x0427
    USSD_SERVICE_OP: Final = 0x0501
    ITS_SESSION_INFO: Final = 0x1383


class Status:
    """Command statuses (5.1.3) the session itself acts on or sends; `statuses.yaml` sorts all others."""

    OK: Final = 0x00
    INVALID_LENGTH: Final = 0x02
    INVALID_COMMAND: Final = 0x03
    INVALID_BIND_STATE: Final = 0x04
    ALREADY_BOUND: Final = 0x05
    SYSTEM_ERROR: Final = 0x08
    BIND_FAILED: Final = 0x0D
    INVALID_PASSWORD: Final = 0x0E
    INVALID_SYSTEM_ID: Final = 0x0F
    QUEUE_FULL: Final = 0x14
    THROTTLED: Final = 0x58
    TEMPORARY_APP_ERROR: Final = 0x64


class EsmClass:
    """Bits of esm_class (5.2.12)."""

    MODE_MASK: Final = 0x03
    TYPE_MASK: Final = 0x3C
    RECEIPT: Final = 0x04
    INTERMEDIATE: Final = 0x20
    UDH: Final = 0x40


INTERFACE_VERSION: Final = 0x34
"""SMPP 3.4 as a bind states it."""
