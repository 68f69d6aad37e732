// What it costs, and for what.

import { html, useEffect, useMemo, useState } from "./vendor/preact.js";
import { get } from "./net.js";
import { over, worked } from "./story.js";
import { Link, Meter, State, now } from "./parts.js";
import { column, credits, number, plural, short, span, spans } from "./words.js";

export function Costs({ story }) {
  const { view } = story, { usage, limits } = view, [{ runs: children, next }, setPage] = useState({ runs: [] }), [split, setSplit] = useState(null), [ahead, setAhead] = useState(null);
  useEffect(() => {
    get(`/v1/runs/${story.id}/children?limit=500`).then((page) => setPage({ ...page, runs: page.runs.reverse() }), () => {});
    get(`/v1/runs/${story.id}/credits?detail=true`).then((found) => setSplit(found.detail), () => {});
    if (!over(story)) get(`/v1/runs/${story.id}/forecast`).then(setAhead, () => {});
  }, [story.id, story.seq, view.credits]);
  const tools = useMemo(() => byTool(story.items), [story.items]);
  const ofSteps = column(children.map((run) => run.credits)), ofTools = column(tools.map((one) => one.credits)), times = spans(tools.map((one) => one.ms));
  const cap = limits.credits ? limits.credits / 1000 : 0, { tokens } = usage;
  return html`<div class="costs">
    <div class="gauges"><${Meter} label="Model calls" value=${usage.llm_calls} most=${limits.llm_calls} text="${number(usage.llm_calls)} / ${number(limits.llm_calls)}" />
      <${Meter} label="Credits" value=${view.credits} most=${cap} text=${cap ? `${credits(view.credits)} / ${credits(cap)}` : credits(view.credits)} /></div>
    <${Split} title="By kind" rows=${[["Model", usage.credits.llm / 1000], ["Tools", usage.credits.tools / 1000], ["Storage", usage.credits.storage / 1000]]} />
    ${!over(story) && ahead && html`<p class="hint">${forecast(ahead)}</p>`}
    ${split && GROUPS.map(([name, title]) => split[name].length > (name === "causes" ? 0 : 1) && html`<${Split} title=${title} rows=${split[name].map((one) => [CAUSES[one.name] ?? one.name, one.credits])} />`)}
    ${split?.rate_limit_waits > 0 && html`<p class="hint">Waited ${plural(split.rate_limit_waits, "time")} for the model's provider, ${span(1000 * split.rate_limit_seconds)} altogether, free of charge.</p>`}
    ${split?.waived > 0 && html`<p class="hint">${credits(split.waived)} credits were made useless by a fault of the platform and are not charged.</p>`}
    ${children.length > 0 && html`<section><h3>By step</h3><table class="plain"><tbody>${children.map((run) => html`<tr key=${run.id}><td><${Link} to="/runs/${run.id}">${run.parent?.kind === "step" ? `Step ${run.parent.key}` : short(run.title, 40)}<//></td><td><${State} state=${run.state} asks=${run.open_asks} /></td><td class="right figure">${ofSteps(run.credits)}</td></tr>`)}</tbody></table>${next && html`<p class="hint">The newest ${children.length}; every step is in the plan.</p>`}</section>`}
    <section><h3>Tokens</h3><table class="plain"><tbody>${[["Read", tokens.prompt], ["of which from the cache", tokens.cached], ["Written", tokens.output], ["Thought", tokens.thoughts], ["For tools", tokens.tool_use]].filter(([, count]) => count).map(([name, count]) => html`<tr><td>${name}</td><td class="right figure">${number(count)}</td></tr>`)}</tbody></table></section>
    ${tools.length > 0 && html`<section><h3>Tools${story.whole ? "" : html` <small class="hint">in what is loaded</small>`}</h3><table class="plain"><thead><tr><th>Tool</th><th class="right">Calls</th><th class="right">Failed</th><th class="right">Time</th><th class="right">Credits</th></tr></thead>
      <tbody>${tools.map((one) => html`<tr key=${one.tool}><td><code>${one.tool}</code></td><td class="right figure">${one.calls}</td><td class="right figure">${one.failed || ""}</td><td class="right figure">${times(one.ms)}</td><td class="right figure">${one.credits ? ofTools(one.credits) : ""}</td></tr>`)}</tbody></table></section>`}
    <p class="hint">${span(worked(story, now.value))} at work, ${plural(usage.tool_calls, "tool call")} done. Waiting is free.</p></div>`;
}

const CAUSES = { useful: "Useful work", retry: "Retries", loop: "Going in circles", "platform fault": "Faults of the platform", "no model: tools": "Tools, without a model", "no model: storage": "Storage, without a model" };
const GROUPS = [["causes", "By cause"], ["models", "By model"]];

function Split({ title, rows }) {
  const total = rows.reduce((sum, [, value]) => sum + value, 0), said = column(rows.map(([, value]) => value));
  if (!total) return null;
  return html`<section><h3>${title}</h3><table class="plain split"><tbody>${rows.filter(([, value]) => value).map(([name, value]) => html`<tr key=${name}><td>${name.replaceAll("_", " ")}</td>
    <td class="share"><svg viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true"><rect width=${value / total * 100} height="6" rx="1" /></svg></td><td class="right figure">${said(value)}</td></tr>`)}</tbody></table></section>`;
}

function byTool(items) {
  const found = new Map();
  for (const item of items) {
    if (item.kind !== "tool") continue;
    const one = found.get(item.tool) ?? { tool: item.tool, calls: 0, failed: 0, ms: 0, credits: 0 };
    found.set(item.tool, { ...one, calls: one.calls + 1, failed: one.failed + (item.result?.error ? 1 : 0), ms: one.ms + (item.result?.ms ?? 0), credits: one.credits + (item.result?.credits ?? 0) });
  }
  return [...found.values()].sort((a, b) => b.calls - a.calls);
}

const forecast = (one) => `It has cost ${credits(one.spent)} credits and will probably come to ${credits(one.credits_p50)}, in nine of ten cases below ${credits(one.credits_p90)}.`
  + (one.within_budget === null ? "" : { yes: " That is within its budget.", perhaps: " Its budget may not suffice.", no: " Its budget will not suffice." }[one.within_budget]);
