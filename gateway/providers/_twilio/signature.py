"""Twilio request signature check on the raw bytes.

The signed text is the URL as Twilio called it, then every form field sorted by name, each name followed by its
value; for other bodies the URL alone, whose `bodySHA256` holds the body's hash. HMAC-SHA1 with the auth token,
or HMAC-SHA256 with a shared key named in a second header (twilio.com/docs/usage/webhooks/webhooks-security).

A valid signature does not prove the structure: nothing separates names from values, so `Body=PAY&From=%2B4` and
`Body=PAYFrom%2B4` have the same signature, and equal repeats count once. Hence the check of names here, the
single values the guard requires, and the fields each reader requires. There is no timestamp: message and call
ids prevent replays.
"""

import base64
import hmac
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from typing import Literal
from urllib.parse import parse_qs, parse_qsl, urlsplit, urlunsplit

from gateway.providers.contract import RawRequest

SIGNATURE_HEADER = "x-twilio-signature"
SETTINGS_HEADER = "x-twilio-webhooks-signature-settings"
FORM_CONTENT_TYPE = "application/x-www-form-urlencoded"
SHARED_ALGORITHM = "HMAC_SHA256"
MAX_FIELDS = 200
DEFAULT_PORTS = {"https": 443, "http": 80}

FREE_TEXT_FIELDS = frozenset({"Body", "SpeechResult", "UnstableSpeechResult"})
"""Fields that hold text a subscriber wrote or said."""
KNOWN_NEXT_FIELDS = frozenset(
    name
    for line in (
        "ButtonPayload ButtonText CallSid CallStatus CallToken CallbackSource Called CalledCity",
        "CalledCountry CalledState CalledZip Caller CallerCity CallerCountry CallerName CallerState",
        "CallerZip ChannelInstallSid ChannelMetadata ChannelPrefix ChannelToAddress Confidence Digits",
        "Direction ErrorCode EventType FinishedOnKey ForwardedFrom From FromCity FromCountry",
        "FromState FromZip Latitude Longitude MediaContentType0 MediaUrl0 MessageSid MessageStatus",
        "MessagingServiceSid Stability StirPassportToken StirVerstat To ToCity ToCountry ToState",
        "ToZip UnstableSpeechResult Carrier ContentSid DateCreated DateSent DateUpdated Forwarded",
    )
    for name in line.split()
)
"""Field names Twilio documents that can follow those in signing order."""

_FIELD_NAME = re.compile(r"[A-Za-z0-9_.\-]+", re.ASCII)
"""Field names as Twilio writes them; SIP headers contain dashes, nothing contains a plus or a space."""
_MAC_PATTERN = re.compile(r"[A-Za-z0-9+/]{20,60}={0,2}", re.ASCII)


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The secrets a request may be signed with; with none of them no request is genuine."""

    auth_tokens: tuple[str, ...] = field(repr=False)
    """Auth tokens, for HMAC-SHA1; two while one is being changed."""
    shared_keys: Mapping[str, str] = field(repr=False)
    """Shared keys by id, for HMAC-SHA256, whatever algorithm the request claims."""
    more_fields: frozenset[str] = frozenset()
    """Names of further fields that may follow a subscriber's text in signing order."""


def is_genuine(raw: RawRequest, form: Mapping[str, str], public_url: str, keys: SigningKeys) -> bool:
    """Return whether Twilio signed this very request for `public_url`; never raises.

    `form` is what will be read: it must be what was signed.
    """
    try:
        return _signature_matches(raw, form, public_url, keys)
    except ValueError:  # not UTF-8, too many fields, or an invalid host
        return False


def _signature_matches(raw: RawRequest, form: Mapping[str, str], public_url: str, keys: SigningKeys) -> bool:
    """Check the fields and compare the signature with each allowed secret; ValueError for undecodable input."""
    signature = _single_header(raw, SIGNATURE_HEADER)
    fields = _signed_fields(raw)
    if (
        not _MAC_PATTERN.fullmatch(signature)
        or fields is None
        or not _same_fields(fields, form)
        or _may_be_split(fields, KNOWN_NEXT_FIELDS | keys.more_fields)
    ):
        return False
    tail = raw.target + "".join(name + value for name, value in fields)
    macs = [
        _compute_mac(secret, base + tail, algorithm)
        for secret, algorithm in _candidate_secrets(raw, keys)
        for base in _base_urls(public_url)
    ]
    return any(hmac.compare_digest(mac, signature) for mac in macs)


