// Say something to the agent while it works: now, or when it would otherwise end.

import { html, useState } from "./vendor/preact.js";
import { once, post } from "./net.js";
import { Act, Icon } from "./parts.js";
import { short } from "./words.js";

const HOW = [["steer", "Now", "It hears this before its next thought."], ["queue", "Later", "It hears this when it would otherwise end."]];

export function Composer({ story, sent, setSent }) {
  const [text, setText] = useState(""), [mode, setMode] = useState("steer");
  const send = async () => {
    const mine = { text: text.trim(), mode, from: story.items.length, key: crypto.randomUUID() };
    await post(`/v1/runs/${story.id}/messages`, { text: mine.text, mode }, once());
    setSent((before) => [...before, mine]);
    setText("");
  };
  const enter = (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && text.trim()) { event.preventDefault(); send(); } };
  const pending = sent.map((one) => ({ ...one, heard: heard(one, story) }));
  return html`<form class="composer" onSubmit=${(event) => { event.preventDefault(); if (text.trim()) send(); }}>
    ${pending.length > 0 && html`<ul class="pending">${pending.slice(-3).map((one) => html`<li key=${one.key} class=${one.heard ? "applied" : ""}><${Icon} name=${one.heard ? "check" : "send"} /><span>${short(one.text, 80)}</span><small>${one.heard || (one.mode === "steer" ? "on its way" : "queued")}</small></li>`)}</ul>`}
    <label class="sr" for="steer">Message to the agent</label>
    <textarea id="steer" rows="2" placeholder="Steer it: say what to do differently" value=${text} onInput=${(event) => setText(event.currentTarget.value)} onKeyDown=${enter}></textarea>
    <div class="row"><div class="segmented" role="group" aria-label="When">${HOW.map(([id, name, about]) => html`<button type="button" key=${id} aria-pressed=${mode === id} title=${about} onClick=${() => setMode(id)}>${name}</button>`)}</div>
      <span class="hint">${HOW.find(([id]) => id === mode)[2]}</span><${Act} type="button" class="primary" disabled=${!text.trim()} act=${send}>Send<//></div></form>`;
}

function heard(one, story) {
  const found = story.items.slice(one.from).find((item) => item.kind === "heard" && item.text === one.text);
  return found ? `heard before turn ${found.before}` : "";
}
