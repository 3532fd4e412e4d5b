"""Tunisie Telecom's rules (T), each shown on its dialogs, by channel."""

import pytest

from flows.domain.bill_mail import BillMail
from flows.domain.pseudonyms import Pseudonyms
from flows.domain.records import Preference
from flows.services.bill_notices import BillAnnouncer
from tests.flows.services.test_bill_notices import E_BILL_HOLDER, issued_bill
from tests.rules.test_orange_ro import play_steps, spoken_words
from tests.support.databases import NOW
from tests.support.dialog_runs import DialogRuns
from tests.support.dialog_runs import dialog_runs as dialog_runs
from tests.support.gateway_sandbox import SandboxFactory
from tests.support.gateway_sandbox import sandboxes as sandboxes
from tests.support.page_client import build_pages, serve_pages
from tests.support.shipped_packs import shipped_menu

LANGUAGES = ("fr", "ar")
FREE_TEXT = {"fr": "gratuit", "ar": "مجان"}
REFUSAL_TEXT = {"fr": "résidentiels", "ar": "للأفراد"}
PENDING_TEXT = {"fr": "attente de validation", "ar": "انتظار التأكيد"}
CUSTOMER_CODE_TEXT = {"fr": "code client", "ar": "رمز الحريف"}
AMINE = "+21698000101"
both_languages = pytest.mark.parametrize("language", LANGUAGES)


async def play_in_language(dialog_runs: DialogRuns, name: str, language: str) -> str:
    return spoken_words(await play_steps(dialog_runs, f"tunisie-telecom/{name}-{language}"))


async def reply_to_first(dialog_runs: DialogRuns, name: str, said: str, language: str = "fr") -> str:
    """Return the reply to the first time this was said."""
    done = await play_steps(dialog_runs, f"tunisie-telecom/{name}-{language}")
    return next(brought for _, each, brought in done if each == said)


@both_languages
async def test_T1_the_first_screen_says_it_is_free_on_ussd(language: str, dialog_runs: DialogRuns) -> None:
    assert (
        FREE_TEXT[language]
        in (await reply_to_first(dialog_runs, "ussd/register-own", "*101#", language)).lower()
    )


async def test_T1_the_help_says_it_is_free_on_sms(dialog_runs: DialogRuns) -> None:
    assert "Gratuit" in await reply_to_first(dialog_runs, "sms/register", "85000 CADEAU")


@both_languages
async def test_T1_it_is_free_before_the_first_key_on_voice(language: str, dialog_runs: DialogRuns) -> None:
    first = (await reply_to_first(dialog_runs, "voice/register", "1298", language)).split("\n")[0]
    assert FREE_TEXT[language] in first


@both_languages
@pytest.mark.parametrize("channel", ["ussd", "sms"])
async def test_T2_business_customers_are_refused_on_ussd_and_sms(
    channel: str, language: str, dialog_runs: DialogRuns
) -> None:
    assert (await play_in_language(dialog_runs, f"{channel}/business", language)).count(
        REFUSAL_TEXT[language]
    ) == 2


@both_languages
async def test_T2_business_customers_are_put_through_on_voice(language: str, dialog_runs: DialogRuns) -> None:
    heard = await play_in_language(dialog_runs, "voice/business", language)
    assert REFUSAL_TEXT[language] in heard and "put through to +21671001298" in heard


@pytest.mark.parametrize("channel", ["ussd", "voice"])
async def test_T3_mobile_fixed_and_key_are_offered_on_ussd_and_voice(
    channel: str, dialog_runs: DialogRuns
) -> None:
    menu = (await reply_to_first(dialog_runs, f"{channel}/register-fixed", "2")).lower()
    assert "mobile" in menu and "fixe" in menu and "clé" in menu