def _same_fields(fields: list[tuple[str, str]], form: Mapping[str, str]) -> bool:
    """Return whether the form holds the signed fields, with any one of repeated values.

    Repeats are rejected by the guard.
    """
    return form.keys() == dict(fields).keys() and form.items() <= set(fields)


def _may_be_split(fields: list[tuple[str, str]], known: frozenset[str]) -> bool:
    """Return whether the end of a subscriber's text may have been split off as a field of its own.

    Such a request has the same signature. Only the field next in signing order can have been split off, so only
    that one must have a known name.
    """
    names = [name for name, _ in fields]
    following = {after for name, after in pairwise(names) if name in FREE_TEXT_FIELDS}
    return any(after not in known for after in following)


def _single_header(raw: RawRequest, name: str) -> str:
    """Return the header's value; empty when it is missing, or ambiguous because it is repeated."""
    values = [value for key, value in raw.headers.items() if key.lower() == name]
    return values[0] if len(values) == 1 else ""


def _signed_fields(raw: RawRequest) -> list[tuple[str, str]] | None:
    """Return the form's fields in signing order, none for other bodies; None rejects the request.

    A body that is no form must match its signed hash, or it would be accepted unsigned.
    """
    kind = _single_header(raw, "content-type").partition(";")[0].strip().lower()
    if kind == FORM_CONTENT_TYPE or not raw.body:
        return _parse_fields(raw.body)
    return [] if _body_hash_holds(raw) else None


def _parse_fields(body: bytes) -> list[tuple[str, str]] | None:
    """Parse and sort the fields; None for a name Twilio does not write, ValueError for undecodable input.

    Blank values count; equal repeats count once.
    """
    pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    names_valid = all(_FIELD_NAME.fullmatch(name) for name, _ in pairs)
    return sorted(set(pairs)) if names_valid else None


def _body_hash_holds(raw: RawRequest) -> bool:
    """Return whether the query's single `bodySHA256` is the body's hash."""
    hashes = parse_qs(urlsplit(raw.target).query).get("bodySHA256", [])
    return len(hashes) == 1 and hmac.compare_digest(hashes[0].encode(), sha256(raw.body).hexdigest().encode())


def _candidate_secrets(raw: RawRequest, keys: SigningKeys) -> Iterator[tuple[str, Literal["sha1", "sha256"]]]:
    """Yield the secrets that may have signed this request.

    The header names a key and never chooses the algorithm.
    """
    if not any(name.lower() == SETTINGS_HEADER for name in raw.headers):
        yield from ((token, "sha1") for token in keys.auth_tokens if token)
        return
    parts = dict(part.strip().partition("=")[::2] for part in _single_header(raw, SETTINGS_HEADER).split(","))
    secret = keys.shared_keys.get(parts.get("key", ""), "")
    if secret and parts.get("algorithm") == SHARED_ALGORITHM:
        yield secret, "sha256"


def _compute_mac(secret: str, text: str, algorithm: Literal["sha1", "sha256"]) -> str:
    """Return the base64 HMAC of the text."""
    return base64.b64encode(hmac.digest(secret.encode(), text.encode(), algorithm)).decode()


@lru_cache(maxsize=256)
def _base_urls(public_url: str) -> tuple[str, ...]:
    """Return the public URL with its port and without: Twilio signs either way."""
    url = urlsplit(public_url.rstrip("/"))
    host = url.netloc.removesuffix(f":{url.port}")
    port = url.port or DEFAULT_PORTS.get(url.scheme, 80)
    return tuple(urlunsplit(url._replace(netloc=netloc)) for netloc in (host, f"{host}:{port}"))
