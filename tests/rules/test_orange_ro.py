"""Orange România's rules (R), each shown on its dialogs."""

import re
from collections.abc import Sequence

import pytest

from tests.support.dialog_runs import DIALOG_FOLDER, DIALOG_PATHS, DialogRuns, PlayDialog, load_dialog
from tests.support.gateway_sandbox import EFFECT_TABLES, GatewaySandbox

DialogStep = tuple[str, str, str]
"""The verb, its argument, and the text it brought."""


async def play_steps(dialog_runs: DialogRuns, name: str) -> list[DialogStep]:
    """Play a dialog and return its steps."""
    path = DIALOG_FOLDER / f"{name}.dialog"
    brought = (await dialog_runs.play_once(path)).transcript
    return [
        (cue.verb, cue.argument, "\n".join(told))
        for cue, told in zip(load_dialog(path).steps, brought, strict=True)
    ]


def spoken_words(played: Sequence[DialogStep]) -> str:
    return "\n".join(told for _, _, told in played)


SERVED = ["R1", "R3", "R4", "R5", "R6", "R7", "R8", "R9", "R10", "R12", "R13", "R14", "R15", "R16"]


@pytest.mark.parametrize("rule", SERVED)
def test_every_rule_has_its_dialogs(rule: str) -> None:
    assert any(rule in load_dialog(path).first_argument("rules").split() for path in DIALOG_PATHS)


@pytest.mark.parametrize(
    "name",
    [
        "orange-ro/ussd/just-issued",
        "orange-ro/ussd/latest-ro",
        "orange-ro/sms/latest-ro",
        "orange-ro/voice/latest-ro",
    ],
)
async def test_R1_the_bill_is_there_as_soon_as_it_is_issued(name: str, dialog_runs: DialogRuns) -> None:
    month = "04/2026" if name == "orange-ro/ussd/just-issued" else "03/2026|martie"
    assert re.search(f"Factura (pe luna )?({month})", spoken_words(await play_steps(dialog_runs, name)))


@pytest.mark.parametrize(
    "name",
    [
        "orange-ro/ussd/notify-sms-ro",
        "orange-ro/voice/coverage-notify-own-choice-ro",
        "orange-ro/sms/notify-sms-ro",
    ],
)
async def test_R3_the_subscriber_says_how_bills_are_announced(name: str, dialog_runs: DialogRuns) -> None:
    played = await play_steps(dialog_runs, name)
    assert re.search("V[aă] anun[tț][aă]m prin: S ?M ?S", spoken_words(played))
    assert (await dialog_runs.play_once(DIALOG_FOLDER / f"{name}.dialog")).row_counts[
        EFFECT_TABLES.index("preferences")
    ] == 1


async def test_R4_an_address_that_is_texted_gets_a_link_to_confirm_it(dialog_runs: DialogRuns) -> None:
    played = await play_steps(dialog_runs, "orange-ro/sms/notify-email-ro")
    told = next(told for _, said, told in played if said.endswith("ana@example.test"))
    assert "~ email ana@example.test" in told and "{link}" in told


@pytest.mark.parametrize("name", ["orange-ro/voice/notify-ro", "orange-ro/voice/notify-en"])
async def test_R4_a_call_takes_the_number_said_or_keyed_and_reads_it_back(
    name: str, dialog_runs: DialogRuns
) -> None:
    played = await play_steps(dialog_runs, name)
    back = max(index for index, (_, _, told) in enumerate(played) if "| 07400001" in told)
    number = re.search(r"\d{10}", played[back][2])
    assert number and re.search(f"~ sms .4{number[0]}", spoken_words(played[back:]))


@pytest.mark.parametrize("name", ["orange-ro/ussd/list-ro", "orange-ro/sms/list-en"])
async def test_R5_the_list_has_the_last_six_bills(name: str, dialog_runs: DialogRuns) -> None:
    lists = [told for _, _, told in await play_steps(dialog_runs, name) if re.search(r"\| 1 \d\d/\d\d ", told)]
    assert lists and all(len(re.findall(r"^\| \d \d\d/\d\d ", told, re.M)) == 6 for told in lists)


