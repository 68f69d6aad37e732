// Why it is where it is, for whoever wonders whether it is stuck; and what it has noted.

import { html, useEffect, useState } from "./vendor/preact.js";
import { get, polled } from "./net.js";
import { Prose, State, now } from "./parts.js";
import { ContextMeter, Ledger } from "./mind.js";
import { over } from "./story.js";
import { ago, moment, number, plain, plural, sentence, span } from "./words.js";

const WAITS = { until: "Until a time", steps: "For its steps", person: "For a person", budget: "For budget", rate_limit: "For the model's provider" };
const LINKS = { live: "live", connecting: "connecting", lost: "broken; it comes back by itself", over: "ended with the run" };

export function Health({ story, link }) {
  const { view } = story, [found, setFound] = useState(null);
  useEffect(() => polled(5000, async () => setFound(await get(`/v1/runs/${story.id}/health`))), [story.id]);
  const last = story.items.at(-1), cut = Object.values(story.lanes).flat().filter((one) => one.cut).length, asks = Object.values(story.asks).filter((ask) => ask.state === "open").length;
  return html`<div class="health"><p class="sentence"><${State} state=${story.state} asks=${asks} on=${story.waits_on} /> <span>${sentence(plain(found?.why ?? story.why))}</span></p>
    <dl class="pairs">
      ${view.waits.map((wait) => html`<div><dt>${WAITS[wait.kind] ?? wait.kind}</dt><dd>${wait.at ? `${moment(wait.at)} (in ${span(Date.parse(wait.at) - now.value)})` : wait.until ? `at most until ${moment(wait.until)}` : "as long as it takes"}${wait.reason || wait.why ? `: ${wait.reason || wait.why}` : ""}</dd></div>`)}
      <div><dt>Newest event</dt><dd>${last ? `${ago(last.at, now.value)}, entry ${number(story.seq)}` : "none"}</dd></div>
      <div><dt>This page's feed</dt><dd>${LINKS[link]}</dd></div>
      ${found && html`<div><dt>Slices</dt><dd>${number(found.slice)}${cut ? `; ${cut} cut off and resumed in this tree${story.whole ? "" : ", in what is loaded"}` : ""}</dd></div>`}
      ${!over(story) && html`<div><dt>Ends at the latest</dt><dd>${moment(view.deadline_at)} (in ${span(Date.parse(view.deadline_at) - now.value)})</dd></div>`}
      <div><dt>Mode</dt><dd>${view.mode.toUpperCase()}: ${view.reason}</dd></div>
      <div><dt>Under it</dt><dd>${view.children.length ? `${plural(view.children.length, "run")} at work or waiting` : "nothing"}</dd></div>
      <div><dt>Run</dt><dd><code>${view.id}</code></dd></div>
      ${found && machinery(found, now.value, over(story)).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl></div>`;
}

const UNREAD = { user_message: "a message", answered: "an answer", voted: "a vote", step_ended: "the end of a step", cancel: "a stop", retry_step: "a retry", poke: "a reminder", share_asked: "a step's wish for more" };

// What the server knows of the run's machinery: who is at it, when it moves next, what lies unread.
const machinery = (one, at, ended) => [
  ["At work on it", one.leased ? html`<code>${one.holder}</code>, slice ${one.slice}; if it fell silent, another would go on from ${moment(one.lease_until)}` : one.holder ? html`nobody; last <code>${one.holder}</code>, slice ${one.slice}` : one.slice ? "nobody now" : "nobody yet"],
  ["Last commit", `${ago(one.last_commit_at, at)}, entry ${number(one.seq)}`],
  ...(ended ? [] : [["Moves next", one.due === "now" ? "now" : one.next_wake ? `${moment(one.next_wake)}, or when what it waits for comes` : "when what it waits for comes, or somebody speaks to it"]]),
  ["Unread", one.inbox.length ? one.inbox.map((line) => `${UNREAD[line.kind] ?? line.kind.replaceAll("_", " ")} (${ago(line.sent_at, at)})`).join(", ") : "nothing"],
  ["Found by the sweeper", one.swept ? `${plural(one.swept, "time")}, last ${moment(one.swept_at)}` : "never"],
  ...(one.stalls ? [["Slices that came to nothing", one.stalls]] : []),
  ...(one.undelivered.length ? [["Notifications nobody has taken", one.undelivered.join("; ")]] : []),
];

export function Notes({ story, mind }) {
  const [found, setFound] = useState(null);
  useEffect(() => { get(`/v1/runs/${story.id}/scratchpad`).then(setFound, () => setFound({})); }, [story.id, story.view.usage.tool_calls, story.items.length]);
  if (!found) return html`<p class="hint" aria-busy="true">Looking…</p>`;
  const sections = Object.entries(found);
  return html`<div class="notes"><${ContextMeter} found=${mind} /><${Ledger} story=${story} />${!sections.length && html`<p class="hint">It has noted nothing yet.</p>`}${sections.map(([name, notes]) => html`<section key=${name}><h3>${name}</h3>${notes.map((note, index) => html`<div class="note-card" key=${index}><${Prose} text=${note} /></div>`)}</section>`)}</div>`;
}
