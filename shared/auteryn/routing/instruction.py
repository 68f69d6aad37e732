"""What of a prompt asks for something: without the text it is about, what it refuses, and what it says about routing."""

from __future__ import annotations

import re
from collections.abc import Callable

from auteryn.routing.lexicon import OPENERS, WORD, kinds_of


def instruction(text: str) -> tuple[str, bool]:
    """`text` without its material and whether there was some; all of `text` where nothing would be left of it."""
    own = _kept(_kept(_SETTING.sub("", text), _of_routing), _refused)
    asked = _asked_beside(own)
    return asked, asked is not own


def unquoted(low: str) -> str:
    """`low` without what is quoted or only named, as after "the word": who quotes an order does not give it."""
    return _NAMED.sub('""', _QUOTED.sub('""', low))


def _kept(text: str, unwanted: Callable[[str], bool]) -> str:
    kept = "".join(clause for clause in _CLAUSE.findall(text) if not unwanted(clause))
    return kept if WORD.search(kept) else text


def _of_routing(clause: str) -> bool:
    """It tells the router what to choose. The caller's word on that is `mode=`; a prompt is often not the caller's own."""
    return bool(_ROUTING.search(clause))


def _refused(clause: str) -> bool:
    """ "No report, please": the work named is what is not wanted."""
    found = _REFUSAL.match(clause)
    return bool(found) and not kinds_of(clause.lower()).keys().isdisjoint(_WORK)


_WORK = (
    "deep_verb",
    "abroad_verb",
    "activity",
    "deep_manner",
    "wide_thing",
    "deliverable_abroad",
    "small_piece",
    "light_manner",
    "endurance",
)


def _asked_beside(text: str) -> str:
    """The request alone, where a small job or a plain question stands beside the text it is about."""
    found = _MATERIAL.search(text, 0, 300)
    if found and _is_small(text[: found.start()], line=found.group() == "\n"):
        return text[: found.start()]
    first, _, under = text.strip().partition("\n")
    above, _, last = text.strip().rpartition("\n")
    for asked, material in ((first, under), (last, above)):
        if _ASKS.fullmatch(asked.strip()) and _is_prose(material):
            return asked
    return text


def _is_small(asked: str, line: bool) -> bool:
    """A job on the text that follows; where that begins on a new line, `asked` may also be an issue's title."""
    kinds = kinds_of(asked.lower())
    first = WORD.search(asked.lower())
    if line and not (first and any(first.group() in OPENERS[kind] for kind in _JOBS) and "trouble" not in kinds):
        return False
    small = "small_job" in kinds or bool(_THIS_TEXT.search(asked))
    return small and kinds.keys().isdisjoint(("deep_manner", "activity", "table_word", "deep_verb"))


def _is_prose(text: str) -> bool:
    """Something to read: many words, no code, no list, nothing asked or ordered."""
    heads = {word.group() for clause in _CLAUSE.findall(text.lower()) if (word := WORD.search(clause))}
    return (
        len(text.split()) >= 30
        and not re.search(r"[?`{}<>=]|\w_\w|\w\(|^\s*(?:[-*•]|\d+[.)])", text, re.M)
        and heads.isdisjoint(OPENERS["deep_verb"] | OPENERS["work_verb"])
    )


_JOBS = ("question", "explain", "small_job", "work_verb", "act_verb")
_CLAUSE = re.compile(r"[^.!?;:,\n]*[.!?;:,\n]*\s*")
_QUOTED = re.compile(r"[\"“][^\"“”\n]{1,300}[\"”]|«[^«»\n]{1,300}»|「[^「」\n]{1,300}」")
_NAMED = re.compile(
    r"\b(?:the (?:word|term|phrase)|(?:das|dem) (?:wort|begriff)|le (?:mot|terme)|la palabra|la parola|a palavra|слово|словом)"
    r" (?!for\b|of\b|in\b|that\b|is\b|für\b|pour\b|para\b|per\b)\w+"
)
_SETTING = re.compile(
    r"[\[{(<\"']*\b(?:router?|mode|thinking|confidence)[\"']?\s?[=:]\s?[\"']?(?:fast|deep|max|\d)[^\w\s]*", re.I
)
_ROUTING = re.compile(
    r"\b(?:ignore|disregard|forget)\b.{0,40}\b(?:instructions?|rules|router|prompts?)\b"
    r"|\b(?:fast|deep) mode\b|\b(?:as|in|a|answer|choose|pick|very|router\W) ?(?:FAST|DEEP)\b"
    r"|\b(?:FAST|DEEP)\W+(?:FAST|DEEP|mode|task)\b",
)
_REFUSAL = re.compile(
    r"""\W*(?:please\ |bitte\ |but\ )?(?:
        (?:i|we|you)\ (?:don't|do\ not|didn't)\ (?:want|need|have\ to|have\ time\ for)|(?:there's\ |there\ is\ )?no\ need
        |don't|do\ not|never\ mind|forget|skip|spare\ me|without|no|not|instead\ of|rather\ than
        |keine?n?|ohne|nicht|sans|pas\ d[e']|ne\ fais\ pas|sin|nada\ de|no\ hagas|sem|não|senza|niente|zonder|geen|без|не
    )\b""",
    re.X | re.I,
)
_MATERIAL = re.compile(r":(?=\s|$|[^\x00-\x7f])|[\"“«「\n]|(?<=\s)'(?=\w)|```")
_THIS_TEXT = re.compile(
    r"\b(?:this|these|the following|the) (?:\w+ )?(?:text|sentences?|paragraph|phrase|words?|term|code|snippet|line|e-?mail"
    r"|mail|message|note|letter|reply|poem|customer|function|query|joke|quote)\b"
    r"|\bthis (?:means|into|to|in)\b|\b(?:does this|what does)\b|^define\b"
    r"|^\W*(?:please )?(?:rewrite|rephrase|put|say|summari[sz]e)\b[^:]{0,40}$"
    r"|\b(?:make|put|turn|rewrite|rephrase|change|shorten|reply to) (?:this|it|that)\b",
    re.I,
)
_ASKS = re.compile(r"[^.!?]{3,160}\?")
"""One question, and nothing else."""
