// The plan: its steps as they depend on each other, or as a list, and what can be done with one.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { ask, get, post, session } from "./net.js";
import { Act, Dialog, Icon, Link, Prose, STATES, State, Steps, now, stepState, useWidth } from "./parts.js";
import { CHIP, NARROW, NODE, folded, layout, longest, waves } from "./graph.js";
import { Card } from "./schedules.js";
import { over } from "./story.js";
import { credits, moment, plain, plural, sentence, short, span } from "./words.js";

export function Plan({ story, refresh, onFollow, onFork }) {
  const { plan, schedules } = story.view, [as, setAs] = useState("graph"), [picked, setPicked] = useState(null);
  const steps = useMemo(() => {
    const asking = new Set(Object.values(story.asks).filter((ask) => ask.state === "open").map((ask) => ask.run));
    const known = (plan?.steps ?? []).map((step) => ({ ...step, ...story.steps[step.id] }));
    return known.map((step) => over(story) ? left(step, story) : step).map((step) => ({ ...step, state: asking.has(step.run) ? "asks" : stepState(step.status) }));
  }, [plan, story.steps, story.asks, story.status]);
  const clocks = schedules.map((schedule) => html`<${Card} key=${schedule.id} run=${story.id} schedule=${schedule} ended=${over(story)} />`);
  if (!plan) return schedules.length ? html`<div class="plan">${clocks}</div>` : html`<p class="hint">It works without a plan.</p>`;
  const step = steps.find((one) => one.id === picked), chain = longest(steps, ms), chosen = step && html`<${Chosen} key=${step.id} ...${{ step, story, refresh, onFollow, onFork }} />`;
  return html`<div class="plan">
    <div class="bar-row"><${Steps} done=${steps.filter((one) => one.status === "completed").length} total=${steps.length} />
      <span class="hint">${plural(waves(steps).length, "wave")}${plan.revision > 1 ? ` · revision ${plan.revision}` : ""}</span>
      <div class="segmented" role="group" aria-label="Show the plan as">${[["graph", "Graph"], ["list", "List"]].map(([id, name]) => html`<button key=${id} aria-pressed=${as === id} onClick=${() => setAs(id)}>${name}</button>`)}</div></div>
    ${plan.goal && html`<p class="goal">${plan.goal}</p>`}
    ${as === "graph" ? html`<${Graph} steps=${steps} picked=${picked} onPick=${setPicked} path=${chain.path} />
      ${chain.path.length > 1 && chain.path.length < steps.length && html`<p class="hint legend"><i aria-hidden="true"></i>Longest way: ${chain.path.length > 8 ? plural(chain.path.length, "step") : chain.path.join(" → ")}${chain.ms ? `, ${span(chain.ms)} so far` : ""}. The rest runs beside it.</p>`}` : html`<ol class="step-list">${steps.map((one) => html`<li key=${one.id}><button class="step-row" aria-expanded=${picked === one.id} onClick=${() => setPicked(picked === one.id ? null : one.id)}>
      <span class="step-number">${one.id}</span><span class="step-text">${one.description}</span><${State} state=${one.state} /></button>${step === one && chosen}</li>`)}</ol>`}
    ${as === "graph" && chosen}
    <${Revisions} run=${story.id} changed=${`${plan.revision} ${steps.filter((one) => one.status === "skipped").length}`} />
    ${clocks}</div>`;
}

// A run that was stopped takes its steps along, and tells of none.
const left = (step, story) => step.status === "in_progress" ? { ...step, status: "cancelled", endedAt: story.view.ended_at ?? step.startedAt } : step;

// All of them, however little of a long run is loaded: asked for when somebody wants to see them.
function Revisions({ run, changed }) {
  const [open, setOpen] = useState(false), [found, setFound] = useState(null), [problem, setProblem] = useState(null);
  useEffect(() => { if (open) get(`/v1/runs/${run}/revisions`).then((page) => { setFound(page.revisions); setProblem(null); }, setProblem); }, [open, run, changed]);
  return html`<details class="revisions" onToggle=${(event) => setOpen(event.currentTarget.open)}><summary>How it changed</summary>
    ${problem ? html`<p class="problem" role="alert">${sentence(problem.message)} Close this and open it to try again.</p>` : found === null ? html`<p class="hint" aria-busy="true">Looking…</p>` :
      !found.length ? html`<p class="hint">It is as it was made.</p>` : html`<ol>${found.map((one, index) => html`<li key=${index}><time datetime=${one.at}>${moment(one.at)}</time>${one.note && html` ${sentence(one.note)}`}<${Diff} changes=${one.diff} /></li>`)}</ol>`}</details>`;
}

