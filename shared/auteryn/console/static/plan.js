// The plan: its steps as they depend on each other, or as a list, and what can be done with one.

import { html, useMemo, useState } from "./vendor/preact.js";
import { post, session } from "./net.js";
import { Act, Link, Prose, State, Steps, now } from "./parts.js";
import { NODE, layout, waves } from "./graph.js";
import { Card } from "./schedules.js";
import { over } from "./story.js";
import { clock, short, span } from "./words.js";

export function Plan({ story, refresh, onFollow }) {
  const { plan, schedules } = story.view, [as, setAs] = useState("graph"), [picked, setPicked] = useState(null);
  const steps = useMemo(() => (plan?.steps ?? []).map((step) => ({ ...step, ...story.steps[step.id] })), [plan, story.steps]);
  const revisions = useMemo(() => story.items.filter((item) => item.fact === "plan_revised"), [story.items]);
  if (!plan) return html`${schedules.map((schedule) => html`<${Card} key=${schedule.id} run=${story.view} schedule=${schedule} />`)}
    ${!schedules.length && html`<p class="hint">It works without a plan.</p>`}`;
  const step = steps.find((one) => one.id === picked);
  return html`<div class="plan">
    <div class="bar-row"><${Steps} done=${steps.filter((one) => one.status === "completed").length} total=${steps.length} />
      <span class="hint">${waves(steps).length} waves${plan.revision > 1 ? ` · revision ${plan.revision}` : ""}</span>
      <div class="segmented" role="group" aria-label="Show the plan as">${[["graph", "Graph"], ["list", "List"]].map(([id, name]) => html`<button key=${id} aria-pressed=${as === id} onClick=${() => setAs(id)}>${name}</button>`)}</div></div>
    ${plan.goal && html`<p class="goal">${plan.goal}</p>`}
    ${as === "graph" ? html`<${Graph} steps=${steps} picked=${picked} onPick=${setPicked} />` : html`<ol class="step-list">${steps.map((one) => html`<li key=${one.id}><button class="step-row" aria-expanded=${picked === one.id} onClick=${() => setPicked(picked === one.id ? null : one.id)}>
      <span class="step-number">${one.id}</span><span class="step-text">${one.description}</span><${State} state=${one.status} /></button></li>`)}</ol>`}
    ${step && html`<${Chosen} step=${step} story=${story} refresh=${refresh} onFollow=${onFollow} />`}
    ${revisions.length > 0 && html`<details class="revisions"><summary>How it changed</summary><ol>${revisions.map((item) => html`<li key=${item.id}><time>${clock(item.at)}</time> ${item.text}</li>`)}</ol></details>`}
    ${schedules.map((schedule) => html`<${Card} key=${schedule.id} run=${story.view} schedule=${schedule} />`)}</div>`;
}

function Graph({ steps, picked, onPick }) {
  const drawn = useMemo(() => layout(steps), [steps]);
  const state = new Map(steps.map((step) => [step.id, step.status]));
  return html`<div class="graph" tabindex="0" role="region" aria-label="Steps of the plan">
    <svg width=${drawn.width} height=${drawn.height} viewBox="0 0 ${drawn.width} ${drawn.height}" role="group" aria-label="${steps.length} steps">
      ${drawn.edges.map((edge) => html`<path key="${edge.from}-${edge.to}" class="edge is-${state.get(edge.from)}" d=${edge.path} />`)}
      ${drawn.nodes.map(({ step, x, y }) => html`<${Node} key=${step.id} step=${step} x=${x} y=${y} picked=${picked === step.id} onPick=${onPick} />`)}</svg></div>`;
}

function Node({ step, x, y, picked, onPick }) {
  const lines = folded(step.description), press = () => onPick(picked ? null : step.id);
  const key = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); } };
  const after = step.depends_on.length ? `, after ${step.depends_on.join(", ")}` : "";
  return html`<g class="node is-${step.status}" transform="translate(${x} ${y})" role="button" tabindex="0" aria-pressed=${picked} aria-label="Step ${step.id}, ${step.status.replace("_", " ")}${after}: ${step.description}" onClick=${press} onKeyDown=${key}>
    <rect class="box" width=${NODE.width} height=${NODE.height} rx="9" />
    <circle class="dot" cx="15" cy="17" r="4" /><text class="number" x="26" y="21">${step.id}</text><text class="took" x=${NODE.width - 10} y="21" text-anchor="end">${took(step)}</text>
    ${lines.map((line, index) => html`<text key=${index} class="words" x="11" y=${38 + index * 14}>${line}</text>`)}</g>`;
}

// Two lines of what fits.
function folded(text, most = 23) {
  const words = text.split(/\s+/), lines = [""];
  for (const word of words) {
    const line = `${lines.at(-1)} ${word}`.trim();
    if (line.length <= most) lines[lines.length - 1] = line;
    else lines.push(word);
  }
  const shown = lines.filter(Boolean).map((line) => short(line, most + 1)).slice(0, 2);
  if (lines.filter(Boolean).length > 2) shown[1] = short(`${shown[1]} ${lines[2]}…`, most);
  return shown;
}

const took = (step) => step.startedAt ? span((step.endedAt ? Date.parse(step.endedAt) : now.value) - Date.parse(step.startedAt)) : "";

function Chosen({ step, story, refresh, onFollow }) {
  const retry = async () => { await post(`/v1/runs/${story.id}/retry`, { step: step.id }); await refresh(); };
  const lane = story.lanes[step.run] ?? [];
  return html`<section class="chosen card" aria-label="Step ${step.id}"><header><h3>Step ${step.id}</h3><${State} state=${step.status} /></header>
    <p>${step.description}</p>
    <dl class="pairs">${step.depends_on.length > 0 && html`<div><dt>After</dt><dd>${step.depends_on.map((id) => `step ${id}`).join(", ")}${step.join === "all" ? "" : ` (${step.join})`}</dd></div>`}
      ${step.startedAt && html`<div><dt>Took</dt><dd>${took(step)}${lane.length > 1 ? ` in ${lane.length} slices` : ""}</dd></div>`}
      ${step.attempt > 1 && html`<div><dt>Attempt</dt><dd>${step.attempt}</dd></div>`}</dl>
    ${step.result && html`<div class="peek"><${Prose} text=${step.result} /></div>`}${step.error && html`<p class="problem">${step.error}</p>`}
    <div class="actions left">${step.run && html`<button class="small" onClick=${() => onFollow(step.run)}>Only its activity</button><${Link} class="button small" to="/runs/${step.run}">Open<//>`}
      ${step.status === "failed" && !over(story) && session.value?.role !== "viewer" && html`<${Act} class="small" act=${retry}>Retry this step<//>`}</div></section>`;
}
