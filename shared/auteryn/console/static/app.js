// The console: who is signed in, which page the address means.

import { html, render, useEffect, useRef, useState } from "./vendor/preact.js";
import { Problem, ask, early, ended, feed, session, whoAmI } from "./net.js";
import { Boundary, Link, Notice, address, forgetDrafts, go, now } from "./parts.js";
import { RunList } from "./list.js";
import { RunPage } from "./run.js";
import { sentence, span } from "./words.js";

let last = null;   // who was signed in: what they were writing is nobody else's

function Console() {
  if (session.value && session.value.owner !== last) { if (last !== null) forgetDrafts(); last = session.value.owner; }
  const who = session.value, [, id] = /^\/runs\/([^/]+)$/.exec(address.value.pathname) ?? [];
  const content = useRef(), place = address.value.pathname, first = useRef(place);
  useEffect(() => { document.body.classList.toggle("on-run", Boolean(id)); }, [id]);
  useEffect(() => { if (first.current !== place) { first.current = null; content.current?.focus({ preventScroll: true }); } }, [place]);   // a reader begins where the eye does
  if (who === undefined) return html`<div class="empty" aria-busy="true"></div>`;
  return html`<a class="skip" href="#content">Skip to the content</a><${Top} who=${who} />
    <div id="content" ref=${content} tabindex="-1"><${Boundary} key=${place}>${who === null ? html`<${SignIn} />` : id ? html`<${RunPage} key=${id} id=${decodeURIComponent(id)} />` : html`<${RunList} />`}<//></div><${Notice} />`;
}

function Top({ who }) {
  const out = async () => { await ask("DELETE", "/v1/session"); session.value = null; ended.value = false; forgetDrafts(); go("/"); };
  return html`<header class="top"><${Link} to="/" class="brand" aria-label="Auteryn, all runs"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 3L3.5 20h4L12 10.5 16.5 20h4z" /><circle cx="12" cy="18.2" r="1.9" /></svg>Auteryn<//>
    ${!feed.value.ok && html`<span class="stale" role="status">Not up to date<span aria-hidden="true"> since ${span(now.value - feed.value.since)}</span>: ${feed.value.why}</span>`}
    ${who && html`<span class="who-am-i"><span title=${who.role}>${who.owner}</span>${who.csrf && html`<button class="quiet small" onClick=${out}>Sign out</button>`}</span>`}</header>`;
}

function SignIn() {
  const [key, setKey] = useState(""), [problem, setProblem] = useState(null);
  const enter = async (event) => {
    event.preventDefault();
    try { await ask("POST", "/v1/session", { key: key.trim() }); await whoAmI(); ended.value = false; } catch (error) { setProblem(sentence(error instanceof Problem ? error.message : String(error))); }
  };
  return html`<main class="sign-in"><h1>Sign in</h1>${ended.value && html`<p class="problem" role="alert">Your session has ended. Sign in again, and you are back where you were.</p>`}${address.value.searchParams.has("link") && html`<p class="problem" role="alert">This link has expired: <code>auteryn serve</code> prints a new one when it starts.</p>`}<p>Open the link that <code>auteryn serve</code> printed, or sign in with an API key: <code>auteryn keys create</code> makes one.</p>
    <form onSubmit=${enter}><label for="key">API key</label><input id="key" type="password" autocomplete="current-password" required value=${key} onInput=${(event) => setKey(event.currentTarget.value)} />
      ${problem && html`<p class="problem" role="alert">${problem}</p>`}<button class="primary" disabled=${!key.trim()}>Sign in</button></form></main>`;
}

const [, run] = /^\/runs\/([^/]+)$/.exec(location.pathname) ?? [];
if (run) early(`/v1/runs/${decodeURIComponent(run)}`);
whoAmI();
const app = document.getElementById("app");
app.replaceChildren();   // what was painted before there was anything to show
render(html`<${Console} />`, app);
