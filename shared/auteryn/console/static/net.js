// Talking to the API: the session's cookie, problems as errors, pages that poll, streams that come back.

import { signal } from "./vendor/preact.js";
import { framed } from "./story.js";

export const session = signal(undefined);   // undefined: not asked yet; null: nobody is signed in
export const ended = signal(false);   // somebody was signed in, and no longer is
let skew = 0;   // ms the server's clock is ahead of this device's
export const time = () => Date.now() + skew;
const NEARLY = 10_000;   // ms within which two clocks agree
export const feed = signal({ ok: true, since: null, why: "" });   // whether what is shown is up to date

export class Problem extends Error {
  constructor(status, body) {
    super(body?.rule ? `${body.field}: ${body.rule}` : body?.detail ?? `the server answered ${status}`);
    Object.assign(this, { status, code: body?.code, field: body?.field, rule: body?.rule, retryAfter: body?.retry_after });
  }
}

export async function ask(method, path, body, headers = {}) {
  const changes = method === "GET" ? {} : { "X-CSRF-Token": session.value?.csrf ?? "", "Content-Type": "application/json" };
  let answer;
  try {
    answer = await fetch(path, { method, headers: { ...changes, ...headers }, body: method === "GET" ? undefined : JSON.stringify(body ?? {}) });
  } catch {
    lost("the server cannot be reached");
    throw new Problem(0, { detail: "the server cannot be reached" });
  }
  const ahead = Date.parse(answer.headers.get("date")) - Date.now();
  if (Math.abs(ahead - skew) > NEARLY) skew = Math.abs(ahead) > NEARLY ? ahead : 0;
  if (answer.status === 429) lost("the server asks for patience");
  else if (answer.status >= 500) lost(`the server has a fault (${answer.status})`);
  else found();
  if (answer.status === 401 && session.value) ended.value = true;
  if (answer.status === 401) session.value = null;
  const data = answer.headers.get("content-type")?.includes("json") ? await answer.json() : null;
  if (!answer.ok) throw new Problem(answer.status, data);
  return data;
}

// What the page will surely ask for, asked for before anything is drawn.
const ahead = new Map();
export function early(path) {
  const answer = ask("GET", path);
  answer.catch(() => {});
  ahead.set(path, answer);
}
const taken = (path) => { const answer = ahead.get(path); ahead.delete(path); return answer; };

export const get = (path, headers) => taken(path) ?? ask("GET", path, undefined, headers);
export const post = (path, body, headers) => ask("POST", path, body, headers);
export const once = () => ({ "Idempotency-Key": crypto.randomUUID() });

export async function whoAmI() {
  try {
    session.value = await get("/v1/session");
  } catch (problem) {
    if (problem.status !== 401) setTimeout(whoAmI, 2000);
  }
}

const lost = (why) => { if (feed.value.why !== why) feed.value = { ok: false, since: feed.value.since ?? time(), why }; };
const found = () => { if (!feed.value.ok) feed.value = { ok: true, since: null, why: "" }; };
addEventListener("offline", () => lost("this device is offline"));

// Again and again while somebody looks; at once when somebody looks again. Returns what stops it.
export function polled(every, look) {
  let timer, stopped = false;
  const turn = async () => {
    clearTimeout(timer);
    let wait = every;
    if (!document.hidden) await look().catch((problem) => { wait = Math.max(every, (problem.retryAfter ?? 0) * 1000); });
    if (!stopped) timer = setTimeout(turn, wait);
  };
  const again = () => { if (!document.hidden && !stopped) turn(); };
  document.addEventListener("visibilitychange", again);
  addEventListener("online", again);
  turn();
  return () => { stopped = true; clearTimeout(timer); document.removeEventListener("visibilitychange", again); removeEventListener("online", again); };
}

const KINDS = ["task_progress", "thought", "message", "tool_call", "tool_result", "ask", "log", "status", "step", "reset"];
const AGAIN = 2000;

// Events in batches, one a frame. The browser comes back by itself with the last id; where it gave up, we do.
// `onState` hears: "live", "lost", or "over" when there is nothing more to come.
export function follow(path, { tail, onEvents, onState, isOver = () => false, kinds = KINDS, read = framed }) {
  let source, last = null, batch = [], waiting = false, stopped = false, timer;
  const flush = () => {
    waiting = false;
    if (stopped || !batch.length) return;
    const events = batch;
    batch = [];
    onEvents(events);
  };
  const take = (event) => {
    last = event.lastEventId;
    batch.push(read(event.type, event.lastEventId, event.data));
    if (waiting) return;
    waiting = true;
    if (document.hidden) setTimeout(flush, 200); else requestAnimationFrame(flush);
  };
  const connect = () => {
    const query = last ? `after=${encodeURIComponent(last)}` : tail === undefined ? "" : `tail=${tail}`;
    source = new EventSource(query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : path);
    source.onopen = () => onState?.("live");
    source.onerror = () => {
      flush();
      if (source.readyState !== EventSource.CLOSED) return onState?.(isOver() ? "over" : "lost");
      if (isOver()) return onState?.("over");
      onState?.("lost");
      if (!stopped) timer = setTimeout(connect, AGAIN);
    };
    for (const kind of kinds) source.addEventListener(kind, take);
  };
  connect();
  return () => { stopped = true; clearTimeout(timer); source.close(); };
}
