// Small pieces every page is made of.

import { html, signal, useEffect, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { post, time } from "./net.js";
import { json, sentence, unturned } from "./words.js";

// ---- the address --------------------------------------------------------------------------------------------

export const address = signal(new URL(location.href));
addEventListener("popstate", () => { address.value = new URL(location.href); });

// Another place, to come back from: whoever does finds the page where they left it.
export function go(to, replace = false) {
  if (replace) history.replaceState(null, "", to);
  else {
    history.replaceState({ ...history.state, top: scrollY }, "");
    history.pushState({ back: true }, "", to);
  }
  address.value = new URL(location.href);
}

export function setQuery(changes, replace = true) {
  const url = new URL(location.href);
  for (const [name, value] of Object.entries(changes)) value ? url.searchParams.set(name, value) : url.searchParams.delete(name);
  go(url, replace);
}

export function Link({ to, children, ...more }) {
  const click = (event) => {
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.button) return;
    event.preventDefault();
    go(to);
    scrollTo(0, 0);
  };
  return html`<a href=${to} onClick=${click} ...${more}>${children}</a>`;
}

// Keys that work wherever nobody is typing or answering, from the moment their part is seen; an act that gives false leaves
// the key to the browser.
export function useKeys(acts) {
  const latest = useRef(acts);
  latest.current = acts;
  useLayoutEffect(() => {
    const heard = (event) => {
      const act = !typing(event) && !document.querySelector("dialog[open]") && latest.current[event.key];
      if (act && act() !== false) event.preventDefault();
    };
    document.addEventListener("keydown", heard);
    return () => document.removeEventListener("keydown", heard);
  }, []);
}

// Whether a key means what it writes, and nothing else.
const typing = (event) => event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input:not([type=checkbox], [type=radio]), textarea, select, dialog");

// ---- time ---------------------------------------------------------------------------------------------------

export const now = signal(time());
setInterval(() => { if (!document.hidden) now.value = time(); }, 1000);

// ---- looks --------------------------------------------------------------------------------------------------

const PATHS = {
  stop: "M5 5h10v10H5z", pause: "M6 4h3v12H6zM11 4h3v12h-3z", play: "M6 4l10 6-10 6z", send: "M3 10l14-7-5 14-3-5z",
  check: "M4 10.5l4 4 8-9", cross: "M5 5l10 10M15 5L5 15", plus: "M10 4v12M4 10h12", chevron: "M7 4l6 6-6 6", search: "M9 4a5 5 0 100 10A5 5 0 009 4zM13 13l4 4",
  retry: "M15 5v4h-4M15 9a6 6 0 10.5 3", file: "M5 3h7l4 4v10H5zM12 3v4h4", link: "M8 12l4-4M7 9l-2 2a3 3 0 004 4l2-2M13 11l2-2a3 3 0 00-4-4L9 7", back: "M13 4l-6 6 6 6",
  fork: "M6 4v5a3 3 0 003 3h5M6 4v13M11 9l3 3-3 3", copy: "M7 7h9v9H7zM4 13V4h9", down: "M10 4v9M6 9l4 4 4-4M4 16h12", columns: "M4 4h12v12H4zM10 4v12", print: "M6 7V3h8v4M6 14H3V7h14v7h-3M6 12h8v5H6z", more: "M4.5 10h.01M10 10h.01M15.5 10h.01", pen: "M4 16l1-4 8.5-8.5 3 3L8 15z", person: "M10 10a3 3 0 100-6 3 3 0 000 6zM4 17c0-3 3-5 6-5s6 2 6 5",
};
const FILLED = new Set(["stop", "pause", "play", "send"]);
export const Icon = ({ name }) => html`<svg class="icon ${FILLED.has(name) ? "filled" : ""}" viewBox="0 0 20 20" aria-hidden="true"><path d=${PATHS[name]} /></svg>`;

export const STATES = { pending: "Starting", to_come: "To come", running: "Working", waiting: "Waiting", sleeping: "Sleeping", in_steps: "Steps under way", paused: "Paused", completed: "Completed", failed: "Failed", cancelled: "Stopped", asks: "Needs you",
  in_progress: "Working", skipped: "Skipped" };
