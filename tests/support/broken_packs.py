"""Broken packs: Orange România's with one fault each, and the exact finding `dialtree check` prints."""

from gateway.publishing import pack_compiler
from tests.support.broken_texts import BROKEN_TEXTS, PackFault

BUDGET_OPTIONS = """\
- {text: budget.bill_option, ussd: "1", voice: "1", sms: "1", to: bill}
      - {text: meter.option, ussd: "2", sms: "2", to: meter.show}
      - {text: spending.unbilled_option, ussd: "3", sms: "3", to: spending.unbilled}"""
"""The options of the screen `budget`."""
BROKEN_PACKS: dict[str, PackFault] = {
    "unknown target": (
        "screens.yaml", "to: budget}", "to: budgett}",
        "orange_ro/screens.yaml@budgett}@: home: leads to 'budgett', which is no screen; name one that exists",
    ),
    "unreachable screen": (
        "screens.yaml", "  budget:\n", "  lonely: {kind: end, text: house.bye}\n  budget:\n",
        "orange_ro/screens.yaml@{kind: end, te@: lonely: nothing leads here; link it or take it out",
    ),
    "dead end on one channel": (
        "screens.yaml", BUDGET_OPTIONS, '- {text: budget.bill_option, voice: "1", sms: "1", to: bill}',
        "orange_ro/screens.yaml@- {text: budge@: budget: a dead end on ussd: no option has a key there; give one"
        " a key or lead elsewhere",
    ),
    "duplicate key": (
        "screens.yaml", 'bill.list_option, ussd: "2"', 'bill.list_option, ussd: "1"',
        "orange_ro/screens.yaml@{text: bill.li@: bill: key 1 stands twice on ussd; renumber one",
    ),
    "navigation key": (
        "screens.yaml", 'bill.list_option, ussd: "2"', 'bill.list_option, ussd: "0"',
        "orange_ro/screens.yaml@{text: bill.li@: bill: key 0 is navigation on ussd; choose another",
    ),
    "unknown field": (
        "screens.yaml", "  bill:\n    kind: choice", "  bill:\n    kidn: choice",
        "orange_ro/screens.yaml@choice@: unknown field 'kidn'; did you mean 'kind'?",
    ),
    "missing outcome": (
        "screens.yaml", "    on: {ok: language.done}\n  language.en", "    on: {}\n  language.en",
        "orange_ro/screens.yaml@{}@: language.ro: outcome 'ok' has no edge; write `ok: SCREEN` under"
        " `on:`",
    ),
    "unproven path": (
        "screens.yaml", "with: ro\n    needs: line", "with: ro",
        "orange_ro/screens.yaml@language.choos@: language.ro: touches billing data unproven; write `needs: line`"
        " or stronger",
    ),
    "address without its proof": (
        "screens.yaml", "  notify.choose:\n",
        "  notify.given: {kind: step, action: notify.address, needs: line, on: {ok: notify.pending, many: email.many}}\n  notify.choose:\n",
        "orange_ro/screens.yaml@line, on@: notify.given: changes where bills or notices go; write `needs: address`",
    ),
    "unknown action": (
        "screens.yaml", "action: language.choose\n    with: ro", "action: language.chose",
        "orange_ro/screens.yaml@language.chose@: language.ro: unknown action 'language.chose';"
        f" write one of: {', '.join(sorted(pack_compiler.action_specs()))}",
    ),
    "reserved word": (
        "keywords.yaml", "[AJUTOR, ASSIST]", "[HELP]",
        "orange_ro/keywords.yaml@HELP], to: hel@: 'HELP' is answered by the networks themselves and never"
        " reaches a menu; choose another",
    ),
    "keyword twice": (
        "keywords.yaml", "[AJUTOR, ASSIST]", "[factură]",
        "orange_ro/keywords.yaml@factură],@: 'factură' stands twice; keep one, the second is never reached",
    ),
    "missing text": (
        "texts/en.yaml", "budget: Budget\n", "",
        "orange_ro/screens.yaml@kind: choice@: budget: text 'budget' is missing in en; write it in texts/en.yaml",
    ),
    "unknown slot": (
        "texts/en.yaml", "budget: Budget\n", "budget: Budget {totl}\n",
        "orange_ro/texts/en.yaml@Budget {totl}@: budget: no fact is called {totl}; did you mean 'total'?"
        " (a new one is declared in flows/selfcare/sample_facts.py)",
    ),
    "overflow": (
        "texts/en.yaml", "budget.bill_option: Bill", f"budget.bill_option: {'Bill' * 60}",
        f"orange_ro/texts/en.yaml@BillBillBillBi@: budget on ussd: 264 units of 128: '1 {'Bill' * 60}'; shorten it",
    ),
    "fits 160 septets and not every connection": (
        "texts/en.yaml", "budget.bill_option: Bill", f"budget.bill_option: {'Bill' * 30}",
        f"orange_ro/texts/en.yaml@BillBillBillBi@: budget on ussd: 144 units of 128: '1 {'Bill' * 30}'; shorten it",
    ),
    "a letter that halves the room": (
        "texts/en.yaml", "budget: Budget\n", "budget: Budget ☎\n",
        "orange_ro/texts/en.yaml:8:9: budget on ussd: '☎' is outside GSM-7 and halves the room; write"
        " it with other letters",
    ),
    "no gate for a proof": (
        "pack.yaml", "gates:\n  code: code.prove\n  address:", "gates:\n  address:",
        "orange_ro/pack.yaml@address: code.@: einvoice.activate needs 'code'; name its screen under `gates:`",
    ),
    "unknown flow": (
        "pack.yaml", "flows: [invoice,", "flows: [invoices,",
        "orange_ro/pack.yaml@invoices, spen@: unknown flow 'invoices'; did you mean 'invoice'?",
    ),
    "a time zone nobody knows": (
        "pack.yaml", "Europe/Bucharest", "Europe/Bucuresti",
        "orange_ro/pack.yaml@Europe/Bucures@: 'Europe/Bucuresti' is not a time zone; write one like Europe/Bucharest",
    ),
    "quiet hours that never end": (
        "pack.yaml", "  proof: {mobile: code}", '  proof: {mobile: code}\n  quiet_hours: {from: "21:00", to: "21:00"}',
        'orange_ro/pack.yaml@{from: "21:00@: \'quiet_hours\' is not as it should be: from and to must differ, or messages'
        " would wait for ever",
    ),
    "reminders at no hour": (
        "pack.yaml", "reminders: {before: [5, 1],", "reminders: {from_hour: 20, until_hour: 8, before: [5, 1],",
        "orange_ro/pack.yaml@{from_hour@: 'reminders' is not as it should be: from_hour must be before until_hour",
    ),
    "a day the calendar has not": (
        "pack.yaml", "  proof: {mobile: code}", "  proof: {mobile: code}\n  originals_elsewhere_from: 2026-02-31",
        "orange_ro/pack.yaml@2026-02-31@: '2026-02-31' is not a day of the calendar; write one like 2026-09-01",
    ),
    "an hour the day has not": (
        "pack.yaml", "currency:", 'voice: {agent_hours: {from: "08:00", to: "24:30"}}\ncurrency:',
        'orange_ro/pack.yaml@"24:30"@: \'24:30\' has the wrong form; write an hour from 00:00 to 24:00, like 08:30',
    ),
    "a kind of line nobody has": (
        "pack.yaml", "  proof: {mobile: code}", "  proof: {mobile: code}\n  reach: {fixd: email}",
        "orange_ro/pack.yaml@email}@: 'fixd' is not a kind of line; write one of: mobile, fixed, internet, data_key",
    ),
    "a beginning no number has": (
        "pack.yaml", "  proof: {mobile: code}", '  proof: {mobile: code}\n  number_kinds: {"021": fixed}',
        "orange_ro/pack.yaml@fixed}@: '021' has the wrong form; write the beginning of a number with its country code,"
        " like +4021",
    ),
    "no agent's number": (
        "pack.yaml", 'agent: "+40740000411"', 'agent: ""',
        "orange_ro/pack.yaml@\"\"@: '' has the wrong form; write a number, like 411 or +40740000411",
    ),
    "an alias": (
        "pack.yaml", "title: Orange", "title: &t Orange\ncountryy: *t",
        "orange_ro/pack.yaml@*t@: aliases (*name) are not allowed; write the value out",
    ),
    "a tag": (
        "pack.yaml", "title: Orange", "title: !!python/object:os.system x",
        "orange_ro/pack.yaml@!!python/objec@: tags (!name) are not allowed; write a plain value",
    ),
    "a key twice": (
        "pack.yaml", "title: Orange", "title: Orange\ntitle: Orange",
        "orange_ro/pack.yaml@title: Orange@: duplicate key 'title'; keep one of them",
    ),
    "not YAML": (
        "pack.yaml", "title: Orange", "title: [",
        "orange_ro/pack.yaml@: \"40\"@: not YAML: expected ',' or ']', but got ':'; look at the indent, the"
        " quotes and the brackets here",
    ),
    "no file": (
        "keywords.yaml", "", None,
        "orange_ro/keywords.yaml:1:1: no such file; every pack needs it",
    ),
    "a huge file": (
        "pack.yaml", "", "a" * 300_000,
        "orange_ro/pack.yaml@aaaaaaaaaaaaaa@: 300000 bytes; a file may have 262144: split it",
    ),
    "not UTF-8": (
        "texts/en.yaml", "budget: Budget\n", "budget: \udcff\n",
        "orange_ro/texts/en.yaml@# What Orange@: not UTF-8 at byte 275; save it as UTF-8",
    ),
    "deep nesting, refused before a tree exists": (
        "pack.yaml", "", "a: " + "[" * 2000,
        "orange_ro/pack.yaml@[[[[[[[[[[[[[[@: nested deeper than 20; flatten it",
    ),
    "too many values": (
        "pack.yaml", "", f"a: [{'1,' * 20_001}]",
        "orange_ro/pack.yaml@1,1,1,1,1,]@: more than 20000 values; split the file",
    ),
    "a field that is missing": (
        "pack.yaml", "title: Orange\n", "",
        "orange_ro/pack.yaml@name: orange-r@: 'title' is missing; write it",
    ),
    "a word that is not one of a few": (
        "screens.yaml", "kind: choice", "kind: choise",
        "orange_ro/screens.yaml@choise@: 'choise' is not known here; write one of: 'choice', 'input',"
        " 'message', 'step', 'hand-over' or 'end'",
    ),
    "a wrong form": (
        "pack.yaml", "country: RO", "country: Romania",
        "orange_ro/pack.yaml@Romania@: 'Romania' has the wrong form; write two capitals, like RO",
    ),
    "a list for a text": (
        "pack.yaml", "title: Orange", "title: [Orange]",
        "orange_ro/pack.yaml@[Orange]@: 'title' takes a text; write one behind it",
    ),
    "a word for a number": (
        "pack.yaml", "list_depth: 6", "list_depth: six",
        "orange_ro/pack.yaml@six@: 'six' is no whole number; write one like 3",
    ),
    "neither yes nor no": (
        "screens.yaml", "with: ro\n", "with: ro\n    confirm: maybe\n",
        "orange_ro/screens.yaml@maybe@: 'maybe' is neither yes nor no; write true or false",
    ),
    "a text for a list": (
        "keywords.yaml", "words: [AJUTOR, ASSIST]", "words: AJUTOR",
        "orange_ro/keywords.yaml@AJUTOR, to: he@: 'words' takes a list; write each of its rows on a line of its"
        " own, beginning with -",
    ),
    "a text for fields": (
        "pack.yaml", "{code: RON, decimals: 2}", "RON",
        "orange_ro/pack.yaml@RON@: 'currency' takes fields; write them indented below it, each as"
        " `name: value`",
    ),
    "a text for words by count": (
        "pack.yaml", "{one: ban, few: bani, other: de bani}", "bani",
        "orange_ro/pack.yaml@bani@: 'subunit' takes fields; write them indented below it, each as"
        " `name: value`",
    ),
    "an empty list": (
        "keywords.yaml", "words: [AJUTOR, ASSIST]", "words: []",
        "orange_ro/keywords.yaml@[], to: help.s@: 'words' is empty; write at least one",
    ),
    "too little": (
        "pack.yaml", "list_depth: 6", "list_depth: 0",
        "orange_ro/pack.yaml@0@: '0' is too little; write 1 or more",
    ),
    "too much": (
        "pack.yaml", "list_depth: 6", "list_depth: 99",
        "orange_ro/pack.yaml@99@: '99' is too much; write 36 or less",
    ),
    "a language to fall back on that is not spoken": (
        "pack.yaml", "    locale: ro_RO", "    falls_back_to: de\n    locale: ro_RO",
        "orange_ro/pack.yaml@de@: cannot fall back to 'de'; name another language of the pack, and no"
        " circle",
    ),
    "a choice of nothing": (
        "screens.yaml",
        f"options:\n      {BUDGET_OPTIONS}",
        "options: []",
        "orange_ro/screens.yaml@kind: choice@: budget: a choice without options; write `options:` or make it a"
        " message",
    ),
    "an answer nobody waits for": (
        "screens.yaml", "    with: ro", "    accept: {type: text, to: home}\n    with: ro",
        "orange_ro/screens.yaml@kind: step@: language.ro: `accept:` belongs to an input, and every input"
        " needs one",
    ),
    "an action on a screen": (
        "screens.yaml", "  budget:\n", "  budget:\n    action: language.choose\n",
        "orange_ro/screens.yaml@action: langua@: budget: `action:` belongs to a step, and every step needs one",
    ),
    "a hand-over to nobody": (
        "screens.yaml", "  budget:\n", "  lonely: {kind: hand-over}\n  budget:\n",
        "orange_ro/screens.yaml@{kind: hand-ov@: lonely: a hand-over without `via:`; write agent, card, sms, voice or ussd",
    ),
    "a secret that is said": (
        "screens.yaml",
        "  budget:\n",
        "  pin: {kind: input, accept: {type: digits, secret: true, speech: true, to: home}}\n  budget:\n",
        "orange_ro/screens.yaml@true, to: home@: pin: only open numbers may be said; take `speech:` out",
    ),
    "a secret that is kept": (
        "screens.yaml",
        "  budget:\n",
        "  pin: {kind: input, accept: {type: digits, secret: true, keep: pin, to: home}}\n  budget:\n",
        "orange_ro/screens.yaml@pin, to: home}@: pin: a secret is never kept; take `keep:` out",
    ),
    "no home": (
        "screens.yaml", "  home:\n", "  start:\n",
        "orange_ro/pack.yaml@name: orange-r@: no screen 'home'; every pack needs one",
    ),
    "a keyword that leads nowhere": (
        "keywords.yaml", "otherwise: help.keywords", "otherwise: help.word",
        "orange_ro/keywords.yaml@help.word@: leads to 'help.word', which is no screen; name one that exists",
    ),
    "a gate that leads nowhere": (
        "pack.yaml", "code: code.prove", "code: code.proof",
        "orange_ro/pack.yaml@code.proof@: leads to 'code.proof', which is no screen; name one that exists",
    ),
    "a flow nothing leads to": (
        "pack.yaml", "flows: [invoice,", "flows: [usage, invoice,",
        "orange_ro/pack.yaml@[usage, invoic@: flow 'usage' is listed and nothing leads to it; link it in screens.yaml"
        " or keywords.yaml, or take it out",
    ),
    "a catalogue that is a list": (
        "texts/en.yaml", "", "- home",
        "orange_ro/texts/en.yaml@- home@: a catalogue is a list of texts; write each as `name: text`",
    ),
    "a text that is a list": (
        "texts/en.yaml", "budget: Budget\n", "budget: [Budget]\n",
        "orange_ro/texts/en.yaml@[Budget]@: a text is a string, or one string per channel; write `budget:"
        " the words`",
    ),
    "a channel nobody has": (
        "texts/en.yaml", "budget: Budget\n", "budget: {usd: Budget}\n",
        "orange_ro/texts/en.yaml@Budget}@: unknown channel 'usd'; write one of: all, ussd, sms, voice, short",
    ),
    "a list for a channel": (
        "texts/en.yaml", "budget: Budget\n", "budget: {ussd: [Budget]}\n",
        "orange_ro/texts/en.yaml@[Budget]}@: a text is a string, or one string per channel or count; write"
        " the words",
    ),
    "a count nobody has": (
        "texts/en.yaml", "budget: Budget\n", "budget: {other: B, tow: B}\n",
        "orange_ro/texts/en.yaml@{other: B, tow@: unknown category 'tow'; write some of: zero, one, two, few,"
        " many, other, and `by`",
    ),
    **BROKEN_TEXTS,
}  # fmt: skip
