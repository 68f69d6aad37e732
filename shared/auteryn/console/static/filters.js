// Which runs to show: filters in the address, asked of the server; views somebody has saved in this browser.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { get, session, time } from "./net.js";
import { Icon, address, setQuery } from "./parts.js";

const STATES = { asks: ["Needs you"], running: ["Working", "running", "pending"], waiting: ["Waiting", "waiting"], paused: ["Paused", "paused"],
  completed: ["Completed", "completed"], failed: ["Failed", "failed"], cancelled: ["Stopped", "cancelled"] };
const DAYS = [["", "Any time"], ["1", "24 hours"], ["7", "7 days"], ["30", "30 days"]];
const COSTS = [["", "Any cost"], ["10", "10 credits or more"], ["100", "100 or more"], ["1000", "1,000 or more"]];
const NAMES = ["q", "state", "mode", "days", "cost", "tag", "owner"];
const PAUSE = 250;   // ms after the last key before the server is asked

// The address's filters as the API takes them.
export function wanted(query) {
  const asked = new URLSearchParams(), state = query.get("state"), days = Number(query.get("days")), tag = query.get("tag");
  if (state === "asks") asked.set("asking", "true");
  for (const status of (STATES[state] ?? []).slice(1)) asked.append("status", status);
  if (query.get("mode")) asked.set("mode", query.get("mode"));
  if (query.get("q")) asked.set("text", query.get("q"));
  if (days) asked.set("since", new Date(Math.floor(time() / 60e3) * 60e3 - days * 86400e3).toISOString());
  if (Number(query.get("cost"))) asked.set("least_credits", query.get("cost"));
  if (tag?.includes("=")) asked.set("label", tag);
  if (query.get("owner")) asked.set("owner", query.get("owner"));
  return asked;
}

// Its labels in words; those the server gives a run say where it comes from.
const MADE = { fork_of: "a fork", retry_of: "a retry", "kind=question": "a question" };
const made = (name, value) => MADE[name] ?? MADE[`${name}=${value}`];
export const tagsOf = (run) => Object.entries(run.labels).map(([name, value]) => made(name, value) ?? `${name}: ${value}`);

export const filtering = (query) => NAMES.some((name) => query.get(name));
export const key = (query) => NAMES.map((name) => query.get(name) ?? "").join("\n");
export const unfiltered = () => setQuery(Object.fromEntries(NAMES.map((name) => [name, ""])));

export function Filters({ query, runs }) {
  const tags = useSeen(runs.flatMap((run) => Object.entries(run.labels).filter((one) => !made(...one)).map(([name, value]) => `${name}=${value}`)), query.get("tag"));
  const choice = (name, label, options) => html`<label class="choice"><span class="sr">${label}</span><select value=${query.get(name) ?? ""} class=${query.get(name) ? "set" : ""} onChange=${(event) => setQuery({ [name]: event.currentTarget.value })}>${options.map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select></label>`;
  return html`<form class="filters" role="search" onSubmit=${(event) => event.preventDefault()}>
    <label class="search"><span class="sr">Search runs</span><${Icon} name="search" /><${Slow} id="search" type="search" placeholder="Search titles" name="q" query=${query} /></label>
    ${choice("state", "State", [["", "Any state"], ...Object.entries(STATES).map(([state, [word]]) => [state, word])])}
    ${choice("mode", "Mode", [["", "Any mode"], ["fast", "Fast"], ["deep", "Deep"]])}${choice("days", "Started", DAYS)}${choice("cost", "Cost", COSTS)}
    ${tags.length > 0 && choice("tag", "Tag", [["", "Any tag"], ...tags.map((tag) => [tag, tag.replace("=", ": ")])])}
    ${session.value?.role === "admin" && html`<${Owner} query=${query} />`}
    ${filtering(query) && html`<button type="button" class="quiet" onClick=${unfiltered}>Clear</button>`}
  </form>`;
}

// An admin may look at anybody's runs; where there is only one owner, nobody is asked.
function Owner({ query }) {
  const [others, setOthers] = useState([]);
  useEffect(() => { get("/v1/runs?owner=*&limit=200").then((page) => setOthers(page.runs.map((run) => run.owner)), () => {}); }, []);
  const owners = useSeen(others, query.get("owner")).filter((one) => one !== "*");
  if (!query.get("owner") && owners.every((one) => one === session.value.owner)) return null;
  return html`<label class="choice"><span class="sr">Owner</span><${Slow} name="owner" query=${query} list="owners" placeholder="Mine" />
    <datalist id="owners"><option value="*">Everybody</option>${owners.map((one) => html`<option value=${one} />`)}</datalist></label>`;
}

// What is typed is asked for once the typing pauses.
function Slow({ name, query, ...more }) {
  const given = query.get(name) ?? "", [text, setText] = useState(given), timer = useRef();
  useEffect(() => setText(given), [given]);
  const typed = (event) => {
    const value = event.currentTarget.value;
    setText(value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => setQuery({ [name]: value.trim() }), PAUSE);
  };
  return html`<input ...${more} value=${text} onInput=${typed} />`;
}

// Whatever was in sight once can be chosen from then on.
function useSeen(values, chosen) {
  const seen = useRef(new Set());
  for (const value of [...values, ...(chosen ? [chosen] : [])]) seen.current.add(value);
  return [...seen.current].sort();
}

// ---- saved views --------------------------------------------------------------------------------------------

const PLACE = "auteryn.views";
const saved = () => { try { return JSON.parse(localStorage.getItem(PLACE)) ?? []; } catch { return []; } };

export function SavedViews({ query }) {
  const [views, setViews] = useState(saved), [naming, setNaming] = useState(null), here = key(query);
  const keep = (next) => { setViews(next); localStorage.setItem(PLACE, JSON.stringify(next)); };
  const open = (view) => setQuery(Object.fromEntries(NAMES.map((name) => [name, new URLSearchParams(view.query).get(name) ?? ""])));
  const save = (event) => {
    event.preventDefault();
    const mine = new URLSearchParams(NAMES.map((name) => [name, query.get(name) ?? ""]).filter(([, value]) => value));
    if (naming.trim()) keep([...views.filter((one) => one.name !== naming.trim()), { name: naming.trim().slice(0, 60), query: mine.toString() }]);
    setNaming(null);
  };
  const current = views.find((one) => key(new URLSearchParams(one.query)) === here);
  if (!views.length && !filtering(query)) return null;
  return html`<div class="views" role="group" aria-label="Saved views">
    ${views.map((view) => html`<button key=${view.name} class="small view" aria-pressed=${view === current} onClick=${() => view === current ? setQuery(Object.fromEntries(NAMES.map((name) => [name, ""]))) : open(view)}>${view.name}</button>`)}
    ${current && html`<button class="quiet small" onClick=${() => keep(views.filter((one) => one !== current))}>Forget “${current.name}”</button>`}
    ${!current && filtering(query) && (naming === null ? html`<button class="quiet small" onClick=${() => setNaming("")}><${Icon} name="plus" />Save this view</button>` :
      html`<form class="row" onSubmit=${save}><label class="sr" for="view-name">Name of the view</label><input id="view-name" class="small" autofocus maxlength="60" placeholder="Name of the view" value=${naming} onInput=${(event) => setNaming(event.currentTarget.value)} onKeyDown=${(event) => event.key === "Escape" && setNaming(null)} /><button class="small" disabled=${!naming.trim()}>Save</button></form>`)}
  </div>`;
}
