// A question to a person: what is asked, exactly what would be done, and what silence means.

import { html, useLayoutEffect, useRef, useState } from "./vendor/preact.js";
import { post, session } from "./net.js";
import { Act, Icon, Json, Link, Prose, focusOn, now, say, useDraft } from "./parts.js";
import { bare, json, moment, sentence, short, span, unturned } from "./words.js";

const TITLES = { approval: "Wants your decision", input: "Asks you", gate: "Asks for permission", stuck: "Is stuck and asks you", budget: "Asks about its budget" };
const NO = /^(no|deny|reject|refuse|cancel|stop|keep|do not|don't)\b/i;

export const given = new Set();   // questions answered in this tab

let moved = 0;   // when a card last came or went: others have moved since
const SETTLED = 500;

export function AskCard({ ask, title, onAnswered }) {
  const [problem, setProblem] = useState(null), [said, setSaid] = useState(null), box = useRef(), sending = useRef(false), votes = ask.votes?.length ?? 0;
  const mine = said?.votes === votes;   // answered here; the run has not taken it in yet
  useLayoutEffect(() => {
    moved = performance.now();
    return () => { moved = performance.now(); if (box.current?.contains(document.activeElement)) focusOn(nextTo(box.current)); };
  }, [ask.state]);
  const [edited, setEdited] = useState(null), mayAnswer = session.value?.role !== "viewer";
  const answer = async (value) => {
    if (sending.current || mine) return;
    sending.current = true;
    setProblem(null);
    try {
      const args = edited !== null && !NO.test(value) ? { args: JSON.parse(edited) } : {};
      await post(`/v1/asks/${ask.id}/answer`, { value, ...args });
      given.add(ask.id);
      setSaid({ value, votes });
      await onAnswered?.(ask, value);
    } catch (error) {
      if (error.status === 409) {   // the card goes, what it has to say stays
        given.add(ask.id);
        say(`Your answer “${short(value, 60)}” came too late and does not count: ${error.message.replace(`question '${ask.id}'`, "the question")}.`, true);
        return onAnswered?.(ask);
      }
      setProblem(error instanceof SyntaxError ? `These arguments are no JSON: ${error.message}` : error.status ? error.rule ?? error.message : `${error.message}. Nothing was answered; try again.`);
    } finally { sending.current = false; }
  };
  if (ask.state && ask.state !== "open") return html`<${Answered} ask=${ask} />`;
  const yes = ask.options?.find((one) => !NO.test(one)), no = ask.options?.find((one) => NO.test(one)), decides = no && (ask.kind === "approval" || ask.kind === "gate");
  const keys = (event) => {
    if (event.target !== event.currentTarget || event.metaKey || event.ctrlKey || event.altKey || event.repeat) return;
    const value = { y: yes, n: no }[event.key];
    if (value) answer(value);
  };
  // The second tap of a double one, or one on what has just moved under the finger, was meant for something else.
  const meant = (event) => { if (event.detail > 1 || (event.pointerType === "touch" && performance.now() - moved < SETTLED)) { event.stopPropagation(); event.preventDefault(); } };
  const hint = yes && no ? `. Press y for ${yes}, n for ${no}.` : "";
  return html`<article class="ask" id="ask-${ask.id}" ref=${box} tabindex="0" aria-label="${TITLES[ask.kind] ?? "Asks you"}: ${bare(ask.message)}${hint}" onKeyDown=${keys} onClickCapture=${meant}>
    <header><${Icon} name="person" /><span class="ask-title">${TITLES[ask.kind] ?? "Asks you"}</span>${title && html`<${Link} to="/runs/${ask.run}">${unturned(short(title, 60))}<//>`}
      <span class="when">${span(now.value - Date.parse(ask.opened_at))}</span></header>
    <${Prose} text=${unturned(ask.message)} />
    ${ask.context && html`<details><summary>Context</summary><${Prose} text=${unturned(ask.context)} /></details>`}
    ${ask.subject && html`<${Subject} subject=${ask.subject} edited=${edited} setEdited=${mayAnswer && ask.kind === "gate" ? setEdited : null} />`}
    ${!mayAnswer ? html`<p class="hint">You may look; answering takes the role operator.</p>` :
      ask.options?.length ? html`<div class="options">${ask.options.map((option) => html`
        <${Act} key=${option} class=${decides && option === yes ? "primary" : ""} done=${mine} act=${() => answer(option)}>${unturned(option)}<//>`)}</div>` :
      html`<${Typed} ask=${ask} done=${mine} answer=${answer} />`}
    ${problem && html`<p class="problem" role="alert">${sentence(problem)}</p>`}
    <p class="hint">${unturned(mine ? `You have answered “${short(said.value, 300)}”.` : who(ask) + silence(ask))}</p>
  </article>`;
}

// The question that is answered next when this one goes.
const nextTo = (card) => { const all = [...document.querySelectorAll("article.ask[tabindex]")], at = all.indexOf(card); return all[at + 1] ?? all[at - 1]; };

const who = (ask) => {
  const named = ask.approvers?.length ? `${ask.approvers.join(", ")} may answer. ` : "";
  return named + (ask.quorum > 1 ? `${ask.votes.length} of ${ask.quorum} have said the same. ` : "");
};

function Subject({ subject, edited, setEdited }) {
  return html`<div class="subject">
    <p><span class="label">Exactly this would be done</span> <code>${subject.tool}</code>${subject.target && html` → <strong>${unturned(subject.target)}</strong>`}</p>
    ${edited === null ? html`${subject.preview && html`<div class="foreseen" tabindex="0" role="region" aria-label="What would be sent">${unturned(subject.preview)}</div>`}
      <details open=${!subject.preview}><summary>Exact arguments</summary><${Json} value=${subject.args} /></details>` : html`<label class="sr" for="args-${subject.sha256}">Arguments</label><textarea id="args-${subject.sha256}" class="args-edit" rows=${Math.min(14, edited.split("\n").length + 1)} value=${edited} onInput=${(event) => setEdited(event.currentTarget.value)}></textarea>`}
    <p class="hint">${edited === null ? html`Your answer holds for these arguments only. <abbr title=${subject.sha256}>sha256 ${subject.sha256.slice(0, 12)}…</abbr>` : "What you allow is run with these arguments, and only with these."}
      ${setEdited && html` <button class="quiet small" onClick=${() => setEdited(edited === null ? json(subject.args) : null)}>${edited === null ? "Change" : "As it was"}</button>`}</p>
  </div>`;
}

const INPUTS = { number: { inputmode: "decimal" }, date: { type: "date" }, email: { type: "email", autocomplete: "email" }, url: { type: "url", placeholder: "https://…" } };

function Typed({ ask, done, answer }) {
  const [value, setValue] = useDraft(ask.id);
  const how = INPUTS[ask.input_type] ?? INPUTS[ask.validation], id = `answer-${ask.id}`;
  const typed = (event) => setValue(event.currentTarget.value);
  const enter = (event) => { if (event.key === "Enter" && (how || event.ctrlKey || event.metaKey)) { event.preventDefault(); answer(value); } };
  const rule = ask.validation?.startsWith("regex:") ? `must match ${ask.validation.slice(6)}` : ask.json_schema ? "JSON that fits the schema below" : ask.input_type === "json" ? "JSON" : "";
  return html`<div class="typed">
    <label for=${id}>Your answer${rule && html` <span class="hint">(${rule})</span>`}</label>
    <div class="row">${how ? html`<input id=${id} ...${how} value=${value} onInput=${typed} onKeyDown=${enter} />` : html`<textarea id=${id} rows="2" value=${value} onInput=${typed} onKeyDown=${enter}></textarea>`}
      <${Act} class="primary" disabled=${!value.trim()} done=${done} act=${() => answer(value)}>Answer<//></div>
    ${ask.json_schema && html`<details><summary>Schema</summary><${Json} value=${ask.json_schema} /></details>`}
  </div>`;
}

function silence(ask) {
  if (!ask.expires_at) return "It waits as long as it takes; waiting costs nothing.";
  const then = { default: `“${ask.default}” counts as the answer`, deny: "it counts as a no", halt: "the run stops", wait: "it goes on waiting", escalate: `${ask.escalate_to?.[0] ?? "somebody else"} is asked` }[ask.on_timeout] ?? ask.on_timeout;
  return `No answer by ${moment(ask.expires_at)} (in ${span(Date.parse(ask.expires_at) - now.value)}): ${then}.`;
}

function Answered({ ask }) {
  const said = ask.state === "answered" ? html`<strong>${typeof ask.value === "string" ? short(ask.value, 300) : JSON.stringify(ask.value)}</strong> by ${ask.by}` :
    ask.state === "expired" ? "Nobody answered in time" : ask.state === "withdrawn" ? "Withdrawn" : "Closed";
  return html`<article class="ask done"><header><${Icon} name="person" /><span class="ask-title">Asked</span></header>
    ${ask.message && html`<${Prose} text=${ask.message} />`}<p class="answer"><${Icon} name=${ask.state !== "answered" || NO.test(ask.value) ? "cross" : "check"} /> <span>${said}</span></p></article>`;
}
