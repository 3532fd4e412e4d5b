"""Translators' files: every text out with its placeholders, the same texts in, nothing lost on the way."""

import io
from datetime import UTC, datetime

import pytest
from babel.messages.pofile import read_po

from flows.domain.pack_revisions import PackFiles, RevisionError
from gateway.publishing.pack_compiler import OPERATORS
from gateway.publishing.pack_folders import read_pack_files
from gateway.studio.translations import export_translations, import_translations
from menus.packfile.yaml_source import parse_yaml

NOW = datetime(2026, 3, 14, tzinfo=UTC)
PACK = """
name: acme-tel
languages:
  en: {locale: en_GB}
  ro: {locale: ro_RO}
  ar: {locale: ar_TN}
"""
ENGLISH = """
greeting: Welcome to {operator}
bills: {all: Bills, voice: your bills}
lines: {one: "{lines} line", other: "{lines} lines"}
status: {by: state, part: "Left: {total}", other: "Total: {total}"}
due: Due {month:of}
"""
ROMANIAN = """# ours
greeting: Bine ați venit la {operator} # first
bills: Facturi
"""


def pack(romanian: str = ROMANIAN, english: str = ENGLISH) -> PackFiles:
    texts = {"texts/en.yaml": english, "texts/ro.yaml": romanian, "texts/ar.yaml": ""}
    return PackFiles({"pack.yaml": PACK, **texts})


def po_entry(context: str, source: str, translation: str, flags: str = "") -> str:
    lead = f"#, {flags}\n" if flags else ""
    return f'{lead}msgctxt "{context}"\nmsgid "{source}"\nmsgstr "{translation}"\n\n'


def import_po(
    *entries: str, files: PackFiles | None = None, language: str = "ro"
) -> tuple[PackFiles, list[str], int]:
    done = import_translations(files or pack(), language, "".join(entries).encode(), "ro.po")
    return done.files, [str(each) for each in done.findings], done.count


def own_texts(files: PackFiles, language: str = "ro") -> object:
    return parse_yaml(files.texts[f"texts/{language}.yaml"].encode(), "f").value


def exported_contexts(language: str) -> dict[str, tuple[str, str]]:
    data = export_translations(pack(), language, NOW).data
    catalog = read_po(io.BytesIO(data), abort_invalid=True)
    return {str(each.context): (str(each.id), str(each.string)) for each in catalog if each.id}


def test_every_form_is_an_entry_and_what_is_missing_is_named() -> None:
    found = exported_contexts("ro")
    assert found["greeting|all"] == ("Welcome to {operator}", "Bine ați venit la {operator}")
    assert found["bills|voice"] == ("your bills", "")
    assert {each for each in found if each.startswith("lines")} == {
        "lines|all|one",
        "lines|all|few",
        "lines|all|other",
    }
    assert {each for each in found if each.startswith("status")} == {"status|all|part", "status|all|other"}
    export = export_translations(pack(), "ro", NOW)
    assert export.missing == [name for name, (_, translation) in found.items() if not translation]
    assert export.total == len(found)
    assert b"#. keep {lines}" in export.data


def test_plural_categories_are_those_of_the_language() -> None:
    lines = [each.rpartition("|")[2] for each in exported_contexts("ar") if each.startswith("lines")]
    assert lines == ["zero", "one", "two", "few", "many", "other"]


def test_a_new_language_gets_the_shared_texts_too() -> None:
    assert len(exported_contexts("hu")) > 100
    assert len(exported_contexts("ro")) < 20


def test_a_second_script_is_not_spoken() -> None:
    assert {name.split("|")[0] for name in exported_contexts("ar-Latn")} >= {"greeting", "lines"}
    assert "bills|voice" not in exported_contexts("ar-Latn")


def test_translations_are_written_and_the_rest_of_the_file_stays() -> None:
    files, findings, count = import_po(
        po_entry("greeting|all", "Welcome to {operator}", "Salut, {operator}"),
        po_entry("bills|voice", "your bills", "facturile"),
        po_entry("due|all", "Due {month:of}", "Scadent în {month}"),
        po_entry("status|all|part", "Left: {total}", "Rest: {total}"),
        po_entry("status|all|other", "Total: {total}", "Total: {total}"),
    )
    assert (findings, count) == ([], 4)
    assert files.texts["texts/ro.yaml"].startswith('# ours\ngreeting: "Salut, {operator}" # first\n')
    assert own_texts(files) == {
        "greeting": "Salut, {operator}",
        "bills": {"all": "Facturi", "voice": "facturile"},
        "due": "Scadent în {month}",
        "status": {"by": "state", "part": "Rest: {total}", "other": "Total: {total}"},
    }


def test_a_text_whose_forms_are_not_all_translated_waits() -> None:
    one = po_entry("lines|all|one", "{lines} line", "o linie")
    assert import_po(one) == (pack(), [], 0)
    rest = [po_entry(f"lines|all|{each}", "{lines} lines", f"{{lines}} {each}") for each in ("few", "other")]
    files, findings, count = import_po(one, *rest)
    assert (findings, count) == ([], 1)
    assert "o linie" in files.texts["texts/ro.yaml"]


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (po_entry("greeting|all", "Welcome to {operator}", "Salut"), "{operator} differ"),
        (
            po_entry("greeting|all", "Welcome to {operator}", "Salut {operatorul}"),
            "{operator}, {operatorul} differ",
        ),
        (po_entry("lines|all|other", "{lines} lines", "linii"), "{lines} differ"),
        (po_entry("lines|all|one", "{lines} line", "{line} linie"), "{line}, {lines} differ"),
        (po_entry("nothing|all", "Nothing", "Nimic"), "the pack has no text"),
        ("rubbish\n", "not a PO file"),
    ],
)
def test_a_file_with_a_fault_changes_nothing(entry: str, said: str) -> None:
    files, findings, count = import_po(po_entry("bills|voice", "your bills", "facturile"), entry)
    assert (files, count) == (pack(), 0)
    assert [said in each and each.startswith("ro.po:") for each in findings] == [True]


def test_fuzzy_entries_and_outdated_ones_are_left_as_they_are() -> None:
    fuzzy = po_entry("bills|voice", "your bills", "facturile", "fuzzy")
    old = po_entry("greeting|all", "Welcome!", "Salut!")
    done = import_translations(pack(), "ro", (fuzzy + old).encode(), "ro.po")
    assert (done.files, done.outdated) == (pack(), ["greeting|all"])
    assert "bills|voice" in done.missing


@pytest.mark.parametrize("language", ["xx-nowhere", "en", "../x", ""])
def test_a_language_that_cannot_be_is_refused(language: str) -> None:
    with pytest.raises(RevisionError):
        export_translations(pack(), language, NOW)


@pytest.mark.parametrize("folder", sorted(OPERATORS.glob("*/")), ids=lambda folder: folder.name)
def test_what_a_shipped_pack_exports_changes_nothing_when_it_comes_back(folder: object) -> None:
    files = read_pack_files(folder)  # type: ignore[arg-type]
    for language in [path[6:-5] for path in files.texts if path.startswith("texts/")]:
        source = "fr" if language != "fr" and "texts/fr.yaml" in files.texts else "en"
        if source == language or f"texts/{source}.yaml" not in files.texts:
            continue
        export = export_translations(files, language, NOW, source)
        done = import_translations(files, language, export.data, "back.po", source)
        assert (done.files, done.findings, done.outdated) == (files, (), [])