async def test_T3_each_kind_has_its_keyword_on_sms(dialog_runs: DialogRuns) -> None:
    assert "code client" in await reply_to_first(dialog_runs, "sms/code", "85000 EFACT CLE 20000103")
    assert "code client" in await reply_to_first(dialog_runs, "sms/register", "85000 EFACT FIXE 71000102")
    assert "+21698000101" in await reply_to_first(dialog_runs, "sms/code", "85000 EFACT 98000101")


@both_languages
async def test_T4_another_line_than_the_phones_on_ussd(language: str, dialog_runs: DialogRuns) -> None:
    seen = await play_in_language(dialog_runs, "ussd/other-line", language)
    assert ("71xxx102" if language == "ar" else "71***102") in seen and "29,500" in seen and "45,230" in seen


async def test_T4_another_line_than_the_phones_on_sms(dialog_runs: DialogRuns) -> None:
    assert "Quelle adresse" in await reply_to_first(dialog_runs, "sms/code", "85000 EFACT 71000102 88441207")


async def test_T4_another_line_than_the_phones_on_voice(dialog_runs: DialogRuns) -> None:
    assert "71000102" in await reply_to_first(dialog_runs, "voice/register-fixed", "71000102#")
    assert "code client" in await play_in_language(dialog_runs, "voice/register-fixed", "fr")


@both_languages
async def test_T5_customer_code_proves_a_fixed_line_on_ussd(language: str, dialog_runs: DialogRuns) -> None:
    unknown, wrong = [
        brought
        for _, said, brought in await play_steps(dialog_runs, f"tunisie-telecom/ussd/register-fixed-{language}")
        if said in ("71000999", "11111111")
    ]
    assert CUSTOMER_CODE_TEXT[language] in unknown and CUSTOMER_CODE_TEXT[language] in wrong


async def test_T5_customer_code_proves_a_key_dialling_itself_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "incorrect" in await reply_to_first(dialog_runs, "ussd/register-key", "55120935")
    assert "Quelle adresse" in await reply_to_first(dialog_runs, "ussd/register-key", "55120934")


async def test_T5_an_unknown_number_and_a_wrong_code_read_alike_on_sms(dialog_runs: DialogRuns) -> None:
    wrong = await reply_to_first(dialog_runs, "sms/code", "85000 EFACT 71000102 88441208")
    assert wrong == await reply_to_first(dialog_runs, "sms/code", "85000 EFACT 71000999 88441207")


async def test_T5_customer_code_proves_a_fixed_line_on_voice(dialog_runs: DialogRuns) -> None:
    assert "incorrect" in await reply_to_first(dialog_runs, "voice/register-fixed", "88441200#")
    assert "adresse" in await reply_to_first(dialog_runs, "voice/register-fixed", "88441207#")


async def test_T6_the_dialling_mobile_needs_no_code_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "{code}" not in await play_in_language(dialog_runs, "ussd/register-own", "fr")


@both_languages
async def test_T6_another_mobile_gets_the_code_itself_on_ussd(language: str, dialog_runs: DialogRuns) -> None:
    assert f"~ sms {AMINE}:" in await reply_to_first(dialog_runs, "ussd/register-mobile", "98000101", language)
    assert "{code}" not in await reply_to_first(dialog_runs, "ussd/register-mobile", "{code}", language)


async def test_T6_another_mobile_gets_the_code_itself_on_sms(dialog_runs: DialogRuns) -> None:
    assert f"~ sms {AMINE}:" in await reply_to_first(dialog_runs, "sms/code", "85000 EFACT 98000101")


async def test_T6_a_caller_keys_in_the_code_on_voice(dialog_runs: DialogRuns) -> None:
    assert "n'est pas bon" in await reply_to_first(dialog_runs, "voice/code", "999999#")
    assert "adresse" in await reply_to_first(dialog_runs, "voice/code", "{code}#")


async def test_T7_a_known_address_is_picked_masked_on_ussd(dialog_runs: DialogRuns) -> None:
    last = [
        brought for _, said, brought in await play_steps(dialog_runs, "tunisie-telecom/ussd/register-fixed-fr")
    ][-2]
    assert "1 l***@example.test" in last and "leila" not in last


