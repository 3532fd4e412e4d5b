"""jambonz verbs of a voice call (docs.jambonz.org: gather, say, play, dial, hangup)."""

import json
from collections.abc import Mapping
from typing import Any

from gateway.providers._shared.prompt_runs import PromptRun, group_prompts, spoken_text
from gateway.providers._shared.xml import recording_url
from gateway.providers.contract import Connection, ProviderAnswer
from menus.model.reply import Gather, Reply

JSON_CONTENT_TYPE = "application/json"
DEFAULT_VENDOR = "default"
"""Leaves the speech vendor to the account's own settings at jambonz."""
Verb = dict[str, Any]


def write_verbs(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write one turn of a call; without a reply the call goes on with what it was told before."""
    verbs = [] if reply is None else _build_verbs(reply, connection)
    body = json.dumps(verbs, ensure_ascii=False, separators=(",", ":"))
    return ProviderAnswer(body.encode(errors="replace"), JSON_CONTENT_TYPE)


def _build_verbs(reply: Reply, connection: Connection) -> list[Verb]:
    if reply.gather is not None and not reply.transfer_to:
        return _ask_keys(reply, reply.gather, connection)
    runs = group_prompts(tuple(prompt for prompt in reply.prompts if prompt.kind != "invite"))
    verbs = [_prompt_verb(run, reply, connection) for run in runs]
    if reply.transfer_to:
        return [*verbs, _dial_verb(reply, connection), {"verb": "hangup"}]
    return [*verbs, {"verb": "hangup"}] if reply.ends_session else verbs


def _ask_keys(reply: Reply, gather: Gather, connection: Connection) -> list[Verb]:
    """Return the prompts and a gather; it holds one spoken text or one recording, so it gets the last run."""
    wanted = (prompt for prompt in reply.prompts if gather.accepts_speech or prompt.kind != "invite")
    runs = [_prompt_verb(run, reply, connection) for run in group_prompts(tuple(wanted))]
    asked: Verb = {"verb": "gather", "actionHook": f"{connection.hooks_url}/voice?hop={reply.turn}"}
    asked |= _gather_options(gather) | _speech_options(reply, gather, connection)
    if runs:
        last = dict(runs[-1])
        asked[last.pop("verb")] = last
    return [*runs[:-1], asked]


def _gather_options(gather: Gather) -> Verb:
    """Return the limits of the keys; a silent caller is reported to the actionHook, too."""
    limits = {
        "input": ["digits", "speech"] if gather.accepts_speech else ["digits"],
        "numDigits": gather.max_keys,
        "timeout": gather.first_key_seconds,
        "interDigitTimeout": gather.between_keys_seconds,
        "dtmfBargein": gather.barge_in,
    }
    return limits | ({"finishOnKey": gather.finish_key} if gather.finish_key else {})


def _speech_options(reply: Reply, gather: Gather, connection: Connection) -> Verb:
    if not gather.accepts_speech:
        return {}
    hints = {"hints": list(gather.speech_hints)} if gather.speech_hints else {}
    return {"recognizer": {"vendor": DEFAULT_VENDOR, **_language(reply, connection), **hints}}


def _prompt_verb(run: PromptRun, reply: Reply, connection: Connection) -> Verb:
    """Return a run of prompts as a verb."""
    if run[0].kind == "play":
        return {"verb": "play", "url": recording_url(connection.public_url, connection.operator, run[0].file)}
    said: Verb = {"verb": "say", "text": spoken_text(run)}
    language = _language(reply, connection)
    return said | ({"synthesizer": {"vendor": DEFAULT_VENDOR, **language}} if language else {})


def _language(reply: Reply, connection: Connection) -> Mapping[str, str]:
    """Return the language for a speech vendor; empty, for the account's own, when the pack names none."""
    tag = connection.locales.get(reply.language, "")
    return {"language": tag} if tag else {}


def _dial_verb(reply: Reply, connection: Connection) -> Verb:
    """Return a transfer; a SIP address gets the context as headers, a telephone number gets none.

    Its actionHook is asked when it ends: an agent who does not answer must not end the call silently.
    """
    dial: Verb = {"verb": "dial", "actionHook": f"{connection.hooks_url}/voice?language={reply.language}"}
    if reply.transfer_limit_seconds:
        dial["timeLimit"] = reply.transfer_limit_seconds
    if not reply.transfer_to.startswith("sip:"):
        return dial | {"target": [{"type": "phone", "number": reply.transfer_to}]}
    dial["headers"] = {"X-Screen": reply.transfer_context, "X-Language": reply.language}
    return dial | {"target": [{"type": "sip", "sipUri": reply.transfer_to}]}
