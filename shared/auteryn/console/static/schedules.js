// What runs by the clock: the next ticks, what came of the last, what was skipped.

import { html, useEffect, useState } from "./vendor/preact.js";
import { ask, get, polled, session } from "./net.js";
import { Act, Link, say } from "./parts.js";
import { moment, plural, short, span } from "./words.js";

const SHOWN = 10, EVERY = 5000;

export function Schedules() {
  const [found, setFound] = useState(null);
  useEffect(() => polled(EVERY, async () => setFound((await get("/v1/schedules")).schedules)), []);
  if (found === null) return html`<div class="empty" aria-busy="true">Looking…</div>`;
  if (!found.length) return html`<div class="empty"><h2>Nothing runs by the clock</h2><p>Ask for it in a task: “every six hours, look at … for five days”.</p></div>`;
  return html`<div class="schedules"><h2 class="sr">Schedules</h2>${found.map(({ run, title, schedule }) => html`<${Card} key=${run + schedule.id} ...${{ run, title, schedule }} />`)}</div>`;
}

// `title`: of its run, where that is not in sight anyway; `ended`: the run has.
export function Card({ run, title, schedule, ended = false }) {
  const start = Date.parse(schedule.start), every = seconds(schedule.every) * 1000, total = Math.max(0, Math.ceil((Date.parse(schedule.until) - start) / every)), next = [];
  const over = ended || (schedule.next_index >= total && !schedule.running.length);
  for (let index = schedule.next_index; index < total && next.length < SHOWN; index += 1) next.push(start + index * every);
  return html`<section class="card schedule"><header><h3>${schedule.name}</h3>${title && html`<${Link} to="/runs/${run}">${short(title, 60)}<//>`}</header>
    <p>${short(schedule.instruction, 300)}</p>
    <p class="hint">Every ${span(every)} until ${moment(schedule.until)}. ${schedule.overlap === "skip" ? "A tick is skipped while the one before is at work" : "Ticks queue up"}; of ticks that were missed, ${{ none: "none is", one: "one is", all: "all are" }[schedule.catch_up]} made up for.</p>
    <p>${plural(schedule.ended, "tick")} ended${schedule.failed ? html`, <strong class="bad">${schedule.failed} failed</strong>` : ""}${schedule.skipped ? `, ${schedule.skipped} skipped` : ""}${schedule.running.length ? ", one is at work" : ""}</p>
    ${schedule.skips.map((one) => html`<p class="hint" key=${one.at}>${moment(one.at)}: ${plural(one.ticks, "tick")} skipped: ${one.reason}</p>`)}
    ${schedule.last_result && html`<p class="peek"><span class="label">Last</span> ${short(schedule.last_result, 300)}</p>`}
    ${over ? html`<p class="hint">It ticks no more.</p>` : html`<ol class="ticks" aria-label="Next ticks"><li class="label" aria-hidden="true">Next</li>${next.map((at) => html`<li key=${at}><time datetime=${new Date(at).toISOString()}>${moment(at)}</time></li>`)}${total - schedule.next_index > SHOWN && html`<li class="hint">and ${total - schedule.next_index - SHOWN} more</li>`}</ol>
      ${session.value?.role !== "viewer" && html`<div class="actions left"><${Act} class="small" act=${async () => { await ask("DELETE", `/v1/runs/${run}/schedules/${schedule.id}`); say("It ticks no more; the run goes on."); }}>End it<//></div>`}`}</section>`;
}

// ISO 8601 ("PT6H", "P1D") or seconds.
function seconds(duration) {
  if (typeof duration === "number") return duration;
  const [, days = 0, hours = 0, minutes = 0, rest = 0] = /^P(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/.exec(duration) ?? [];
  return days * 86400 + hours * 3600 + minutes * 60 + Number(rest);
}
