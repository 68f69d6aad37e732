// One run: its state in one sentence, what it asks, what it does, what it has made, what it costs.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { ask, follow, get, once, polled, post, session } from "./net.js";
import { Act, Copy, Dialog, Icon, Link, Menu, Prose, State, Tabs, address, copyText, go, now, say, setQuery } from "./parts.js";
import { AskCard, given } from "./asking.js";
import { Erase, download } from "./bulk.js";
import { Timeline } from "./timeline.js";
import { Transcript } from "./transcript.js";
import { Plan } from "./plan.js";
import { Files } from "./artifacts.js";
import { Costs } from "./costs.js";
import { Logs } from "./logs.js";
import { Health, Notes } from "./health.js";
import { Composer } from "./composer.js";
import { useContextOf } from "./mind.js";
import { begin, over, seen, told, worked } from "./story.js";
import { credits, moment, number, plain, plural, sentence, short, span } from "./words.js";

const TAIL = 400, SETTLE = 300, LOOK_AGAIN = 4000;

export function RunPage({ id }) {
  const [story, setStory] = useState(() => begin(id)), [link, setLink] = useState("connecting"), [problem, setProblem] = useState(null), [full, setFull] = useState(false);
  const latest = useRef(story);
  const change = (make) => { latest.current = make(latest.current); setStory(latest.current); };
  const refresh = async () => {
    try {
      const view = await get(`/v1/runs/${id}`);
      change((before) => seen(before, view));
      setProblem(null);
    } catch (error) { if (error.status && error.status !== 401) setProblem(error); }
  };
  useEffect(() => { refresh(); }, [id]);
  useEffect(() => follow(`/v1/runs/${id}/events`, {
    tail: full ? undefined : TAIL, isOver: () => over(latest.current), onState: setLink,
    onEvents: (events) => change((before) => told(before, events)),
  }), [id, full]);
  useEffect(() => { if (story.dirty) { const timer = setTimeout(refresh, SETTLE); return () => clearTimeout(timer); } }, [story.dirty]);
  useEffect(() => over(story) ? undefined : polled(LOOK_AGAIN, refresh), [id, over(story)]);
  useEffect(() => { document.title = story.title ? `${short(story.title, 50)} · Auteryn` : "Auteryn"; }, [story.title]);
  const earlier = () => { change((before) => ({ ...seen(begin(id), before.view), dirty: before.dirty })); setFull(true); };
  if (problem && !story.view) return html`<main class="empty"><h1>${WRONG[problem.status] ?? "This run cannot be shown"}</h1><p>${problem.status === 404 ? "It was deleted, or it belongs to somebody else." : `${sentence(problem.message)}${problem.status === 0 || problem.status >= 429 ? " This page tries again by itself." : ""}`}</p><${Link} to="/" class="button">All runs<//></main>`;
  if (!story.view) return html`<main class="empty" aria-busy="true">Opening the run…</main>`;
  return html`<${Shown} story=${story} link=${link} refresh=${refresh} earlier=${story.whole || full ? null : earlier} />`;
}

const WRONG = { 0: "The server cannot be reached", 403: "This run is not yours to see", 404: "There is no such run", 429: "One moment: too many requests" };
const TABS = ["activity", "plan", "files", "notes", "costs", "logs", "health"];
const wide = matchMedia("(min-width: 1060px), print");   // on paper both columns, one below the other

function useWide() {   // what it is now, whatever was told of it while the page began
  const [, again] = useState(0);
  useEffect(() => { const heard = () => again((count) => count + 1); heard(); wide.addEventListener("change", heard); return () => wide.removeEventListener("change", heard); }, []);
  return wide.matches;
}

