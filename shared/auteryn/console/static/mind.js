// Which model has how much in mind, by which code: asked for again whenever it has thought.

import { html, useEffect, useState } from "./vendor/preact.js";
import { get } from "./net.js";
import { Meter } from "./parts.js";
import { moment, number } from "./words.js";

export function useContextOf(story) {
  const [found, setFound] = useState(null);
  useEffect(() => { get(`/v1/runs/${story.id}/context`).then(setFound, () => {}); }, [story.id, story.view.usage.llm_calls, Object.keys(story.lanes).length]);
  return found;
}

export function ContextMeter({ found }) {
  if (!found?.turn) return null;
  const { prompt_tokens: tokens, compact_at: most } = found;
  return html`<section class="context"><h3>In mind</h3><${Meter} label="At turn ${found.turn}" value=${tokens} most=${most} text="${number(tokens)} / ${number(most)} tokens" />
    <p class="hint">${found.cached_tokens ? `${number(found.cached_tokens)} of them were kept by the provider. ` : ""}${found.compacted_at ? `Summarised on ${moment(found.compacted_at)}, from ${number(found.compacted_tokens)} tokens. ` : ""}Beyond ${number(most)} the older turns are summarised; the task, notes, plan, open questions and files stay word for word. The model takes ${number(found.window)}.</p></section>`;
}

// What no summary may lose, as the model is shown it.
export function Ledger({ story }) {
  const [found, setFound] = useState(null);
  useEffect(() => { get(`/v1/runs/${story.id}/ledger`).then(setFound, () => {}); }, [story.id, story.view.seq]);
  if (!found) return null;
  return html`<section class="ledger"><h3>Kept word for word</h3>
    <p class="hint">${found.compactions ? `The conversation was summarised ${found.compactions === 1 ? "once" : `${number(found.compactions)} times`}; this was not.` : "The conversation was never summarised."}</p>
    <details open><summary>Goal</summary><pre class="code" tabindex="0">${found.goal}</pre></details>
    ${found.text && html`<details open><summary>Ledger</summary><pre class="code" tabindex="0">${found.text}</pre></details>`}</section>`;
}

export function Trace({ found }) {
  if (!found?.trace) return null;
  return html`<p class="hint">Trace ${found.trace_url ? html`<a href=${found.trace_url} target="_blank" rel="noreferrer"><code>${found.trace}</code></a>` : html`<code>${found.trace}</code>`}</p>`;
}
