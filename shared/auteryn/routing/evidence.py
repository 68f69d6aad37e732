"""The evidence for FAST and DEEP: one table. Each row is a fact about a prompt and what it is worth.

Weights are log-odds: positive speaks for DEEP, negative for FAST. They were fitted by logistic regression under these
signs, so that a row may be weak but never turns against what it says.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from auteryn.routing.lexicon import OPENERS
from auteryn.routing.reading import Reading


class Evidence(Struct, frozen=True):
    weight: float
    says: str
    """Reads after "because"."""
    holds: Callable[[Reading], bool]


def about(r: Reading) -> bool:
    """The prompt asks about something instead of ordering it or wanting it found in data."""
    if r.form("of_data", "table_file") or grouped(r) or told(r) or (r.has("endurance") and not r.opens("question", 1)):
        return False
    return r.opens("question", 1) or r.opens("explain", 1) or (r.has("definition", "remark") and r.words <= 15)


def told(r: Reading) -> bool:
    """An order follows the question: "Is it significant? Test it."."""
    return r.questions > 0 and not OPENERS["follow_up"].isdisjoint(r.heads[1:]) and not r.numbers >= 2


def ordered(r: Reading) -> bool:
    return (r.orders("deep_verb") or r.has("abroad_verb")) and not about(r)


def at_work(r: Reading) -> bool:
    return r.orders("work_verb") and r.has("wide_thing", "deliverable_abroad", "ours") and not about(r) and not light(r)


def piece(r: Reading) -> bool:
    """A short piece of text is wanted, not something done with one: "Set up e-mail receipts"."""
    return r.has("small_piece") and (r.opens("compose") or not (r.opens("act_verb", 1) or r.opens("work_verb", 1)))


def tasked(r: Reading) -> bool:
    """Work is ordered, and nothing says that it is little."""
    if about(r) or light(r):
        return False
    if r.has("wide_thing") or r.has("code_word", least=2):
        return r.orders("work_verb") or r.opens("small_job") or r.has("ours")
    return r.has("ours") or (r.orders("work_verb") and not everyday(r))


def light(r: Reading) -> bool:
    return (r.has("light_manner") or piece(r)) and not r.has("deep_manner") and not (r.has("scope") and r.words > 12)


def on_site(r: Reading) -> bool:
    return (
        r.opens("act_verb")
        and not r.has("everyday", least=2)
        and not r.has("light_manner")
        and r.has_beside("site_thing", r.heads)
    )


def everyday(r: Reading, least: int = 1) -> bool:
    """Not where it is of a kind that only borrows such words: "Calendar shows wrong week numbers"."""
    return (
        r.has("everyday", least=least)
        and r.words <= 40
        and not (technical(r) or amiss(r) or bare(r) or r.form("bulk", "period") or r.has("relation", least=2))
    )


def bare_activity(r: Reading) -> bool:
    return (
        r.words <= 5
        and (r.has("activity") or r.form("ends_report"))
        and not about(r)
        and not r.has("everyday", "remark")
        and not r.has("self_talk", "first_person", "light_manner", "small_piece", "explain", "question")
    )


def technical(r: Reading) -> bool:
    return (
        bool(r.marks)
        or r.form("table_file", "of_data")
        or grouped(r)
        or r.has("statistics", "table_word", least=2)
        or faulty(r)
    )


def grouped(r: Reading) -> bool:
    """Figures by group are asked for, and not of numbers that stand in it."""
    return r.form("grouped") and r.numbers < 2


def impersonal(r: Reading) -> bool:
    """It is about the world rather than the asker, the assistant or the day."""
    return (
        not r.has("first_person", "self_talk", "light_manner", "small_piece", "small_job", "fact", "definition")
        and not r.opens("greeting")
        and not everyday(r, least=2)
    )


def untold(r: Reading) -> bool:
    """Stated or wished for by nobody and of nobody, as titles are."""
    return (
        bool(r.heads)
        and not r.has("first_person", "self_talk", "light_manner", "small_job", "definition", "remark")
        and not r.opens("question", 1)
        and not r.opens("greeting")
        and not r.opens("explain", 1)
    )


def mute(r: Reading) -> bool:
    """Nothing but its length speaks for a quick answer."""
    return untold(r) and r.ascii and r.words > 2 and not r.ends_asking


def bare(r: Reading) -> bool:
    """A phrase in which nothing is ordered either: also one of everyday things may as well be a title."""
    return mute(r) and not any(r.opens(kind, 1) for kind in ("errand", "act_verb", "work_verb", "deep_verb", "talk"))


def faulty(r: Reading) -> bool:
    """Like an issue's title: something of software that fails or is wanted."""
    if not untold(r):
        return False
    if program(r) or r.form("tagged"):
        return r.has("code_word", "trouble") or r.form("tagged")
    borrowed = r.has_beside("everyday", r.kinds.get("code_word", ())) and not r.has("trouble")
    return r.has("code_word", "trouble", least=2 + borrowed - r.has("circumstance"))


