"""Menu map: well-formed SVG, nodes equal to the state machine's, and a dialog's path drawn over it."""

import json
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest

from gateway.cli.main import run_command
from gateway.menu_map import mermaid, svg
from gateway.publishing import pack_compiler
from menus.packs.graph import MenuGraph, build_menu_graph
from menus.packs.graph_checks import reachable_nodes
from menus.packs.loader import PackDraft, load_draft
from tests.support.gateway_sandbox import CHANNELS

SVG = "{http://www.w3.org/2000/svg}"
DRAFTS = {
    name: load_draft(pack_compiler.pack_folder(name), pack_compiler.SHARED_PLACES)
    for name in pack_compiler.shipped_operators()
}
DIALOG = str(Path(__file__).parents[2] / "dialogs/orange-ro/ussd/einvoice-en.dialog")


def nodes_drawn(text: str) -> set[str]:
    return {name for group in fromstring(text).iter(f"{SVG}g") if (name := group.get("data-node"))}


@pytest.fixture(params=[(name, channel) for name in DRAFTS for channel in CHANNELS], ids=" ".join)
def drawing(request: pytest.FixtureRequest) -> tuple[PackDraft, MenuGraph]:
    name, channel = request.param
    return DRAFTS[name], build_menu_graph(DRAFTS[name], channel)


def test_the_nodes_drawn_are_the_machine_s(drawing: tuple[PackDraft, MenuGraph]) -> None:
    pack, drawn = drawing
    names = reachable_nodes(pack, drawn.channel)
    assert nodes_drawn(svg.draw_graph(drawn)) == names
    text = mermaid.draw_graph(drawn)
    assert all(f'"{name}"' in text for name in names)


def test_no_two_nodes_stand_on_each_other(drawing: tuple[PackDraft, MenuGraph]) -> None:
    boxes = [
        (box.get("x"), box.get("y"))
        for group in fromstring(svg.draw_graph(drawing[1])).iter(f"{SVG}g")
        for box in group.iter(f"{SVG}rect")
    ]
    assert len(set(boxes)) == len(boxes)


def test_every_name_fits_its_box(drawing: tuple[PackDraft, MenuGraph]) -> None:
    texts = [text.text or "" for text in fromstring(svg.draw_graph(drawing[1])).findall(f"{SVG}g/{SVG}text")]
    assert texts and all(len(text) * svg.NODE_LETTER_WIDTH <= svg.NODE_WIDTH - 4 for text in texts)


def test_proofs_steps_and_outcomes_are_told_apart() -> None:
    forms = {spot.name: spot.role for spot in build_menu_graph(DRAFTS["orange-ro"], "ussd").nodes}
    named = ("code.prove", "einvoice.activate", "einvoice.done", "bill")
    assert [forms[name] for name in named] == ["proof", "step", "outcome", "screen"]


def test_a_dialog_s_path_is_drawn_over_the_map(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["draw", "orange-ro", "--dialog", DIALOG]) == 0
    paths = [path for path in fromstring(capsys.readouterr().out).iter(f"{SVG}path") if path.get("data-path")]
    assert len(paths) >= 5


def test_no_move_leads_from_one_conversation_to_the_next() -> None:
    text = svg.draw_graph(
        build_menu_graph(DRAFTS["orange-ro"], "ussd"), svg.Overlay(["home", "budget", "", "home", "budget"])
    )
    assert text.count("data-path") == 1


def test_an_unknown_operator_exits_with_status_2() -> None:
    assert run_command(["draw", "nobody"]) == 2


def test_check_prints_json_and_names_screens_without_a_dialog(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert (
        run_command(["check", "--json", "--dialogs", DIALOG, str(pack_compiler.pack_folder("orange-ro"))]) == 1
    )
    told = [finding["what"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert "invoice.none: no dialog comes by here; write one, or save one" in told
    assert not any(what.startswith("einvoice.done:") for what in told)


def test_a_missing_folder_exits_with_status_2() -> None:
    assert run_command(["check", "no/such/folder"]) == 2
