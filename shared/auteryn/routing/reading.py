"""What a prompt says, read once: its words by kind, what its clauses open with, its length, its marks of code and data.

At most `HEAD` + `TAIL` characters are looked at and no expression backtracks over more than a line's part, so that any
prompt, also a hostile one, is read within some hundredths of a second.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

from msgspec import Struct

from auteryn.routing.forms import forms_of
from auteryn.routing.instruction import instruction, unquoted
from auteryn.routing.lexicon import OPENERS, WORD, kinds_of

HEAD, TAIL = 1_200, 400
"""Characters. A task is stated at the start or the end; what stands between is material."""
CLAUSES_FIRST, CLAUSES_LAST = 30, 10


class Reading(Struct, frozen=True):
    """A prompt as the evidence sees it."""

    kinds: dict[str, frozenset[str]]
    """Kind of word → the distinct words of that kind."""
    heads: tuple[str, ...]
    """The first word of each clause, politeness taken off."""
    words: int
    """Of the whole prompt; an ideograph counts for 0.6, a Thai letter for 0.2."""
    long_words: int
    """Distinct ones of ten letters and more: the mark of abstract wording in every spaced script."""
    abstract: int
    """Distinct words that end as abstract ones do in English: "resilience", "commissions"."""
    questions: int
    marks: int
    """Of code: fences, identifiers, calls, traces."""
    names: int
    ends_asking: bool
    numbers: int
    """Of up to three digits before the point: to reckon with, not years or ids."""
    forms: frozenset[str]
    ascii: bool
    """Its letters are those of English, and so most likely its words."""
    beside: bool
    """It stood beside a text that it is about, which was not read."""

    def has(self, *kinds: str, least: int = 1) -> bool:
        """At least `least` distinct words of these kinds occur."""
        return sum(len(self.kinds.get(kind, ())) for kind in kinds) >= least

    def form(self, *names: str) -> bool:
        """It has one of these forms."""
        return not self.forms.isdisjoint(names)

    def has_beside(self, kind: str, words: Iterable[str]) -> bool:
        """A word of this kind occurs that is none of `words`: "order pizza" names no order."""
        return not self.kinds.get(kind, frozenset()) <= set(words)

    def opens(self, kind: str, clauses: int = 2) -> bool:
        """One of the first clauses opens with a word of this kind."""
        return not OPENERS[kind].isdisjoint(self.heads[:clauses])

    def orders(self, kind: str) -> bool:
        """Any clause opens with a word of this kind."""
        return not OPENERS[kind].isdisjoint(self.heads)


def read(prompt: str) -> Reading:
    """Read a prompt; never fails, whatever the text is."""
    whole = prompt.strip()
    cut = len(whole) > HEAD + TAIL
    text = f"{whole[:HEAD]}\n{whole[-TAIL:]}" if cut else whole
    text = unicodedata.normalize("NFKC", text).replace("’", "'")[: 2 * (HEAD + TAIL)]
    asked, beside = instruction(text)
    share = len(whole) / (HEAD + TAIL) if cut and not beside else 1.0
    return _read(asked, share, beside)


def _read(text: str, share: float, beside: bool) -> Reading:
    low = unquoted(text.lower())
    return Reading(
        kinds=_kinds(text, low),
        heads=tuple(_heads(low)),
        words=round(_count(low) * share),
        long_words=len(
            {word for word in WORD.findall(low) if len(word) >= 10 and not _DENSE.search(word)} - OPENERS["explain"]
        ),
        abstract=len(set(_ABSTRACT.findall(low))),
        questions=low.count("?"),
        marks=len(_CODE.findall(text)) + len(_TRACE.findall(text)),
        names=0 if text.isupper() else len(_NAME.findall(text)),
        ends_asking=low.rstrip().endswith(("?", "؟")),
        numbers=len(_NUMBER.findall(low)),
        forms=forms_of(text),
        ascii=low.isascii(),
        beside=beside,
    )


def _kinds(text: str, low: str) -> dict[str, frozenset[str]]:
    """The words by kind; "US" and "EU" in a text that does not shout are names, nobody's "us" and "eu", and so is `cos(I)`."""
    kinds = kinds_of(_CALL.sub(" ", low))
    if not text.isupper():
        names = {word.lower() for word in WORD.findall(text) if len(word) > 1 and word.isupper()}
        kinds |= {kind: kinds[kind] - names for kind in ("first_person", "self_talk") if kind in kinds}
    return kinds


def _heads(low: str) -> Iterator[str]:
    clauses = [clause for clause in _CLAUSE.split(low) if clause.strip()]
    if len(clauses) > CLAUSES_FIRST + CLAUSES_LAST:
        clauses = clauses[:CLAUSES_FIRST] + clauses[-CLAUSES_LAST:]
    for clause in clauses:
        found = _HEAD.search(_POLITE.sub("", _plain(clause[:200]), count=1))
        if found:
            yield found.group()


