"""Language data: a sixth language comes with data only, and a pack changes the data of a shared one."""

import shutil
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from gateway.publishing import pack_compiler
from menus.machine.menu import LanguagePack
from menus.model.facts import Count, Money
from menus.text.gsm import prepare_text
from menus.text.language_data import load_language

HUNGARIAN_FORM = {
    "locale": "hu_HU",
    "speech": "hu-HU",
    "day": "yyyy.MM.dd.",
    "money": "{amount}\u00a0lei",
    "unit": {"one": "lej", "other": "lej"},
    "subunit": {"one": "bani", "other": "bani"},
}
HUNGARIAN_DATA = {
    "name": "Magyar",
    "folds": {"ő": "ö", "ű": "ü", "Ő": "Ö", "Ű": "Ü"},
    "capitals": ["SMS", "SIM", "VAT", "PDF", "PIN", "CSV", "OVERDUE", "DUPLICATE"],
    "numbers": {"minus": "mínusz", "at": "kukac", "dot": "pont", "first_of_month": "elseje"},
    "digits": {"below": 100, "also": {"két": 2}, "times": {"dupla": 2}},
}
CHOICE = """      - {text: language.hu_option, key: "3", to: language.hu}
  language.hu:
    kind: step
    action: language.choose
    with: hu
    needs: line
    on: {ok: language.done}
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return Path(shutil.copytree(pack_compiler.pack_folder("orange-ro"), tmp_path / "orange_ro"))


@pytest.fixture
def hungarian(pack: Path) -> LanguagePack:
    """Add Hungarian to a pack: its form, its data file, its texts and the option that chooses it."""
    write_yaml(pack / "languages" / "hu.yaml", HUNGARIAN_DATA)
    config = yaml.safe_load((pack / "pack.yaml").read_text(encoding="utf-8"))
    config["languages"]["hu"] = HUNGARIAN_FORM
    write_yaml(pack / "pack.yaml", config)
    write_yaml(pack / "texts" / "hu.yaml", hungarian_texts(pack))
    for language in ("ro", "en"):
        with (pack / "texts" / f"{language}.yaml").open("a", encoding="utf-8") as file:
            file.write("language.hu_option: Magyar\n")
    option = '      - {text: language.en_option, key: "2", to: language.en}\n'
    screens = (pack / "screens.yaml").read_text(encoding="utf-8")
    (pack / "screens.yaml").write_text(screens.replace(option, option + CHOICE), encoding="utf-8")
    assert pack_compiler.validate_pack(pack) == []
    return pack_compiler.compile_pack(pack).language_packs["hu"]


def hungarian_texts(pack: Path) -> dict[str, object]:
    """Return a whole catalogue: English stands in for what a translator writes, but for two texts."""
    shared = pack_compiler.SHARED_PLACES.texts / "en.yaml"
    own = pack / "texts" / "en.yaml"
    english = {**yaml.safe_load(shared.read_text("utf-8")), **yaml.safe_load(own.read_text("utf-8"))}
    return {**english, "language.hu_option": "Magyar", "house.bye": "Viszontlátásra, jövő hónapban!"}


def write_yaml(path: Path, value: object) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(value, allow_unicode=True, sort_keys=False), encoding="utf-8")


def test_a_sixth_language_is_written_in_gsm7_by_its_own_folds(hungarian: LanguagePack, pack: Path) -> None:
    menu = pack_compiler.compile_pack(pack)
    assert prepare_text(menu.fill_text("house.bye", "hu", "sms", {})) == "Viszontlatasra, jövö honapban!"
    assert menu.fill_text("house.bye", "hu", "voice", {}) == "Viszontlátásra, jövő hónapban!"


def test_a_sixth_language_speaks_and_hears_numbers(hungarian: LanguagePack) -> None:
    assert hungarian.format_fact(Money(Decimal("-21.05")), "voice") == "mínusz huszonegy lej és öt bani"
    assert hungarian.format_fact(Count(32), "voice") == "harminckettő"
    assert hungarian.digit_recogniser.recognise_digits("nulla hét két dupla öt") == "07255"


def test_a_pack_adds_folds_to_a_shared_language_and_keeps_its_numbers(pack: Path) -> None:
    write_yaml(pack / "languages" / "ro.yaml", {"folds": {"ș": "sh"}})
    menu = pack_compiler.compile_pack(pack)
    assert menu.fill_text("nav.leave", "ro", "ussd", {}) == "Ieshire"
    assert menu.language_packs["ro"].format_fact(Count(2), "voice") == "doi"
    assert load_language("ro").folds == {}


def test_an_unknown_field_of_a_language_is_a_finding(pack: Path) -> None:
    write_yaml(pack / "languages" / "ro.yaml", {"fold": {"ș": "sh"}})
    told = "\n".join(map(str, pack_compiler.validate_pack(pack)))
    assert told == "orange_ro/languages/ro.yaml:2:3: unknown field 'fold'; did you mean 'folds'?"


def test_the_data_of_arabic_says_its_direction_and_its_alphabet() -> None:
    arabic, french = load_language("ar"), load_language("fr")
    assert (arabic.right_to_left, arabic.ucs2, french.right_to_left, french.ucs2) == (True, True, False, False)
