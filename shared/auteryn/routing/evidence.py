"""The evidence for FAST and DEEP: one table. Each row is a fact about a prompt and what it is worth.

Weights are log-odds: positive speaks for DEEP, negative for FAST. They were fitted by logistic regression under these
signs, so that a row may be weak but never turns against what it says.
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from auteryn.routing.reading import Reading


class Evidence(Struct, frozen=True):
    weight: float
    says: str
    """Reads after "because"."""
    holds: Callable[[Reading], bool]


def about(r: Reading) -> bool:
    """The prompt asks about something instead of ordering it."""
    return r.opens("question", 1) or r.opens("explain", 1) or (r.has("definition", "remark") and r.words <= 15)


def ordered(r: Reading) -> bool:
    return (r.orders("deep_verb") or r.has("abroad_verb")) and not about(r)


def at_work(r: Reading) -> bool:
    return r.orders("work_verb") and r.has("wide_thing", "deliverable_abroad") and not about(r) and not light(r)


def light(r: Reading) -> bool:
    return r.has("light_manner", "small_piece") and not r.has("deep_manner")


def on_site(r: Reading) -> bool:
    return r.opens("act_verb") and not r.has("everyday", least=2) and r.has_beside_heads("site_thing")


def everyday(r: Reading, least: int = 1) -> bool:
    return r.has("everyday", least=least) and r.words <= 40 and not technical(r)


def bare_activity(r: Reading) -> bool:
    return (
        r.words <= 5
        and r.has("activity")
        and not about(r)
        and not r.has("self_talk", "first_person", "light_manner", "small_piece", "explain", "question")
    )


def technical(r: Reading) -> bool:
    return bool(r.marks or r.table_file) or r.has("statistics", "table_word", least=3)


def impersonal(r: Reading) -> bool:
    """It is about the world rather than the asker, the assistant or the day."""
    return (
        not r.has("first_person", "self_talk", "light_manner", "small_piece", "small_job", "fact", "definition")
        and not r.opens("greeting")
        and not everyday(r, least=2)
    )


def personal(r: Reading) -> bool:
    return r.has("first_person", least=2) and not (ordered(r) or at_work(r) or technical(r) or r.opens("act_verb"))


BIAS = -1.9

TABLE: tuple[Evidence, ...] = (
    # length and form
    Evidence(-1.8, "it is only a few words", lambda r: r.words <= 6),
    Evidence(1.3, "it is more than a line", lambda r: r.words > 12),
    Evidence(0.4, "it asks several questions", lambda r: r.questions >= 2 and r.words > 15),
    Evidence(1.5, "it is impersonal and more than a phrase", lambda r: impersonal(r) and r.words > 9),
    Evidence(0.5, "it is impersonal and long", lambda r: impersonal(r) and r.words > 18),
    Evidence(1.4, "it uses long words", lambda r: r.long_words >= 2),
    Evidence(0.6, "it uses many long words", lambda r: r.long_words >= 4),
    Evidence(1.6, "it has a title and a body", lambda r: r.titled and r.words > 12),
    Evidence(1.0, "it lists steps", lambda r: r.steps >= 3),
    # what it opens with
    Evidence(-0.5, "it greets", lambda r: r.opens("greeting")),
    Evidence(-0.2, "it asks for an explanation", lambda r: r.opens("explain")),
    Evidence(-1.0, "it asks for one fact", lambda r: r.opens("question", 1) and r.has("fact") and r.words <= 20),
    Evidence(-1.3, "it asks about something", lambda r: about(r) and r.words <= 12),
    Evidence(-0.2, "it is a small job on a text or a number", lambda r: r.opens("small_job", 1)),
    Evidence(2.2, "it orders research or analysis", ordered),
    Evidence(1.3, "it orders work", lambda r: r.orders("work_verb") and not about(r) and not light(r)),
    Evidence(2.9, "it orders work on something large", at_work),
    Evidence(
        1.1,
        "it orders work on many things",
        lambda r: (r.orders("work_verb") or ordered(r)) and r.has("scope") and not about(r) and not light(r),
    ),
    Evidence(1.6, "it names a kind of project", bare_activity),
    # what it is about
    Evidence(-1.7, "it is everyday business", everyday),
    Evidence(-1.1, "it is plainly everyday business", lambda r: everyday(r, least=2)),
    Evidence(
        -1.6, "it talks with the assistant", lambda r: r.has("self_talk") and r.words <= 25 and not (ordered(r) or at_work(r))
    ),
    Evidence(-2.4, "it tells of the asker", personal),
    Evidence(
        -0.6,
        "it ends with a plain question",
        lambda r: (
            bool(r.heads)
            and r.ends_asking
            and not impersonal(r)
            and not (ordered(r) or at_work(r) or technical(r) or r.has("relation", "scholar", least=2))
        ),
    ),
    Evidence(
        -0.9,
        "it wants a short piece of text",
        lambda r: r.has("small_piece") and not r.has("deep_manner") and r.words <= 40 and not technical(r),
    ),
    Evidence(-1.0, "it wants it quick or short", lambda r: r.has("light_manner") and r.words <= 40),
    Evidence(
        4.0,
        "it names research or analysis",
        lambda r: not about(r) and not light(r) and r.has("deep_verb", "activity", "abroad_verb"),
    ),
    Evidence(4.8, "it names a large deliverable", lambda r: not about(r) and r.has("deliverable_abroad")),
    Evidence(1.8, "it wants it thorough", lambda r: not about(r) and r.has("deep_manner")),
    Evidence(1.0, "it covers many things", lambda r: not about(r) and r.has("scope")),
    Evidence(1.9, "it is about trends or the state of a field", lambda r: r.has("time_span")),
    Evidence(
        1.8, "it is about how things hang together", lambda r: r.has("relation", least=2 if about(r) else 1) and not everyday(r)
    ),
    Evidence(2.1, "it weighs many aspects", lambda r: r.has("relation", least=3)),
    # data
    Evidence(0.7, "it names a data file", lambda r: r.table_file),
    Evidence(0.3, "it works on a table", lambda r: r.has("table_word", least=2)),
    Evidence(0.4, "it asks for statistics", lambda r: r.has("statistics", least=2)),
    # code
    Evidence(2.0, "it shows code", lambda r: r.marks >= 1),
    Evidence(0.5, "it shows much code", lambda r: r.marks >= 4),
    Evidence(0.7, "it reports trouble in code", lambda r: r.has("trouble") and r.has("code_word")),
    Evidence(0.2, "it is written as an issue", lambda r: r.has("issue_form", least=2)),
    # sites
    Evidence(0.9, "it orders an action", lambda r: r.opens("act_verb")),
    Evidence(4.2, "it orders an action on a site", on_site),
    Evidence(1.5, "it orders an action on named things", lambda r: r.opens("act_verb") and (r.handles or r.names > 1)),
    Evidence(1.9, "it names things of a site", lambda r: r.has("site_thing", least=2)),
    # order and endurance
    Evidence(0.2, "it sets an order of steps", lambda r: r.has("order", least=2) and r.words > 12),
    Evidence(1.5, "it goes on for days", lambda r: not about(r) and not everyday(r) and (r.has("endurance") or r.cadence)),
)
