"""The agent: where a program starts runs and asks about them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, Unpack, get_args

from msgspec.structs import replace

from auteryn.client.events import Callback, Listeners
from auteryn.client.options import (
    AskOptions,
    Defaults,
    Filter,
    ModeWord,
    Notify,
    RunOptions,
    TaskOptions,
    converted,
    new_run,
    own_tools,
    people_of,
    several,
)
from auteryn.client.people import answer_to
from auteryn.client.plan import Plan
from auteryn.client.task import Result, Task
from auteryn.client.typed import typed
from auteryn.client.world import World, server_of, world_of
from auteryn.errors import Invalid, NotFound
from auteryn.ports.model import Model
from auteryn.schema.human import Answer, Ask, InputType, People
from auteryn.schema.plan import StepDraft
from auteryn.schema.post import Endpoint, EventType
from auteryn.schema.run import AtBudget, Run
from auteryn.service.asks import Question
from auteryn.service.channels import channels
from auteryn.service.estimate import Estimate, Forecast
from auteryn.service.links import Link
from auteryn.service.listing import MOST_RUNS, Planned, Wanted
from auteryn.service.logs import LogLine
from auteryn.service.memories import Memory
from auteryn.service.new import NewRun, lifetime
from auteryn.service.webhooks import Tested
from auteryn.service.why import RunHealth
from auteryn.tools.tool import Tool

if TYPE_CHECKING:
    from auteryn.api.views import RunView, Spend, Webhook


@typed
class Agent:
    """Runs live in `home` (default `$AUTERYN_HOME`, else `~/.auteryn`): one folder, no account, no server. Or they live on a
    server, at `endpoint`, and `api_key` opens it; everything else is the same.

    Opening a home resumes whatever was interrupted in it; `tools` are your own functions, made with `@auteryn.tool`.
    Every method waits for its answer: in async code, `await asyncio.to_thread(agent.run, "…")` lets others work meanwhile.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        home: str | Path | None = None,
        *,
        model: Model | None = None,
        tools: Iterable[Tool] = (),
    ) -> None:
        if endpoint is None:
            if api_key is not None:
                raise Invalid("api_key", "…", "belongs to an endpoint; the model's own key is read from GEMINI_API_KEY")
            if not hasattr(model or Model, "generate"):
                raise Invalid("model", model, "is no `Model`; AUTERYN_MODEL_FAST and AUTERYN_MODEL_DEEP say which Gemini works")
            self.world: World = world_of(home, model=model, tools=own_tools(tools))
        else:
            if own := [name for name, given in (("home", home), ("model", model), ("tools", list(tools))) if given]:
                raise Invalid(own[0], "…", "belongs to a home: the server at the endpoint has its own")
            self.world = server_of(endpoint, api_key)
        self._defaults, self._listeners = Defaults(), Listeners()
        self._last: Task | None = None
        self._tasks: dict[str, Task] = {}

    # ---- runs

    def run(
        self,
        input: str,
        mode: ModeWord | None = None,
        *,
        timeout: float | timedelta | None = None,
        **options: Unpack[RunOptions],
    ) -> Result:
        """Carry out a task and return its result. Raises what `Task.result` raises."""
        return self.run_async(input, mode, **options).result(timeout)

    def run_async(self, input: str, mode: ModeWord | None = None, **options: Unpack[RunOptions]) -> Task:
        """Start a task and return at once. By then it is stored, and it goes on whatever happens to this program."""
        return self._start(new_run(input, mode, options, self._defaults))

    def configure(
        self,
        *,
        mode: ModeWord | None = None,
        include_thoughts: bool | None = None,
        max_duration: str | None = None,
        auto_retry: bool | None = None,
        people: People | Mapping[str, Any] | None = None,
        notify: Notify | None = None,
        at_budget: AtBudget | None = None,
    ) -> None:
        """How later runs of this agent are started; what is left out stays as it was. Raises `Invalid` (a `ValueError`)."""
        if mode is not None and mode not in ("auto", "fast", "deep"):
            raise Invalid("mode", mode, "is none of 'auto', 'fast', 'deep'")
        if max_duration is not None:
            lifetime(max_duration)
        if at_budget is not None and at_budget not in get_args(AtBudget):
            raise Invalid("at_budget", at_budget, f"is none of {', '.join(get_args(AtBudget))}")
        said = {
            "mode": mode,
            "include_thoughts": include_thoughts,
            "max_duration": max_duration,
            "auto_retry": auto_retry,
            "people": None if people is None else people_of(people),
            "notify": None if notify is None else channels(notify),
            "at_budget": at_budget,
        }
        self._defaults = replace(self._defaults, **{name: value for name, value in said.items() if value is not None})

    def task(self, run_id: str) -> Task:
        """Attach to a run, in whatever process it was started; raises `NotFound`."""
        self.world.call(self.world.desk.get(run_id))
        return Task(run_id, self)

    def take_in(self, file: bytes | Path) -> Task:
        """Import a run that was exported, with everything that happened in it. One that had not ended is cancelled here."""
        raw = file.read_bytes() if isinstance(file, Path) else file
        return Task(self.world.call(self.world.desk.take_in(raw)).id, self)

    def tasks(self, limit: int = 50, **wanted: Unpack[Filter]) -> list[Task]:
        """Runs of this home that fit, newest first; at most `limit`."""
        asked, found, cursor = converted(dict(wanted), Wanted, "tasks"), list[Task](), None
        while True:
            page = self.world.call(self.world.desk.runs(asked, limit=min(MOST_RUNS, limit - len(found)), cursor=cursor))
            found += [Task(run.id, self) for run in page.runs]
            if (cursor := page.next) is None or len(found) >= limit:
                return found

    # ---- plans

    def create_task_plan(
        self,
        description: str = "",
        steps: Sequence[StepDraft | Mapping[str, Any]] = (),
        mode: ModeWord | None = None,
        **options: Unpack[TaskOptions],
    ) -> Plan:
        """Start a plan. Steps that do not depend on each other run in parallel; `plan.waves` says which do."""
        if not steps:
            raise Invalid("steps", [], "must hold at least one step")
        task = self._start(new_run(description, mode, {**options, "steps": steps}, self._defaults))
        plan = self._get(task.id).plan
        assert plan is not None, "a run that is given steps has a plan"
        return Plan(plan, task)

    def get_task_progress(self, of: Plan | Task | str | None = None) -> dict[str, Any]:
        """plan_id, status, current_step, total_steps and steps, of a plan, task or id; of the newest, if none is named."""
        return self.world.call(self.world.desk.progress(self._id(of)))

    # ---- people

    def request_approval(
        self, message: str, options: Sequence[str] = ("Yes", "No"), *, context: str = "", **how: Unpack[AskOptions]
    ) -> str:
        """Ask a person to choose, and return the chosen option word for word. At a terminal it is asked there; else it
        waits until somebody answers with `auteryn answer`, by a link of a notification, or from another program.

        With `timeout="24h"`, `on_timeout` says what silence means: `deny` and `halt` raise `RunFailed`, `default` returns
        `default`, `escalate` asks the next of `escalate_to`, `wait` goes on waiting. `approvers` names who may answer.
        """
        return self._answer_to(message, options=several("options", options), context=context, **how)

    def request_input(
        self,
        message: str,
        input_type: InputType = "text",
        validation: str | None = None,
        options: Sequence[str] = (),
        *,
        json_schema: dict[str, Any] | None = None,
        context: str = "",
        **how: Unpack[AskOptions],
    ) -> Any:
        """Ask a person for a text, number, date, email, url, choice or JSON. `validation`: `email`, `url`, `number`, `date` or
        `regex:PATTERN`. What does not pass is refused with the rule, and asked for again."""
        return self._answer_to(
            message,
            kind="input",
            options=several("options", options),
            input_type=input_type,
            validation=validation,
            json_schema=json_schema,
            context=context,
            **how,
        )

    def asks(self) -> list[Ask]:
        """Every open question of this home."""
        return self.world.call(self.world.desk.asks())

    def question(self, ask_id: str) -> Ask:
        """One question of any run, open or not."""
        return self.world.call(self.world.desk.question(ask_id))

    def links(self, ask_id: str, by: str = "") -> list[Link]:
        """One-tap links that answer an open question in somebody's name (empty: yours): for a mail or message of your own."""
        return self.world.call(self.world.desk.links(ask_id, by))

    def answer(
        self,
        ask_id: str,
        value: Any,
        by: str = "owner",
        *,
        remember: bool = False,
        until: datetime | None = None,
        args: dict[str, Any] | None = None,
    ) -> Answer:
        """Answer a question of any run; the first answer counts. For a gated call: `remember` answers the same for this tool
        and target until the run ends (or `until`), `args` allows the call with these arguments instead."""
        return self.world.call(self.world.desk.answer(ask_id, value, by, remember, until=until, args=args))

    # ---- what is kept for later runs

    def memories(self) -> list[Memory]:
        """What runs have saved for later ones with `memory_save`, newest first."""
        return self.world.call(self.world.desk.memories())

    def forget(self, memory_id: str) -> None:
        """No later run finds it any more. Raises `NotFound`."""
        self.world.call(self.world.desk.forget(memory_id))

    # ---- programs that hear of runs

    def webhooks(self) -> list[Webhook]:
        """Where other programs are told of the owner's runs."""
        return [_webhook(one) for one in self.world.call(self.world.desk.webhooks())]

    def add_webhook(self, url: str, types: Sequence[EventType] = (), description: str = "") -> tuple[Webhook, str]:
        """Tell this address of the owner's runs: signed messages with type and ids only, each at least once. `types`: which
        events (empty: all). Returns the webhook and its secret, which is not shown again."""
        made, secret = self.world.call(self.world.desk.add_webhook(url, several("types", types), description))
        return _webhook(made), secret

    def rotate_webhook(self, webhook_id: str) -> tuple[Webhook, str]:
        """Make a new secret; for a day the old one signs, too."""
        made, secret = self.world.call(self.world.desk.rotate_webhook(webhook_id))
        return _webhook(made), secret

    def remove_webhook(self, webhook_id: str) -> None:
        """Send nothing there any more."""
        self.world.call(self.world.desk.remove_webhook(webhook_id))

    def test_webhook(self, webhook_id: str) -> Tested:
        """Send a signed message without content there now. `detail` says why it did not arrive."""
        return self.world.call(self.world.desk.test_webhook(webhook_id))

    # ---- watching

    def on(self, event: str, callback: Callback) -> Callable[[], None]:
        """Call `callback` with every event of this kind (`progress`, `thought`, `message`, `tool_call`, …) of the runs this
        agent starts. Its errors are logged and harm nothing. Returns what unsubscribes it."""
        unsubscribe = self._listeners.add(event, callback)
        for task in list(self._tasks.values()):  # another thread may hear one out meanwhile
            if task.status() in ("pending", "running"):
                self._listeners.follow(task)
        return unsubscribe

    def get_logs(
        self, run_id: Task | str | None = None, level: str = "info", after: int = 0, limit: int | None = None
    ) -> list[LogLine]:
        """Log lines of this level and above; printed, a line reads like one of a log file. In pages: of at most `limit` journal
        entries after entry `after` (a line's `seq`)."""
        return self.world.call(self.world.desk.logs(self._id(run_id), level, after, limit))

    def stream_logs(self, run_id: Task | str | None = None, level: str = "info", after: int = 0) -> Iterator[LogLine]:
        """The same, and then every new line, until the run has ended."""
        return self.world.iterate(self.world.desk.log_tail(self._id(run_id), level, after))

    def get_metrics(self, run_id: Task | str | None = None) -> dict[str, Any]:
        """duration, llm_calls, tool_calls, tokens_used and credits_consumed, over all slices, steps and retries."""
        return self.world.call(self.world.desk.metrics(self._id(run_id)))

    def get_credit_usage(self, run_id: Task | str | None = None, *, detail: bool = False) -> dict[str, Any]:
        """total_credits and their breakdown into llm_calls, tool_calls and storage; with `detail` also by step, tool, model and
        cause (useful, retry, loop, platform fault: the last is not charged)."""
        return self.world.call(self.world.desk.credits(self._id(run_id), detail=detail))

    def estimate(self, input: str, mode: ModeWord | None = None, *, steps: int = 0) -> Estimate:
        """What a task would cost and how long it would work: half of such runs stay below p50, nine of ten below p90."""
        return self.world.call(self.world.desk.estimate(input, self._defaults.mode if mode is None else mode, steps))

    def forecast(self, run_id: Task | str | None = None) -> Forecast:
        """What a run will have cost when it ends, and whether its budget is enough."""
        return self.world.call(self.world.desk.forecast(self._id(run_id)))

    def health(self, run_id: Task | str | None = None) -> RunHealth:
        """Who works on a run, when it was last written and wakes next, what is in its inbox; and `why`, in one sentence."""
        return self.world.call(self.world.desk.health(self._id(run_id)))

    def spend(self) -> Spend:
        """What the owner may spend in the current window, and has spent."""
        from auteryn.api.views import Spend, spend

        found = self.world.call(self.world.desk.spend())
        return found if isinstance(found, Spend) else spend(found)

    def schedules(self) -> list[Planned]:
        """The schedules of all runs under way, with their next ticks."""
        return self.world.call(self.world.desk.schedules())

    def tools(self) -> list[dict[str, Any]]:
        """Every tool; for those that cannot work here, why."""
        return self.world.call(self.world.desk.tools())

    # ---- the end

    def close(self) -> None:
        """Stop working here, for every agent of this process. Runs under way in a home go on when it is opened
        again; those of a server go on anyway."""
        self.world.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    # ---- pieces

    def started(self, run_id: str) -> Task:
        """A run of this agent: its listeners hear of it, and it is the newest."""
        task = self._last = self._tasks[run_id] = Task(run_id, self)
        self._listeners.follow(task)
        return task

    def heard_out(self, run_id: str) -> None:
        self._listeners.heard_out(run_id)
        self._tasks.pop(run_id, None)

    def _answer_to(self, message: str, **said: Any) -> Any:
        said["notify"] = channels(said["notify"]) if "notify" in said else self._defaults.notify
        for names in ("approvers", "escalate_to"):
            said[names] = several(names, said.get(names, ()))
        run = self.world.call(self.world.desk.ask(Question(message=message, **said)))
        self._listeners.follow(Task(run.id, self))
        answer = answer_to(self.world, run.id)
        self._listeners.heard_out(run.id)
        return answer

    def _start(self, new: NewRun) -> Task:
        return self.started(self.world.call(self.world.desk.create(new)).id)

    def _get(self, run_id: str) -> Run | RunView:
        return self.world.call(self.world.desk.get(run_id))

    def _id(self, of: Plan | Task | str | None) -> str:
        """The id of the run meant: a task, a plan, an id, or None for the newest of this agent, else of this home."""
        match of:
            case Plan():
                return of.task.id
            case Task():
                return of.id
            case str() if of.startswith("plan_"):
                return self.world.call(self.world.desk.run_of_plan(of)).id
            case str():
                return of
            case None:
                newest = [self._last] if self._last else self.tasks(limit=1)
                if not newest:
                    raise NotFound(f"there is no run in {self.world.name!r} yet")
                return newest[0].id


def _webhook(one: Endpoint | Webhook) -> Webhook:
    from auteryn.api.views import webhook

    return webhook(one) if isinstance(one, Endpoint) else one