@both_languages
async def test_T7_the_address_goes_by_text_on_sms(language: str, dialog_runs: DialogRuns) -> None:
    sent = await reply_to_first(dialog_runs, "sms/register", "85000 EMAIL amine@example.test", language)
    assert "~ email amine@example.test" in sent and "{link}" in sent


@both_languages
async def test_T7_a_link_to_type_the_address_comes_by_text_on_voice(
    language: str, dialog_runs: DialogRuns
) -> None:
    sent = (await play_steps(dialog_runs, f"tunisie-telecom/voice/register-{language}"))[-1][2]
    assert f"~ sms {AMINE}:" in sent and "{link}" in sent and "EMAIL" in sent


@both_languages
async def test_T7_a_link_to_type_the_address_comes_by_text_on_ussd(
    language: str, dialog_runs: DialogRuns
) -> None:
    seen = await play_steps(dialog_runs, f"tunisie-telecom/ussd/register-own-{language}")
    sent = next(brought for _, _, brought in seen if "= end" in brought)
    assert f"~ sms {AMINE}:" in sent and "{link}" in sent


@both_languages
async def test_T8_it_waits_for_the_link_and_is_sent_again_on_sms(
    language: str, dialog_runs: DialogRuns
) -> None:
    seen = await play_in_language(dialog_runs, "ussd/register-own", language)
    assert PENDING_TEXT[language] in seen and seen.count("~ email amine@example.test") == 2


@pytest.mark.parametrize("channel", ["ussd/register-own", "voice/register-fixed"])
async def test_T8_status_and_renewal_on_ussd_and_voice(channel: str, dialog_runs: DialogRuns) -> None:
    assert "à valider" in await reply_to_first(dialog_runs, channel, "4")
    assert "l vient de partir" in (await play_steps(dialog_runs, f"tunisie-telecom/{channel}-fr"))[-1][2]


async def test_T8_T9_bills_come_by_email_once_the_link_is_opened_on_the_web(sandboxes: SandboxFactory) -> None:
    async with (
        sandboxes.open(operator="tunisie-telecom") as sandbox,
        serve_pages(sandbox, build_pages(sandbox)) as page_server,
    ):
        await page_server.phone.send_text(AMINE, "85000", "EMAIL amine@example.test")
        link = await page_server.latest_link_token()
        await page_server.new_visitor().submit("/tunisie-telecom/confirm", link=link)
        status = await page_server.phone.send_text(AMINE, "85000", "ETAT")
        assert "98***101 active" in status.lines
        billing = sandbox.container.operators[sandbox.operator].billing
        assert (await billing.get_media(AMINE.removeprefix("+"))).media == "email"


async def test_T9_every_line_registered_from_a_phone_is_listed_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "98***101 à valider" in await reply_to_first(dialog_runs, "ussd/register-own", "4")


async def test_T9_every_line_registered_from_a_phone_is_listed_on_sms(dialog_runs: DialogRuns) -> None:
    assert (await reply_to_first(dialog_runs, "sms/register", "85000 ETAT")).count("à valider") == 2


async def test_T9_every_line_registered_from_a_phone_is_listed_on_voice(dialog_runs: DialogRuns) -> None:
    assert "1 0 2 à valider" in await reply_to_first(dialog_runs, "voice/register-fixed", "4")


async def test_T10_four_screens_are_enough_on_ussd(dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, "tunisie-telecom/ussd/register-own-fr")
    assert [verb for verb, _, _ in done if verb in ("dial", ">")][:4] == ["dial", ">", ">", ">"]
    assert "= end" in next(brought for _, _, brought in done if "= end" in brought)


async def test_T10_three_keys_are_enough_on_voice(dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, "tunisie-telecom/voice/register-fr")
    assert [verb for verb, _, _ in done].count(">") == 3 and "= end" in done[-1][2]


