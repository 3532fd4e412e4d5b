"""Maroc Telecom's rules (M), each shown on its dialogs, by channel."""

import re

import pytest

from flows.selfcare.password import PIN_LENGTHS, is_acceptable_pin
from tests.rules.test_orange_ro import play_steps, spoken_words
from tests.support.dialog_runs import DialogRuns, PlayDialog
from tests.support.dialog_runs import dialog_runs as dialog_runs
from tests.support.gateway_sandbox import sandboxes as sandboxes

FIRST_PASSWORD_TEXT = {"fr": "ot de passe initial", "ar": "كلمة سر أولى"}
AGENCY_TEXT = {"fr": "agence commerciale", "ar": "الوكالة التجارية"}
NEXT_MONTH_TEXT = {"fr": "le mois prochain", "ar": "الشهر القادم"}
CHOOSE_NUMBER_TEXT = {"fr": "Choisissez un", "ar": "اختاروا رقما"}
WEAK_PIN_TEXT = {"fr": "Trop simple", "ar": "سهل جدا"}
YOUSSEF = "+212661000101"
both_languages = pytest.mark.parametrize("language", ["fr", "ar"])
both_text_channels = pytest.mark.parametrize("channel", ["ussd", "sms"])


async def play_in_language(dialog_runs: DialogRuns, name: str, language: str = "fr") -> str:
    return spoken_words(await play_steps(dialog_runs, f"maroc-telecom/{name}-{language}"))


async def reply_to_last(dialog_runs: DialogRuns, name: str, said: str, language: str = "fr") -> str:
    """Return the reply to the last time this was said."""
    done = await play_steps(dialog_runs, f"maroc-telecom/{name}-{language}")
    return [brought for _, each, brought in done if each == said][-1]


@both_languages
@pytest.mark.parametrize("name", ["ussd/account", "sms/account", "voice/account"])
async def test_M1_an_account_is_the_line_itself_on_every_channel(
    name: str, language: str, dialog_runs: DialogRuns
) -> None:
    seen = await play_in_language(dialog_runs, name, language)
    spoken = "fr" if name.startswith("voice") else language  # a call is unproven: the pack's first language
    assert FIRST_PASSWORD_TEXT[spoken] in seen and f"~ sms {YOUSSEF}:" in seen


@both_languages
@pytest.mark.parametrize("name", ["ussd/business", "sms/left-out"])
async def test_M2_enterprises_go_to_the_agency_on_ussd_and_sms(
    name: str, language: str, dialog_runs: DialogRuns
) -> None:
    assert (await play_in_language(dialog_runs, name, language)).count(AGENCY_TEXT[language]) == 2


async def test_M2_the_agency_named_is_the_nearest_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "Rabat" in await play_in_language(dialog_runs, "ussd/business")


@both_languages
async def test_M2_enterprises_are_put_through_on_voice(language: str, dialog_runs: DialogRuns) -> None:
    heard = await play_in_language(dialog_runs, "voice/left-out", language)
    assert AGENCY_TEXT[language] in heard and "put through to +212537000115" in heard


@pytest.mark.parametrize("name", ["ussd/account", "voice/login"])
async def test_M3_the_service_is_chosen_on_ussd_and_voice(name: str, dialog_runs: DialogRuns) -> None:
    seen = (await play_in_language(dialog_runs, name)).lower()
    assert re.search(r"mobile(.*\n){1,2}.*fixe(.*\n){1,2}.*internet ou", seen)


async def test_M3_the_service_is_an_argument_on_sms(dialog_runs: DialogRuns) -> None:
    assert FIRST_PASSWORD_TEXT["fr"] in await play_in_language(dialog_runs, "sms/account")
    assert "pas celui de cette ligne" in await reply_to_last(dialog_runs, "sms/account", "3777 COMPTE FIXE")


async def test_M4_the_sim_stands_for_the_captcha_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "ces chiffres" not in await play_in_language(dialog_runs, "ussd/account")


async def test_M4_sender_and_rate_limit_stand_for_the_captcha_on_sms(dialog_runs: DialogRuns) -> None:
    assert "30 secondes" in await reply_to_last(dialog_runs, "sms/account", "3777 COMPTE MOBILE")


@both_languages
async def test_M4_three_digits_are_repeated_on_an_unvouched_call_on_voice(
    language: str, dialog_runs: DialogRuns
) -> None:
    again = await reply_to_last(dialog_runs, "voice/account", "000#", language)
    assert "9, 7, 0" in again and FIRST_PASSWORD_TEXT[language] not in again


@both_languages
@pytest.mark.parametrize("name", ["ussd/account", "sms/account", "voice/login"])
async def test_M5_a_mobiles_first_password_comes_by_sms(
    name: str, language: str, dialog_runs: DialogRuns
) -> None:
    assert re.search(rf"~ sms \{YOUSSEF}: .*{{code}}", await play_in_language(dialog_runs, name, language))


