"""Africa's Talking voice XML (vendor's pages voice/getdigits, voice/dial)."""

from xml.etree.ElementTree import Element

from gateway.providers._shared.prompt_runs import group_prompts, spoken_text
from gateway.providers._shared.xml import add_element, recording_url, serialise_document
from gateway.providers.contract import Connection, ProviderAnswer
from menus.model.reply import Gather, Prompt, Reply

XML_CONTENT_TYPE = "text/xml; charset=utf-8"


def write_voice(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write one turn of a call; the end of the document hangs up, so an ending reply needs only its prompts."""
    root = Element("Response")
    if reply is not None and reply.gather:
        _add_get_digits(root, reply, reply.gather, connection)
    elif reply is not None:
        _add_prompts(root, reply.prompts, connection)
        if reply.transfer_to:
            limit = {"maxDuration": str(reply.transfer_limit_seconds)} if reply.transfer_limit_seconds else {}
            add_element(root, "Dial", attributes={"phoneNumbers": reply.transfer_to} | limit)
            # what follows a Dial runs only when nobody took the call
            add_element(root, "Redirect", f"{connection.hooks_url}/voice?transferred={reply.language}")
    return ProviderAnswer(serialise_document(root), XML_CONTENT_TYPE)


def _add_get_digits(root: Element, reply: Reply, gather: Gather, connection: Connection) -> None:
    """Add prompts and GetDigits. A silent caller leaves GetDigits without a callback, hence the Redirect.

    GetDigits takes keys only and no other element takes speech: invitations to speak are left out. GetDigits
    holds one Say or one Play, so it gets the last group of prompts and the others come before it.
    """
    runs = group_prompts(tuple(prompt for prompt in reply.prompts if prompt.kind != "invite"))
    for run in runs[:-1]:
        _add_prompts(root, run, connection)
    back = f"{connection.hooks_url}/voice?hop={reply.turn}"
    digits = add_element(root, "GetDigits", attributes=_digits_attributes(gather) | {"callbackUrl": back})
    if runs:
        _add_prompts(digits, runs[-1], connection)
    add_element(root, "Redirect", f"{back}&noinput=1")


def _digits_attributes(gather: Gather) -> dict[str, str]:
    """Return the GetDigits attributes; `numDigits` is always set, as its documented defaults differ."""
    keys = {"numDigits": str(gather.max_keys), "timeout": str(gather.first_key_seconds)}
    return keys | ({"finishOnKey": gather.finish_key} if gather.finish_key else {})


def _add_prompts(parent: Element, prompts: tuple[Prompt, ...], connection: Connection) -> None:
    """Add each group of prompts as one element."""
    for run in group_prompts(prompts):
        if run[0].kind == "play":
            add_element(parent, "Play", attributes={"url": _prompt_url(run[0], connection)})
        else:
            add_element(parent, "Say", spoken_text(run))


def _prompt_url(prompt: Prompt, connection: Connection) -> str:
    """Return the URL of a recorded prompt."""
    return recording_url(connection.public_url, connection.operator, prompt.file)