async def test_R6_a_call_hears_no_amount_before_the_code_is_keyed_in(dialog_runs: DialogRuns) -> None:
    played = await play_steps(dialog_runs, "orange-ro/voice/latest-ro")
    proof = next(index for index, (_, said, _) in enumerate(played) if said == "{code}#")
    assert "lei" not in spoken_words(played[:proof]) and "lei" in played[proof][2]


@pytest.mark.parametrize(
    ("name", "opens"),
    [
        ("code-in-time-ro", True),
        ("code-expired-ro", False),
        ("code-expired-by-a-second", False),
    ],
)
async def test_R7_a_code_is_good_for_fifteen_minutes(
    name: str, dialog_runs: DialogRuns, *, opens: bool
) -> None:
    assert ("lei" in (await play_steps(dialog_runs, f"orange-ro/voice/{name}"))[-1][2]) is opens


async def test_R7_the_message_says_how_long(dialog_runs: DialogRuns) -> None:
    assert "{code}, valabil 15 min" in spoken_words(await play_steps(dialog_runs, "orange-ro/sms/password-ro"))


async def test_R8_the_password_alone_earns_a_code_of_six_digits(sandbox: GatewaySandbox) -> None:
    player = sandbox.dialog_player(sandbox.direct_line(), "+40740000101")
    brought = await player.perform("text", "477 ThankYou1")
    assert len(brought) == 1 and brought[0].startswith("~ sms +40740000101: Orange: codul dvs. este {code}")
    assert re.fullmatch(r"\d{6}", player.last_code)


async def test_R8_a_wrong_password_an_unknown_number_and_a_locked_account_hear_the_same(
    dialog_runs: DialogRuns,
) -> None:
    played = await play_steps(dialog_runs, "orange-ro/sms/password-wrong-ro") + await play_steps(
        dialog_runs, "orange-ro/sms/password-locked"
    )
    assert len({told for verb, _, told in played if verb == "text"}) == 1


async def test_R8_neither_keyword_nor_password_counts_as_no_try(dialog_runs: DialogRuns) -> None:
    assert "{code}" in (await play_steps(dialog_runs, "orange-ro/sms/help-other-ro"))[-1][2]


async def test_R9_every_code_comes_with_a_warning(dialog_runs: DialogRuns) -> None:
    ours = [
        path
        for path in DIALOG_PATHS
        if path.parts[-3] == "orange-ro" and not path.name.startswith(("coverage-", "billing-"))
    ]
    played = [
        step
        for path in ours
        for step in await play_steps(dialog_runs, str(path.relative_to(DIALOG_FOLDER))[:-7])
    ]
    codes = re.findall(r"~ sms .*\{code\}.*", spoken_words(played))
    warnings = (
        "nimanui, nici noua",
        "Do not share it, not even with us",
        "nu il spuneti nimanui",
        "tell nobody",
    )
    assert codes and all(any(warning in code for warning in warnings) for code in codes)


async def test_R10_the_end_of_a_menu_says_where_help_is(dialog_runs: DialogRuns) -> None:
    for name in (
        "orange-ro/ussd/leave-ro",
        "orange-ro/ussd/wrong-keys-en",
        "orange-ro/ussd/notify-email-unknown-ro",
        "orange-ro/sms/help-ro",
    ):
        assert "411" in (await play_steps(dialog_runs, name))[-1][2]


async def test_R10_zero_puts_a_call_through(dialog_runs: DialogRuns) -> None:
    assert "= put through to" in (await play_steps(dialog_runs, "orange-ro/voice/agent-ro"))[-1][2]


async def test_R7_a_second_call_takes_the_code_of_the_first_on_voice(dialog_runs: DialogRuns) -> None:
    *_, (_, _, asked), (_, _, bill) = await play_steps(dialog_runs, "orange-ro/voice/code-wait-ro")
    assert "nu trimitem altul" in asked and "~ sms" not in asked and "Factura pe luna" in bill


@pytest.mark.parametrize("channel", ["ussd", "sms", "voice"])
async def test_R10_a_callback_is_asked_for_and_confirmed_by_sms(channel: str, dialog_runs: DialogRuns) -> None:
    last = (await play_steps(dialog_runs, f"orange-ro/{channel}/callback-ro"))[-1][2]
    assert "cererea " in last and "Un operator va va suna la 07***101" in last