def _plain(clause: str) -> str:
    """Turns of speech as what they are: "do an audit", "I need a report", "show me where it is"."""
    clause = _TELL_ME.sub("tell ", _DO_NOT.sub("avoid ", _WHEN_DOING.sub("upon ", clause)))
    return _DO_A.sub("perform ", _WANT_A.sub("provide ", clause))


def _count(low: str) -> float:
    if low.isascii():
        return sum(any(map(str.isalnum, word)) for word in low.split())
    dense, thai = len(_IDEOGRAPH.findall(low)), len(_THAI.findall(low))
    spaced = _DENSE.sub(" ", low).split()
    return sum(any(map(str.isalnum, word)) for word in spaced) + 0.6 * dense + 0.2 * thai


_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_THAI = re.compile(r"[\u0e01-\u0eff\u1000-\u109f\u1780-\u17ff]")
"""With its neighbours that also write without spaces: Lao, Burmese, Khmer."""
_DENSE = re.compile(f"{_IDEOGRAPH.pattern}|{_THAI.pattern}")

_CLAUSE = re.compile(r"[.!?](?=\s|$)|[;:\n\r。！？；：，、,()\"“”]|\s(?:and|then|und|et|y|e)(?=\s)")
_POLITE = re.compile(
    r"""^(?:[\W\d_]+|(?:
        please|pls|just|now|then|also|so|ok|okay|hey|hi|hello|and|first|second|third|next|again
        |furthermore|go\ ahead
        |(?!apply|automatically|comply|fly|multiply|rely|reply|supply)[a-z]+ly
        |let'?s|(?:make|be)\ sure\ to|use\ [a-z]+\ to|try\ to
        |(?:can|could|would|will)\ (?:you|u|we)|you\ (?:should|must)|your\ (?:task|job)\ is\ to|help\ (?:me|us)(?:\ to)?
        |(?:i|we)(?:\ would|'d)\ like(?:\ you)?\ to|(?:i|we)\ (?:need|want)(?:\ you)?\ to|(?:keep|start|begin)(?=\ \w+ing\b)
        |bitte|por\ favor|per\ favore|пожалуйста|tolong|lütfen|kannst\ du|könntest\ du|können\ sie|könnten\ sie|peux-tu
        |pouvez-vous|pourrais-tu|pourriez-vous|puedes|podrías|puede|você\ pode|pode|poderia|puoi|potresti|può|kun\ je
        |kan\ du|kunt\ u|можешь|можете|чи\ можеш|możesz|bisakah\ kamu
        |(?:step|day|phase|task|part|question|schritt)(?=\ *\d))\b)*""",
    re.X,
)
_HEAD = re.compile(rf"{WORD.pattern}(?:[_(]\S*)?")
"""A word, or all of a program's name: `where_level` opens no question."""
_DO_NOT = re.compile(r"^\W*do not (?!you\b|we\b)(?=(?:\S+ ){2})")
_WHEN_DOING = re.compile(r"^\W*when (?=[a-z]+ing\b)")
_DO_A = re.compile(r"\bdo (?=(?:an?|some|in-depth)\b)")
_WANT_A = re.compile(r"\b(?:i|we)(?: would|'d)? (?:need|want|like) (?=(?:an?|some)\b)")
_TELL_ME = re.compile(r"\b(?:show|tell|let) me (?=(?:where|how|what|when|why|who|if|know|my)\b)")

_CODE = re.compile(
    r"```|`[^`\n]{1,80}`|\w\(\)|\w\(\w{1,60}\(|\w\.\w{1,60}\(|[a-z0-9]_[a-z0-9]|[A-Z]_[A-Z]|::\w|==|</?\w{1,30}>|\b(?:[A-Z][a-z0-9]+){2,}\b"
    r"|^[ \t]*(?:>>>|In \[\d+\]|import \w|from [\w.]{1,60} import|def \w{1,60}\(|class \w{1,60}[(:]|\$ \w)",
    re.M,
)
_CALL = re.compile(r"\b\w{1,60}\((?!s\))(?:[a-z]\))?")
_TRACE = re.compile(
    r"Traceback|\b[A-Z]\w{0,60}(?:Error|Exception|Warning)\b|File \"|line \d{1,6}, in |^[ \t]+at \w[\w.$]{0,90}\(|panic:"
    r"|undefined is not|Segmentation fault",
    re.M,
)
_ABSTRACT = re.compile(
    r"\b[a-z]{3,}(?:[st]ions?|ments?|it(?:y|ies)|[ae]nc(?:e|es|y|ies)|isms?|ships?|ness(?:es)?|[ao]m(?:y|ies)|ogy|ics|ures?)\b"
)
_NUMBER = re.compile(r"(?<![\w.,])\d{1,3}(?:[.,]\d+)?(?![\d])")
_NAME = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