def amiss(r: Reading, least: int = 1) -> bool:
    """Tells of what a thing does or should do, as titles of issues: "Podcast stops after a call".

    More than `least` signs of it are there; who speaks of what is his own says "the", "it" or "my".
    """
    if not untold(r) or r.ends_asking or not 3 <= r.words <= 20 or r.opens("talk"):
        return False
    if r.opens("act_verb", 1) and r.has("everyday"):
        return False
    signs = r.has("code_word") + r.form("does") + r.form("done") + min(2, len(r.kinds.get("circumstance", ())))
    return 2 * (r.opens("wish", 1) or r.has("trouble") or r.form("elliptic")) + signs > least


def program(r: Reading) -> bool:
    """Code or what is named only in code stands in it."""
    return bool(r.marks) or r.form("exact")


def plain(r: Reading) -> bool:
    """One question, of one thing."""
    return (
        r.ends_asking
        and not (ordered(r) or at_work(r) or r.opens("act_verb") or r.orders("work_verb"))
        and r.words <= 25
        and not r.form("joined", "period")
        and not technical(r)
        and not r.has("statistics")
        and not r.has("scholar", "relation", "time_span", "deep_verb", "activity", least=2)
        and not r.has("site_thing", least=2)
    )


def personal(r: Reading) -> bool:
    return (r.has("first_person", least=2) or (r.heads[:1] in (("i",), ("we",)) and r.ends_asking)) and not (
        ordered(r) or at_work(r) or technical(r) or r.opens("act_verb") or r.has("deep_manner")
    )


BIAS = -1.7