export const stepState = (status) => (status === "pending" ? "to_come" : status);
export const look = (state, asks = 0, on = "") => state !== "waiting" ? state : asks ? "asks" : { steps: "in_steps", time: "sleeping" }[on] ?? state;
export const State = ({ state, asks = 0, on = "" }) => {
  const found = look(state, asks, on);
  return html`<span class="state is-${found}"><i class="dot" aria-hidden="true"></i>${STATES[found] ?? found}</span>`;
};

export function Meter({ value, most, label, text }) {
  const share = most ? Math.min(1, value / most) : 0;
  return html`<div class="meter ${share > 0.9 ? "high" : ""}">
    <div class="meter-head"><span>${label}</span><span class="figure">${text}</span></div>
    ${most ? html`<svg class="bar" viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true"><rect width="100" height="4" class="rail" /><rect width=${share * 100} height="4" class="fill" /></svg>` : ""}
  </div>`;
}

export const Steps = ({ done, total }) => html`<span class="steps" role="img" aria-label="${done} of ${total} steps complete">
  <svg viewBox="0 0 60 4" preserveAspectRatio="none" aria-hidden="true"><rect width="60" height="4" rx="2" class="rail" /><rect width=${total ? done / total * 60 : 0} height="4" rx="2" class="fill" /></svg>
  <span aria-hidden="true">${done}/${total}</span></span>`;

// Text a model wrote: as it is until the server has rendered it.
const rendered = new Map(), wanted = new Map();
let asked = false;
export function Prose({ text }) {
  const [, again] = useState(0);
  const known = rendered.get(text);
  useEffect(() => { if (known === undefined) want(text, () => again((count) => count + 1)); }, [text, known]);
  if (known !== undefined) return html`<div class="prose" dangerouslySetInnerHTML=${{ __html: known }}></div>`;
  return html`<div class="prose raw">${text}</div>`;
}

function want(text, done) {
  wanted.set(text, [...(wanted.get(text) ?? []), done]);
  if (asked) return;
  asked = true;
  setTimeout(askForAll, 16);
}

const MOST = 100, AGAIN = 3000;
async function askForAll() {
  const texts = [...wanted.keys()].slice(0, MOST);
  const answer = await post("/v1/prose", { texts }).catch(() => null);
  if (answer)
    texts.forEach((text, index) => {
      rendered.set(text, answer.html[index]);
      for (const done of wanted.get(text)) done();
      wanted.delete(text);
    });
  asked = wanted.size > 0;
  if (asked) setTimeout(askForAll, answer ? 16 : AGAIN);
}

export function Json({ value }) {
  const text = typeof value === "string" ? unturned(value) : json(value);
  return html`<pre class="code" tabindex="0">${text.length > 20000 ? `${text.slice(0, 20000)}\n… ${(text.length - 20000).toLocaleString("en-US")} more characters` : text}</pre>`;
}

export async function copyText(text) {
  if (!navigator.clipboard) throw new Error("this browser copies only from a secure page");
  await navigator.clipboard.writeText(text);
}

export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState(false);
  const copy = async () => {
    await copyText(typeof text === "function" ? text() : text);
    setDone(true);
    setTimeout(() => setDone(false), 1500);
  };
  return html`<button class="quiet small" onClick=${() => copy().catch((problem) => say(problem.message, true))}><${Icon} name=${done ? "check" : "copy"} />${done ? "Copied" : label}</button>`;
}

export function Dialog({ title, onClose, children, wide = false }) {
  const box = useRef();
  useEffect(() => { const open = box.current, from = document.activeElement; open.showModal(); return () => { open.close(); focusOn(from); }; }, []);   // who closes it is back where they came from
  const outside = (event) => { if (event.target === box.current) onClose(); };
  return html`<dialog ref=${box} class=${wide ? "wide" : ""} aria-labelledby="dialog-title" onCancel=${onClose} onMouseDown=${outside}>
    <div class="dialog-body"><header><h2 id="dialog-title">${title}</h2><button class="quiet icon-only" aria-label="Close" onClick=${onClose}><${Icon} name="cross" /></button></header>${children}</div>
  </dialog>`;
}

// A fault in what it holds is said in its place, with a way on.
export function Boundary({ children }) {
  const [problem, setProblem] = useState(null);
  this.componentDidCatch = setProblem;   // as Preact calls it
  return problem ? html`<main class="empty" role="alert"><h1>This page has a fault</h1><p>Nothing of the runs is lost. ${sentence(String(problem.message ?? problem))}</p><button onClick=${() => location.reload()}>Load it again</button></main>` : children;
}

// Where a reader goes on when what had the focus is gone: at this, or where the page begins.
export const focusOn = (place) => (place?.isConnected ? place : document.getElementById("content"))?.focus({ preventScroll: true });

const inSight = (tab) => tab?.parentElement && (tab.parentElement.scrollLeft = Math.min(tab.offsetLeft - 8, Math.max(tab.parentElement.scrollLeft, tab.offsetLeft + tab.offsetWidth + 8 - tab.parentElement.clientWidth)));

export function Tabs({ label, tabs, at, onPick, id }) {
  const keys = (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by) return;
    const next = tabs[(tabs.findIndex((one) => one.id === at) + by + tabs.length) % tabs.length];
    onPick(next.id);
    event.currentTarget.querySelector(`[data-tab="${next.id}"]`)?.focus();
  };
  return html`<div class="tabs" role="tablist" aria-label=${label} onKeyDown=${keys}>${tabs.map((one) => html`
    <button key=${one.id} ref=${one.id === at ? inSight : null} role="tab" id="${id}-${one.id}" data-tab=${one.id} aria-selected=${one.id === at} aria-controls="${id}-panel" tabindex=${one.id === at ? 0 : -1}
      class=${one.class ?? ""} onClick=${() => onPick(one.id)}>${one.name}${one.count ? html`<span class="count">${one.count}</span>` : ""}</button>`)}</div>`;
}

// How wide an element is, in px, whenever that changes.
export function useWidth(box, first = 600) {
  const [width, setWidth] = useState(first);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.floor(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return width;
}

// What somebody is writing, or has looked at, is still there when they come back: from another tab of the page, from signing in again.
const drafts = new Map();
export function useDraft(name, none = "") {
  const [draft, set] = useState(drafts.get(name) ?? none);
  return [draft, (value) => set((before) => { const next = typeof value === "function" ? value(before) : value; drafts.set(name, next); return next; })];
}
export const forgetDraft = (name) => drafts.delete(name);
export const forgetDrafts = () => drafts.clear();

// ---- what happened just now ---------------------------------------------------------------------------------

export const notice = signal(null);
// What has gone wrong stays until somebody has seen it.
export function say(text, bad = false) {
  const mine = { text: bad ? sentence(text) : text, bad };
  notice.value = mine;
  if (!bad) setTimeout(() => { if (notice.value === mine) notice.value = null; }, 5000);
}
export const Notice = () => html`<div class="notice-place" role="status" aria-live="polite">${notice.value && html`<div class="notice ${notice.value.bad ? "bad" : ""}"><span>${notice.value.text}</span>
  ${notice.value.bad && html`<button class="icon-only" aria-label="Close" onClick=${() => { notice.value = null; }}><${Icon} name="cross" /></button>`}</div>`}</div>`;

// What is needed seldom, behind one button. It closes by Escape, a choice, or a look elsewhere.
export function Menu({ label, children }) {
  const box = useRef();
  useEffect(() => {
    const away = (event) => { if (!box.current.contains(event.target)) box.current.open = false; };
    document.addEventListener("pointerdown", away);
    document.addEventListener("focusin", away);
    return () => { document.removeEventListener("pointerdown", away); document.removeEventListener("focusin", away); };
  }, []);
  const close = (event) => { if (event.key === "Escape" && box.current.open) { box.current.open = false; box.current.querySelector("summary").focus(); event.stopPropagation(); } };
  return html`<details class="menu" ref=${box} onKeyDown=${close}><summary class="button icon-only" aria-label=${label}><${Icon} name="more" /></summary>
    <div class="menu-items" onClick=${() => { box.current.open = false; box.current.querySelector("summary").focus(); }}>${children}</div></details>`;
}

// A button whose work takes a moment: it cannot be pressed twice, keeps the focus meanwhile, and its failure is said.
// `done`: nor any more at all.
export function Act({ act, done = false, children, class: look = "", ...more }) {
  const [busy, setBusy] = useState(false), working = useRef(false);
  const press = async () => {
    if (working.current || done) return;
    working.current = true;
    setBusy(true);
    try { await act(); } catch (problem) { say(problem.message, true); } finally { working.current = false; setBusy(false); }
  };
  return html`<button class=${look} aria-disabled=${busy || done || null} aria-busy=${busy} ...${more} onClick=${press}>${children}</button>`;
}