async def test_R12_411_then_1_then_the_key_of_e_invoicing(dialog_runs: DialogRuns) -> None:
    keys = [
        said
        for verb, said, _ in await play_steps(dialog_runs, "orange-ro/voice/einvoice-ro")
        if verb in ("call", ">")
    ]
    assert keys[:5] == ["411", "1", "2", "{code}#", "1"]
    assert "Factura electronică este activă" in spoken_words(
        await play_steps(dialog_runs, "orange-ro/voice/einvoice-ro")
    )


async def test_R13_star_100_then_budget_then_bill(dialog_runs: DialogRuns) -> None:
    played = await play_steps(dialog_runs, "orange-ro/ussd/einvoice-ro")
    home, budget, bill = [told for verb, _, told in played if verb in ("dial", ">")][:3]
    assert "1 Buget" in home and "1 Factura" in budget and "3 Factura electronica" in bill


async def test_R13_dialled_at_once_it_is_the_same_screen(dialog_runs: DialogRuns) -> None:
    at_once = next(
        told
        for verb, _, told in await play_steps(dialog_runs, "orange-ro/ussd/dial-ahead-ro")
        if verb == "dial"
    )
    by_steps = [
        told for verb, _, told in await play_steps(dialog_runs, "orange-ro/ussd/tree-ro") if verb == ">"
    ]
    assert at_once == by_steps[1]


@pytest.mark.parametrize(
    "name", ["orange-ro/ussd/paper-ro", "orange-ro/voice/paper-ro", "orange-ro/sms/paper-ro"]
)
async def test_R14_back_to_paper(name: str, dialog_runs: DialogRuns) -> None:
    last = (await play_steps(dialog_runs, name))[-1][2]
    assert re.search("la adresa din contract", last) and "vine de acum pe hartie" in last


@pytest.mark.parametrize("name", ["orange-ro/ussd/paper-other-ro", "orange-ro/voice/paper-other-ro"])
async def test_R14_to_any_address_by_a_link(name: str, dialog_runs: DialogRuns) -> None:
    assert "{link}" in (await play_steps(dialog_runs, name))[-1][2]


async def test_R15_three_channels_one_result(dialog_runs: DialogRuns) -> None:
    names = ("orange-ro/ussd/einvoice-ro", "orange-ro/voice/einvoice-ro", "orange-ro/sms/einvoice-ro")
    texts = [
        re.findall("~ sms .*activat factura.*", spoken_words(await play_steps(dialog_runs, name)))
        for name in names
    ]
    consents = {
        (await dialog_runs.play_once(DIALOG_FOLDER / f"{name}.dialog")).row_counts[
            EFFECT_TABLES.index("consents")
        ]
        for name in names
    }
    assert texts[0] == texts[1] == texts[2] and len(texts[0]) == 1
    assert consents == {1}


@pytest.mark.parametrize("name", ["ussd/pay-ro", "sms/pay-ro", "voice/pay-ro", "sms/pay-en"])
async def test_R1_the_bill_is_payable_online(name: str, play_dialog: PlayDialog) -> None:
    words = "\n".join(await play_dialog(f"orange-ro/{name}"))
    assert "~ sms +40740000101: Orange: " in words and "{link}" in words and "90 lei" in words


@pytest.mark.parametrize("name", ["ussd/meter-ro", "sms/meter-ro"])
async def test_R16_the_meter_in_buget_shows_used_and_left_on_ussd_and_sms(
    name: str, play_dialog: PlayDialog
) -> None:
    shown = "\n".join(await play_dialog(f"orange-ro/{name}"))
    assert "| Minute 22, raman 78" in shown and "| MB 1.550, raman 8.690" in shown
    assert "| SMS 3, nelimitat" in shown and "| Nefacturat inca: 1,20 lei" in shown


async def test_R16_the_meter_is_read_in_a_call_on_voice(play_dialog: PlayDialog) -> None:
    read = (await play_dialog("orange-ro/voice/meter-ro"))[-1]
    assert "Minute folosite, douăzeci și două. Minute rămase, șaptezeci și opt." in read
    assert "Nefacturat încă, un leu" in (await play_dialog("orange-ro/voice/spend-ro"))[-1]
