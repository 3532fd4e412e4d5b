"""Bouygues Telecom's rules (B), each shown on its dialogs on every channel that serves it."""

import re
from decimal import Decimal

import pytest

from tests.support.dialog_runs import DIALOG_PATHS, PlayDialog, load_dialog

SERVED = [
    "B1",
    "B2",
    "B3",
    "B4",
    "B5",
    "B6",
    "B7",
    "B8",
    "B9",
    "B10",
    "B11",
    "B12",
    "B13",
    "B14",
    "B15",
    "B16",
    "B17",
    "B19",
    "B22",
    "B24",
]
EXPORT = r"~ sms \+33660000103: Bouygues Telecom: export CSV pret \({} lignes\): {{link}}"


@pytest.mark.parametrize("rule", SERVED)
@pytest.mark.parametrize("language", ["fr", "en"])
def test_every_rule_has_its_dialogs(rule: str, language: str) -> None:
    ours = [
        path
        for path in DIALOG_PATHS
        if path.parts[-3] == "bouygues"
        and not path.name.startswith("coverage-")
        and path.stem.endswith(language)
    ]
    assert any(rule in load_dialog(path).first_argument("rules").split() for path in ours)


async def test_B1_before_j_plus_2_the_bill_says_when_on_ussd(play_dialog: PlayDialog) -> None:
    *_, early, before = await play_dialog("bouygues/ussd/early-fr")
    assert "Facture 03/2026: disponible le 03/03/2026" in early and "€" not in early
    assert "| 1 02/26 34,99 ok" in before


async def test_B1_a_first_bill_says_when_on_ussd(play_dialog: PlayDialog) -> None:
    assert "disponible le 03/03/2026" in (await play_dialog("bouygues/ussd/early-first-fr"))[-1]


async def test_B1_on_j_plus_2_the_bill_is_there_on_ussd(play_dialog: PlayDialog) -> None:
    assert "| Facture 03/2026\n" in (await play_dialog("bouygues/ussd/published-fr"))[-1]


async def test_B1_before_j_plus_2_the_bill_says_when_on_sms(play_dialog: PlayDialog) -> None:
    latest, _, by_month = await play_dialog("bouygues/sms/early-fr")
    assert latest == by_month and "disponible le 03/03/2026" in latest


async def test_B1_before_j_plus_2_the_bill_says_when_on_voice(play_dialog: PlayDialog) -> None:
    assert "disponible le trois mars" in (await play_dialog("bouygues/voice/early-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/next-fr", "sms/next-fr"])
async def test_B2_the_next_bill_is_made_the_same_day_of_the_month_on_ussd_and_sms(
    name: str, play_dialog: PlayDialog
) -> None:
    assert "établie le 01/04/2026, disponible le 03/04/2026" in (await play_dialog(f"bouygues/{name}"))[-1]


async def test_B2_the_next_bill_is_told_on_voice(play_dialog: PlayDialog) -> None:
    assert "établie le premier avril" in (await play_dialog("bouygues/voice/next-fr"))[-1]


async def test_B3_the_bill_by_line_and_by_rubric_on_ussd(play_dialog: PlayDialog) -> None:
    *_, lines, one, _, _ = await play_dialog("bouygues/ussd/users-fr")
    assert len(re.findall(r"^\| \d 06\*\*\*1\d3 137,5\d €$", lines, re.MULTILINE)) == 3
    assert "| Ligne 06***113 137,53 €\n| Abonnements 110,02" in one


async def test_B3_the_bill_by_line_on_sms(play_dialog: PlayDialog) -> None:
    lines, one = await play_dialog("bouygues/sms/users-fr")
    assert "| 3 06***123 137,54 €" in lines and "Ligne 06***123" in one


async def test_B3_the_bill_by_line_on_voice(play_dialog: PlayDialog) -> None:
    assert "| La ligne\n| 113\n| est facturée" in (await play_dialog("bouygues/voice/users-fr"))[-1]