@both_languages
@pytest.mark.parametrize(("name", "whose"), [("account-fixed", "fatima"), ("internet", "karim")])
async def test_M5_fixed_and_internet_get_it_by_email_on_ussd(
    name: str, whose: str, language: str, dialog_runs: DialogRuns
) -> None:
    assert f"~ email {whose}@example.test" in await play_in_language(dialog_runs, f"ussd/{name}", language)


async def test_M5_nobodys_number_is_answered_alike_and_gets_nothing_on_ussd(dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, "maroc-telecom/ussd/account-fixed-fr")
    known, nobodys = (
        brought for _, _, brought in done if FIRST_PASSWORD_TEXT["fr"] in brought and "y a droit" in brought
    )
    assert "initial" in nobodys and "~" in known and "~" not in nobodys


@both_languages
async def test_M6_newcomers_wait_until_next_month_on_ussd(language: str, dialog_runs: DialogRuns) -> None:
    assert (await play_in_language(dialog_runs, "ussd/newcomer", language)).count(
        NEXT_MONTH_TEXT[language]
    ) == 2


@pytest.mark.parametrize("channel", ["sms", "voice"])
async def test_M6_newcomers_wait_until_next_month_on_sms_and_voice(
    channel: str, dialog_runs: DialogRuns
) -> None:
    assert NEXT_MONTH_TEXT["fr"] in await play_in_language(dialog_runs, f"{channel}/left-out")


async def test_M6_the_day_is_named_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "01/04/2026" in await play_in_language(dialog_runs, "ussd/newcomer")


async def test_M7_only_sensitive_items_ask_for_the_pin_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "PIN" not in await play_in_language(dialog_runs, "ussd/bills")
    assert "Tapez votre PIN" in await play_in_language(dialog_runs, "ussd/profile")


async def test_M7_the_password_is_the_body_on_sms(dialog_runs: DialogRuns) -> None:
    assert "incorrect" in await reply_to_last(dialog_runs, "ussd/profile", "3777 4079")
    assert "y***@example.test" in await reply_to_last(dialog_runs, "ussd/profile", "3777 4071")


async def test_M7_the_pin_is_keyed_in_on_voice(dialog_runs: DialogRuns) -> None:
    assert "incorrect" in await reply_to_last(dialog_runs, "voice/account", "4070#")
    assert "cent quarante-neuf dirhams" in await reply_to_last(dialog_runs, "voice/account", "4071#")


async def test_M7_a_forgotten_pin_is_set_anew_with_a_code_on_ussd(dialog_runs: DialogRuns) -> None:
    seen = await play_in_language(dialog_runs, "ussd/forgotten")
    assert seen.index("n'est pas bon") < seen.index("Choisissez un PIN") < seen.index("nouveau PIN est actif")


@both_languages
@pytest.mark.parametrize("name", ["ussd/account", "voice/login"])
async def test_M8_the_first_password_is_replaced_at_once(
    name: str, language: str, dialog_runs: DialogRuns
) -> None:
    done = await play_steps(dialog_runs, f"maroc-telecom/{name}-{language}")
    after = next(brought for _, said, brought in done if said.startswith("{code}"))
    assert CHOOSE_NUMBER_TEXT[language] in after


async def test_M8_old_new_and_again_on_ussd(dialog_runs: DialogRuns) -> None:
    done = (await play_steps(dialog_runs, "maroc-telecom/ussd/account-fr"))[-5:]
    told = [brought.split("\n")[0] for _, _, brought in done]
    assert "actuel" in told[0] and "incorrect" in told[1] and "Choisissez" in told[2]
    assert "encore" in told[3] and "actif" in told[4]


@pytest.mark.parametrize(
    ("pin", "holds"),
    [("4071", True), ("407", False), ("1357", True), ("4071838", False), ("24680", True), ("1821", True)]
    + [
        (pin, False)
        for pin in ("0000", "999999", "1212", "123123", "6969", "121212", "1122", "111222", "112233")
    ]
    + [(pin, False) for pin in ("1234", "123456", "4321", "7890", "0987", "2580", "1987", "2031")]
    + [("201987", True), ("000101", False), ("0101", False), ("40101", True)]
    + [(pin, False) for pin in ("", "407²", "²²²²", "٤٠٧١", "40 71", "-407", "407a")],
)
def test_M8_what_a_pin_may_be(pin: str, *, holds: bool) -> None:
    """For +212661000101: no common PIN, not the end of its number, ASCII digits only."""
    assert is_acceptable_pin(pin, "+212661000101") is holds