async def test_T10_one_message_is_enough_on_sms(sandboxes: SandboxFactory) -> None:
    async with sandboxes.open(operator="tunisie-telecom") as sandbox:
        await sandbox.direct_line().send_text(AMINE, "85000", "EMAIL amine@example.test")
        assert [notice.to for notice in await sandbox.messages.collect_new()] == ["amine@example.test"]


def test_T11_the_bill_itself_goes_to_the_validated_address() -> None:
    menu = shipped_menu("tunisie-telecom")
    announcer = BillAnnouncer(menu, Pseudonyms(b"a key for the tests"))
    bill = issued_bill("45.230", "45.230")
    mail, *_ = announcer.build_notices(bill, E_BILL_HOLDER, Preference(), NOW)
    assert isinstance(mail, BillMail) and mail.to == E_BILL_HOLDER.email
    assert mail.enclosure.bill_id == bill.id


OFFERS = {
    "fr": ("Votre session a été interrompue", "Votre dernier appel a été interrompu"),
    "ar": ("انقطعت جلستكم", "انقطعت مكالمتكم الأخيرة"),
}
ADDRESS_ASKED = {"fr": "adresse", "ar": "عنوان"}


@both_languages
async def test_a_dropped_registration_goes_on_by_ussd(dialog_runs: DialogRuns, language: str) -> None:
    done = await play_steps(dialog_runs, f"tunisie-telecom/ussd/drop-and-redial-{language}")
    offers = [place for place, (verb, _, brought) in enumerate(done) if OFFERS[language][0] in brought]
    assert [done[place][0] for place in offers] == ["dial", "dial"]
    assert ADDRESS_ASKED[language] in done[offers[-1] + 1][2]


@both_languages
async def test_a_dropped_call_asks_the_code_again_and_goes_on(dialog_runs: DialogRuns, language: str) -> None:
    done = await play_steps(dialog_runs, f"tunisie-telecom/voice/hang-up-{language}")
    last = max(place for place, (_, _, brought) in enumerate(done) if OFFERS[language][1] in brought)
    assert "{code}" in done[last - 1][2]
    assert ADDRESS_ASKED[language] in done[last + 1][2]


async def test_T9_an_address_is_about_the_line_proven_last_on_sms(dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, "tunisie-telecom/sms/address-last-line-fr")
    replies = {said: brought for _, said, brought in done}
    assert replies["85000 EMAIL leila@example.test"].count("~ email leila@example.test") == 1
    assert "71***102" in replies["85000 EMAIL leila@example.test"]
    everywhere = next(brought for _, said, brought in done if "EMAIL TOUT" in said)
    assert everywhere.count("~ email sami@example.test") == 2


async def test_T7_the_address_alone_is_an_answer_on_sms(dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, "tunisie-telecom/sms/address-bare-fr")
    assert [brought.count("~ email amine@example.test") for _, said, brought in done if "amine" in said] == [
        1,
        1,
    ]


@pytest.mark.parametrize(
    ("said", "fault"),
    [("amine @", "espace"), ("amine.", "@"), ("amine@exemple", "point"), ("amine(x)", "signe")],
)
async def test_T7_what_is_wrong_with_an_address_is_said_on_sms(
    said: str, fault: str, dialog_runs: DialogRuns
) -> None:
    done = await play_steps(dialog_runs, "tunisie-telecom/sms/address-faults-fr")
    reply = next(brought for _, each, brought in reversed(done) if said in each)
    assert fault in reply and "Rien n'a" in reply and "~" not in reply


async def test_T5_a_fixed_number_without_its_kind_asks_for_the_customer_code_on_sms(
    dialog_runs: DialogRuns,
) -> None:
    played = await play_steps(dialog_runs, "tunisie-telecom/sms/fixed-unnamed-fr")
    asked, proven = (brought for verb, _, brought in played if verb == "text")
    assert "code client" in asked and "~ sms" not in asked and "Quelle adresse" in proven