TABLE: tuple[Evidence, ...] = (
    # length and form
    Evidence(
        -2.2,
        "it is only a few words",
        lambda r: (
            r.words <= 6
            and not (technical(r) or amiss(r) or bare(r) or tasked(r) or (mute(r) and not r.has("everyday", "small_piece")))
        ),
    ),
    Evidence(2.1, "it is more than a line", lambda r: r.words > 12),
    Evidence(1.4, "it is impersonal and more than a phrase", lambda r: impersonal(r) and r.words > 9),
    Evidence(1.8, "it uses long words", lambda r: r.long_words >= 2 and r.words > 3),
    Evidence(2.7, "it has a title and a body", lambda r: r.form("titled") and r.words > 12),
    Evidence(2.5, "it is worded abstractly", lambda r: r.abstract >= 2 and r.ascii and impersonal(r)),
    # what it opens with
    Evidence(-1.3, "it greets", lambda r: r.opens("greeting") or not r.heads),
    Evidence(-0.9, "it asks about something", lambda r: about(r) and r.words <= 12),
    Evidence(1.8, "it orders research or analysis", ordered),
    Evidence(1.4, "it orders work", lambda r: r.orders("work_verb") and not about(r) and not light(r)),
    Evidence(2.5, "it orders work on something large", at_work),
    Evidence(1.7, "it names a kind of project", bare_activity),
    # what it is about
    Evidence(-1.2, "it is everyday business", everyday),
    Evidence(
        -2.2, "it talks with the assistant", lambda r: r.has("self_talk") and r.words <= 25 and not (ordered(r) or at_work(r))
    ),
    Evidence(-3.5, "it tells of the asker", personal),
    Evidence(
        -1.3,
        "it ends with a plain question",
        lambda r: (
            bool(r.heads)
            and r.ends_asking
            and not impersonal(r)
            and not (ordered(r) or at_work(r) or technical(r) or r.has("relation", "scholar", least=2))
        ),
    ),
    Evidence(
        -2.9,
        "it wants a short piece of text",
        lambda r: (
            piece(r)
            and not (
                r.has("deep_manner") or r.has("code_word", least=2) or technical(r) or amiss(r) or bare(r) or r.form("bulk")
            )
            and r.words <= 40
        ),
    ),
    Evidence(
        4.0,
        "it names research or analysis",
        lambda r: not about(r) and not light(r) and r.has("deep_verb", "activity", "abroad_verb"),
    ),
    Evidence(4.8, "it names a large deliverable", lambda r: not about(r) and r.has("deliverable_abroad")),
    Evidence(
        3.5,
        "it covers many things",
        lambda r: r.has("scope") and (ordered(r) or r.orders("work_verb") or not (r.questions or r.has("first_person"))),
    ),
    Evidence(1.8, "it is about trends or the state of a field", lambda r: r.has("time_span")),
    Evidence(
        3.3, "it is about how things hang together", lambda r: r.has("relation", least=2 if about(r) else 1) and not everyday(r)
    ),
    Evidence(0.9, "it weighs many aspects", lambda r: r.has("relation", least=3)),
    Evidence(2.7, "it is about society or the sciences", lambda r: r.has("scholar", least=2) and impersonal(r)),
    Evidence(1.2, "it is about years", lambda r: r.form("period") and not everyday(r)),
    Evidence(4.3, "it inquires into the world", lambda r: r.form("inquiry") and impersonal(r)),
    Evidence(-1.1, "it asks one plain thing", plain),
    Evidence(
        -0.5,
        "it asks it in a few words",
        lambda r: (
            plain(r)
            and (
                not impersonal(r) or (r.words <= 7 and not r.has("scholar", "relation", "table_word") and not r.form("inquiry"))
            )
        ),
    ),
    Evidence(-3.0, "it is asked of a text beside it", lambda r: r.beside),
    Evidence(2.2, "it is a subject", lambda r: r.form("topic") and not everyday(r, least=2)),
    Evidence(3.2, "it is much", lambda r: r.form("bulk") and not about(r)),
    # data
    Evidence(0.8, "it names a data file", lambda r: r.form("table_file")),
    Evidence(2.2, "it works on a table", lambda r: r.has("table_word", least=2)),
    Evidence(1.1, "it asks for statistics", lambda r: r.has("statistics", least=2)),
    Evidence(3.3, "it asks for something in certain data", lambda r: r.form("of_data") or r.form("table_file")),
    Evidence(
        3.0,
        "it asks what statistics tell",
        lambda r: not r.has("definition") and r.has("statistics", least=2) and r.numbers < 2,
    ),
    Evidence(
        -2.7,
        "it is a sum",
        lambda r: (
            r.numbers >= 2
            and r.words <= 40
            and not (r.marks or r.form("of_data", "table_file", "exact"))
            and (r.ends_asking or not r.form("timetable"))
        ),
    ),
    Evidence(1.8, "it asks for figures by group", lambda r: grouped(r) and not r.has("definition")),
    # code
    Evidence(1.3, "it is worded as an issue", faulty),
    Evidence(3.5, "it tells of something amiss", amiss),
    Evidence(2.0, "it tells of something amiss in software", lambda r: amiss(r, least=2)),
    Evidence(0.7, "it tells of much in software", lambda r: faulty(r) and r.has("code_word", "trouble", least=3)),
    Evidence(
        2.7,
        "it orders work on code",
        lambda r: (
            (r.opens("act_verb") or r.orders("work_verb") or r.opens("small_job"))
            and r.has("code_word", least=2)
            and not about(r)
            and not light(r)
        ),
    ),
    Evidence(1.6, "it names something of software", lambda r: untold(r) and r.has("code_word") and not r.has("everyday")),
    Evidence(2.2, "it shows a name from code", lambda r: untold(r) and program(r)),
    Evidence(2.1, "it is tagged as an issue", lambda r: r.form("tagged")),
    Evidence(0.4, "it shows code", lambda r: r.marks >= 1),
    # sites
    Evidence(4.7, "it orders an action on a site", on_site),
    Evidence(2.2, "it orders an action on named things", lambda r: r.opens("act_verb") and (r.form("handles") or r.names > 1)),
    Evidence(3.0, "it names things of a site", lambda r: r.has("site_thing", least=2)),
    # endurance
    Evidence(
        2.4, "it goes on for days", lambda r: not about(r) and not everyday(r) and (r.has("endurance") or r.form("cadence"))
    ),
)
