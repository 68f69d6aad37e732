// What can be done with runs: with one, from its page, or with many at once. Nothing is done before it was said of how many.

import { html, useState } from "./vendor/preact.js";
import { ask, post } from "./net.js";
import { Act, Dialog, Link, say } from "./parts.js";
import { number, plural, short, unturned } from "./words.js";

const ACTS = [
  { name: "Pause", may: (run) => !run.ended_at && run.state !== "paused", act: (run) => post(`/v1/runs/${run.id}/pause`) },
  { name: "Resume", may: (run) => run.state === "paused", act: (run) => post(`/v1/runs/${run.id}/resume`) },
  { name: "Stop", may: (run) => !run.ended_at, act: (run) => post(`/v1/runs/${run.id}/cancel`), danger: true, warn: "What they have so far stays; a stopped run does not go on." },
  { name: "Retry", may: (run) => run.status === "failed" || run.status === "cancelled", act: (run) => post(`/v1/runs/${run.id}/retry`), warn: "Each starts again as a new run that keeps what its completed steps found." },
  { name: "Export", may: () => true, act: download, warn: "Each is saved as one file: its events, plan, notes and published files, with secrets struck out." },
];

const EVERYTHING = "Everything is erased for good: what it was told, thought and did, its questions, notes and files. Export it before if you may need it.";

export function Bulk({ runs, onDone }) {
  const [asked, setAsked] = useState(null), endedRuns = runs.filter((run) => run.ended_at);
  return html`<div class="bulk" role="toolbar" aria-label="With the chosen runs"><span>${plural(runs.length, "run")} chosen</span>
    ${ACTS.map((act) => { const count = runs.filter(act.may).length; return html`<button key=${act.name} class="small" disabled=${!count} onClick=${() => setAsked(act)}>${act.name}${count ? ` ${count}` : ""}</button>`; })}
    ${runs.length === 2 && html`<${Link} class="button small" to="/?compare=${runs.map((run) => run.id).join()}">Compare<//>`}
    <button class="small danger" disabled=${!endedRuns.length} onClick=${() => setAsked("erase")}>Delete${endedRuns.length ? ` ${endedRuns.length}` : ""}</button>
    ${asked === "erase" ? html`<${Erase} runs=${endedRuns} all=${runs.length} onClose=${() => setAsked(null)} onDone=${onDone} />` :
      asked && html`<${Confirm} act=${asked} runs=${runs.filter(asked.may)} all=${runs.length} onClose=${() => setAsked(null)} onDone=${onDone} />`}</div>`;
}

function Confirm({ act, runs, all, onClose, onDone }) {
  const doIt = async () => {
    const bad = (await Promise.allSettled(runs.map(act.act))).filter((one) => one.status === "rejected");
    say(bad.length ? `${bad.length} of ${runs.length} could not: ${bad[0].reason.message}` : `${act.name}: ${plural(runs.length, "run")}`, bad.length > 0);
    onClose();
    onDone();
  };
  return html`<${Dialog} title="${act.name} ${plural(runs.length, "run")}?" onClose=${onClose}>
    <${Meant} runs=${runs} all=${all} />${act.warn && html`<p>${act.warn}</p>`}
    <div class="actions"><button onClick=${onClose}>Cancel</button><${Act} class=${act.danger ? "danger" : "primary"} act=${doIt}>${act.name} ${runs.length}<//></div>
  <//>`;
}

// Erase runs that have ended, and show what was erased.
export function Erase({ runs, all = runs.length, onClose, onDone }) {
  const [receipts, setReceipts] = useState(null), one = runs.length === 1;
  const doIt = async () => setReceipts(await Promise.all(runs.map(async (run) => {
    try { return { run, erased: await ask("DELETE", `/v1/runs/${run.id}`) }; } catch (problem) { return { run, problem }; }
  })));
  if (receipts) return html`<${Dialog} title=${receipts.every((each) => each.erased) ? "Erased" : "Not all was erased"} onClose=${onDone}><${ErasedReceipt} receipts=${receipts} />
    <div class="actions"><button class="primary" onClick=${onDone}>Close</button></div><//>`;
  return html`<${Dialog} title="Delete ${one ? "this run" : plural(runs.length, "run")} for good?" onClose=${onClose}>
    <${Meant} runs=${runs} all=${all} /><p>${EVERYTHING}</p>
    <div class="actions"><button onClick=${onClose}>Cancel</button><${Act} class="danger" act=${doIt}>Delete ${one ? "it" : runs.length}<//></div><//>`;
}

function ErasedReceipt({ receipts }) {
  const done = receipts.filter((one) => one.erased).map((one) => one.erased), sum = (count) => done.reduce((all, one) => all + count(one), 0);
  const lines = [[sum((one) => one.runs.length), "run, its steps and ticks included", "runs, steps and ticks included"], [sum((one) => one.asks), "question", "questions"], [sum((one) => one.blobs), "published file", "published files"]].filter(([count]) => count);
  const left = done.flatMap((one) => one.leftovers), shared = sum((one) => one.shared_blobs);
  return html`<div class="receipt" role="status"><dl>${lines.map(([count, single, many]) => html`<div key=${many}><dt>${number(count)}</dt><dd>${count === 1 ? single : many}</dd></div>`)}</dl>
    ${done.length > 0 && !left.length && html`<p>Every place was looked at again: nothing of it is left.</p>`}
    ${shared > 0 && html`<p class="hint">${plural(shared, "file")} stayed, because another run has published the same bytes.</p>`}
    ${left.length > 0 && html`<p class="problem">Still there: ${left.join(", ")}. Delete it once more.</p>`}
    ${receipts.filter((one) => one.problem).map(({ run, problem }) => html`<p class="problem" key=${run.id}>${short(run.title, 60)}: ${problem.message}</p>`)}</div>`;
}

const Meant = ({ runs, all }) => html`<ul class="preview-list">${runs.slice(0, 8).map((run) => html`<li key=${run.id}><bdi>${unturned(short(run.title, 80))}</bdi></li>`)}${runs.length > 8 && html`<li>and ${runs.length - 8} more</li>`}</ul>
  ${runs.length < all && html`<p class="hint">It cannot be done with ${plural(all - runs.length, "chosen run")}: ${all - runs.length === 1 ? "it is" : "they are"} left alone.</p>`}`;

// The run as one file, into the browser's downloads. What is refused is said instead of saved.
export async function download(run) {
  const answer = await fetch(`/v1/runs/${run.id}/bundle`).catch(() => null);
  if (!answer?.ok) throw new Error((await answer?.json().catch(() => null))?.detail ?? "the server cannot be reached");
  save(await answer.blob(), /filename="([^"]+)"/.exec(answer.headers.get("content-disposition"))?.[1] ?? `${run.id}.zip`);
}

function save(blob, name) {
  const place = URL.createObjectURL(blob), link = Object.assign(document.createElement("a"), { href: place, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(place), 60_000);
}
