// All runs: who needs somebody, what is at work, what it costs.

import { html, useEffect, useMemo, useState } from "./vendor/preact.js";
import { get, polled, post, session } from "./net.js";
import { Act, Dialog, Icon, Link, State, Steps, address, go, look, now, say, setQuery } from "./parts.js";
import { AskCard } from "./asking.js";
import { NewRun } from "./starting.js";
import { Schedules } from "./schedules.js";
import { ago, credits, moment, plural, short } from "./words.js";

const EVERY = 2000;
const STATES = [["", "All"], ["asks", "Needs you"], ["running", "Working"], ["waiting", "Waiting"], ["paused", "Paused"], ["completed", "Completed"], ["failed", "Failed"], ["cancelled", "Stopped"]];
const WAITS = { until: "a time", steps: "its steps", person: "a person", budget: "budget", rate_limit: "the rate limit" };

export function RunList() {
  const [runs, setRuns] = useState(null), [asks, setAsks] = useState([]), [chosen, setChosen] = useState(new Set()), [pages, setPages] = useState(1), [more, setMore] = useState(false);
  const query = address.value.searchParams;
  const view = query.get("view") ?? "runs";
  const look_ = async () => {
    const found = [];
    let next = null;
    for (let page = 0; page < pages && (page === 0 || next); page += 1) {
      const answer = await get(`/v1/runs?limit=100${next ? `&cursor=${encodeURIComponent(next)}` : ""}`);
      found.push(...answer.runs);
      next = answer.next;
    }
    setRuns(found);
    setMore(Boolean(next));
    setAsks((await get("/v1/asks")).asks);
  };
  useEffect(() => polled(EVERY, look_), [pages]);
  useEffect(() => { document.title = asks.length ? `(${asks.length}) Auteryn` : "Auteryn"; }, [asks.length]);
  const shown = useMemo(() => filtered(runs ?? [], query), [runs, address.value]);
  const titles = new Map((runs ?? []).map((run) => [run.id, run.title]));
  return html`<main class="list">
    <div class="page-head"><h1>Runs</h1><${Views} at=${view} />
      ${session.value?.role !== "viewer" && html`<button class="primary" onClick=${() => setQuery({ new: "1" })}><${Icon} name="plus" />New run</button>`}</div>
    ${asks.length > 0 && view === "runs" && html`<section class="inbox" aria-labelledby="inbox"><h2 id="inbox">${asks.length === 1 ? "1 needs you" : `${asks.length} need you`}</h2>
      ${asks.slice(0, 5).map((ask) => html`<${AskCard} key=${ask.id} ask=${ask} title=${titles.get(ask.run) ?? "a step of a run"} onAnswered=${look_} />`)}
      ${asks.length > 5 && html`<p class="hint">and ${plural(asks.length - 5, "more", "more")}: each stands on its run's page</p>`}</section>`}
    ${view === "schedules" ? html`<${Schedules} />` : html`
      <${Summary} runs=${runs ?? []} asks=${asks} />
      <${Filters} query=${query} runs=${runs ?? []} />
      ${chosen.size > 0 && html`<${Bulk} runs=${shown.filter((run) => chosen.has(run.id))} onDone=${() => { setChosen(new Set()); look_(); }} />`}
      ${runs === null ? html`<div class="empty" aria-busy="true">Looking…</div>` : shown.length ? html`<${Table} runs=${shown} chosen=${chosen} setChosen=${setChosen} />` : html`<${Empty} any=${runs.length > 0} />`}
      ${more && html`<p class="center"><button onClick=${() => setPages(pages + 1)}>Older runs</button></p>`}`}
    ${query.get("new") && html`<${NewRun} onClose=${() => setQuery({ new: "" })} onStarted=${(run) => go(`/runs/${run.id}`)} />`}
  </main>`;
}

const Views = ({ at }) => html`<nav class="segmented" aria-label="What to see">
  ${[["runs", "Runs"], ["schedules", "Schedules"]].map(([id, name]) => html`<button key=${id} aria-pressed=${at === id} onClick=${() => setQuery({ view: id === "runs" ? "" : id })}>${name}</button>`)}</nav>`;

