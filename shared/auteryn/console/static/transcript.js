// What was said and done, oldest first. Only a stretch of it is in the page, however long the run is.

import { html, signal, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { get } from "./net.js";
import { AskCard } from "./asking.js";
import { Icon, Json, Prose, copyText, say, setQuery } from "./parts.js";
import { isError, over } from "./story.js";
import { bare, callLine, clock, credits, plain, sentence, short, span, whole } from "./words.js";

const STRETCH = 120;   // items at a time; twice as many are in the page at most
const QUIET = new Set(["calls_reserved", "call_started", "share_changed", "budget_asked", "call_suspended", "call_allowed", "plan_reviewed", "told"]);

export function Transcript({ story, only, setOnly, earlier, at }) {
  const [thoughts, setThoughts] = useState(true), [quiet, setQuiet] = useState(false), [end, setEnd] = useState(null), [count, setCount] = useState(STRETCH);
  const box = useRef(), following = useRef(true);
  const items = useMemo(() => story.items.filter((item) => (!only || item.run === only) && (thoughts || item.kind !== "thought")
    && (quiet || item.id === at || !isQuiet(item, story))), [story.items, only, thoughts, quiet, at]);
  const stop = end === null ? items.length : Math.min(end, items.length), start = Math.max(0, stop - count);

  useEffect(() => {   // a place in the address: show what surrounds it
    if (!at) return;
    const index = items.findIndex((item) => item.id === at);
    if (index < 0) return;
    following.current = false;
    if (index < start || index >= stop) { setEnd(Math.min(items.length, index + STRETCH / 2)); setCount(STRETCH); }
    requestAnimationFrame(() => box.current?.querySelector(".item.here")?.scrollIntoView({ block: "center" }));
  }, [at]);
  useLayoutEffect(() => { if (following.current && end === null && box.current) box.current.scrollTop = box.current.scrollHeight; });

  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current, bottom = scrollHeight - scrollTop - clientHeight < 40;
    following.current = bottom && end === null;
    if (bottom && end !== null) { const next = end + STRETCH / 2; next >= items.length ? setEnd(null) : setEnd(next); }
  };
  const older = () => {
    const before = box.current.scrollHeight;
    following.current = false;
    if (count >= 2 * STRETCH) setEnd(stop - STRETCH); else setCount(count + STRETCH);
    requestAnimationFrame(() => { box.current.scrollTop += box.current.scrollHeight - before; });
  };
  const jump = () => { setQuery({ at: "" }); setEnd(null); setCount(STRETCH); following.current = true; };
  const live = Object.entries(story.live).filter(([run, now]) => (!only || run === only) && (now.message || (thoughts && now.thought)));
  return html`<div class="transcript ${over(story) ? "ended" : ""}"><a class="skip" href=${over(story) ? "#tabs-panel" : "#steer"}>Skip the transcript</a>
    <div class="bar-row"><label class="check"><input type="checkbox" checked=${thoughts} onChange=${(event) => setThoughts(event.currentTarget.checked)} />Thoughts</label>
      <label class="check"><input type="checkbox" checked=${quiet} onChange=${(event) => setQuiet(event.currentTarget.checked)} />Every fact</label>
      ${Object.keys(story.runs).length > 0 && html`<label class="choice"><span class="sr">Whose activity</span><select value=${only ?? ""} onChange=${(event) => setOnly(event.currentTarget.value || null)}>
        <option value="">Everybody</option><option value=${story.id}>The planner</option>${Object.entries(story.runs).map(([run, name]) => html`<option value=${run}>${name}</option>`)}</select></label>`}
      ${(end !== null || !following.current) && html`<button class="quiet small" onClick=${jump}><${Icon} name="down" />Now</button>`}</div>
    <div class="scroll" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-label="Transcript" aria-live="off">
      ${start > 0 ? html`<p class="center"><button class="small" onClick=${older}>Earlier</button></p>` : earlier && html`<p class="center"><button class="small" onClick=${earlier}>Load all that happened before</button></p>`}
      <ol class="items">${items.slice(start, stop).map((item) => html`<${Item} key=${item.id} item=${item} story=${story} here=${item.id === at} />`)}</ol>
      ${end === null && live.map(([run, now]) => html`<div class="item live" key=${run}><${Who} run=${run} story=${story} />
        ${thoughts && now.thought && html`<div class="thought prose raw">${now.thought.trim()}</div>`}${now.message && html`<div class="prose raw">${now.message}<span class="caret" aria-hidden="true"></span></div>`}</div>`)}
      ${!items.length && !live.length && html`<p class="hint center">Nothing has happened yet.</p>`}
    </div></div>`;
}

const isQuiet = (item, story) => (item.kind === "note" && (item.level === "debug" || QUIET.has(item.fact))) || (item.kind === "status" && !isError(item) && (item.run !== story.id || item.state === "running" && item.slice === 1));

const Who = ({ run, story }) => run === story.id ? null : html`<span class="who">${story.runs[run] ?? "Tick"}</span>`;

