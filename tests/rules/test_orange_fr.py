"""Orange France's rules (F), each shown on its dialogs on every channel that serves it."""

import re

import pytest

from tests.support.dialog_runs import DIALOG_PATHS, PlayDialog, load_dialog
from tests.support.fakes.help_desk import FakeHelpDesk
from tests.support.gateway_sandbox import SandboxFactory

SERVED = ["F1", "F2", "F3", "F4", "F5", "F6", "F7", "F9", "F10", "F11", "F12", "F13", "F14", "B22"]
SECTIONS = ["Contrat et options", "Factures et paiements", "Consommation", "Aide"]
TWELVE_MONTHS = [
    "03/26",
    "02/26",
    "01/26",
    "12/25",
    "11/25",
    "10/25",
    "09/25",
    "08/25",
    "07/25",
    "06/25",
    "05/25",
]
TWELVE_MONTHS += ["04/25"]
LINK = "~ sms +33600000101: Orange: facture OFR-2026"


def listed_months(text: str) -> list[str]:
    return re.findall(r"^\| \d+ (\d\d/\d\d) ", text, re.MULTILINE)


@pytest.mark.parametrize("rule", SERVED)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_rule_has_its_dialogs(rule: str, language: str) -> None:
    ours = [
        path
        for path in DIALOG_PATHS
        if path.parts[-3] == "orange-fr"
        and not path.name.startswith("coverage-")
        and path.stem.endswith(language)
    ]
    assert any(rule in load_dialog(path).first_argument("rules").split() for path in ours)


async def test_F1_the_sim_is_the_proof_on_ussd(play_dialog: PlayDialog) -> None:
    *_, bill, _, _, _ = await play_dialog("orange-fr/ussd/latest-fr")
    assert "Total TTC: 34,99 €" in bill and "PIN" not in bill


async def test_F1_the_sender_is_the_proof_on_sms(play_dialog: PlayDialog) -> None:
    assert "34,99 €" in (await play_dialog("orange-fr/sms/latest-fr"))[0]


async def test_F1_a_call_hears_no_amount_before_the_pin_on_voice(play_dialog: PlayDialog) -> None:
    _, _, asked, bill, *_ = await play_dialog("orange-fr/voice/latest-fr")
    assert "code secret" in asked and "euro" not in asked
    assert "trente-quatre euros" in bill


async def test_F1_a_wrong_pin_opens_nothing_on_voice(play_dialog: PlayDialog) -> None:
    *_, wrong, right = await play_dialog("orange-fr/voice/pin-wrong-fr")
    assert "incorrect" in wrong and "euro" not in wrong and "euros" in right


@pytest.mark.parametrize("name", ["ussd/usage-fr", "sms/usage-fr", "voice/sections-fr"])
async def test_F2_usage_is_shown_on_ussd_sms_and_voice(name: str, play_dialog: PlayDialog) -> None:
    assert any("erniers usages" in each for each in await play_dialog(f"orange-fr/{name}"))


@pytest.mark.parametrize("name", ["ussd/app-fr", "sms/app-fr", "voice/app-fr"])
async def test_F2_orders_are_tracked_in_the_app_only_on_ussd_sms_and_voice(
    name: str, play_dialog: PlayDialog
) -> None:
    assert any("seulement dans l'application" in each for each in await play_dialog(f"orange-fr/{name}"))


async def test_F3_four_sections_at_the_root_on_ussd(play_dialog: PlayDialog) -> None:
    home = (await play_dialog("orange-fr/ussd/sections-fr"))[0]
    assert re.findall(r"^\| [1-9] (.+)$", home, re.MULTILINE) == SECTIONS


async def test_F3_four_keywords_on_sms(play_dialog: PlayDialog) -> None:
    contract, bills, usage, help_ = await play_dialog("orange-fr/sms/sections-fr")
    assert (contract[2:20], bills[2:10], usage[2:10]) == ("Contrat et options", "Factures", "Derniers")
    assert "boutique" in help_


async def test_F3_four_keys_on_voice(play_dialog: PlayDialog) -> None:
    home = (await play_dialog("orange-fr/voice/sections-fr"))[0]
    assert re.findall(r"appuyez sur ([1-9])\.", home) == ["1", "2", "3", "4"]


async def test_F4_twelve_bills_six_to_a_page_on_ussd(play_dialog: PlayDialog) -> None:
    pages = [listed_months(each) for each in await play_dialog("orange-fr/ussd/list-fr")]
    assert pages[2] == TWELVE_MONTHS[:6] and pages[3] == TWELVE_MONTHS[6:]


async def test_F4_the_bill_of_a_month_on_sms(play_dialog: PlayDialog) -> None:
    assert "| Facture 02/2026: 34,99 €" in (await play_dialog("orange-fr/sms/month-fr"))[0]
    assert listed_months((await play_dialog("orange-fr/sms/list-fr"))[0]) == TWELVE_MONTHS


