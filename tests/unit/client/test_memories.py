"""What runs keep for later ones, from a program: in a home and on a server, the same words."""

from __future__ import annotations

import pytest

from auteryn.errors import NotFound
from auteryn.testing.scripted import Ask, Line, call
from served import both_ways


@pytest.mark.parametrize("way", ["home", "server"])
def test_memories_are_listed_outlive_their_run_and_are_forgotten(tmp_path, way):
    def script(ask: Ask) -> Line:
        if ask.turn == 0 and ask.task == "look":
            return call("memory_search", query="reports")
        if ask.turn == 0:
            return call("memory_save", text=f"Reports {ask.task}", tags=["style"])
        return (
            str([one["text"] for one in ask.results["memory_search"][0]["output"]["memories"]])
            if ask.task == "look"
            else "done"
        )

    with both_ways(tmp_path, way) as agent_of:
        agent = agent_of(script)
        assert agent.memories() == []
        old, new = (agent.run_async(text, "deep") for text in ("in German", "in one page"))
        assert old.result() == new.result() == "done"
        kept = {one.text: one for one in agent.memories()}
        assert set(kept) == {"Reports in German", "Reports in one page"}
        german = kept["Reports in German"]
        assert (german.tags, german.run, german.foreign) == (("style",), old.id, False)
        erased = old.erase()
        assert (erased.memories, erased.leftovers) == (1, ()) and german in agent.memories()
        agent.forget(german.id)
        assert [one.text for one in agent.memories()] == ["Reports in one page"]
        assert agent.run("look", "deep") == "['Reports in one page']"
        for gone in (german.id, "run_1"):
            with pytest.raises(NotFound, match="no memory"):
                agent.forget(gone)
