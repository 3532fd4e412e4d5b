"""Africa's Talking voice XML (vendor's pages voice/getdigits, voice/dial)."""

from itertools import groupby
from xml.etree.ElementTree import Element

from gateway.providers._shared.xml import add, document, recording
from gateway.providers.contract import Answer, Connection
from menus.model.reply import Gather, Prompt, Reply

XML = "text/xml; charset=utf-8"


def write_voice(reply: Reply | None, connection: Connection) -> Answer:
    """Write one turn of a call; the end of the document hangs up, so an ending reply needs only its prompts."""
    root = Element("Response")
    if reply is not None and reply.gather:
        _ask(root, reply, reply.gather, connection)
    elif reply is not None:
        _tell(root, reply.prompts, connection)
        if reply.transfer:
            limit = {"maxDuration": str(reply.transfer_seconds)} if reply.transfer_seconds else {}
            add(root, "Dial", attributes={"phoneNumbers": reply.transfer} | limit)
    return Answer(document(root), XML)


def _ask(root: Element, reply: Reply, gather: Gather, connection: Connection) -> None:
    """Add prompts and GetDigits. A silent caller leaves GetDigits without a callback, hence the Redirect.

    GetDigits takes keys only and no other element takes speech: invitations to speak are left out. GetDigits
    holds one Say or one Play, so it gets the last group of prompts and the others come before it.
    """
    runs = _runs(tuple(prompt for prompt in reply.prompts if prompt.kind != "invite"))
    for run in runs[:-1]:
        _tell(root, run, connection)
    back = f"{connection.hooks_url}/voice?hop={reply.turn}"
    digits = add(root, "GetDigits", attributes=_keys(gather) | {"callbackUrl": back})
    if runs:
        _tell(digits, runs[-1], connection)
    add(root, "Redirect", f"{back}&noinput=1")


def _keys(gather: Gather) -> dict[str, str]:
    """Return the GetDigits attributes; `numDigits` is always set, as its documented defaults differ."""
    keys = {"numDigits": str(gather.most), "timeout": str(gather.first_seconds)}
    return keys | ({"finishOnKey": gather.finish} if gather.finish else {})


def _runs(prompts: tuple[Prompt, ...]) -> list[tuple[Prompt, ...]]:
    """Group the prompts in order: neighbouring spoken ones together, each recording alone."""
    spoken = groupby(enumerate(prompts), lambda item: item[0] if item[1].kind == "play" else -1)
    return [tuple(prompt for _, prompt in run) for _, run in spoken]


def _tell(parent: Element, prompts: tuple[Prompt, ...], connection: Connection) -> None:
    """Add each group of prompts as one element."""
    for run in _runs(prompts):
        if run[0].kind == "play":
            add(parent, "Play", attributes={"url": _url(run[0], connection)})
        else:
            add(parent, "Say", " ".join(_words(prompt) for prompt in run))


def _words(prompt: Prompt) -> str:
    """Return the prompt's text; digits are spaced out, or a code would be read as one big number."""
    return " ".join(prompt.text) if prompt.kind == "digits" else prompt.text


def _url(prompt: Prompt, connection: Connection) -> str:
    """Return the URL of a recorded prompt."""
    return recording(connection.public_url, connection.operator, prompt.file)