@pytest.mark.parametrize(("name", "roots"), [("ussd/export-fr", 4), ("ussd/export-totals-fr", 2)])
async def test_B4_a_root_and_a_level_bring_a_link_on_ussd(
    name: str, roots: int, play_dialog: PlayDialog
) -> None:
    words = await play_dialog(f"bouygues/{name}")
    assert "| 1 CF-100\n| 2 CF-200" in words[2]
    assert re.search(EXPORT.format(roots), words[-1])


async def test_B4_who_has_no_centres_has_no_export_on_ussd(play_dialog: PlayDialog) -> None:
    assert "Aucun centre" in (await play_dialog("bouygues/ussd/export-none-fr"))[-1]


async def test_B4_export_csv_brings_a_link_on_sms(play_dialog: PlayDialog) -> None:
    everything, one, none, *_ = await play_dialog("bouygues/sms/export-fr")
    assert re.search(EXPORT.format(6), everything) and re.search(EXPORT.format(2), one)
    assert "Aucun centre" in none and "{link}" not in none


async def test_B4_a_key_brings_a_link_on_voice(play_dialog: PlayDialog) -> None:
    assert re.search(EXPORT.format(6), (await play_dialog("bouygues/voice/export-fr"))[-1])


USAGE_EXPORT = EXPORT.replace("export CSV", "export conso CSV")


@pytest.mark.parametrize(("name", "lines"), [("ussd", 4), ("voice", 6)])
async def test_B24_usage_is_exported_by_link_on_ussd_and_voice(
    name: str, lines: int, play_dialog: PlayDialog
) -> None:
    assert re.search(USAGE_EXPORT.format(lines), (await play_dialog(f"bouygues/{name}/usage-export-fr"))[-1])


async def test_B24_usage_is_exported_by_link_on_sms(play_dialog: PlayDialog) -> None:
    everything, one, none = await play_dialog("bouygues/sms/usage-export-fr")
    assert re.search(USAGE_EXPORT.format(6), everything) and re.search(USAGE_EXPORT.format(2), one)
    assert "Aucun usage" in none and "{link}" not in none


async def test_B6_seven_rubrics_on_one_screen_on_ussd(play_dialog: PlayDialog) -> None:
    screen = (await play_dialog("bouygues/ussd/rubrics-fr"))[-1]
    assert len(re.findall(r"^\| [A-ZÉ]\w+ \d+,\d\d$", screen, re.MULTILINE)) == 7
    assert "Suite" not in screen


async def test_B6_seven_rubrics_in_one_message_on_sms(play_dialog: PlayDialog) -> None:
    message = (await play_dialog("bouygues/sms/rubrics-fr"))[-1]
    assert len(re.findall(r" \d+,\d\d$", message, re.MULTILINE)) == 7


async def test_B6_only_what_is_not_zero_is_read_on_voice(play_dialog: PlayDialog) -> None:
    read = (await play_dialog("bouygues/voice/rubrics-fr"))[-1]
    assert "Services en option, cinq euros." in read
    assert not re.search("Équipements|ponctuels|Prorata|zéro", read, re.IGNORECASE)


def amounts_in(screen: str) -> list[Decimal]:
    return [Decimal(each.replace(",", ".")) for each in re.findall(r" (\d+,\d\d)$", screen, re.MULTILINE)]


@pytest.mark.parametrize("name", ["ussd/calls-fr", "sms/calls-fr"])
async def test_B6_communications_are_split_and_add_up_on_ussd_and_sms(
    name: str, play_dialog: PlayDialog
) -> None:
    rubrics, calls = (await play_dialog(f"bouygues/{name}"))[-2:]
    assert "| Communications 03/2026: 3,20 €" in calls and "| Communications 3,20" in rubrics
    kinds = [word for word in ("nationales", "internationales", "l'étranger", "Messages") if word in calls]
    assert len(kinds) == 4 and sum(amounts_in(calls)) == Decimal("3.20")
    assert sum(amounts_in(rubrics)) == Decimal("34.99")