// What each changed step was, and what it is now.
const Diff = ({ changes }) => html`<ul class="diff">${changes.map((one) => html`<li key=${one.id}><b>${one.id}</b> ${LINES.map(([name, said]) => {
  const before = said(one.old?.[name]), now = said(one.new?.[name]);
  return before !== now && html`<span key=${name}>${before && html`<del>${before}</del> `}${now && html`<ins>${now}</ins>`} </span>`;
})}</li>`)}</ul>`;
const LINES = [["description", (text) => text ?? ""], ["depends_on", (ids) => ids?.length ? `after ${ids.join(", ")}` : ""], ["status", (status) => status ?? ""]];

const MANY = 40;   // steps above which each is only a number

function Graph({ steps, picked, onPick, path }) {
  const box = useRef(), room = useWidth(box) - 14, node = steps.length > MANY ? CHIP : room < 420 ? NARROW : NODE;
  const shape = steps.map((step) => `${step.id}:${step.depends_on.join(",")}`).join(" ");
  const drawn = useMemo(() => layout(steps, node, room), [shape, node, room]);
  const [at, setAt] = useState(null), stop = steps.some((step) => step.id === at) ? at : steps[0]?.id;   // one place for the Tab key, arrows go on from there
  const keys = (event) => {
    const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key], next = by && steps[steps.findIndex((step) => step.id === stop) + by];
    if (!next) return;
    event.preventDefault();
    box.current.querySelector(`[data-step="${next.id}"]`).focus();
  };
  const byId = new Map(steps.map((step) => [step.id, step])), way = new Set(path.map((id, index) => `${path[index - 1]}-${id}`));
  return html`<div class="graph" ref=${box} tabindex="0" role="region" aria-label="Steps of the plan">
    <svg class=${node.words ? "" : "many"} width=${drawn.width} height=${drawn.height} viewBox="0 0 ${drawn.width} ${drawn.height}" role="group" aria-label="${steps.length} steps; the arrow keys go from one to the next" onKeyDown=${keys}>
      ${drawn.edges.map((edge) => html`<path key="${edge.from}-${edge.to}" class="edge is-${byId.get(edge.from)?.status} ${way.has(`${edge.from}-${edge.to}`) ? "way" : ""} ${picked === edge.from || picked === edge.to ? "near" : ""}" d=${edge.path} />`)}
      ${drawn.nodes.map(({ step, x, y }) => html`<${Node} key=${step.id} step=${byId.get(step.id)} x=${x} y=${y} node=${node} picked=${picked === step.id} stop=${stop === step.id} onPick=${onPick} onFocus=${() => setAt(step.id)} />`)}</svg></div>`;
}

// As wide as the words of a step are drawn (`.node text`).
const pen = document.createElement("canvas").getContext("2d");
function measured(text) {
  pen.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

function Node({ step, x, y, node, picked, stop, onPick, onFocus }) {
  const lines = useMemo(() => node.words ? folded(step.description, node.width - 20, measured) : [], [step.description, node]), press = () => onPick(picked ? null : step.id);
  const key = (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); } };
  const after = step.depends_on.length ? `, after ${step.depends_on.join(", ")}` : "", middle = node.words ? 17 : node.height / 2;
  return html`<g class="node is-${step.status} ${step.state === "asks" ? "is-asks" : ""}" transform="translate(${x} ${y})" role="button" data-step=${step.id} tabindex=${stop ? 0 : -1} aria-pressed=${picked} onFocus=${onFocus} aria-label="Step ${step.id}, ${STATES[step.state].toLowerCase()}${after}: ${step.description}" onClick=${press} onKeyDown=${key}>
    <title>${step.id}. ${short(step.description, 300)}</title>
    <rect class="box" width=${node.width} height=${node.height} rx=${node.words ? 9 : 7} />
    <circle class="dot" cx=${node.words ? 15 : 11} cy=${middle} r="4" /><text class="number" x=${node.words ? 26 : 20} y=${middle + 4}>${step.id}</text>${node.words && html`<text class="took" x=${node.width - 10} y="21" text-anchor="end">${took(step)}</text>`}
    ${lines.map((line, index) => html`<text key=${index} class="words" x="11" y=${38 + index * 14}>${line}</text>`)}</g>`;
}

