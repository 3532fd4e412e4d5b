"""The provider contract: what every provider module must define and do."""

import json
from collections.abc import Mapping
from types import ModuleType
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from flows.domain.failures import BadRequest
from gateway.providers._shared.numbers import is_e164, to_e164
from gateway.providers._shared.xml import strip_illegal
from gateway.providers.contract import Connection, Provider, ProviderAnswer, Webhook, WebhookRoute
from gateway.providers.registry import REQUIRED_NAMES, check_provider, discover_providers
from menus.model.reply import Gather, Prompt, Reply
from tests.support.provider_examples import example_settings

PROVIDERS = discover_providers()


def secret_fields(name: str) -> list[str]:
    """Return the required secrets of a provider's settings."""
    fields = PROVIDERS[name].Settings.model_fields.items()
    return [key for key, each in fields if each.annotation is SecretStr and each.is_required()]


def settings_with_secrets(name: str, example: Mapping[str, object]) -> Mapping[str, object]:
    """Return example settings whose secrets are recognised wherever they show."""
    return {
        **example,
        **{field: f"s3cret-{field}"[: longest_secret(name, field)] for field in secret_fields(name)},
    }


def longest_secret(name: str, field: str) -> int:
    """Return how long a secret may be: some protocols limit it."""
    limits = (
        getattr(each, "max_length", None) for each in PROVIDERS[name].Settings.model_fields[field].metadata
    )
    return next((each for each in limits if each), 100)


SETTINGS = {name: settings_with_secrets(name, example) for name, example in example_settings().items()}
ROUTES = [(name, path) for name, provider in PROVIDERS.items() for path in provider.ROUTES]
CONVERSATION_ROUTES = [each for each in ROUTES if each[1] in ("ussd", "sms", "voice")]
EMPTY_ANSWERS = ("", "END ", "[]")
"""What an acknowledgement without XML may contain; a USSD body must begin with its verb, verbs are a list."""


def build_connection(name: str) -> Connection:
    settings = PROVIDERS[name].Settings.model_validate(SETTINGS[name])
    hooks_url = f"https://gw.example/hooks/orange-ro/{name}/s3cret-b"
    addresses = {"ussd": "*100#", "voice": "411", "sms": "477"}
    return Connection("orange-ro", settings, "https://gw.example", hooks_url, {}, addresses, {"ro": "ro-RO"})


def route_of(name: str, path: str) -> WebhookRoute:
    return PROVIDERS[name].ROUTES[path]


def test_every_provider_has_example_settings_and_nothing_else_has() -> None:
    assert {"africastalking", "twilio"} <= set(PROVIDERS)
    assert set(SETTINGS) == set(PROVIDERS)


@pytest.mark.parametrize("constant", REQUIRED_NAMES)
def test_a_module_without_a_required_constant_is_named_with_it(constant: str) -> None:
    module = all_settings()
    delattr(module, constant)
    with pytest.raises(TypeError, match=rf"gateway\.providers\.acme must define {constant}$"):
        check_provider(module)


def test_a_module_that_is_called_otherwise_is_refused() -> None:
    module = all_settings()
    vars(module)["NAME"] = "other"
    with pytest.raises(TypeError, match="acme must be called like its NAME, 'other'"):
        check_provider(module)


def all_settings() -> ModuleType:
    module = ModuleType("gateway.providers.acme")
    vars(module).update(dict.fromkeys(REQUIRED_NAMES), NAME="acme")
    check_provider(module)
    return module


@pytest.mark.parametrize("provider", PROVIDERS.values(), ids=PROVIDERS)
def test_settings_are_frozen_show_no_secret_and_know_their_fields(provider: Provider) -> None:
    given_values = SETTINGS[provider.NAME]
    settings = provider.Settings.model_validate(given_values)
    assert "s3cret" not in repr(settings) + str(settings.model_dump()) + repr(build_connection(provider.NAME))
    with pytest.raises(ValidationError):
        settings.sender = "other"  # type: ignore[attr-defined]  # frozen: that is the point
    with pytest.raises(ValidationError, match="sendr"):
        provider.Settings.model_validate({**given_values, "sendr": "477"})


REQUIRED = [(name, field) for name in PROVIDERS for field in SETTINGS[name]]


@pytest.mark.parametrize(("name", "field"), REQUIRED)
def test_a_silly_setting_is_named_without_its_value(name: str, field: str) -> None:
    with pytest.raises(ValidationError, match=field) as refusal:
        PROVIDERS[name].Settings.model_validate({**SETTINGS[name], field: ["s3cret"]})
    assert "s3cret" not in str(refusal.value)


SECRETS = [(name, field) for name in PROVIDERS for field in secret_fields(name)]


def test_secrets_of_providers_are_typed() -> None:
    assert {("africastalking", "api_key"), ("africastalking", "hook_token"), ("twilio", "auth_token")} <= {
        *SECRETS
    }


@pytest.mark.parametrize(("name", "field"), SECRETS)
def test_an_empty_secret_stops_the_start(name: str, field: str) -> None:
    with pytest.raises(ValidationError, match=field):
        PROVIDERS[name].Settings.model_validate({**SETTINGS[name], field: ""})


@pytest.mark.parametrize(("name", "path"), ROUTES)
def test_an_acknowledgement_says_nothing(name: str, path: str) -> None:
    answer = route_of(name, path).write(None, build_connection(name))
    if "xml" in answer.content_type:
        assert list(ElementTree.fromstring(answer.body)) == []
    else:
        assert answer.body.decode() in EMPTY_ANSWERS