async def test_B6_communications_are_read_by_kind_on_voice(play_dialog: PlayDialog) -> None:
    read = (await play_dialog("bouygues/voice/rubrics-fr"))[-1]
    assert "| Communications internationales, quatre-vingt-dix centimes." in read
    assert "nationales" in read and "à l'étranger" in read and "| Messages" in read


@pytest.mark.parametrize("name", ["ussd/prorata-fr", "sms/prorata-fr"])
async def test_B7_the_part_month_is_explained_on_ussd_and_sms(name: str, play_dialog: PlayDialog) -> None:
    words = (await play_dialog(f"bouygues/{name}"))[-1]
    assert "Prorata 11/28 jours: 9,82 €" in words and "Total: 44,81 €" in words


async def test_B7_whole_months_are_said_to_be_whole_on_ussd(play_dialog: PlayDialog) -> None:
    assert "Pas de prorata" in (await play_dialog("bouygues/ussd/whole-fr"))[-1]


async def test_B7_the_part_month_is_explained_on_voice(play_dialog: PlayDialog) -> None:
    assert "onze jours sur vingt-huit" in (await play_dialog("bouygues/voice/prorata-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/certified-fr", "sms/certified-fr", "voice/certified-fr"])
async def test_B8_a_business_gets_its_certified_bill_by_link_on_ussd_sms_and_voice(
    name: str, play_dialog: PlayDialog
) -> None:
    words = "\n".join(await play_dialog(f"bouygues/{name}"))
    assert "facture certifiée BT-202603-0103, signée: {link}" in words


@pytest.mark.parametrize("name", ["ussd/copy-fr", "sms/copy-fr"])
async def test_B8_since_the_reform_it_is_a_copy_on_ussd_and_sms(name: str, play_dialog: PlayDialog) -> None:
    last = (await play_dialog(f"bouygues/{name}"))[-1]
    assert "copie de la facture BT-202610-0103" in last and "plateforme PA-DEMO" in last


async def test_B8_nobody_else_has_one_on_ussd(play_dialog: PlayDialog) -> None:
    assert "SIRET" in (await play_dialog("bouygues/ussd/certified-none-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/notify-fr", "voice/notify-fr"])
async def test_B10_who_wants_is_told_by_e_mail_on_ussd_and_voice(name: str, play_dialog: PlayDialog) -> None:
    assert re.search("Nous vous prévenons par: (e-mail|imèl)", (await play_dialog(f"bouygues/{name}"))[-1])


async def test_B10_who_wants_is_told_by_e_mail_on_sms(play_dialog: PlayDialog) -> None:
    assert "Nous vous prévenons par: e-mail" in (await play_dialog("bouygues/sms/notify-fr"))[0]


async def test_B19_third_parties_have_their_own_rubric_on_ussd(play_dialog: PlayDialog) -> None:
    screen = (await play_dialog("bouygues/ussd/rubrics-fr"))[-1]
    assert "| Communications 3,20" in screen and "| Tiers 1,80" in screen


async def test_B19_third_parties_have_their_own_line_on_sms(play_dialog: PlayDialog) -> None:
    assert "| Vos autres services de tiers 1,80" in (await play_dialog("bouygues/sms/rubrics-fr"))[-1]


async def test_B19_third_parties_have_their_own_prompt_on_voice(play_dialog: PlayDialog) -> None:
    prompts = (await play_dialog("bouygues/voice/rubrics-fr"))[-1].splitlines()
    assert "| Vos autres services de tiers, un euro et quatre-vingts centimes." in prompts


