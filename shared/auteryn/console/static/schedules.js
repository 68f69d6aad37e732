// What runs by the clock: the next ticks, what came of the last, what was skipped.

import { html, useEffect, useState } from "./vendor/preact.js";
import { ask, get, polled, session } from "./net.js";
import { Act, Link, say } from "./parts.js";
import { moment, plural, short, span } from "./words.js";

const SHOWN = 10, EVERY = 5000;

export function Schedules() {
  const [found, setFound] = useState(null);
  useEffect(() => polled(EVERY, async () => setFound((await get("/v1/schedules")).schedules.map(({ run, title, schedule, skips }) => ({ run: { id: run, title }, schedule, passed: skips.map(skipped) })))), []);
  if (found === null) return html`<div class="empty" aria-busy="true">Looking…</div>`;
  if (!found.length) return html`<div class="empty"><h2>Nothing runs by the clock</h2><p>Ask for it in a task: “every six hours, look at … for five days”.</p></div>`;
  return html`<div class="schedules"><h2 class="sr">Schedules</h2>${found.map(({ run, schedule, passed }) => html`<${Card} key=${schedule.id} run=${run} schedule=${schedule} passed=${passed} />`)}</div>`;
}

const skipped = ({ at, ticks, reason }) => ({ id: at, at, text: `${plural(ticks, "tick")} skipped: ${reason}` });

export function Card({ run, schedule, passed = [] }) {
  const start = Date.parse(schedule.start), every = seconds(schedule.every) * 1000, until = Date.parse(schedule.until);
  const total = Math.max(0, Math.ceil((until - start) / every)), next = [];
  for (let index = schedule.next_index; index < total && next.length < SHOWN; index += 1) next.push(start + index * every);
  return html`<section class="card schedule"><header><h3>${schedule.name}</h3><${Link} to="/runs/${run.id}">${short(run.title, 60)}<//></header>
    <p>${short(schedule.instruction, 300)}</p>
    <p class="hint">Every ${span(every)} until ${moment(schedule.until)}. ${schedule.overlap === "skip" ? "A tick is skipped while the one before is at work" : "Ticks queue up"}; of ticks that were missed, ${{ none: "none is", one: "one is", all: "all are" }[schedule.catch_up]} made up for.</p>
    <p>${plural(schedule.ended, "tick")} ended${schedule.failed ? html`, <strong class="bad">${schedule.failed} failed</strong>` : ""}${schedule.skipped ? `, ${schedule.skipped} skipped` : ""}${schedule.running.length ? ", one is at work" : ""}</p>
    ${passed.map((item) => html`<p class="hint" key=${item.id}>${moment(item.at)}: ${item.text}</p>`)}
    ${schedule.last_result && html`<p class="peek"><span class="label">Last</span> ${short(schedule.last_result, 300)}</p>`}
    ${!schedule.over && session.value?.role !== "viewer" && html`<div class="actions left"><${Act} class="small" act=${async () => { await ask("DELETE", `/v1/runs/${run.id}/schedules/${schedule.id}`); say("It ticks no more; the run goes on."); }}>End it<//></div>`}
    <ol class="ticks">${next.map((at) => html`<li key=${at}><time datetime=${new Date(at).toISOString()}>${moment(at)}</time></li>`)}${next.length === SHOWN && total - schedule.next_index > SHOWN && html`<li class="hint">and ${total - schedule.next_index - SHOWN} more</li>`}</ol></section>`;
}

// ISO 8601 ("PT6H", "P1D") or seconds.
export function seconds(duration) {
  if (typeof duration === "number") return duration;
  const [, days = 0, hours = 0, minutes = 0, rest = 0] = /^P(?:([\d.]+)D)?(?:T(?:([\d.]+)H)?(?:([\d.]+)M)?(?:([\d.]+)S)?)?$/.exec(duration) ?? [];
  return days * 86400 + hours * 3600 + minutes * 60 + Number(rest);
}
