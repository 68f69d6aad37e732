// Say something to the agent while it works: next, at once, or when it would otherwise end. What it has not heard can be changed.

import { html, useEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { ask, get, once, post } from "./net.js";
import { Act, Icon, say, useDraft } from "./parts.js";
import { short } from "./words.js";

const HOW = [["steer", "Next", "It hears this before its next thought. What it only waits for is broken off."], ["interrupt", "At once", "It and its steps hear this at once. What they think or do right now is broken off."], ["queue", "Later", "It hears this when it would otherwise end."]];
const WORDS = new Set(["heard", "queued"]);

export function Composer({ story, sent, setSent }) {
  const [text, setText] = useDraft(`say ${story.id}`), [mode, setMode] = useState("steer"), [unheard, look] = useUnheard(story, sent.length), key = useRef(once());
  const send = async () => {   // said twice, or again after a lost reply, it is heard once
    const mine = { text: text.trim(), from: story.items.length, key: crypto.randomUUID() };
    try { await post(`/v1/runs/${story.id}/messages`, { text: mine.text, mode }, key.current); } catch (problem) {
      throw problem.status ? problem : new Error("The server cannot be reached, and your words are still here. Send them again when it can: they are heard once.");
    }
    key.current = once();
    setSent((before) => [...before, mine]);
    setText("");
    document.getElementById("steer")?.focus();   // the button has nothing more to send
  };
  const typed = (now) => { key.current = once(); setText(now); };
  const sendIt = () => send().catch((problem) => say(problem.message, true));
  const changed = async (one, now) => {
    const where = `/v1/runs/${story.id}/messages/${one.id}`;
    try { await (now === null ? ask("DELETE", where) : ask("PATCH", where, { text: now })); } finally { look(); }
    setSent((before) => before.map((mine) => mine.text === one.text ? { ...mine, text: now ?? "" } : mine));
  };
  const enter = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && text.trim()) { event.preventDefault(); sendIt(); } };
  const heard = sent.map((one) => ({ ...one, before: heardBefore(one, story) })).filter((one) => one.before).slice(-3);
  return html`<form class="composer" onSubmit=${(event) => { event.preventDefault(); if (text.trim()) sendIt(); }}>
    ${heard.length + unheard.length > 0 && html`<ul class="pending">${heard.map((one) => html`<li key=${one.key} class="applied"><${Icon} name="check" /><span>${short(one.text, 80)}</span><small>heard before turn ${one.before}</small></li>`)}
      ${unheard.map((one) => html`<${Pending} key=${one.id} one=${one} onChange=${(now) => changed(one, now)} />`)}</ul>`}
    <label class="sr" for="steer">Message to the agent</label>
    <textarea id="steer" rows="2" placeholder="Steer it: say what to do differently" value=${text} onInput=${(event) => typed(event.currentTarget.value)} onKeyDown=${enter}></textarea>
    <div class="row"><div class="segmented" role="group" aria-label="When">${HOW.map(([id, name, about]) => html`<button type="button" key=${id} aria-pressed=${mode === id} title=${about} onClick=${() => { key.current = once(); setMode(id); }}>${name}</button>`)}</div>
      <span class="hint">${HOW.find(([id]) => id === mode)[2]}</span><${Act} type="button" class="primary" disabled=${!text.trim()} act=${send}>Send<//></div></form>`;
}

// What was said and not heard, whoever said it: asked for again whenever something was said, heard or changed.
function useUnheard(story, sent) {
  const [found, setFound] = useState([]);
  const news = useMemo(() => story.items.reduce((count, item) => count + (WORDS.has(item.kind) || item.fact === "message_changed"), 0), [story.items]);
  const look = () => get(`/v1/runs/${story.id}/messages`).then((page) => setFound(page.messages), () => {});
  useEffect(() => { look(); }, [story.id, sent, news, story.view.seq]);
  return [found, look];
}

function Pending({ one, onChange }) {
  const [text, setText] = useState(null), leave = () => setText(null), save = async () => { if (text.trim() !== one.text) await onChange(text.trim()); leave(); };
  const keys = (event) => { if (event.key === "Escape") leave(); if (event.key === "Enter") event.preventDefault(); if (event.key === "Enter" && text.trim()) save().catch(leave); };
  if (text !== null) return html`<li class="rename"><label class="sr" for="say-${one.id}">What it is to say</label><input id="say-${one.id}" ref=${(box) => box && document.activeElement !== box && box.focus()} value=${text} onInput=${(event) => setText(event.currentTarget.value)} onKeyDown=${keys} />
    <${Act} type="button" class="primary small" disabled=${!text.trim()} act=${save}>Save<//><button type="button" class="small" onClick=${leave}>Cancel</button></li>`;
  return html`<li><${Icon} name="send" /><span>${short(one.text, 80)}</span><small>${one.mode === "queue" ? "for later" : "on its way"}</small>
    <button type="button" class="quiet icon-only small" aria-label="Change: ${short(one.text, 40)}" title="Change" onClick=${() => setText(one.text)}><${Icon} name="pen" /></button>
    <${Act} type="button" class="quiet icon-only small" aria-label="Take back: ${short(one.text, 40)}" title="Take back" act=${() => onChange(null)}><${Icon} name="cross" /><//></li>`;
}

function heardBefore(one, story) {
  return story.items.slice(one.from).find((item) => item.kind === "heard" && item.text === one.text)?.before;
}
