// What a run's event stream has told so far: one pure reducer from server-sent events to everything the page shows.
// `told(story, events)` never changes the story it is given.

export const begin = (id) => ({
  id, seq: 0, view: null, title: "", status: "pending", state: "pending", detail: "", why: "", waits_on: "",
  whole: false,        // the stream began at the run's first event
  items: [],           // the transcript, oldest first
  calls: {},           // of calls without an answer: index in items
  questions: {},       // ask id → index in items
  asks: {},            // ask id → the question, its state and answer
  steps: {},           // step id → status, run, result, error, startedAt, endedAt, attempt
  runs: {},            // run id → what a child is called: "Step 3", "Tick 2", "Tick 2 of 'Prices'"
  lanes: {},           // run id → slices: { slice, from, to, cut, turns }
  turns: {},           // run id → its newest turn
  live: {},            // run id → what is being said right now
  progress: null, artifacts: [], verdicts: [], result: null, failure: null, receipt: null,
  dirty: 0,            // counts facts whose details only the run itself has
});

// The run as the API shows it: at least as new as its `seq` says.
export function seen(story, view) {
  if (view.seq < story.seq) return { ...story, view: story.view ?? view };
  const others = story.artifacts.filter((one) => !view.artifacts.some((own) => own.path === one.path));   // of steps under way
  const next = { ...story, seq: view.seq, view, title: view.title, artifacts: [...view.artifacts, ...others], verdicts: view.verdicts,
    result: view.result, failure: view.failure, ...standing(view), asks: { ...story.asks }, steps: { ...story.steps },
    runs: { ...story.runs } };
  const open = new Set(view.asks.map((ask) => ask.id));
  for (const ask of view.asks) next.asks[ask.id] = { ...next.asks[ask.id], ...ask, state: "open" };
  for (const [id, ask] of Object.entries(next.asks))
    if (ask.state === "open" && ask.run === view.id && !open.has(id)) next.asks[id] = { ...ask, state: "closed" };
  for (const step of view.plan?.steps ?? []) {
    next.steps[step.id] = { ...next.steps[step.id], ...step };
    if (step.run) next.runs[step.run] = `Step ${step.id}`;
  }
  return next;
}

export function told(story, events) {
  const next = { ...story, items: story.items.slice(), calls: { ...story.calls }, questions: { ...story.questions },
    asks: { ...story.asks }, steps: { ...story.steps }, runs: { ...story.runs }, lanes: { ...story.lanes }, turns: { ...story.turns }, live: { ...story.live } };
  for (const event of events) (event.delta ? streamed : tell[event.kind])?.(next, event);
  return next;
}

export const TERMINAL = new Set(["completed", "failed", "cancelled"]);
export const over = (story) => TERMINAL.has(story.status);

// How long it has been at work, steps included, in ms: what has ended, and the slices that have not.
export const worked = (story, now) => story.view.usage.active_ms + Object.values(story.lanes).map((lane) => lane.at(-1))
  .reduce((sum, slice) => sum + (slice.to === null && !over(story) ? Math.max(0, now - Date.parse(slice.from)) : 0), 0);

const standing = ({ status, state, detail, why, waits_on }) => ({ status, state, detail, why, waits_on });
const add = (story, event, item) => story.items.push({ id: event.id, run: event.run_id, at: event.at, ...item }) - 1;
const own = (story, event) => event.run_id === story.id;
const news = (story, event) => own(story, event) && event.seq >= story.seq;

function streamed(story, event) {
  const now = { thought: "", message: "", ...story.live[event.run_id] };
  story.live[event.run_id] = { ...now, [event.kind]: now[event.kind] + event.text };
}

function spoken(story, event, kind) {
  const now = story.live[event.run_id];
  if (now?.[kind]) story.live[event.run_id] = { ...now, [kind]: "" };
  if (event.turn) story.turns[event.run_id] = event.turn;
  const lane = story.lanes[event.run_id]?.at(-1);
  if (event.turn && lane && lane.turn !== event.turn) replace(story, event.run_id, { turn: event.turn, turns: lane.turns + 1 });
  add(story, event, { kind, text: event.text, turn: event.turn });
}

const BROKEN_OFF = new Set(["told", "model_failed"]);   // what was being said is not said on: an interruption, an answer that broke
const SAID = /^Message from the owner: /;   // for the model; here stands whose it is