function Item({ item, story, here }) {
  const Shape = SHAPES[item.kind] ?? Note;
  return html`<li class="item of-${item.kind} ${here ? "here" : ""} ${isError(item) ? "bad" : ""}">
    <div class="side"><a class="place" tabindex="-1" href=${linkTo(item)} title="${whole(item.at)}: copy a link to this event" aria-label="${clock(item.at)}, copy a link to this event" onClick=${(event) => copied(event, item)}><time datetime=${item.at}>${clock(item.at)}</time></a><${Who} run=${item.run} story=${story} /></div>
    <div class="main"><${Shape} item=${item} story=${story} open=${here} /></div></li>`;
}

const linkTo = (item) => { const url = new URL(location.href); url.searchParams.set("at", item.id); return url.href; };
function copied(event, item) {
  if (event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  setQuery({ at: item.id });
  copyText(linkTo(item)).then(() => say("The link to this event is copied."), () => {});
}

const SHAPES = {
  task: ({ item, story }) => item.run === story.id ? html`<div class="task"><span class="label">Task</span><${Prose} text=${item.text || item.title} /></div>` : html`<details class="line"><summary>Begins: ${short(item.text || item.title, 120)}</summary><${Prose} text=${item.text} /></details>`,
  thought: ({ item }) => html`<div class="thought"><${Prose} text=${item.text.trim()} /></div>`,
  message: ({ item }) => html`<${Prose} text=${item.text} />`,
  heard: ({ item }) => html`<div class="heard"><span class="label">${item.by || "owner"}, heard before turn ${item.before}</span><${Prose} text=${item.text} /></div>`,
  queued: ({ item }) => html`<div class="heard later"><span class="label">${item.by || "owner"}, for later</span><${Prose} text=${item.text} /></div>`,
  ask: ({ item, story }) => {
    const ask = story.asks[item.ask];
    return ask?.state === "open" ? html`<p class="line asked"><a href="#ask-${ask.id}">Asks: ${bare(ask.message, 200)}</a></p>` : html`<${AskCard} ask=${ask} />`;
  },
  step: ({ item }) => html`<p class="line"><b>Step ${item.step}</b> ${{ in_progress: "begins", completed: "is complete", failed: "has failed", cancelled: "was stopped" }[item.status] ?? item.status}${(item.result || item.error) && html`: <span class="muted">${short(item.result ?? plain(item.error), 220)}</span>`}</p>`,
  status: ({ item }) => {
    if (item.failure) return html`<p class="line">Failed (${item.failure.reason.replaceAll("_", " ")}): ${plain(item.failure.message)}</p>`;
    return html`<p class="seam"><span>${item.slice ? `Slice ${item.slice} begins` : { waiting: waits(item.why), paused: "Paused", pending: "Goes on in its next slice", completed: "Completed", cancelled: "Stopped" }[item.state] ?? item.why}</span></p>`;
  },
  tool: ({ item, open, story }) => html`<${Tool} item=${item} open=${open} ended=${over(story)} />`,
};

// What it asks stands in the line before.
const waits = (why) => /^It waits for [^']* to answer '/.test(why) ? "It waits for an answer" : plain(why);
const VERBATIM = new Set(["logged", "notified"]);
const Note = ({ item }) => html`<p class="line note is-${item.level}">${VERBATIM.has(item.fact) ? item.text : sentence(plain(item.text))}</p>`;

// What a repeat of a call would do, by tool: asked once.
const effects = signal({});
const EFFECTS = { idempotent: "a repeat changes nothing more", keyed: "a repeat is recognised by its key", once: "acts outside: never repeated blindly" };
let known = null;
const learn = () => { known ??= get("/v1/tools").then(({ tools }) => { effects.value = Object.fromEntries(tools.map((tool) => [tool.name, tool.effect])); }, () => { known = null; }); };

function Tool({ item, open, ended }) {
  useEffect(learn, []);
  const { result } = item, state = !result ? ended ? "broken off" : "running" : result.error ? "failed" : "completed";
  return html`<details class="tool is-${state.replace(" ", "-")}" open=${open}>
    <summary><i class="dot" aria-hidden="true"></i><code>${item.tool}</code><span class="args">${callLine(item.args)}</span>
      ${effects.value[item.tool] && effects.value[item.tool] !== "read" && html`<span class="effect is-${effects.value[item.tool]}" title=${EFFECTS[effects.value[item.tool]]}>${effects.value[item.tool]}</span>`}
      <span class="took">${result ? span(result.ms) : ended ? "broken off" : "…"}${result?.attempts > 1 ? ` · ${result.attempts} tries` : ""}</span><span class="sr">${state}</span></summary>
    <div class="tool-body">${item.args && html`<span class="label">Arguments</span><${Json} value=${item.args} />`}
      ${result && html`<span class="label">${result.error ? `Failed: ${result.error}` : "Answer"}</span><${Json} value=${result.output ?? ""} />`}
      ${result?.credits ? html`<p class="hint">${credits(result.credits)} credits</p>` : ""}</div></details>`;
}