async def test_F4_the_bill_of_a_month_on_voice(play_dialog: PlayDialog) -> None:
    assert "février deux mille vingt-six" in (await play_dialog("orange-fr/voice/month-fr"))[-1]


async def test_F5_months_up_to_24_by_their_digits_older_refused_on_ussd(play_dialog: PlayDialog) -> None:
    read, old = [(await play_dialog("orange-fr/ussd/month-fr"))[index] for index in (3, 5)]
    assert "| Facture 04/2024" in read
    assert "plus de 24 mois" in old and "€" not in old


async def test_F5_months_up_to_24_by_their_digits_older_refused_on_sms(play_dialog: PlayDialog) -> None:
    _, read, old, *_ = await play_dialog("orange-fr/sms/month-fr")
    assert "04/2024: 34,99" in read and "plus de 24 mois" in old


async def test_F5_months_up_to_24_by_their_digits_older_refused_on_voice(play_dialog: PlayDialog) -> None:
    words = await play_dialog("orange-fr/voice/month-fr")
    assert "avril deux mille vingt-quatre" in words[4] and "plus de vingt-quatre mois" in words[6]


async def test_F6_a_month_then_its_document_on_ussd(play_dialog: PlayDialog) -> None:
    assert f"{LINK}02-0101: {{link}}" in (await play_dialog("orange-fr/ussd/pdf-fr"))[-1]


async def test_F6_a_month_then_its_document_on_sms(play_dialog: PlayDialog) -> None:
    at_once, _, asked = await play_dialog("orange-fr/sms/pdf-fr")
    assert f"{LINK}02-0101: {{link}}" in at_once and f"{LINK}01-0101: {{link}}" in asked


async def test_F6_a_month_by_four_digits_then_its_document_on_voice(play_dialog: PlayDialog) -> None:
    *_, asked, sent = await play_dialog("orange-fr/voice/pdf-fr")
    assert "? 4 keys then #" in asked and LINK in sent


@pytest.mark.parametrize("name", ["ussd/pin-fr", "voice/pin-fr"])
async def test_F7_a_forgotten_pin_is_chosen_anew_by_a_code_on_ussd_and_voice(
    name: str, play_dialog: PlayDialog
) -> None:
    words = await play_dialog(f"orange-fr/{name}")
    assert "votre code est {code}" in words[2] and re.search(r"nouveau (PIN|code secret) est actif", words[-1])


async def test_F7_reset_brings_a_code_on_sms(play_dialog: PlayDialog) -> None:
    assert "votre code est {code}" in (await play_dialog("orange-fr/sms/reset-fr"))[0]


@pytest.mark.parametrize("name", ["reset-texted-back-fr", "reset-bare-code-fr"])
async def test_F7_a_code_texted_back_lets_a_pin_be_chosen_on_sms(name: str, play_dialog: PlayDialog) -> None:
    words = await play_dialog(f"orange-fr/sms/{name}")
    assert "Choisissez un PIN" in words[-3] and "nouveau PIN est actif" in words[-1]


@pytest.mark.parametrize("name", ["ussd/reset-email-fr", "sms/reset-email-fr", "voice/reset-email-fr"])
async def test_F7_the_code_goes_to_the_confirmed_e_mail_on_ussd_sms_and_voice(
    name: str, play_dialog: PlayDialog
) -> None:
    words = "\n".join(await play_dialog(f"orange-fr/{name}"))
    assert "~ email jeanne@example.test: Orange: votre code" in words
    assert re.search(r"nouveau (PIN|code secret) est actif", words)


async def test_F7_without_a_confirmed_e_mail_the_words_are_the_same_on_ussd(play_dialog: PlayDialog) -> None:
    asked, without = [(await play_dialog(f"orange-fr/ussd/reset-email{name}-fr"))[0] for name in ("", "-none")]
    assert "~ email" in asked and "~" not in without
    assert without in asked


@pytest.mark.parametrize("name", ["ussd/pay-fr", "sms/pay-fr", "voice/pay-fr"])
async def test_F8_a_link_for_paying_by_card_and_the_other_ways_on_ussd_sms_and_voice(
    name: str, play_dialog: PlayDialog
) -> None:
    words = "\n".join(await play_dialog(f"orange-fr/{name}"))
    assert "~ sms +33600000101: Orange: payer 34,99 €, facture 03/2026 de 06***101: {link}" in words
    assert "chèque" in words.lower() and "prélèvement" in words.lower()


