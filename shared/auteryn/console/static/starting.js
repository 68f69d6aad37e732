// A new run: the task, how much it may cost, what must come of it.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { ask, once, post } from "./net.js";
import { Dialog, Icon, forgetDraft, useDraft } from "./parts.js";
import { bytes, credits, sentence, span } from "./words.js";

const MODES = [["auto", "Auto", "decided by the task"], ["fast", "Fast", "answers at once, up to 11 minutes"], ["deep", "Deep", "plans and works for days"]];
const LARGEST = 20e6;
const SPANS = [["1h", "1 hour"], ["1d", "1 day"], ["3d", "3 days"], ["1w", "7 days"], ["", "Another span"]];

const FIELDS = { input: "Task", max_duration: "At most", budget: "Budget", "budget.credits": "Budget", deliverables: "Files it must hand over", files: "Files" };
const NOTHING = { input: "", mode: "auto", budget: "", max_duration: "1w", span: "", deliverables: "", approve: "ask", effects: "free", include_thoughts: true, files: [] };

export function NewRun({ onClose, onStarted }) {
  const [draft, setDraft] = useDraft("run", NOTHING);
  const [problem, setProblem] = useState(null), [busy, setBusy] = useState(false);
  const key = useRef(once());
  const set = (changes) => setDraft({ ...draft, ...changes });
  const estimate = useEstimate(draft);
  const start = async (event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      const run = await post("/v1/runs", await body(draft), key.current);
      forgetDraft("run");
      onStarted(run);
    } catch (error) {
      key.current = once();
      setProblem(FIELDS[error.field] ? `${FIELDS[error.field]}: ${error.rule}` : sentence(error.message));
    } finally { setBusy(false); }
  };
  const enter = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && draft.input.trim()) start(event); };
  return html`<${Dialog} title="New run" onClose=${onClose} wide>
    <form class="new-run" onSubmit=${start} onKeyDown=${enter}>
      <label for="task">Task</label>
      <textarea id="task" rows="5" required autofocus placeholder="What should be done? Say what you will check the result by." value=${draft.input} onInput=${(event) => set({ input: event.currentTarget.value })}></textarea>
      <fieldset class="modes"><legend>Mode</legend>${MODES.map(([id, name, about]) => html`<label key=${id}><input type="radio" name="mode" value=${id} checked=${draft.mode === id} onChange=${() => set({ mode: id })} /><span><b>${name}</b> <small>${about}</small></span></label>`)}</fieldset>
      <div class="fields">
        <label>Budget in credits<input inputmode="decimal" placeholder="no cap" value=${draft.budget} onInput=${(event) => set({ budget: event.currentTarget.value })} /></label>
        <label>At most<select value=${draft.max_duration} onChange=${(event) => set({ max_duration: event.currentTarget.value })}>${SPANS.map(([value, word]) => html`<option value=${value}>${word}</option>`)}</select></label>
        ${!draft.max_duration && html`<label>Span<input required placeholder="such as 90m, 2d12h or 1w" value=${draft.span} onInput=${(event) => set({ span: event.currentTarget.value })} /></label>`}
        <label>Approvals<select value=${draft.approve} onChange=${(event) => set({ approve: event.currentTarget.value })}><option value="ask">Ask: I allow each risky call</option><option value="auto">Auto: risky calls need no approval</option></select></label>
        <label>Effects outside<select value=${draft.effects} onChange=${(event) => set({ effects: event.currentTarget.value })}><option value="free">As the task says</option><option value="ask">Ask me before each</option><option value="dry">Dry run: none, tell me of each</option></select></label>
      </div>
      <label for="deliverables">Files it must hand over <small>one a line, such as report.md or *.xlsx</small></label>
      <textarea id="deliverables" rows="2" value=${draft.deliverables} onInput=${(event) => set({ deliverables: event.currentTarget.value })}></textarea>
      <div class="attach"><label class="button"><${Icon} name="file" />Add files<input class="sr" type="file" multiple onChange=${(event) => set({ files: [...draft.files, ...event.currentTarget.files] })} /></label>
        ${draft.files.map((file) => html`<span class="tag" key=${file.name}>${file.name} <small>${bytes(file.size)}</small><button type="button" class="quiet icon-only" aria-label="Leave out ${file.name}" onClick=${() => set({ files: draft.files.filter((one) => one !== file) })}><${Icon} name="cross" /></button></span>`)}
        <label class="check"><input type="checkbox" checked=${draft.include_thoughts} onChange=${(event) => set({ include_thoughts: event.currentTarget.checked })} />Show what it thinks</label></div>
      ${estimate && html`<p class="hint estimate">${estimate}</p>`}
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}
      <div class="actions"><button type="button" onClick=${() => { forgetDraft("run"); onClose(); }}>Cancel</button><button class="primary" disabled=${busy || !draft.input.trim()}>Start</button></div>
    </form><//>`;
}

async function body(draft) {
  const lines = draft.deliverables.split("\n").map((line) => line.trim()).filter(Boolean);
  const files = {};
  for (const file of draft.files) {
    if (file.size > LARGEST) throw new Error(`${file.name} is larger than ${bytes(LARGEST)}`);
    files[file.name] = await base64(file);
  }
  return { input: draft.input, mode: draft.mode, max_duration: draft.max_duration || draft.span.trim(), approve: draft.approve, effects: draft.effects, include_thoughts: draft.include_thoughts,
    deliverables: lines, ...(draft.files.length ? { files } : {}), ...(draft.budget.trim() ? { budget: { credits: Number(draft.budget.replace(",", ".")) } } : {}) };
}

const base64 = (file) => new Promise((done, failed) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.onerror = () => failed(new Error(`${file.name} cannot be read`));
  reader.readAsDataURL(file);
});

// What it will probably cost, where the API says so.
function useEstimate(draft) {
  const [found, setFound] = useState("");
  useEffect(() => {
    if (draft.input.trim().length < 12) return setFound("");
    const timer = setTimeout(async () => {
      const answer = await ask("POST", "/v1/estimate", { input: draft.input, mode: draft.mode }).catch(() => null);
      setFound(answer ? said(answer) : "");
    }, 500);
    return () => clearTimeout(timer);
  }, [draft.input, draft.mode]);
  return found;
}

const said = (answer) => `${answer.mode.toUpperCase()}: probably ${credits(answer.credits_p50)} credits and ${span(1000 * answer.seconds_p50)} at work; nine of ten stay below ${credits(answer.credits_p90)} and ${span(1000 * answer.seconds_p90)}.`;
