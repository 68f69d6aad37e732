"""Webhook endpoints from a program: in a home and on a server, the same words."""

from __future__ import annotations

import pytest

from auteryn.errors import Invalid, NotFound
from served import both_ways


@pytest.mark.parametrize("way", ["home", "server"])
def test_webhooks_are_made_listed_tried_rotated_and_removed(tmp_path, way):
    with both_ways(tmp_path, way) as agent_of:
        agent = agent_of("done")
        made, secret = agent.add_webhook("https://hooks.example.com/runs", ["run.completed"], "the shop")
        assert secret.startswith("whsec_") and made.types == ("run.completed",)
        assert agent.webhooks() == [made]
        assert secret not in str(agent.webhooks())
        again, fresh = agent.rotate_webhook(made.id)
        assert again == made and fresh != secret
        tried = agent.test_webhook(made.id)
        assert not tried.delivered and "hooks.example.com" in tried.detail
        agent.remove_webhook(made.id)
        assert agent.webhooks() == []
        with pytest.raises(NotFound):
            agent.test_webhook(made.id)
        with pytest.raises(Invalid):
            agent.add_webhook("http://127.0.0.1/inside")
