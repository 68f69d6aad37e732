// All runs: who needs somebody, what is at work, what it costs.

import { html, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { get, polled, session, time } from "./net.js";
import { Dialog, Icon, Link, State, Steps, address, go, now, setQuery, useDraft, useKeys } from "./parts.js";
import { AskCard } from "./asking.js";
import { Bulk } from "./bulk.js";
import { Compare } from "./compare.js";
import { Filters, SavedViews, filtering, key, tagsOf, unfiltered, wanted } from "./filters.js";
import { NewRun } from "./starting.js";
import { Schedules } from "./schedules.js";
import { ago, column, credits, moment, plain, sentence, short, span } from "./words.js";

const EVERY = 2000, SUMMED_EVERY = 10_000, PAGE = 100, CARDS = 4;
const WAITS = { until: "a time", steps: "its steps", person: "a person", budget: "budget", rate_limit: "the rate limit" };

export function RunList() {
  const query = address.value.searchParams, view = query.get("view") ?? "runs", owner = query.get("owner") ?? "";
  const [chosen, setChosen] = useState(new Set()), [pages, setPages] = useState(1), [asks, setAsks] = useDraft("asks", null), [help, setHelp] = useState(false);
  const found = useRuns(query, pages), { look } = found;
  const lookAtAsks = async () => {
    try { setAsks((await get("/v1/asks", owner && owner !== "*" ? { "Auteryn-Owner": owner } : {})).asks); } catch (problem) { setAsks((before) => before ?? []); throw problem; }
  };
  const again = () => Promise.all([look(), lookAtAsks()]).catch(() => {});
  useEffect(() => polled(EVERY, lookAtAsks), [owner]);
  useLayoutEffect(() => { if (asks) scrollTo(0, history.state?.top ?? 0); }, []);   // come back, one finds it as it was
  useEffect(() => { setPages(1); setChosen(new Set()); }, [key(query)]);
  useEffect(() => { document.title = asks?.length ? `(${asks.length}) Auteryn` : "Auteryn"; }, [asks?.length]);
  const compared = query.get("compare")?.split(",").slice(0, 2);
  if (compared?.length === 2) return html`<main class="list"><div class="crumbs"><${Link} to="/"><${Icon} name="back" />Runs<//></div><div class="page-head"><h1>Two runs compared</h1></div><${Compare} ids=${compared} /></main>`;
  return html`<${Listed} ...${{ query, view, owner, chosen, setChosen, pages, setPages, asks, again, found, help, setHelp }} />`;
}

function Listed({ query, view, owner, chosen, setChosen, pages, setPages, asks, again, found, help, setHelp }) {
  const { runs, more } = found, askers = useAskers(asks ?? [], runs ?? []);
  useKeys({ "/": () => document.getElementById("search")?.focus(), n: () => mayAct() && setQuery({ new: "1" }, false), "?": () => setHelp(true) });
  return html`<main class="list">
    <div class="page-head"><h1>${view === "schedules" ? "Schedules" : "Runs"}</h1><${Views} at=${view} />
      ${mayAct() && html`<button class="primary" onClick=${() => setQuery({ new: "1" }, false)}><${Icon} name="plus" />New run</button>`}</div>
    ${view === "schedules" ? html`<${Schedules} />` : asks === null ? html`<${Waiting} key="first" />` : html`
      <${Inbox} asks=${asks} askers=${askers} onAnswered=${again} />
      <${Summary} owner=${owner} asks=${asks.length} askers=${askers} />
      <${Filters} query=${query} runs=${runs ?? []} /><${SavedViews} query=${query} />
      ${chosen.size > 0 && html`<${Bulk} runs=${(runs ?? []).filter((run) => chosen.has(run.id))} onDone=${() => { setChosen(new Set()); again(); }} />`}
      ${found.problem ? html`<div class="empty"><h2>These filters cannot be used</h2><p>${sentence(found.problem)}</p><button onClick=${unfiltered}>Show all</button></div>` :
        runs === null ? html`<${Waiting} />` : runs.length ? html`<${Table} runs=${runs} askers=${askers} chosen=${chosen} setChosen=${setChosen} owners=${owner === "*"} busy=${found.busy} />` : !more && html`<${Empty} any=${filtering(query)} />`}
      ${more && html`<p class="center"><button onClick=${() => setPages(pages + 1)} disabled=${found.busy}>${runs?.length ? "Older runs" : "Look further back"}</button></p>`}`}
    ${query.get("new") && html`<${NewRun} onClose=${() => history.state?.back ? history.back() : setQuery({ new: "" })} onStarted=${(run) => go(`/runs/${run.id}`, true)} />`}
    ${help && html`<${Help} onClose=${() => setHelp(false)} />`}
  </main>`;
}

const mayAct = () => session.value?.role !== "viewer";

// The runs that fit, as many pages as somebody asked for, looked at again and again; what was found for other filters is dropped.
function useRuns(query, pages) {
  const [found, setFound] = useDraft("runs", { runs: null, more: false, problem: null }), [busy, setBusy] = useState(true), turn = useRef(0);
  const look = async () => {
    const mine = turn.current, runs = [];
    let next = null;
    try {
      for (let page = 0; page < pages && (page === 0 || next); page += 1) {
        const asked = wanted(new URL(location.href).searchParams);
        asked.set("limit", PAGE);
        if (next) asked.set("cursor", next);
        const answer = await get(`/v1/runs?${asked}`);
        runs.push(...answer.runs);
        next = answer.next;
      }
      if (mine === turn.current) setFound({ runs, more: Boolean(next), problem: null });
    } catch (problem) {
      if (mine === turn.current && (problem.status === 422 || problem.status === 403)) setFound({ runs: null, more: false, problem: problem.message });
    } finally { if (mine === turn.current) setBusy(false); }
  };
  useEffect(() => { turn.current += 1; setBusy(true); return polled(EVERY * pages, look); }, [key(query), pages]);
  return { ...found, busy, look };
}

const Views = ({ at }) => html`<nav class="segmented" aria-label="What to see">
  ${[["runs", "Runs"], ["schedules", "Schedules"]].map(([id, name]) => html`<button key=${id} aria-pressed=${at === id} onClick=${() => setQuery({ view: id === "runs" ? "" : id })}>${name}</button>`)}</nav>`;

function Inbox({ asks, askers, onAnswered }) {
  const [all, setAll] = useDraft("all asks", false);
  if (!asks.length) return null;
  return html`<section class="inbox" aria-labelledby="inbox"><h2 id="inbox" aria-live="polite">${asks.length === 1 ? "1 needs you" : `${asks.length} need you`}</h2>
    <div class="cards">${(all ? asks : asks.slice(0, CARDS)).map((ask) => html`<${AskCard} key=${ask.id} ask=${ask} title=${askers[ask.run]?.title ?? "its run"} onAnswered=${onAnswered} />`)}</div>
    ${asks.length > CARDS && html`<p><button class="small" aria-expanded=${all} onClick=${() => setAll(!all)}>${all ? "Show fewer" : `Show all ${asks.length}`}</button></p>`}</section>`;
}

// Of the runs that ask, by id: what they are called, a step with its run, and in which run of the list they ask.
function useAskers(asks, runs) {
  const [found, setFound] = useState({}), asked = useRef(new Set()), known = Object.fromEntries(runs.map((run) => [run.id, { title: run.title, root: run.id }]));
  const look = async (id) => {
    const { title, parent } = await get(`/v1/runs/${id}`);
    const root = parent && (known[parent.root] ?? await get(`/v1/runs/${parent.root}`)).title;
    const name = !parent ? title : parent.kind === "tick" ? `${title}, tick ${parent.key + 1} of ${root}` : `Step ${parent.key} of ${root}`;
    setFound((before) => ({ ...before, [id]: { title: name, root: parent?.root ?? id } }));
  };
  useEffect(() => {
    for (const { run } of asks) if (!(run in known) && !asked.current.has(run)) { asked.current.add(run); look(run).catch(() => asked.current.delete(run)); }
  }, [asks]);
  const all = { ...known, ...found };
  return Object.fromEntries(asks.map(({ run }) => [run, all[run]]));
}

// Over all the owner's runs, whatever the table shows.
function Summary({ owner, asks, askers }) {
  const [sum, setSum] = useState(null), [spend, setSpend] = useState(null), asking = new Set(Object.values(askers).map((one) => one?.root));
  useEffect(() => {
    setSum(null);
    const mine = !owner || owner !== "*" ? get("/v1/spend", owner ? { "Auteryn-Owner": owner } : {}) : Promise.resolve(null);
    mine.then(setSpend, () => setSpend(null));
    const ask = (more) => get(`/v1/runs?limit=500${owner ? `&owner=${encodeURIComponent(owner)}` : ""}&${more}`), since = (days) => `since=${new Date(time() - days * 86400e3).toISOString()}`;
    return polled(SUMMED_EVERY, async () => {
      const [live, failed, today] = await Promise.all([ask("status=pending&status=running&status=waiting&status=paused"), ask(`status=failed&${since(8)}`), ask(since(1))]);
      const wakes = live.runs.flatMap((run) => run.waits.filter((wait) => wait.at).map((wait) => wait.at)).sort(), plus = (page) => (page.next ? "+" : "");
      setSum({ working: live.runs.filter((run) => run.state === "running" || run.state === "pending").length + plus(live), next: wakes[0],
        waiting: live.runs.filter((run) => run.state === "waiting" && !run.open_asks).map((run) => run.id), more: plus(live),
        failed: failed.runs.filter((run) => Date.parse(run.ended_at) > time() - 86400e3).length, spent: credits(today.runs.reduce((all, run) => all + run.credits, 0)) + plus(today) });
    });
  }, [owner]);
  const one = (name, value, more = "", look = "", state = "") => html`<div class=${look}><dt>${name}</dt><dd>${state && sum ? html`<button class="figure-link" onClick=${() => setQuery({ state })} aria-label="${value} ${name.toLowerCase()}: show them">${value}</button>` : value}${more && html`<small>${more}</small>`}</dd></div>`;
  return html`<dl class="summary" aria-busy=${!sum}>
    ${one("Need you", asks, "", asks ? "loud" : "", "asks")}${one("Working", sum?.working ?? "–", "", "", "running")}
    ${one("Waiting", sum ? sum.waiting.filter((id) => !asking.has(id)).length + sum.more : "–", sum?.next ? `next wake ${moment(sum.next)}` : "", "", "waiting")}
    ${one("Failed, 24 h", sum?.failed ?? "–", "", sum?.failed ? "bad" : "", "failed")}${one("Credits, 24 h", sum?.spent ?? "–", spend?.limit ? `${credits(spend.spent + spend.held)} of ${credits(spend.limit)} in ${spend.window}` : "", spend?.limit && spend.spent + spend.held > spend.limit * 0.9 ? "bad" : "")}</dl>`;
}

function Table({ runs, askers, chosen, setChosen, owners, busy }) {
  const asking = new Set(Object.values(askers).map((one) => one?.root)), asks = (run) => run.open_asks > 0 || asking.has(run.id);
  const toggle = (id) => { const next = new Set(chosen); next.delete(id) || next.add(id); setChosen(next); };
  const all = runs.every((run) => chosen.has(run.id)), mark = mayAct(), box = useRef(), spent = column(runs.map((run) => run.credits));
  const step = (by) => {
    const rows = [...box.current.querySelectorAll("a.run-link")], at = rows.indexOf(document.activeElement);
    rows[Math.min(rows.length - 1, Math.max(0, at + by))]?.focus();
  };
  const arrow = (by) => box.current.contains(document.activeElement) && step(by);   // elsewhere they scroll
  const pick = () => { const row = document.activeElement?.closest?.("tr[data-run]"); if (row && mark) toggle(row.dataset.run); };
  useKeys({ j: () => step(1), ArrowDown: () => arrow(1), k: () => step(-1), ArrowUp: () => arrow(-1), x: pick });
  return html`<table class="runs" ref=${box} aria-busy=${busy}><thead><tr>
      ${mark && html`<th class="pick"><input type="checkbox" aria-label="Choose all" checked=${all} onChange=${() => setChosen(new Set(all ? [] : runs.map((run) => run.id)))} /></th>`}
      <th>Run</th>${owners && html`<th>Owner</th>`}<th>State</th><th>Progress</th><th class="why">Waiting on</th><th class="right">Credits</th><th class="right">Age</th></tr></thead>
    <tbody>${runs.map((run) => html`<tr key=${run.id} data-run=${run.id} class=${chosen.has(run.id) ? "chosen" : ""}>
      ${mark && html`<td class="pick"><input type="checkbox" aria-label="Choose ${run.title}" checked=${chosen.has(run.id)} onChange=${() => toggle(run.id)} /></td>`}
      <td class="name"><${Link} to="/runs/${run.id}" class="run-link"><bdi>${short(run.title, 120)}</bdi><//>
        <span class="mode is-${run.mode}">${run.mode}</span>${tagsOf(run).map((tag) => html`<span class="tag" key=${tag}>${tag}</span>`)}</td>
      ${owners && html`<td class="owner">${run.owner}</td>`}
      <td><${State} state=${run.state} asks=${asks(run)} on=${run.waits_on} /></td>
      <td class="progress">${run.steps > 0 && html`<${Steps} done=${run.step} total=${run.steps} />`}<span class="day">${run.ended_at ? `in ${span(Date.parse(run.ended_at) - Date.parse(run.created_at))}` : `Day ${run.day} of ${run.days}`}</span></td>
      <td class="why" title=${plain(run.why)}>${run.ended_at ? "" : asks(run) ? "a person" : waitingOn(run)}</td>
      <td class="right figure">${spent(run.credits)}${run.limits.credits ? html`<span class="day">of ${credits(run.limits.credits / 1000)}</span>` : ""}</td>
      <td class="right age" title="begun ${moment(run.created_at)}">${ago(run.ended_at ?? run.created_at, now.value)}${!run.ended_at && run.last_event_at && html`<span class="day" title=${moment(run.last_event_at)}>last event ${ago(run.last_event_at, now.value)}</span>`}</td></tr>`)}</tbody></table>`;
}

const waitingOn = (run) => {
  const kinds = [...new Set(run.waits.map(({ kind }) => kind === "steps" && run.waits_on === "time" ? "its next tick" : WAITS[kind] ?? kind))];
  return kinds.length && run.state === "waiting" ? kinds.join(", ") + (run.waits[0].at ? `, ${moment(run.waits[0].at)}` : "") : "";
};

const Waiting = () => html`<div class="runs skeleton" aria-busy="true" aria-label="Looking for runs">${Array.from({ length: 8 }, (_, index) => html`<i key=${index}></i>`)}</div>`;

const Empty = ({ any }) => html`<div class="empty">${any ? html`<h2>No run fits</h2><p>Nothing matches these filters, however far back.</p><button onClick=${unfiltered}>Show all</button>` :
  html`<h2>Nothing here yet</h2><p>Give the agent a task: it plans, works for as long as it takes, and asks you when it must.</p>${mayAct() && html`<button class="primary" onClick=${() => setQuery({ new: "1" }, false)}>Start the first run</button>`}`}</div>`;

// ---- keys ---------------------------------------------------------------------------------------------------

const KEYS = [["/", "search"], ["j k", "down and up the list"], ["Enter", "open the run"], ["x", "choose the run"], ["n", "new run"], ["y n", "answer a question that has the focus"], [", .", "on a run: the event before, the next"], ["[ ]", "on a run: the error before, the next"], ["?", "this list"]];
const Help = ({ onClose }) => html`<${Dialog} title="Keys" onClose=${onClose}><dl class="pairs keys">${KEYS.map(([keys, about]) => html`<div key=${keys}><dt>${keys.split(" ").map((one) => html`<kbd>${one}</kbd> `)}</dt><dd>${about}</dd></div>`)}</dl><//>`;
