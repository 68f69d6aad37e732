// Two runs side by side: what differs stands out.

import { html, useEffect, useState } from "./vendor/preact.js";
import { get } from "./net.js";
import { Link, Prose, State, stepState } from "./parts.js";
import { bytes, column, moment, number, span } from "./words.js";

const ROWS = [
  ["State", (run) => html`<${State} state=${run.state} asks=${run.open_asks} on=${run.waits_on} />`, (run) => run.state],
  ["Begun", (run) => moment(run.created_at)],
  ["Mode", (run) => run.mode.toUpperCase()],
  ["Took", (run) => run.ended_at ? span(Date.parse(run.ended_at) - Date.parse(run.created_at)) : "not ended"],
  ["At work", (run) => span(run.usage.active_ms)],
  ["Model calls", (run) => number(run.usage.llm_calls)],
  ["Tool calls", (run) => number(run.usage.tool_calls)],
  ["Tokens read", (run) => number(run.usage.tokens.prompt)],
  ["Tokens written", (run) => number(run.usage.tokens.output)],
  ["Credits", (run, runs) => column(runs.map((one) => one.credits))(run.credits)],
  ["Steps", (run) => run.plan ? html`<ol>${run.plan.steps.map((step) => html`<li key=${step.id}>${step.description} <${State} state=${stepState(step.status)} /></li>`)}</ol>` : "no plan", (run) => JSON.stringify(run.plan?.steps.map((step) => [step.description, step.status]))],
  ["Files", (run) => run.artifacts.length ? html`<ul>${run.artifacts.map((file) => html`<li key=${file.id}><code>${file.path}</code> <small>${bytes(file.size_bytes)}, ${file.sha256.slice(0, 8)}</small></li>`)}</ul>` : "none", (run) => JSON.stringify(run.artifacts.map((file) => [file.path, file.sha256]))],
  ["Result", (run) => run.result ? html`<${Prose} text=${run.result} />` : run.failure?.message ?? "none yet", (run) => run.result ?? run.failure?.message],
];

export function Compare({ ids }) {
  const [runs, setRuns] = useState(null), [problem, setProblem] = useState(null);
  useEffect(() => { setRuns(null); Promise.all(ids.map((id) => get(`/v1/runs/${encodeURIComponent(id)}`))).then(setRuns, setProblem); }, [ids.join()]);
  if (problem) return html`<div class="empty"><h2>These runs cannot be compared</h2><p>${problem.message}</p><${Link} to="/" class="button">All runs<//></div>`;
  if (!runs) return html`<div class="empty" aria-busy="true">Opening both…</div>`;
  const differs = (row) => new Set(runs.map((run) => (row[2] ?? row[1])(run, runs))).size > 1;
  return html`<div class="table-scroll compare" tabindex="0" role="region" aria-label="Comparison"><table class="data"><thead><tr><td></td>${runs.map((run) => html`<th scope="col" key=${run.id}><${Link} to="/runs/${run.id}"><bdi>${run.title}</bdi><//></th>`)}</tr></thead>
    <tbody>${ROWS.map((row) => html`<tr key=${row[0]} class=${differs(row) ? "differs" : ""}><th scope="row">${row[0]}${differs(row) && html`<span class="sr"> (differs)</span>`}</th>${runs.map((run) => html`<td key=${run.id}>${row[1](run, runs)}</td>`)}</tr>`)}</tbody></table></div>`;
}
