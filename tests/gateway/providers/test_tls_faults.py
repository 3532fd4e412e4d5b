"""A server whose TLS cannot be accepted: nothing left, so it is tried again, and the reason is named."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date

import pytest
from aiohttp import connector

from flows.domain.failures import Down, Failure, Misconfigured, TryLater
from flows.domain.records import OutboundMessage
from gateway.delivery.desk.desk_client import DeskClient
from gateway.delivery.smtp import SmtpSender, parse_smtp_url
from gateway.demo.bss.bss_servers import killbill_settings, tmf_settings
from gateway.payments.provider_client import ProviderCall, ProviderClient
from gateway.providers._africastalking.bulk_sms import AfricasTalkingAccount, AfricasTalkingSms
from gateway.providers._twilio.messages_api import TwilioAccount, TwilioSms
from gateway.providers.contract import Connection, Sender
from storage.billing.backend import RemoteBilling, connect_backend
from storage.sql.engine import connect as open_database
from tests.gateway.providers.aggregators.test_sms_sender import SENDING
from tests.support.billing.backends import backend_site, build_book
from tests.support.databases import NOW
from tests.support.provider_examples import described_providers
from tests.support.tls_faults import CERTIFICATE_FAULTS, FAULTS, TlsFaults

SMS = OutboundMessage("k", "orange-ro", "+40740000101", "sms", "code", "Cod 4821", "ro")
MAIL = OutboundMessage("k", "orange-ro", "ana@example.net", "email", "notice", "Bill", "ro")


@dataclass
class Call:
    """One call of a client to a server on this port, and how to end the client."""

    make: Callable[[], Awaitable[object]]
    close: Callable[[], Awaitable[None]]


def message_call(sender: Sender, notice: OutboundMessage = SMS) -> Call:
    return Call(lambda: sender.send(notice), sender.close)


async def call_africastalking(port: int) -> Call:
    account = AfricasTalkingAccount("sandbox", "key", "477", f"https://127.0.0.1:{port}")
    return message_call(AfricasTalkingSms(account, 30.0))


async def call_twilio(port: int) -> Call:
    account = TwilioAccount("AC0", "token", "+40700000477", f"https://127.0.0.1:{port}")
    return message_call(TwilioSms(account, "https://gw.example.net/status", 30.0))


def call_described(name: str) -> Callable[[int], Awaitable[Call]]:
    async def call(port: int) -> Call:
        provider = described_providers()[name]
        mine = {**provider.example_settings(), "api_url": f"https://127.0.0.1:{port}"}
        settings = provider.Settings.model_validate(mine)
        assert provider.connect_sender
        hooks = "https://gw.example.net/hooks"
        connection = Connection("orange-ro", settings, "https://gw.example.net", hooks, {}, {})
        return message_call(await provider.connect_sender(connection))

    return call


async def call_desk(port: int) -> Call:
    desk = DeskClient(f"https://127.0.0.1:{port}", {}, 30.0)
    return Call(lambda: desk.post("/tickets", b"{}", {}), desk.close)


async def call_mail_relay(port: int) -> Call:
    account = parse_smtp_url(f"smtps://127.0.0.1:{port}", "Orange <no-reply@gw.example.net>")
    return message_call(SmtpSender(account), MAIL)


async def call_payment_provider(port: int) -> Call:
    client = ProviderClient(f"https://127.0.0.1:{port}", "key", lambda: NOW)
    return Call(lambda: client.call(ProviderCall("POST", "refunds", {"amount": "1.00"})), client.close)


def call_billing(kind: str) -> Callable[[int], Awaitable[Call]]:
    async def call(port: int) -> Call:
        settings = killbill_settings(build_book()) if kind == "killbill" else tmf_settings(build_book())
        options = {**settings, "timeout_seconds": 30}
        site = backend_site(open_database("sqlite://"), lambda: date(2026, 3, 10), options)
        billing = connect_backend(f"{kind}+https://127.0.0.1:{port}", site)
        assert isinstance(billing, RemoteBilling)
        return Call(lambda: billing.get_subscriber(SMS.to), billing.close)

    return call


MESSAGE_CALLS = {
    "africastalking": call_africastalking,
    "twilio": call_twilio,
    **{name: call_described(name) for name in SENDING},
    "help desk": call_desk,
    "mail relay": call_mail_relay,
}
ASKING_CALLS = {
    "payments": call_payment_provider,
    "tmf678": call_billing("tmf678"),
    "killbill": call_billing("killbill"),
}


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> TlsFaults:
    return TlsFaults(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def trust_authority(faults: TlsFaults, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client libraries trust the authority as if it were among the system's."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(faults.trusted.certificate_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(faults.trusted.certificate_file))
    monkeypatch.setattr(connector, "_SSL_CONTEXT_VERIFIED", faults.client_context())


async def fail_against(call: Callable[[int], Awaitable[Call]], faults: TlsFaults, fault: str) -> Failure:
    """Make the call to a server with this fault and return the failure; nothing may have reached it."""
    async with faults.serve(fault) as port:
        client = await call(port)
        try:
            with pytest.raises(Failure) as raised:
                await client.make()
        finally:
            await client.close()
    assert not faults.received
    return raised.value


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", MESSAGE_CALLS)
async def test_a_message_that_tls_kept_back_is_tried_again(faults: TlsFaults, name: str, fault: str) -> None:
    failure = await fail_against(MESSAGE_CALLS[name], faults, fault)
    assert type(failure) is (Misconfigured if fault in CERTIFICATE_FAULTS else TryLater)
    if fault != "dropped":
        assert str(failure).endswith(FAULTS[fault])


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", ASKING_CALLS)
async def test_payments_and_billing_behind_such_tls_are_down(faults: TlsFaults, name: str, fault: str) -> None:
    failure = await fail_against(ASKING_CALLS[name], faults, fault)
    assert type(failure) is Down
    if fault != "dropped":
        assert str(failure).endswith(f"cannot be reached: {FAULTS[fault]}")