@both_languages
async def test_M8_a_common_pin_and_the_end_of_ones_number_are_refused_in_words(
    language: str, dialog_runs: DialogRuns
) -> None:
    for pin in ("2580", "0101"):
        assert WEAK_PIN_TEXT[language] in await reply_to_last(dialog_runs, "ussd/forgotten", pin, language)


def test_M8_few_pins_are_refused() -> None:
    """The refused PINs are too few to help a guesser: under one in twenty of each length."""
    for digits in PIN_LENGTHS:
        refused = sum(not is_acceptable_pin(f"{pin:0{digits}}", "+212661000101") for pin in range(10**digits))
        assert 0 < refused < 10**digits / 20


async def test_M9_profile_behind_the_pin_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "nom d'utilisateur se change sur le site" in await play_in_language(dialog_runs, "ussd/profile")


async def test_M9_an_address_by_text_and_a_link_on_sms(dialog_runs: DialogRuns) -> None:
    assert "~ email youssef@example.test" in await reply_to_last(dialog_runs, "ussd/profile", "3777 4071")


async def test_M9_pin_and_how_to_text_the_address_on_voice(dialog_runs: DialogRuns) -> None:
    assert "changer de code secret" in await play_in_language(dialog_runs, "voice/login")


@both_text_channels
async def test_M10_six_bills_on_ussd_and_sms(channel: str, dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, f"maroc-telecom/{channel}/bills-fr")
    shown = next(brought for _, _, brought in done if "| 1 03/26" in brought)
    assert len(re.findall(r"\| \d \d\d/\d\d ", shown)) == 6


@both_languages
async def test_M10_three_bills_then_more_on_voice(language: str, dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, f"maroc-telecom/voice/more-{language}")
    keys = {"fr": r"appuyez sur (\d)", "ar": r"اضغطوا (\d)"}[language]
    heard = [re.findall(keys, brought) for _, said, brought in done if said in ("2", "7", "9")]
    assert heard[:3] == [["1", "2", "3", "9"], ["1", "2", "3", "9"], ["4", "5", "6"]]


async def test_M10_a_row_keeps_its_key_on_every_page_on_voice(dialog_runs: DialogRuns) -> None:
    done = await play_steps(dialog_runs, "maroc-telecom/voice/more-fr")
    assert "novembre" in next(brought for _, said, brought in done if said == "5")
    assert "octobre" in done[-1][2]


@both_text_channels
async def test_M11_the_columns_on_ussd_and_sms(channel: str, dialog_runs: DialogRuns) -> None:
    seen = await play_in_language(dialog_runs, f"{channel}/bills")
    for column in ("IAM-202603-0101", "***101", "06***101", "124,17", "149,00", "01/03/2026", "21/03/2026"):
        assert column in seen


async def test_M11_the_amounts_and_dates_on_voice(dialog_runs: DialogRuns) -> None:
    assert "soit cent vingt-quatre dirhams et dix-sept centimes hors taxes" in await play_in_language(
        dialog_runs, "voice/login"
    )


@both_languages
@pytest.mark.parametrize("name", ["ussd/bills", "sms/bills", "voice/login"])
async def test_M12_the_document_comes_as_a_link(name: str, language: str, dialog_runs: DialogRuns) -> None:
    assert re.search(
        rf"~ sms \{YOUSSEF}: .*(\n~   )?{{link}}", await play_in_language(dialog_runs, name, language)
    )


async def test_M13_month_and_line_are_chosen_on_ussd(dialog_runs: DialogRuns) -> None:
    assert "IAM-202602-0101" in await reply_to_last(dialog_runs, "ussd/month", "0226")
    assert "IAM-202603-0102" in await play_in_language(dialog_runs, "ussd/account-fixed")


async def test_M13_month_and_line_are_arguments_on_sms(dialog_runs: DialogRuns) -> None:
    assert "IAM-202602-0101" in await reply_to_last(dialog_runs, "sms/bills", "3777 FACT 0226")
    assert "05***102" in await reply_to_last(dialog_runs, "sms/bills", "3777 LIGNE FIXE 0522000102")


async def test_M13_the_month_is_keyed_in_on_voice(dialog_runs: DialogRuns) -> None:
    assert "février deux mille vingt-six" in await reply_to_last(dialog_runs, "voice/login", "0226#")


@pytest.mark.parametrize("name", ["ussd/pay-fr", "sms/pay-fr", "voice/pay-fr", "ussd/pay-ar", "sms/pay-ar"])
async def test_M14_a_bill_is_paid_online_by_a_link(name: str, play_dialog: PlayDialog) -> None:
    words = "\n".join(await play_dialog(f"maroc-telecom/{name}"))
    assert "{link}" in words and ("payer 149,00" in words or "أداء 149,00" in words)