@pytest.mark.parametrize(("name", "rows"), [("ussd/usage-fr", 5), ("sms/usage-fr", 3)])
async def test_B22_the_last_five_on_ussd_three_on_sms(name: str, rows: int, play_dialog: PlayDialog) -> None:
    shown = (await play_dialog(f"bouygues/{name}"))[-1]
    assert len(re.findall(r"^\| \d\d/\d\d \w+ \d+", shown, re.MULTILINE)) == rows


@pytest.mark.parametrize("name", ["ussd/first-purchase-fr", "sms/first-purchase-fr", "voice/first-purchase-fr"])
async def test_B12_no_bank_data_is_asked_the_phone_and_a_pin_are_enough(
    name: str, play_dialog: PlayDialog
) -> None:
    heard = "\n".join(await play_dialog(f"bouygues/{name}"))
    assert re.search("PIN|code secret", heard) and not re.search(
        r"IBAN|num[ée]ro de carte|compte bancaire", heard
    )


@pytest.mark.parametrize("name", ["ussd/first-purchase-fr", "sms/first-purchase-fr"])
async def test_B13_the_first_choice_is_made_once_on_ussd_and_sms(name: str, play_dialog: PlayDialog) -> None:
    *first, done, again = await play_dialog(f"bouygues/{name}")
    assert "Achats sur facture actifs" in done and len(first) <= 5
    assert "Achats du mois: 0,00" in again


async def test_B13_the_first_choice_is_made_on_voice(play_dialog: PlayDialog) -> None:
    assert "actifs, plafond cinquante euros" in (await play_dialog("bouygues/voice/first-purchase-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/purchase-settings-fr", "sms/settings-fr"])
async def test_B14_a_category_is_blocked_at_once_and_opened_with_the_pin(
    name: str, play_dialog: PlayDialog
) -> None:
    heard = await play_dialog(f"bouygues/{name}")
    assert any("Transports: bloqué" in each for each in heard)
    assert any("Contenus: débloqué" in each for each in heard)
    assert any("Tous les achats sur facture sont bloqués" in each for each in heard)


async def test_B14_a_category_is_blocked_on_voice(play_dialog: PlayDialog) -> None:
    assert "Stationnement: bloqué" in (await play_dialog("bouygues/voice/purchase-settings-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/purchase-settings-fr", "sms/settings-fr"])
async def test_B15_a_lower_cap_holds_at_once_a_higher_one_needs_the_pin(
    name: str, play_dialog: PlayDialog
) -> None:
    heard = await play_dialog(f"bouygues/{name}")
    above = next(index for index, each in enumerate(heard) if "Tapez votre code PIN" in each)
    assert "plafond 4" in heard[above + 1]
    assert any("Vous avez déjà dépensé 1,80 €" in each for each in heard)
    assert any("Un montant jusqu'à 300,00 €" in each for each in heard)


async def test_B15_a_cap_is_keyed_on_voice(play_dialog: PlayDialog) -> None:
    heard = "\n".join(await play_dialog("bouygues/voice/purchase-settings-fr"))
    assert "plafond trente euros par mois" in heard


@pytest.mark.parametrize("name", ["ussd/purchases-fr", "sms/purchases-fr"])
async def test_B17_purchases_are_listed_by_category_at_face_price(name: str, play_dialog: PlayDialog) -> None:
    assert any("Stationnement 1,80 €" in each for each in await play_dialog(f"bouygues/{name}"))


async def test_B17_purchases_are_read_by_category_on_voice(play_dialog: PlayDialog) -> None:
    assert "Stationnement, un euro" in (await play_dialog("bouygues/voice/purchases-fr"))[-1]


@pytest.mark.parametrize("name", ["ussd/services-fr", "sms/services-fr", "voice/services-fr"])
async def test_B22_services_subscribed_to_are_listed_on_ussd_sms_and_voice(
    name: str, play_dialog: PlayDialog
) -> None:
    assert "Voicemail Plus" in (await play_dialog(f"bouygues/{name}"))[-1]
