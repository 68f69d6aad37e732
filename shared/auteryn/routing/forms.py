"""The forms that a prompt may have, as data: what shows in its spelling rather than in one word."""

from __future__ import annotations

import re
from functools import partial

_any_case = partial(re.compile, flags=re.I)

FORMS: dict[str, re.Pattern[str]] = {
    # Numbers, quoted titles, paths, ids: things a task names exactly.
    "handles": re.compile(
        r"#\d|\w?/\w|\w_\w|\[['\"]|[\"“'][^\"“”'\n]{3,200}[\"”']|\$\s?\d|\d%|@\w|https?://|\b[A-Z]{2,}[a-z]*\b|\d{4}"
    ),
    # "Every 6 hours", "for two weeks".
    "cadence": _any_case(
        r"\b(?:every|each|for|over|within|next|takes?)\s(?:the\s(?:next\s)?)?(?:\d{1,3}\s|(?:two|three|four|five|six"
        r"|ten|few|several)\s)?"
        r"(?:hour|day|week|month)s?\b"
    ),
    # "Every 6 hours for 7 days", in either order: how an order is to be repeated.
    "timetable": _any_case(
        r"\bevery\s(?:\d{1,3}\s)?(?:minute|hour|day)s?\b[^?\n]{0,80}\bfor\s(?:the\snext\s)?\w{1,9}\s(?:day|week)s?\b"
        r"|\bfor\s(?:the\snext\s)?\w{1,9}\s(?:day|week)s?\b[^?\n]{0,80}\bevery\s(?:\d{1,3}\s)?(?:minute|hour|day)s?\b"
    ),
    # A first line without a closing mark, and text under it.
    "titled": re.compile(r"\A[^\n]{8,160}[^\n.?!:,;。？！：，][ \t]*\n\s*\S"),
    # A file of data is named.
    "table_file": re.compile(r"[\w)+-]\.(?:csv|tsv|xlsx?|parquet|jsonl?|sqlite|db|sav|dta|feather|h5)\b", re.I),
    # Certain data are spoken of: "the price column", "in the attached dataset".
    "of_data": _any_case(
        r"\b(?:the|this|these|our|my|each|all|both|every)\s(?:[\w\"'()-]+\s){0,4}(?:data(?:set|frame)?|columns?"
        r"|spreadsheet|csv|xlsx|(?<!periodic )table(?! salt| tennis)"
        r"|data set|survey|sheet|log files?)\b(?! of contents)"
        r"|\b(?:in|to|from|of) (?:the|this) (?:file|data|table|log)\b|\bis there (?:an?|any) (?:\w+ ){0,2}(?:correlation"
        r"|significant|linear|relationship|association|trend|pattern)\b"
        r"|\bare there (?:any )?outliers\b|\bof the (?:listed|given|recorded|sampled|surveyed)\b"
        r"|\bcolumns?\b.{0,120}?\b(?:mean|average|median|values?|outliers)\b|\battached\b"
        r"|\b(?:is|are|does|do|did)\b.{3,80}\bsignificant(?:ly)?\b"
        r"|\bthe (?:mean|median|standard deviation|variance) \w+(?: \w+){0,3} (?:of|for|in|between|among|across|per|by)\b"
        r"|\b(?:among|across) (?:\w+ )?(?:respondents|participants|patients|customers|users|employees|passengers|households)\b"
        r"|\bhow many (?:rows|columns"
        r"|records|entries|customers|orders|users|patients|sessions|observations)\b"
    ),
    # Figures by group: "the average fare per class".
    "grouped": _any_case(
        r"\b(?:average|mean|median|total|share|percentage|number|count|rate|sum|distribution"
        r"|proportion)\b.{1,120}?\b(?:per|by|for each|in each|of each)\b"
    ),
    # Large by its numbers or words: "40 pages", "a four-week plan", "the entire archive".
    "bulk": _any_case(
        r"\b\d{2,}[- ]pages?\b|\b\d+,?000[- ]words?\b"
        r"|\b(?!one-|1-)[a-z\d]+-(?:week|month|part|chapter|episode|volume|module|session)\b(?!-old)"
        r"|\b(?:all|our|the|these) \d{2,} \w+|\b(?:\d+,\d{3}|\d{2,}000)\b(?! ?(?:km|kg|ft|m|miles|meters|metres|feet|steps"
        r"|calories|dollars|euros|pounds|yen|years)\b)"
        r"|\bfor the (?:next|coming) \w+ (?:months|years)\b"
        r"|\b(?:list|table|spreadsheet|database|collection|set|catalogue?) of (?:the )?(?:\w+ )?[1-9]\d+\b"
        r"|\b(?:entire|whole|complete|full|all (?:of )?(?:the|our|my)?)\s"
        r"(?:[\w-]+\s){0,3}(?:archive|manual|book|novel|documentation|folder|transcripts?|history of|series|course"
        r"|curriculum|handbook|code"
        r"|contracts|decisions|images|photos|videos|documents|files|pages|tickets|subtitles|collection|library|set"
        r"|score|edition|inventory|catalogue?)\b"
    ),
    # "Since 2020", "until 2040".
    "period": _any_case(r"\b(?:since|until|after|before|from|between|by|to) (?:the )?(?:1[89]|20)\d\d(?:s\b|\b)"),
    # A second question hangs on the first: "…, and what can be learned?".
    "joined": _any_case(
        r"(?:,| and|,? und|,? et|,? y|,? e) (?:and )?(?:[a-z]{2,7} )?(?:what|how|which|why|who|whether"
        r"|welche|wie|quelles?|quels?|qué|cómo|quais|como)\b"
    ),
    # A subject without a verb: "The role of …", "Effects of …".
    "topic": _any_case(
        r"\A\W*(?:the |a )?(?:[\w-]+ )?(?:roles?|impacts?|effects?|influence|evolution|history|future|prospects"
        r"|regulation|state|economics|politics"
        r"|geopolitics|relationship|causes|consequences|development|governance|ethics|challenges|comparison|landscape"
        r"|drivers|determinants|use|adoption"
        r"|implications|outlook|prevalence|sustainability|feasibility|trends?) (?:of|in|on|between|for)\b"
    ),
    # Its last word is a report or the like.
    "ends_report": _any_case(r"\b(?:reports?|whitepaper|dossier|business plan|dashboard|swot of \w+)\W*$"),
    # What shapes what, by whom, why: asked of the world.
    "inquiry": _any_case(
        r"\A\W*(?:is there (?:\w+ )?evidence\b"
        r"|(?:what|how|which|why|will)\b[^?]{3,99}\b(?:next|coming|past|last) \w+ (?:year|decade)s"
        r"|(?:what|which [\w ]{3,40}?) (?:determines?|explains?|drives?|shapes?|predicts?|accounts? for"
        r"|limits?|hinders?|enables?|makes some)"
        r"|what (?:is|are) the (?:roles?|impacts?|effects?|influence|consequences|implications) of [^?]{3,80} (?:on|for|in)\b"
        r"|(?:how|why) (?:has|have)\b|which (?:[a-z-]+ ){0,2}[a-z]{3,}[^s\W]s (?!is\b|are\b|was\b|were\b|has\b)[a-z]"
        r"|what is driving\b|how should an? \w+|how might\b"
        r"|how (?:effective|sustainable|resilient|feasible|viable|widespread|successful)\b|to what extent"
        r"|(?:how|why) (?:has|have|did|do|does|are|is|can|could|should|will|might) [^?]{3,80}?\b(?:chang|adapt"
        r"|respond|recover|evolv|affect|influenc|regulat"
        r"|shap|reshap|reduc|improv|mitigat|cop(?:e|ing)\b|differ|var(?:y|ies)|transform|prevent|surviv|decline"
        r"|declin|lose|lost|spread|succeed|fail|integrat|professional)"
        r"|welche \w+ (?:bestimm|erklär|beeinfluss|präg)|wie (?:wirk|beeinfluss|veränder|hat sich|haben sich)"
        r"|(?:quels|quelles) (?:facteurs|politiques|stratégies)|comment (?:\w+ ){1,6}(?:influenc|affect|transform|modifi|évolu)"
        r"|qué (?:factores|políticas|estrategias)|cómo (?:\w+ ){1,6}(?:influy|influi|afect|transform|cambi)"
        r"|(?:que|quais) (?:fatores|políticas|estratégias)|como (?:\w+ ){1,6}(?:influenci|afet|transform)"
        r"|(?:quali) (?:fattori|politiche|strategie)|(?:какие|які) (?:фактор|причин|чинник)|как \w+ (?:влия|повлия|измени))"
    ),
    # What a thing does: "Undo removes more".
    "does": _any_case(
        r"\A\W*(?:[\w'-]+ ){1,3}[a-z]{2,}[^\Wsu]s "
        r"(?!(?:of|in|for|from|to|and|or|with|at|on|by|near|per|as|are|were|is|not|do)\b)[a-z]"
    ),
    # What was done to a thing: "Images rotated in preview".
    "done": _any_case(r"(?<=\w )[a-z]{2,}[^\We]ed\b|(?<=\w )(?:shown|hidden|sent|built|reset)\b"),
    # A clause without its subject: "after deleting a photo", "not rendered", "stops working".
    "elliptic": _any_case(
        r"\b(?:after|when|while|before|upon|without|if|stops?|keeps?|no longer|still|sometimes|always)"
        r" (?:not )?[a-z]{2,}(?:ing|[^\We]ed)\b|\b(?:does not|doesn't) [a-z]"
    ),
    # As trackers tag issues: "[Bug]: …".
    "tagged": _any_case(
        r"\A(?:\[[\w .-]{2,20}\]:?"
        r"|(?:bug|docs?|feat(?:ure(?: request)?)?|suggest\w*(?: feature)?|fix|enh\w*|readme|perf|ci|chore|refactor)"
        r"(?: ?\(\w+\))?:)"
    ),
    # Names only programs have: `xr.where`, `v5.3`, `32-bit`, `--quiet`.
    "exact": re.compile(
        r"(?<![@\w./])(?!\w{1,60}\.(?:com|org|net|de|fr|io|uk|edu|gov|txt|pdf|docx?|md|html?|jpe?g|png|pptx?|ics|zip)\b)[A-Za-z_]\w+\.[a-z_]\w+|\b\d+-bit\b"
        r"|\bv?\d+\.\d+(?:\.\d+)+|\bv\d|(?<!\S)--[a-z]|\w\*\*\d|C\+\+"
        r"|\b[a-z]+\d*[A-Z]\w*\b|\b[A-Z]{2,}[a-z]+[A-Z]\w*\b"
    ),
}


def forms_of(text: str) -> frozenset[str]:
    """The names of the forms that occur in `text`."""
    return frozenset(form for form, pattern in FORMS.items() if pattern.search(text))