@pytest.mark.parametrize("name", ["ussd/einvoice-fr", "sms/einvoice-fr", "voice/einvoice-fr"])
async def test_F9_e_bills_can_be_had_on_ussd_sms_and_voice(name: str, play_dialog: PlayDialog) -> None:
    words = "\n".join(await play_dialog(f"orange-fr/{name}"))
    assert "~ sms +33600000102: Orange: facture électronique activée" in words


async def test_F10_a_duplicate_by_e_mail_or_link_on_ussd(play_dialog: PlayDialog) -> None:
    assert "~ email jeanne@example.test" in (await play_dialog("orange-fr/ussd/duplicate-email-fr"))[-1]
    *_, none, sent = await play_dialog("orange-fr/ussd/duplicate-sms-fr")
    assert "pas d'adresse e-mail validée" in none and "OFR-202602-0102: {link}" in sent


async def test_F10_a_duplicate_on_sms(play_dialog: PlayDialog) -> None:
    words = await play_dialog("orange-fr/sms/duplicate-fr")
    assert f"{LINK}02-0101" in words[1] and "~ email jeanne@example.test" in words[4]


async def test_F10_a_duplicate_on_voice(play_dialog: PlayDialog) -> None:
    assert f"{LINK}02-0101: {{link}}" in (await play_dialog("orange-fr/voice/duplicate-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/help-fr", "sms/sections-fr"])
async def test_F11_help_says_where_it_is_on_ussd_and_sms(name: str, play_dialog: PlayDialog) -> None:
    assert "appelez le 3900 ou passez en boutique" in (await play_dialog(f"orange-fr/{name}"))[-1]


async def test_F11_a_person_helps_on_voice(play_dialog: PlayDialog) -> None:
    assert "= put through to +33600003900" in (await play_dialog("orange-fr/voice/help-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/app-fr", "sms/app-fr"])
async def test_F12_data_are_changed_behind_a_link_only_on_ussd_and_sms(
    name: str, play_dialog: PlayDialog
) -> None:
    assert "https://compte.orange.example" in "\n".join(await play_dialog(f"orange-fr/{name}"))


async def test_F12_data_are_changed_by_an_agent_on_voice(play_dialog: PlayDialog) -> None:
    assert "= put through to" in (await play_dialog("orange-fr/voice/personal-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/contest-fr", "sms/contest-fr"])
async def test_F13_a_line_is_contested_and_has_a_reference_on_ussd_and_sms(
    name: str, play_dialog: PlayDialog
) -> None:
    last = (await play_dialog(f"orange-fr/{name}"))[-1]
    assert re.search(r"contestation [A-Z2-7]{8} enregistrée, facture OFR-202603-0101", last)


async def test_F13_what_cannot_be_found_is_not_contested_on_sms(play_dialog: PlayDialog) -> None:
    words = await play_dialog("orange-fr/sms/contest-fr")
    assert "introuvable" in words[3] and "~" not in words[3]


async def test_F13_an_agent_takes_it_on_voice(play_dialog: PlayDialog) -> None:
    assert "= put through to" in (await play_dialog("orange-fr/voice/contest-fr"))[-1]


async def test_F13_a_dispute_by_sms_is_a_ticket_at_the_operators_desk(sandboxes: SandboxFactory) -> None:
    async with FakeHelpDesk() as desk:
        section = {"operators": {"orange-fr": {"desk": {"kind": "tmf621", "url": desk.url}}}}
        async with sandboxes.open(operator="orange-fr", more=section) as sandbox:
            await sandbox.direct_line().send_text("+33600000101", "32123", "CONTESTER 03/26 1")
            await sandbox.messages.collect_new()
        assert [ticket["ticketType"] for ticket in desk.tickets] == ["contest"]
        assert "OFR-202603-0101" in desk.tickets[0]["description"]


@pytest.mark.parametrize(("name", "step"), [("ussd/payments-fr", -3), ("sms/payments-fr", 0)])
async def test_F14_payments_made_are_listed_on_ussd_and_sms(
    name: str, step: int, play_dialog: PlayDialog
) -> None:
    shown = (await play_dialog(f"orange-fr/{name}"))[step]
    assert "| 13/02/2026 34,99 € prélèvement" in shown


@pytest.mark.parametrize("name", ["ussd/payments-fr", "sms/payments-fr"])
async def test_F14_the_spend_that_is_not_billed_yet_on_ussd_and_sms(name: str, play_dialog: PlayDialog) -> None:
    assert "Pas encore facturé: 1,20 €" in (await play_dialog(f"orange-fr/{name}"))[-1]


async def test_F14_payments_and_spend_are_read_on_voice(play_dialog: PlayDialog) -> None:
    read = (await play_dialog("orange-fr/voice/payments-fr"))[-1]
    assert "Le treize février" in read and "par prélèvement" in read
    assert "Pas encore facturé, un euro" in (await play_dialog("orange-fr/voice/spend-fr"))[-1]