function Shown({ story, link, refresh, earlier }) {
  const query = address.value.searchParams, isWide = useWide();
  const [only, setOnly] = useState(null), [sent, setSent] = useState([]), [dialog, setDialog] = useState(null);
  const open = Object.values(story.asks).filter((ask) => ask.state === "open");
  const mind = useContextOf(story);
  useOthersAnswers(story);
  const wanted = query.get("tab") ?? (isWide ? (story.view.plan || story.view.schedules.length ? "plan" : "costs") : "activity");
  const tab = isWide && wanted === "activity" ? "plan" : wanted;
  const names = { activity: "Activity", plan: "Plan", files: "Files", notes: "Notes", costs: "Cost", logs: "Logs", health: "Health" };
  const tabs = TABS.filter((one) => !isWide || one !== "activity").map((one) => ({ id: one, name: names[one], count: one === "files" ? story.artifacts.length : 0 }));
  const steer = () => { if (!isWide) setQuery({ tab: "activity" }); requestAnimationFrame(() => document.getElementById("steer")?.focus()); };
  const pick = (item) => setQuery({ at: item?.id, ...(isWide ? {} : { tab: "activity" }) });
  const activity = html`<div class="activity"><${Transcript} story=${story} only=${only} setOnly=${setOnly} earlier=${earlier} at=${query.get("at")} />
    ${!over(story) && session.value?.role !== "viewer" && html`<${Composer} story=${story} sent=${sent} setSent=${setSent} />`}</div>`;
  const panels = {
    activity: () => activity,
    plan: () => html`<${Plan} story=${story} refresh=${refresh} onFork=${(at) => { setQuery({ at }); setDialog("fork"); }} onFollow=${(run) => { setOnly(run); if (!isWide) setQuery({ tab: "activity" }); }} />`,
    files: () => html`<${Files} story=${story} />`, notes: () => html`<${Notes} story=${story} mind=${mind} />`, costs: () => html`<${Costs} story=${story} />`,
    logs: () => html`<${Logs} story=${story} mind=${mind} />`, health: () => html`<${Health} story=${story} link=${link} />`,
  };
  return html`<main class="run">
    <${Header} ...${{ story, mind, link, refresh, dialog, setDialog, steer }} />
    <p class="sr" role="status">${open.length > 0 && `${plural(open.length, "question")} to answer`}</p>
    ${open.length > 0 && html`<div class="asks">${open.map((ask) => html`<${AskCard} key=${ask.id} ask=${ask} title=${story.runs[ask.run] ?? ""} onAnswered=${refresh} />`)}</div>`}
    <${Ending} story=${story} />
    <${Timeline} story=${story} at=${query.get("at")} onPick=${pick} />
    <div class="columns">${isWide && html`<section class="left" aria-label="Activity">${activity}</section>`}
      <section class="right"><${Tabs} id="tabs" label="About this run" tabs=${tabs} at=${tab} onPick=${(one) => setQuery({ tab: one })} />
        <div class="panel" role="tabpanel" id="tabs-panel" aria-labelledby="tabs-${tab}" tabindex="0"><h2 class="sr">${names[tab] ?? names.plan}</h2>${(panels[tab] ?? panels.plan)()}</div></section></div>
  </main>`;
}

// Whoever looks at a question hears when somebody else has answered it.
function useOthersAnswers(story) {
  const seen = useRef({});
  useEffect(() => {
    for (const ask of Object.values(story.asks)) {
      if (ask.state === "answered" && seen.current[ask.id] && !given.has(ask.id)) { given.add(ask.id); say(`${ask.by} has answered “${short(typeof ask.value === "string" ? ask.value : JSON.stringify(ask.value), 80)}”.`); }
      seen.current[ask.id] = ask.state === "open" || ask.state === "closed";
    }
  }, [story.asks]);
}

// ---- the header ---------------------------------------------------------------------------------------------

