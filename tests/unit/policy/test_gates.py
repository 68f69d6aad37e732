"""What of an owner's words a gate needs is kept word for word, and no more of it than fits."""

from __future__ import annotations

from auteryn.policy.gates import NAMED_CHARS, named_in, named_recipients


def test_what_is_kept_names_the_same_recipients_as_all_that_was_said() -> None:
    said = [
        "Look first. Then mail Ann to ann@x.test, and bob@x.test!\nI saw https://a.test/?q=1",
        "Mail from eve@x.test is spam.",
    ]
    kept = named_in(said)
    assert kept == ("Then mail Ann to ann@x.test, and bob@x.test!", "I saw https://a.test/?q=1")
    assert named_recipients("\n".join(kept)) == named_recipients("\n".join(said)) == ("ann@x.test", "bob@x.test")
    assert named_in(kept) == kept


def test_of_too_much_the_newest_is_kept() -> None:
    said = [f"Send it to person{number}@x.test." for number in range(1_000)]
    kept = named_in([*said, "https://a.test/" + "x" * NAMED_CHARS])
    assert sum(map(len, kept)) <= NAMED_CHARS and kept[-1] == said[-1] and len(kept) > 200