function filtered(runs, query) {
  const state = query.get("state"), mode = query.get("mode"), text = query.get("q")?.toLowerCase(), tag = query.get("tag"), days = Number(query.get("days"));
  return runs.filter((run) => (!state || look(run.state, run.open_asks) === state || (state === "waiting" && run.state === "waiting") || (state === "running" && run.state === "pending"))
    && (!mode || run.mode === mode) && (!text || `${run.title} ${run.id} ${run.why}`.toLowerCase().includes(text))
    && (!tag || Object.entries(run.labels).some(([name, value]) => `${name}:${value}` === tag))
    && (!days || Date.now() - Date.parse(run.created_at) < days * 86400e3));
}

function Filters({ query, runs }) {
  const tags = [...new Set(runs.flatMap((run) => Object.entries(run.labels).map(([name, value]) => `${name}:${value}`)))].sort();
  const pick = (name) => (event) => setQuery({ [name]: event.currentTarget.value });
  const choice = (name, label, options) => html`<label class="choice"><span class="sr">${label}</span><select value=${query.get(name) ?? ""} onChange=${pick(name)}>${options.map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select></label>`;
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <label class="search"><span class="sr">Search runs</span><${Icon} name="search" /><input type="search" placeholder="Search" value=${query.get("q") ?? ""} onInput=${pick("q")} /></label>
    ${choice("state", "State", STATES)}${choice("mode", "Mode", [["", "Any mode"], ["fast", "Fast"], ["deep", "Deep"]])}
    ${choice("days", "Started", [["", "Any time"], ["1", "Today"], ["7", "7 days"], ["30", "30 days"]])}
    ${tags.length > 0 && choice("tag", "Tag", [["", "Any tag"], ...tags.map((tag) => [tag, tag])])}
  </form>`;
}

function Summary({ runs, asks }) {
  const live = runs.filter((run) => !run.ended_at), wakes = live.flatMap((run) => run.waits.filter((wait) => wait.at).map((wait) => wait.at)).sort();
  const sleeping = live.filter((run) => run.state === "waiting" && !run.open_asks), day = Date.now() - 86400e3;
  const failed = runs.filter((run) => run.status === "failed" && Date.parse(run.ended_at) > day);
  const spent = runs.filter((run) => Date.parse(run.created_at) > day).reduce((sum, run) => sum + run.credits, 0);
  return html`<dl class="summary">
    <div class=${asks.length ? "loud" : ""}><dt>Need you</dt><dd>${asks.length}</dd></div>
    <div><dt>Working</dt><dd>${live.filter((run) => run.state === "running" || run.state === "pending").length}</dd></div>
    <div><dt>Sleeping</dt><dd>${sleeping.length}${wakes[0] && html`<small>next ${moment(wakes[0])}</small>`}</dd></div>
    <div class=${failed.length ? "bad" : ""}><dt>Failed, 24 h</dt><dd>${failed.length}</dd></div>
    <div><dt>Credits, 24 h</dt><dd>${credits(spent)}</dd></div>
  </dl>`;
}

function Table({ runs, chosen, setChosen }) {
  const toggle = (id) => { const next = new Set(chosen); next.delete(id) || next.add(id); setChosen(next); };
  const all = runs.every((run) => chosen.has(run.id));
  const keys = (event) => {
    const by = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 }[event.key], rows = [...event.currentTarget.querySelectorAll("a.run-link")], at = rows.indexOf(document.activeElement);
    if (!by || at < 0 && document.activeElement?.tagName !== "BODY") return;
    event.preventDefault();
    rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  };
  const mark = session.value?.role !== "viewer";
  return html`<table class="runs" onKeyDown=${keys}><thead><tr>
      ${mark && html`<th class="pick"><input type="checkbox" aria-label="Choose all" checked=${all} onChange=${() => setChosen(new Set(all ? [] : runs.map((run) => run.id)))} /></th>`}
      <th>Run</th><th>State</th><th>Progress</th><th>Waiting on</th><th class="right">Credits</th><th class="right">Age</th></tr></thead>
    <tbody>${runs.map((run) => html`<tr key=${run.id} class=${chosen.has(run.id) ? "chosen" : ""}>
      ${mark && html`<td class="pick"><input type="checkbox" aria-label="Choose ${run.title}" checked=${chosen.has(run.id)} onChange=${() => toggle(run.id)} /></td>`}
      <td class="name"><${Link} to="/runs/${run.id}" class="run-link">${short(run.title, 120)}<//>
        <span class="mode is-${run.mode}">${run.mode}</span>${Object.entries(run.labels).map(([name, value]) => html`<span class="tag">${name}: ${value}</span>`)}</td>
      <td><${State} state=${run.state} asks=${run.open_asks} /></td>
      <td class="progress">${run.steps > 0 && html`<${Steps} done=${run.step} total=${run.steps} />`}<span class="day">Day ${run.day} of ${run.days}</span></td>
      <td class="why" title=${run.why}>${run.ended_at ? "" : waitingOn(run)}</td>
      <td class="right figure">${credits(run.credits)}${run.limits.credits ? html`<small> / ${credits(run.limits.credits / 1000)}</small>` : ""}</td>
      <td class="right age" title=${run.created_at}>${ago(run.updated_at ?? run.ended_at ?? run.created_at, now.value)}</td></tr>`)}</tbody></table>`;
}

const waitingOn = (run) => {
  const kinds = [...new Set(run.waits.map((wait) => WAITS[wait.kind] ?? wait.kind))];
  if (run.open_asks) return "a person";
  return kinds.length && run.state === "waiting" ? kinds.join(", ") + (run.waits[0].at ? `, ${moment(run.waits[0].at)}` : "") : "";
};

const ACTS = [
  { name: "Stop", may: (run) => !run.ended_at, path: "cancel", warn: "What they have so far stays; a stopped run does not go on." },
  { name: "Pause", may: (run) => !run.ended_at && run.state !== "paused", path: "pause" },
  { name: "Resume", may: (run) => run.state === "paused", path: "resume" },
  { name: "Retry", may: (run) => run.status === "failed" || run.status === "cancelled", path: "retry", warn: "Each starts again as a new run that keeps what its completed steps found." },
];

function Bulk({ runs, onDone }) {
  const [asked, setAsked] = useState(null);
  return html`<div class="bulk" role="toolbar" aria-label="With the chosen runs"><span>${plural(runs.length, "run")} chosen</span>
    ${ACTS.map((act) => { const count = runs.filter(act.may).length; return html`<button disabled=${!count} onClick=${() => setAsked(act)}>${act.name}${count ? ` ${count}` : ""}</button>`; })}
    ${asked && html`<${Confirm} act=${asked} runs=${runs.filter(asked.may)} all=${runs.length} onClose=${() => setAsked(null)} onDone=${onDone} />`}</div>`;
}

function Confirm({ act, runs, all, onClose, onDone }) {
  const doIt = async () => {
    const done = await Promise.allSettled(runs.map((run) => post(`/v1/runs/${run.id}/${act.path}`)));
    const bad = done.filter((one) => one.status === "rejected");
    say(bad.length ? `${bad.length} of ${runs.length} could not: ${bad[0].reason.message}` : `${act.name}: ${plural(runs.length, "run")}`, bad.length > 0);
    onClose();
    onDone();
  };
  return html`<${Dialog} title="${act.name} ${plural(runs.length, "run")}?" onClose=${onClose}>
    <ul class="preview-list">${runs.slice(0, 8).map((run) => html`<li key=${run.id}>${short(run.title, 80)}</li>`)}${runs.length > 8 && html`<li>and ${runs.length - 8} more</li>`}</ul>
    ${runs.length < all && html`<p class="hint">${plural(all - runs.length, "chosen run")} cannot be meant and ${all - runs.length === 1 ? "is" : "are"} left alone.</p>`}
    ${act.warn && html`<p>${act.warn}</p>`}
    <div class="actions"><button onClick=${onClose}>Cancel</button><${Act} class=${act.path === "cancel" ? "danger" : "primary"} act=${doIt}>${act.name} ${runs.length}<//></div>
  <//>`;
}

const Empty = ({ any }) => html`<div class="empty">${any ? html`<h2>No run fits</h2><p>Nothing matches these filters.</p><button onClick=${() => go("/")}>Show all</button>` :
  html`<h2>Nothing here yet</h2><p>Give the agent a task: it plans, works for as long as it takes, and asks you when it must.</p><button class="primary" onClick=${() => setQuery({ new: "1" })}>Start the first run</button>`}</div>`;