function Header({ story, mind, link, refresh, dialog, setDialog, steer }) {
  const { view } = story, mayAct = session.value?.role !== "viewer", ended = over(story), close = () => setDialog(null);
  const act = (verb) => async () => { await post(`/v1/runs/${story.id}/${verb}`); await refresh(); };
  const retry = async () => { const run = await post(`/v1/runs/${story.id}/retry`); run.id === story.id ? refresh() : go(`/runs/${run.id}`); };
  const asks = Object.values(story.asks).filter((ask) => ask.state === "open" && ask.opened_at);
  const [ahead, setAhead] = useState(null);
  useEffect(() => { if (!ended) get(`/v1/runs/${story.id}/forecast`).then(setAhead, () => {}); else setAhead(null); }, [story.id, ended, view.usage.llm_calls]);
  const active = worked(story, now.value), elapsed = (view.ended_at ? Date.parse(view.ended_at) : now.value) - Date.parse(view.created_at);
  return html`<header class="run-head">
    <div class="crumbs"><${Link} to=${view.parent ? `/runs/${view.parent.run}` : "/"}><${Icon} name="back" />${view.parent ? `${view.parent.kind === "tick" ? "Tick" : "Step"} ${view.parent.key + (view.parent.kind === "tick" ? 1 : 0)} of its run` : "Runs"}<//>
      ${!ended && link === "lost" && html`<span class="stale" role="status">Not live: reconnecting…</span>`}</div>
    <div class="title-row"><h1>${story.title}</h1>
      ${mayAct && html`<div class="controls">
        ${!ended && html`<button onClick=${steer}><${Icon} name="send" />Steer</button>
          ${story.state === "paused" ? html`<${Act} act=${act("resume")}><${Icon} name="play" />Resume<//>` : html`<${Act} act=${act("pause")}><${Icon} name="pause" />Pause<//>`}
          <button class="danger" onClick=${() => setDialog("stop")}><${Icon} name="stop" />Stop</button>`}
        ${ended && story.status !== "completed" && !view.parent && html`<${Act} class="primary" act=${retry}><${Icon} name="retry" />Retry<//>`}
        <${More} story=${story} onPick=${setDialog} /></div>`}</div>
    <p class="sentence"><span role="status"><${State} state=${story.state} asks=${asks.length} on=${story.waits_on} /></span> <span>${story.failure ? sentence(plain(story.failure.message)) : asks.length ? `It waits for ${asks.length === 1 ? "an answer" : `${asks.length} answers`}, the oldest question since ${span(now.value - Math.min(...asks.map((ask) => Date.parse(ask.opened_at))))}.` : ended ? "" : plain(story.why)}</span></p>
    <ul class="facts">
      <li>${ended && view.ended_at ? `Ended ${moment(view.ended_at)}${/Step .*/.test(story.detail) ? `, ${/Step .*/.exec(story.detail)[0]}` : ""}` : story.detail}</li>
      <li><abbr title=${view.reason}>${view.mode.toUpperCase()}</abbr>${view.options.effects === "dry" ? " · dry run" : ""}</li>
      <li title="since ${moment(view.created_at)}">${span(elapsed)} <small>with ${span(active)} of work${active > elapsed ? " side by side" : ""}</small></li>
      <li>${number(view.usage.llm_calls)} <small>/ ${number(view.limits.llm_calls)} model calls</small></li>
      <li>${credits(view.credits)} <small>${view.limits.credits ? `/ ${credits(view.limits.credits / 1000)} ` : ""}credits${ahead ? `, about ${credits(ahead.credits_p50)} at the end` : ""}</small></li>
      ${mind?.model && html`<li><small>model</small> ${mind.model}</li>`}${mind?.code && html`<li title=${mind.host}><small>release</small> ${mind.code}</li>`}
    </ul>
    ${dialog === "stop" && html`<${Stop} story=${story} refresh=${refresh} onClose=${close} />`}
    ${dialog === "rename" && html`<${Retitle} story=${story} onClose=${close} />`}
    ${dialog === "fork" && html`<${Fork} story=${story} onClose=${close} />`}
    ${dialog === "erase" && html`<${Erase} runs=${[view]} onClose=${close} onDone=${() => go("/")} />`}
  </header>`;
}

// The task's first words may be no good title.
function Retitle({ story, onClose }) {
  const [text, setText] = useState(story.title);
  const save = async () => { await ask("PATCH", `/v1/runs/${story.id}`, { title: text.trim() }); onClose(); };
  const keys = (event) => { if (event.key === "Enter" && text.trim()) { event.preventDefault(); save().catch((problem) => say(problem.message, true)); } };
  return html`<${Dialog} title="Rename this run" onClose=${onClose}><label for="title">Title</label><input id="title" maxlength="200" autofocus value=${text} onInput=${(event) => setText(event.currentTarget.value)} onKeyDown=${keys} />
    <div class="actions"><button onClick=${onClose}>Cancel</button><${Act} class="primary" disabled=${!text.trim()} act=${save}>Save<//></div><//>`;
}

function More({ story, onPick }) {
  const own = !story.view.parent, link = async () => { await copyText(location.href); say("The link is copied."); }, fails = (problem) => say(problem.message, true);
  return html`<${Menu} label="More">${!over(story) && html`<button onClick=${() => onPick("rename")}><${Icon} name="pen" />Rename…</button>`}
    ${own && html`<button onClick=${() => onPick("fork")}><${Icon} name="fork" />Fork…</button>`}
    <button onClick=${() => link().catch(fails)}><${Icon} name="link" />Copy link</button>
    ${story.view.labels.fork_of && html`<${Link} class="button" to="/?compare=${story.view.labels.fork_of},${story.id}"><${Icon} name="columns" />Compare with its origin<//>`}
    <button onClick=${() => download(story.view).catch(fails)}><${Icon} name="down" />Export</button>
    <button onClick=${() => print()}><${Icon} name="print" />Print</button>
    <a class="button" href="/runs/${story.id}.txt" target="_blank"><${Icon} name="file" />Plain text</a>
    ${own && html`<button class="danger" disabled=${!over(story)} title=${over(story) ? "" : "Stop it first"} onClick=${() => onPick("erase")}><${Icon} name="cross" />Delete…</button>`}<//>`;
}

function Stop({ story, refresh, onClose }) {
  const [told, setTold] = useState(false);
  const stop = async () => { await post(`/v1/runs/${story.id}/cancel`); setTold(true); await refresh(); };
  if (over(story)) return html`<${Dialog} title=${story.status === "cancelled" ? "Stopped" : "It has ended"} onClose=${onClose}>
    ${story.receipt ? html`<${Receipt} receipt=${story.receipt} story=${story} />` : html`<p>${plain(story.why)}</p>`}<div class="actions"><button class="primary" onClick=${onClose}>Close</button></div><//>`;
  return html`<${Dialog} title="Stop this run?" onClose=${onClose}>
    <p>${told ? "It was told to stop. Waiting for what was under way…" : "No further model or tool call starts. What it has so far stays, and you get a receipt of what was under way. A stopped run does not go on; it can be retried as a new one."}</p>
    <div class="actions"><button onClick=${onClose}>${told ? "Close" : "Let it go on"}</button><${Act} class="danger" disabled=${told} act=${stop}>Stop the run<//></div><//>`;
}

// The same past, another future: from the place in the address, or from its last answer.
function Fork({ story, onClose }) {
  const [message, setMessage] = useState(""), at = address.value.searchParams.get("at");
  const fork = async () => go(`/runs/${(await post(`/v1/runs/${story.id}/fork`, { ...(at ? { after: at } : {}), ...(message.trim() ? { message: message.trim() } : {}) }, once())).id}`);
  return html`<${Dialog} title="Fork this run?" onClose=${onClose}>
    <p>A new run begins with what this one knows ${at ? "up to the event you chose" : "before its last answer"}, free of charge, and goes another way. What reaches the outside waits for your word.</p>
    <label for="fork-message">Say to it before it goes on <small>may stay empty</small></label><textarea id="fork-message" rows="3" value=${message} onInput=${(event) => setMessage(event.currentTarget.value)}></textarea>
    <div class="actions"><button onClick=${onClose}>Cancel</button><${Act} class="primary" act=${fork}>Fork<//></div><//>`;
}

const MEANS = { finished: () => "had finished", aborted: (count) => `${count === 1 ? "was" : "were"} broken off without effect`, unknown: () => "may or may not have taken effect" };

export function Receipt({ receipt, story, heading = "h3" }) {
  const groups = Object.entries(MEANS).filter(([name]) => receipt[name]?.length);
  return html`<div class="receipt"><${heading}>Receipt<//>
    ${groups.length || receipt.children?.length ? html`<dl>${groups.map(([name, means]) => html`<div class="is-${name}"><dt>${receipt[name].length} ${means(receipt[name].length)}</dt><dd>${receipt[name].map((tool) => html`<code>${tool}</code> `)}</dd></div>`)}
      ${receipt.children?.length > 0 && html`<div><dt>${receipt.children.length} ${receipt.children.length === 1 ? "step was" : "steps were"} told to stop</dt><dd>${receipt.children.map((run) => html`<${Link} to="/runs/${run}">${story.runs[run] ?? run}<//> `)}</dd></div>`}</dl>` :
      html`<p>Nothing was under way.</p>`}</div>`;
}

// What came of it, at the top once it has ended.
function Ending({ story }) {
  if (!over(story)) return null;
  const bad = story.failure?.reason === "deliverable_missing" ? [] : story.verdicts.filter((verdict) => !verdict.ok);
  return html`<section class="ending is-${story.status}" aria-label="What came of it">
    ${story.result && html`<${Result} text=${story.result} partial=${story.status !== "completed"} />`}
    ${bad.length > 0 && html`<p class="problem">${bad.map((verdict) => html`<span>Missing: <code>${verdict.deliverable}</code> ${verdict.detail} </span>`)}</p>`}
    ${story.receipt && html`<${Receipt} receipt=${story.receipt} story=${story} heading="h2" />`}
  </section>`;
}

function Result({ text, partial }) {
  return html`<div class="result"><header><h2>${partial ? "What there was" : "Result"}</h2><${Copy} text=${text} /></header><div class="result-text" tabindex="0" role="region" aria-label="Text of the result"><${Prose} text=${text} /></div></div>`;
}
