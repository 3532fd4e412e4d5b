"""Broken texts of packs: Orange România's with one fault each, and the exact finding."""

PackFault = tuple[str, str, str | None, str]
"""A file, the correct text in it (empty: the whole file), its replacement (None: no file), and the finding.

The place of a finding is the text found there, between @, or line and column where there is none.
"""
BROKEN_TEXTS: dict[str, PackFault] = {
    "counts without the rest": (
        "texts/en.yaml", "budget: Budget\n", "budget: {ussd: {one: B}}\n",
        "orange_ro/texts/en.yaml@{one: B}}@: 'other' is missing; write some of: zero, one, two, few, many,"
        " other, and `by`",
    ),
    "months behind the calendar": (
        "pack.yaml", "  proof: {mobile: code}", "  proof: {mobile: code}\n  document_months: 99999999",
        "orange_ro/pack.yaml@99999999@: '99999999' is too much; write 600 or less",
    ),
    "a text for an agency that is missing": (
        "pack.yaml", "gates:", 'agencies: {"+40740": near}\ngates:',
        "orange_ro/pack.yaml@near}@: text 'near' is missing in en; write it in texts/en.yaml",
    ),
    "no words for one": (
        "texts/en.yaml", "budget: Budget\n", "budget: {other: B}\n",
        "orange_ro/texts/en.yaml@{other: B}@: budget: no words for 'one' in en; write `one:` beside `other:`",
    ),
    "words for a count the language has not": (
        "texts/en.yaml", "budget: Budget\n", "budget: {one: B, few: B, other: B}\n",
        "orange_ro/texts/en.yaml@{one: B, few:@: budget: en has no 'few'; take it out",
    ),
    "a count that is no slot": (
        "texts/en.yaml", "budget: Budget\n", "budget: {by: stat, one: B, other: B}\n",
        "orange_ro/texts/en.yaml@{by: stat, one@: budget: `by: stat` names no fact; did you mean 'state'?"
        " (a new one is declared in flows/selfcare/sample_facts.py)",
    ),
    "a keyword promised in a text": (
        "texts/en.yaml", "budget: Budget\n", "budget: Budget, or text WALLET\n",
        "orange_ro/texts/en.yaml@Budget, or tex@: budget: 'WALLET' is no keyword of this pack; take it out, write it in"
        " keywords.yaml, or under `capitals:` in languages/LANGUAGE.yaml",
    ),
    "a menu path promised in a text": (
        "texts/en.yaml", "budget: Budget\n", 'budget: "Budget, *100*1*9#"\n',
        "orange_ro/texts/en.yaml@\"Budget, *100*@: budget: *100*1*9# leads nowhere in this pack; write {ussd}, or a path"
        " of screens.yaml",
    ),
    "a password asked for and not taken": (
        "keywords.yaml", "password: {to: code.by_password, least: 6, most: 64}\n", "",
        "orange_ro/texts/en.yaml@>-@: page.bill_how: asks for a 'password' by SMS, and this pack takes none;"
        " take it out, or write `password:` in keywords.yaml",
    ),
    "no way to a code for the page": (
        "screens.yaml", 'voice: "4", sms: "5", to: code.request', 'sms: "5", to: code.request',
        "orange_ro/texts/en.yaml@>-@: page.bill_how: no way to a code on voice; link code.request in"
        " screens.yaml or keywords.yaml, or take {voice} out",
    ),
    "a language nobody can choose": (
        "screens.yaml", "with: en\n", "with: ro\n",
        "orange_ro/pack.yaml@locale: en_GB@: nothing leads to 'en'; write a step with `action: language.choose` and"
        " `with: en` in screens.yaml, and an option that leads to it",
    ),
    "a greeting that leaves no room for an option": (
        "texts/en.yaml", "all: Welcome to Orange!", f"all: {'word ' * 46}",
        "orange_ro/texts/en.yaml@all: word word@: home on ussd: the first page shows none of its options, they begin"
        " on page 2; shorten the text",
    ),
    "a last screen of two pages": (
        "texts/en.yaml", "budget: Budget\n", f"budget: Budget\neinvoice.done: {'word ' * 40}\n",
        "orange_ro/texts/en.yaml@word word word@: einvoice.done on ussd: a last screen has one page, this has 2;"
        " shorten it",
    ),
    "a date pattern nobody knows": (
        "pack.yaml", "day: d MMM yyyy", "day: d QQ yyyy",
        "orange_ro/pack.yaml@locale: en_GB@: en can be neither written nor spoken: a date pattern cannot contain"
        " 'QQ'; mend its locale, day, money or units",
    ),
    "a locale nobody knows": (
        "pack.yaml", "locale: en_GB", "locale: xx_YY", "orange_ro/pack.yaml@locale: xx_YY@: en can be neither"
        " written nor spoken: unknown locale 'xx_YY'; mend its locale, day, money or units",
    ),
    "a recording in a language that is not spoken": (
        "prompts/de/home.wav", "", "RIFF",
        "orange_ro/prompts/de/home.wav@RIFF@: the pack does not speak 'de'; take the folder out",
    ),
    "a recording of no text": (
        "prompts/en/hom.wav", "", "RIFF",
        "orange_ro/prompts/en/hom.wav@RIFF@: no text is called 'hom'; name the file after the text it says",
    ),
    "a recording of a text with slots": (
        "prompts/en/invoice.show.wav", "", "RIFF",
        "orange_ro/prompts/en/invoice.show.wav@RIFF@: 'invoice.show' has slots, and a recording cannot"
        " fill them; take the file out",
    ),
}  # fmt: skip