const ms = (step) => step.startedAt ? (step.endedAt ? Date.parse(step.endedAt) : now.value) - Date.parse(step.startedAt) : null;
const took = (step) => step.startedAt ? span(ms(step)) : "";

function Chosen({ step, story, refresh, onFollow, onFork }) {
  const may = !over(story) && session.value?.role !== "viewer", [text, setText] = useState(null), [leaving, setLeaving] = useState(false);
  const where = `/v1/runs/${story.id}/steps/${step.id}`, began = story.items.find((item) => item.kind === "step" && item.step === step.id && item.status === "in_progress" && item.run === story.id);
  const change = async () => { await ask("PATCH", where, { description: text.trim() }); setText(null); await refresh(); };
  const skip = async () => { await ask("DELETE", where); setLeaving(false); await refresh(); };
  const retry = async () => { await post(`/v1/runs/${story.id}/retry`, { step: step.id }); await refresh(); };
  const lane = story.lanes[step.run] ?? [], [cost, setCost] = useState(null);
  useEffect(() => { setCost(null); if (step.run) get(`/v1/runs/${step.run}`).then((run) => setCost(`${credits(run.credits)} credits, ${plural(run.usage.llm_calls, "model call")}, ${plural(run.usage.tool_calls, "tool call")}`), () => {}); }, [step.run, step.status]);
  return html`<section class="chosen card" aria-label="Step ${step.id}"><header><h3>Step ${step.id}</h3><${State} state=${step.state} /></header>
    ${text === null ? html`<p>${step.description}</p>` : html`<label class="sr" for="step-text">What step ${step.id} is to do</label><textarea id="step-text" rows="3" value=${text} onInput=${(event) => setText(event.currentTarget.value)}></textarea>
      <div class="actions left"><${Act} class="primary small" disabled=${!text.trim()} act=${change}>Save<//><button class="small" onClick=${() => setText(null)}>Cancel</button></div>`}
    <dl class="pairs">${step.depends_on.length > 0 && html`<div><dt>After</dt><dd>${step.depends_on.map((id) => `step ${id}`).join(", ")}${step.join === "all" ? "" : ` (${step.join})`}</dd></div>`}
      ${step.startedAt && html`<div><dt>Took</dt><dd>${took(step)}${lane.length > 1 ? ` in ${lane.length} slices` : ""}</dd></div>`}
      ${cost && html`<div><dt>Cost</dt><dd>${cost}</dd></div>`}
      ${step.attempt > 1 && html`<div><dt>Attempt</dt><dd>${step.attempt}</dd></div>`}</dl>
    ${step.result && html`<div class="peek"><${Prose} text=${step.result} /></div>`}${step.error && html`<p class="problem">${sentence(plain(step.error))}</p>`}
    <div class="actions left">${step.run && html`<button class="small" onClick=${() => onFollow(step.run)}>Only its activity</button><${Link} class="button small" to="/runs/${step.run}">Open<//>`}
      ${step.status === "failed" && may && html`<${Act} class="small" act=${retry}>Retry this step<//>`}
      ${step.status === "pending" && may && text === null && html`<button class="small" onClick=${() => setText(step.description)}><${Icon} name="pen" />Change</button><button class="small" onClick=${() => setLeaving(true)}>Skip…</button>`}
      ${began && session.value?.role !== "viewer" && !story.view.parent && html`<button class="small" onClick=${() => onFork(began.id)}><${Icon} name="fork" />Fork from here…</button>`}</div>
    ${leaving && html`<${Dialog} title="Skip step ${step.id}?" onClose=${() => setLeaving(false)}><p>${step.description}</p><p>It is left out for good. Steps that wait for it go on without it, once what it waits for is done.</p>
      <div class="actions"><button onClick=${() => setLeaving(false)}>Keep it</button><${Act} class="danger" act=${skip}>Skip it<//></div><//>`}</section>`;
}
