"""The XML documents Africa's Talking runs a call with (its pages voice/getdigits, voice/dial)."""

from itertools import groupby
from xml.etree.ElementTree import Element

from gateway.providers._shared.xml import add, document, recording
from gateway.providers.contract import Answer, Connection
from menus.model.reply import Gather, Prompt, Reply

XML = "text/xml; charset=utf-8"


def write_voice(reply: Reply | None, connection: Connection) -> Answer:
    """One turn of a call. The document's end hangs up, so a reply that ends says its words and no more."""
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
    """Prompts, then keys. A silent caller falls through GetDigits with no callback, hence the Redirect.

    GetDigits hears keys only, and no other element speech: nobody is invited to speak.
    GetDigits holds one Say or one Play: the last run of prompts, the earlier ones are told before it.
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
    """The vendor's pages disagree on what ends an answer by default, so `numDigits` is always said."""
    keys = {"numDigits": str(gather.most), "timeout": str(gather.first_seconds)}
    return keys | ({"finishOnKey": gather.finish} if gather.finish else {})


def _runs(prompts: tuple[Prompt, ...]) -> list[tuple[Prompt, ...]]:
    """The prompts in order, cut where one element ends: all that is spoken together, each recording alone."""
    spoken = groupby(enumerate(prompts), lambda item: item[0] if item[1].kind == "play" else -1)
    return [tuple(prompt for _, prompt in run) for _, run in spoken]


def _tell(parent: Element, prompts: tuple[Prompt, ...], connection: Connection) -> None:
    for run in _runs(prompts):
        if run[0].kind == "play":
            add(parent, "Play", attributes={"url": _url(run[0], connection)})
        else:
            add(parent, "Say", " ".join(_words(prompt) for prompt in run))


def _words(prompt: Prompt) -> str:
    """Digits are spaced out, or the voice reads a code as one big number."""
    return " ".join(prompt.text) if prompt.kind == "digits" else prompt.text


def _url(prompt: Prompt, connection: Connection) -> str:
    return recording(connection.public_url, connection.operator, prompt.file)