@pytest.mark.parametrize(("name", "path"), ROUTES)
def test_required_fields_are_demanded_by_the_reading_too(name: str, path: str) -> None:
    route = route_of(name, path)
    for field in route.required_fields:
        form = (
            {"Body": "", "CallStatus": "completed", "From": ""}
            | dict.fromkeys(route.required_fields, "1")
            | {field: " "}
        )
        with pytest.raises(BadRequest, match=field):
            route.read(Webhook(form, {}), build_connection(name))


@pytest.mark.parametrize("name", ["africastalking", "twilio"])
def test_trust_is_what_the_connection_says(name: str) -> None:
    form = {"MessageSid": "1", "id": "1", "From": "+40700000101", "from": "+40700000101", "Body": ""}
    untrusted = build_connection(name)
    trusted = Connection(
        "orange-ro", untrusted.settings, "https://gw.example", "", {"sms": "line"}, untrusted.addresses
    )
    read = route_of(name, "sms").read
    assert getattr(read(Webhook(form, {}), untrusted), "trust", "") == "none"
    assert getattr(read(Webhook(form, {}), trusted), "trust", "") == "line"


PROMPTS = st.lists(st.builds(Prompt, st.sampled_from(["say", "digits", "play"]), st.text()), max_size=4)
GATHERS = st.none() | st.builds(
    Gather, st.integers(1, 20), st.sampled_from(["", "#", "*"]), st.integers(1, 30), st.integers(1, 9)
)
REPLIES = st.builds(
    Reply,
    channel=st.just("voice"),
    language=st.sampled_from(["ro", "ar"]),
    node=st.just("home"),
    turn=st.integers(0, 999),
    text=st.text(),
    prompts=PROMPTS.map(tuple),
    gather=GATHERS,
    transfer_to=st.sampled_from(["", "411", "+40700000999"]),
    ends_session=st.booleans(),
)


@pytest.mark.parametrize(("name", "path"), CONVERSATION_ROUTES)
@given(reply=REPLIES)
def test_any_reply_is_written_whole_and_the_same_twice(name: str, path: str, reply: Reply) -> None:
    write, ours = route_of(name, path).write, build_connection(name)
    answer = write(reply, ours)
    assert answer == write(reply, ours)
    if "xml" in answer.content_type:
        ElementTree.fromstring(answer.body)
    if answer.content_type == "application/json" and isinstance(json.loads(answer.body), list):
        assert all(verb["verb"] for verb in json.loads(answer.body))


@given(text=st.text())
def test_text_comes_back_out_of_the_xml(text: str) -> None:
    reply = Reply("sms", "ro", "home", 1, text)
    answer = route_of("twilio", "sms").write(reply, build_connection("twilio"))
    expected = strip_illegal(text) if text.strip() else ""
    assert "".join(ElementTree.fromstring(answer.body).itertext()) == expected


@pytest.mark.parametrize("name", [name for name, path in ROUTES if path == "voice"])
@given(reply=REPLIES.filter(lambda reply: reply.gather is not None and not reply.transfer_to))
def test_a_question_leads_back_to_its_own_turn(name: str, reply: Reply) -> None:
    answer = route_of(name, "voice").write(reply, build_connection(name))
    if "xml" not in answer.content_type:
        urls = [verb["actionHook"] for verb in json.loads(answer.body) if verb["verb"] == "gather"]
        assert urls == [f"{build_connection(name).hooks_url}/voice?hop={reply.turn}"]
        return
    root = ElementTree.fromstring(answer.body)
    asked = [node for node in root.iter() if node.tag != "Dial"]  # its action says how the transfer ended
    urls = [value for node in asked for key, value in node.items() if key in ("action", "callbackUrl")]
    assert urls == [f"{build_connection(name).hooks_url}/voice?hop={reply.turn}"]


@given(reply=REPLIES.filter(lambda reply: reply.gather is not None))
def test_get_digits_holds_one_prompt_at_most(reply: Reply) -> None:
    answer = route_of("africastalking", "voice").write(reply, build_connection("africastalking"))
    root = ElementTree.fromstring(answer.body)
    assert len(root.findall("GetDigits/*")) <= 1
    assert root[-1].tag == "Redirect"


TEMPLATES = ("{0.__class__}", "{{7*7}}", "%s", "${x}", "<!ENTITY x>", "]]>", "&lt;")


@pytest.mark.parametrize("text", TEMPLATES)
def test_templates_come_out_as_they_are(text: str) -> None:
    answer = route_of("twilio", "sms").write(Reply("sms", "ro", "home", 1, text), build_connection("twilio"))
    assert "".join(ElementTree.fromstring(answer.body).itertext()) == text


def test_ussd_is_always_answered_with_a_verb() -> None:
    route, ours = route_of("africastalking", "ussd"), build_connection("africastalking")
    assert route.write_closing is not None
    assert route.write_closing("Merci.\ud800", ours) == ProviderAnswer(
        b"END Merci.?", "text/plain; charset=utf-8"
    )
    assert route.write(Reply("ussd", "ro", "home", 1, "1. Da"), ours).body == b"CON 1. Da"
    assert route.write(Reply("ussd", "ro", "home", 1, "Gata", ends_session=True), ours).body == b"END Gata"


NUMBERS = {
    "+254711000111": "+254711000111",
    " 254711000111": "+254711000111",
    "254711000111": "+254711000111",
    "": "",
    "+": "",
    "++254711000111": "",
    "0711000111": "",
    "477": "",
    "MTN": "",
    "anonymous": "",
    "+254711000111\n": "",
    "+٢٥٤٧١١٠٠٠١١١": "",
    "+1234567890123456": "",
    "whatsapp:+254711000111": "",
}


@pytest.mark.parametrize("written", NUMBERS)
def test_numbers_become_e164_or_nothing(written: str) -> None:
    assert to_e164(written) == NUMBERS[written]
    assert is_e164(written) is (written != "" and NUMBERS[written] == written)
