"""Keywords: what a texted body means, whatever its case, accents, spaces or punctuation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from menus.packfile.schema import KeywordForm, KeywordsFile
from menus.text.input_parsing import as_digits, as_email, folded, month_like, number_like

RESERVED = frozenset(
    {"stop", "stopall", "unsubscribe", "cancel", "end", "quit", "start", "yes", "unstop", "help", "info"}
)
"""Words the networks and Twilio answer themselves (Twilio's default opt-out list): a menu never sees them."""


def _pair(tokens: Sequence[str]) -> str | None:
    """A number and the code behind it, each without spaces of its own."""
    number = number_like(tokens[0]) if len(tokens) == 2 else None
    code = as_digits(tokens[1], 4, 12) if number else None
    return f"{number} {code}" if code else None


MOST_TEXT = 40
"""Characters of a reference that follows a keyword."""
ARGUMENTS: Mapping[str, Callable[[str], str | None]] = {
    "email": as_email,
    "digits": lambda text: as_digits(text, 1, 20),
    "msisdn": number_like,
    "msisdn_code": lambda text: _pair(text.split()),
    "month": month_like,
    "text": lambda text: text if len(text) <= MOST_TEXT else None,
}
SECRETS = frozenset({"msisdn_code"})
"""Arguments with a secret in them."""


@dataclass(frozen=True, slots=True)
class Meaning:
    """Where a body leads, and what came with it."""

    to: str
    typed: str = field(default="", repr=False)
    keep: str = ""
    secret: bool = False
    """Does a secret come with it? Then it goes nowhere but into the next step."""


@dataclass(frozen=True)
class Keywords:
    """The compiled SMS side of a pack."""

    form: KeywordsFile
    plain: Mapping[str, str] = field(init=False)
    """Folded words without spaces -> node."""
    taking: Sequence[tuple[list[str], KeywordForm]] = field(init=False)

    def __post_init__(self) -> None:
        pairs = [(words, form) for form in self.form.keywords for words in form.words]
        plain = {squeezed(words): form.to for words, form in pairs if not form.takes}
        taking = [(folded(words).split(), form) for words, form in pairs if form.takes]
        object.__setattr__(self, "plain", plain)
        object.__setattr__(self, "taking", taking)

    @property
    def targets(self) -> list[str]:
        """Every node a text may lead to."""
        words = [to for keyword in self.form.keywords for to in (keyword.to, keyword.otherwise) if to]
        password = [self.form.password.to] if self.form.password else []
        return [*words, self.form.otherwise, *password]

    def meaning(self, body: str) -> Meaning | None:
        """What the body asks for; None when it is no keyword."""
        to = self.plain.get(squeezed(body))
        return Meaning(to) if to else self._with_argument(body.split())

    def password(self, body: str) -> Meaning | None:
        """The body as a password, when it is shaped like one: one word, with letters and digits."""
        form, text = self.form.password, body.strip()
        if form is None or not form.least <= len(text) <= form.most or len(text.split()) != 1:
            return None
        mixed = any(map(str.isalpha, text)) and any(map(str.isdecimal, text))
        return Meaning(form.to, text, secret=True) if mixed else None

    def _with_argument(self, tokens: list[str]) -> Meaning | None:
        """What the words ask for with what follows them; where they lead otherwise, if none takes that."""
        otherwise = None
        for words, form in self.taking:
            head, rest = tokens[: len(words)], tokens[len(words) :]
            if rest and [folded(token) for token in head] == words:
                value = ARGUMENTS[form.takes or ""](" ".join(rest))
                if value:
                    return Meaning(form.to, value, form.keep or "", secret=form.takes in SECRETS)
                otherwise = otherwise or form.otherwise
        return Meaning(otherwise) if otherwise else None


def squeezed(words: str) -> str:
    """Folded and without spaces: `Fact 6`, `FACT6` and `fact-6` are one keyword."""
    return folded(words).replace(" ", "")
