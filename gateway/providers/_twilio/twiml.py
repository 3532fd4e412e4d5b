"""TwiML of a voice call (twilio.com/docs/voice/twiml: Gather, Say, Play, Dial, Hangup)."""

from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from gateway.providers._shared.xml import add, document, recording
from gateway.providers.contract import Answer, Connection
from menus.model.reply import Gather, Prompt, Reply

XML = "text/xml; charset=utf-8"


def write_voice(reply: Reply | None, connection: Connection) -> Answer:
    """Write one turn of a call."""
    root = Element("Response")
    if reply is not None:
        _say_all(_listener(root, reply, connection), reply, connection)
        if reply.transfer:
            _dial(root, reply)
        elif reply.ends:
            add(root, "Hangup")
    return Answer(document(root), XML)


def _dial(root: Element, reply: Reply) -> None:
    """Add a transfer; a SIP address gets the context as headers, a telephone number gets none."""
    limit = {"timeLimit": str(reply.transfer_seconds)} if reply.transfer_seconds else {}
    if not reply.transfer.startswith("sip:"):
        add(root, "Dial", reply.transfer, limit)
        return
    headers = urlencode({"X-Screen": reply.context, "X-Language": reply.language})
    add(add(root, "Dial", attributes=limit), "Sip", f"{reply.transfer}?{headers}")


def _listener(root: Element, reply: Reply, connection: Connection) -> Element:
    """Return the element for the prompts: a Gather while keys are awaited, so that keys interrupt them."""
    if reply.gather is None:
        return root
    action = f"{connection.hooks_url}/voice?hop={reply.turn}"
    tag = _language(reply, connection)
    return add(root, "Gather", attributes=_keys(reply.gather) | tag | {"action": action, "method": "POST"})


def _keys(gather: Gather) -> dict[str, str]:
    """Return the Gather's attributes; an empty `finishOnKey` lets star and hash arrive as digits.

    Without `actionOnEmptyResult` a silent caller would reach the end of the document and be hung up on.
    """
    keys = {
        "input": "dtmf speech" if gather.speech else "dtmf",
        "numDigits": str(gather.most),
        "finishOnKey": gather.finish,
        "timeout": str(gather.first_seconds),
        "bargeIn": str(gather.barge_in).lower(),
        "actionOnEmptyResult": "true",
    }
    hints = {"hints": ", ".join(gather.hints)} if gather.hints else {}
    return keys | ({"speechTimeout": str(gather.between_seconds), **hints} if gather.speech else {})


def _say_all(parent: Element, reply: Reply, connection: Connection) -> None:
    """Add every prompt, recorded or spoken."""
    for prompt in reply.prompts:
        if prompt.kind == "play":
            add(parent, "Play", recording(connection.public_url, connection.operator, prompt.file))
        else:
            _say(parent, prompt, _language(reply, connection))


def _say(parent: Element, prompt: Prompt, language: dict[str, str]) -> None:
    """Add a spoken prompt; digits use `say-as`, or a code would be read as one big number."""
    if prompt.kind != "digits":
        add(parent, "Say", prompt.text, language)
    else:
        say = add(parent, "Say", attributes=language)
        add(say, "say-as", prompt.text, {"interpret-as": "digits"})


def _language(reply: Reply, connection: Connection) -> dict[str, str]:
    """Return the language attribute; empty, for Twilio's default, when the pack names no speech tag."""
    tag = connection.locales.get(reply.language, "")
    return {"language": tag} if tag else {}
