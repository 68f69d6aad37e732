"""Routes of figures: what a run costs, has cost and will cost, and how its machinery stands."""

from __future__ import annotations

from typing import Any

from auteryn.api import bodies as b
from auteryn.api import views as v
from auteryn.api.call import Call
from auteryn.service.context import Ledger, RunContext
from auteryn.service.estimate import Estimate, Forecast
from auteryn.service.why import RunHealth


async def get_credits(call: Call[b.CreditsQuery, None]) -> dict[str, Any]:
    """What the run has cost, and for what; with `detail`, by step, tool, model and cause, too."""
    return await call.desk.credits(call.path["run"], detail=call.query.detail)


async def get_context(call: Call[b.Empty, None]) -> RunContext:
    """Which model has how much in mind, which code worked on the run last, and where its trace is."""
    return await call.desk.context(call.path["run"])


async def get_ledger(call: Call[b.Empty, None]) -> Ledger:
    """What the model is shown in every turn, word for word, and how often the rest of the conversation was summarised."""
    return await call.desk.ledger(call.path["run"])


async def get_forecast(call: Call[b.Empty, None]) -> Forecast:
    """What the run will have cost when it ends, by what it has cost so far and what runs like it came to."""
    return await call.desk.forecast(call.path["run"])


async def estimate_run(call: Call[b.Empty, b.EstimateBody]) -> Estimate:
    """What a task would cost and how long it would take: half of such runs stay below p50, nine of ten below p90."""
    body = call.body
    return await call.desk.estimate(body.input, body.mode, body.steps)


async def get_spend(call: Call[b.Empty, None]) -> v.Spend:
    """What the owner may spend now and has spent; over it nothing new is begun, and runs under way wait until it frees."""
    return v.spend(await call.desk.spend())


async def get_run_health(call: Call[b.Empty, None]) -> RunHealth:
    """Who works on the run, when it was last written and wakes next, what is in its inbox, how often the sweeper had to act."""
    return await call.desk.health(call.path["run"])
