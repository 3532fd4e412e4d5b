"""TwiML of a voice call (twilio.com/docs/voice/twiml: Gather, Say, Play, Dial, Pay, Hangup)."""

from urllib.parse import urlencode
from xml.etree.ElementTree import Element

from gateway.providers._shared.xml import add_element, recording_url, serialise_document
from gateway.providers.contract import Connection, ProviderAnswer
from menus.model.reply import CardEntry, Gather, Prompt, Reply

XML_CONTENT_TYPE = "text/xml; charset=utf-8"


def write_voice(reply: Reply | None, connection: Connection) -> ProviderAnswer:
    """Write one turn of a call."""
    root = Element("Response")
    if reply is not None:
        _add_prompts(_prompt_parent(root, reply, connection), reply, connection)
        if reply.transfer_to:
            _add_dial(root, reply, connection)
        elif reply.card and connection.takes_cards:
            _add_pay(root, reply.card, reply, connection)
        elif reply.ends_session:
            add_element(root, "Hangup")
    return ProviderAnswer(serialise_document(root), XML_CONTENT_TYPE)


def _add_dial(root: Element, reply: Reply, connection: Connection) -> None:
    """Add a transfer; a SIP address gets the context as headers, a telephone number gets none.

    The action is asked when the transfer ends: an agent who does not answer must not end the call silently.
    """
    limit = {"timeLimit": str(reply.transfer_limit_seconds)} if reply.transfer_limit_seconds else {}
    limit |= {"action": f"{connection.hooks_url}/voice?language={reply.language}", "method": "POST"}
    if not reply.transfer_to.startswith("sip:"):
        add_element(root, "Dial", reply.transfer_to, limit)
        return
    headers = urlencode({"X-Screen": reply.transfer_context, "X-Language": reply.language})
    add_element(add_element(root, "Dial", attributes=limit), "Sip", f"{reply.transfer_to}?{headers}")


def _add_pay(root: Element, card: CardEntry, reply: Reply, connection: Connection) -> None:
    """Add the payment: Twilio asks for the card and charges it; its result comes to a signed address."""
    settings = connection.settings
    agreed = {"payment": card.payment, "amount": card.amount, "currency": card.currency}
    address = f"{connection.hooks_url}/pay?{urlencode(agreed)}"
    attributes = {
        "paymentConnector": settings.pay_connector,
        "chargeAmount": card.amount,
        "currency": card.currency.lower(),
        "paymentMethod": "credit-card",
        "postalCode": str(settings.pay_postal_code).lower(),
        "securityCode": "true",
        "action": address,
        "statusCallback": address,
    }
    add_element(root, "Pay", attributes=attributes | _language_attribute(reply, connection))


def _prompt_parent(root: Element, reply: Reply, connection: Connection) -> Element:
    """Return the element for the prompts: a Gather while keys are awaited, so that keys interrupt them."""
    if reply.gather is None:
        return root
    action = f"{connection.hooks_url}/voice?hop={reply.turn}"
    tag = _language_attribute(reply, connection)
    return add_element(
        root, "Gather", attributes=_gather_attributes(reply.gather) | tag | {"action": action, "method": "POST"}
    )


def _gather_attributes(gather: Gather) -> dict[str, str]:
    """Return the Gather's attributes; an empty `finishOnKey` lets star and hash arrive as digits.

    Without `actionOnEmptyResult` a silent caller would reach the end of the document and be hung up on.
    """
    keys = {
        "input": "dtmf speech" if gather.accepts_speech else "dtmf",
        "numDigits": str(gather.max_keys),
        "finishOnKey": gather.finish_key,
        "timeout": str(gather.first_key_seconds),
        "bargeIn": str(gather.barge_in).lower(),
        "actionOnEmptyResult": "true",
    }
    hints = {"hints": ", ".join(gather.speech_hints)} if gather.speech_hints else {}
    return keys | (
        {"speechTimeout": str(gather.between_keys_seconds), **hints} if gather.accepts_speech else {}
    )


def _add_prompts(parent: Element, reply: Reply, connection: Connection) -> None:
    """Add every prompt, recorded or spoken."""
    for prompt in reply.prompts:
        if prompt.kind == "play":
            add_element(parent, "Play", recording_url(connection.public_url, connection.operator, prompt.file))
        else:
            _add_say(parent, prompt, _language_attribute(reply, connection))


def _add_say(parent: Element, prompt: Prompt, language: dict[str, str]) -> None:
    """Add a spoken prompt; digits use `say-as`, or a code would be read as one big number."""
    if prompt.kind != "digits":
        add_element(parent, "Say", prompt.text, language)
    else:
        say = add_element(parent, "Say", attributes=language)
        add_element(say, "say-as", prompt.text, {"interpret-as": "digits"})


def _language_attribute(reply: Reply, connection: Connection) -> dict[str, str]:
    """Return the language attribute; empty, for Twilio's default, when the pack names no speech tag."""
    tag = connection.locales.get(reply.language, "")
    return {"language": tag} if tag else {}