const tell = {
  thought: (story, event) => spoken(story, event, "thought"),
  message: (story, event) => spoken(story, event, "message"),

  tool_call(story, event) {
    delete story.live[event.run_id];
    if (event.turn) story.turns[event.run_id] = event.turn;
    story.calls[event.call] = add(story, event, { kind: "tool", call: event.call, tool: event.tool, args: event.args, turn: event.turn, result: null });
  },

  tool_result(story, event) {
    const result = { at: event.at, output: event.output, error: event.error, ms: event.ms, attempts: event.attempts, credits: event.credits };
    const index = story.calls[event.call];
    if (index === undefined) add(story, event, { kind: "tool", call: event.call, tool: event.tool, args: null, result });
    else story.items[index] = { ...story.items[index], result };
    delete story.calls[event.call];
  },

  ask(story, event) {
    const { kind: _, ...fields } = event;
    if (event.state === "open") {
      story.asks[event.id_of] = { ...fields, id: event.id_of, kind: event.kind_of };
      story.questions[event.id_of] = add(story, event, { kind: "ask", ask: event.id_of });
    } else {
      const asked = story.asks[event.id_of] ?? { id: event.id_of, run: event.run_id, message: "", options: [] };
      story.asks[event.id_of] = { ...asked, state: event.state, value: event.value, by: event.by, answeredAt: event.at };
      if (story.questions[event.id_of] === undefined) story.questions[event.id_of] = add(story, event, { kind: "ask", ask: event.id_of });
    }
    story.dirty += 1;
  },

  status(story, event) {
    if (event.slice) open(story, event);
    else if (event.state !== "running") close(story, event);
    if (event.input !== undefined) {
      if (own(story, event)) story.whole = true;
      add(story, event, { kind: "task", text: event.input, title: event.title, mode: event.mode, reason: event.reason });
    } else add(story, event, { kind: "status", state: event.state, why: event.why, slice: event.slice ?? null, failure: event.failure ?? null });
    if (event.slice || TERMINAL.has(event.status)) delete story.live[event.run_id];   // a slice begins its sentence anew
    if (!news(story, event)) return;
    Object.assign(story, standing(event), { seq: event.seq });
    if (event.title) story.title = event.title;
    if ("result" in event) Object.assign(story, { result: event.result, failure: event.failure, receipt: event.receipt ?? null });
    if (event.verdicts) story.verdicts = event.verdicts;
    story.dirty += 1;
  },

  step(story, event) {
    const before = story.steps[event.id_of] ?? { id: event.id_of };
    const begins = event.status === "in_progress";
    story.steps[event.id_of] = { ...before, status: event.status, run: event.run, result: event.result, error: event.error,
      startedAt: begins ? event.at : before.startedAt, endedAt: begins ? null : event.at };
    story.runs[event.run] = `Step ${event.id_of}`;
    add(story, event, { kind: "step", step: event.id_of, status: event.status, result: event.result, error: event.error });
    story.dirty += 1;
  },

  task_progress(story, event) {
    if (!news(story, event)) return;
    story.progress = { status: event.status, current: event.current_step, total: event.total_steps, done: event.completed_steps };
    for (const step of event.steps) story.steps[step.id] = { ...story.steps[step.id], ...step };
    story.dirty += 1;
  },

  log(story, event) {
    if (BROKEN_OFF.has(event.kind_of)) delete story.live[event.run_id];
    if (event.kind_of === "told" && event.why === "message") add(story, event, { kind: "heard", text: event.text.replace(SAID, ""), by: event.by, before: 1 + (story.turns[event.run_id] ?? 0) });
    else if (event.kind_of === "message_queued") add(story, event, { kind: "queued", text: event.text, by: event.by });
    else add(story, event, { kind: "note", level: event.level, text: event.message, fact: event.kind_of });
    if (event.tick) story.runs[event.tick.run] = event.tick.name.replace("t", "T");
    if (event.kind_of === "renamed" && news(story, event)) story.title = event.title;
    if (event.artifact && !(own(story, event) && event.seq <= story.view?.seq)) story.artifacts = [...story.artifacts.filter((one) => one.path !== event.artifact.path), event.artifact];
    if (event.kind_of.startsWith("plan_") || event.artifact) story.dirty += 1;
  },

  // The server cannot say what happened since: what is known now stands in the snapshot, and the page asks for the rest.
  reset(story, event) {
    Object.assign(story, begin(story.id), standing(event), { view: story.view, title: event.title, result: event.result,
      failure: event.failure, artifacts: event.artifacts, seq: event.seq ?? 0, dirty: story.dirty + 1 });
    story.asks = Object.fromEntries(event.asks.map((ask) => [ask.id, { ...ask, state: "open" }]));
  },
};

function open(story, event) {
  close(story, event, true);
  const lane = story.lanes[event.run_id] ?? [];
  story.lanes[event.run_id] = [...lane, { slice: event.slice, from: event.at, to: null, cut: false, turns: 0 }];
}

// A slice that is still open when the next one begins was cut off: a crash, or a lost machine.
function close(story, event, cut = false) {
  if (story.lanes[event.run_id]?.at(-1)?.to === null) replace(story, event.run_id, { to: event.at, cut });
}

function replace(story, run, fields) {
  const lane = story.lanes[run];
  story.lanes[run] = [...lane.slice(0, -1), { ...lane.at(-1), ...fields }];
}

// One frame of the stream, as the reducer takes it. `kind` and `id` of the payload would hide the frame's own.
export function framed(kind, id, data) {
  const { kind: kindOf, id: idOf, ...fields } = JSON.parse(data);
  return { ...fields, kind, id, kind_of: kindOf, id_of: idOf };
}

// How loud an item is on the scrubber: 0 quiet, 1 normal, 2 loud.
export function weight(item, story) {
  if (isError(item)) return 2;
  if (item.kind === "ask" || item.kind === "task") return 2;
  if (item.kind === "note") return item.fact === "compacted" ? 2 : item.level === "warning" ? 1 : 0;
  return item.kind === "thought" || (item.kind === "status" && !TERMINAL.has(item.state)) ? 0 : 1;
}

export const isError = (item) =>
  Boolean(item.result?.error ?? item.error) || item.level === "error" || (item.kind === "status" && item.state === "failed");
