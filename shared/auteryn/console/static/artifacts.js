// What the run has handed over: shown without trusting it, and whether it is what was wanted.

import { html, useEffect, useState } from "./vendor/preact.js";
import { get } from "./net.js";
import { download } from "./bulk.js";
import { Act, Icon } from "./parts.js";
import { over } from "./story.js";
import { bytes, moment, plural } from "./words.js";

const address = (run, artifact, inline) => `/v1/runs/${run}/artifacts/${encodeURIComponent(artifact.id)}${inline ? "?inline=true" : ""}`;

export function Files({ story }) {
  const [picked, setPicked] = useState(null);
  const wanted = story.view.options.deliverables, files = [...story.artifacts].sort((a, b) => BY_PATH.compare(a.path, b.path));
  return html`<div class="files">
    ${wanted.length > 0 && html`<section><h3>Wanted</h3><ul class="verdicts">${wanted.map((one) => { const verdict = story.verdicts.find((found) => found.deliverable === one.path); return html`
      <li key=${one.path} class=${verdict ? verdict.ok ? "ok" : "bad" : ""}><${Icon} name=${verdict ? verdict.ok ? "check" : "cross" : "file"} /><code>${one.path}</code><small>${verdict ? verdict.detail.replace(`${one.path}, `, "") || (verdict.ok ? "is there" : "is missing") : "not looked at yet"}</small></li>`; })}</ul></section>`}
    ${files.length > 1 && html`<div class="bar-row"><span class="hint">${plural(files.length, "file")}, ${bytes(files.reduce((sum, one) => sum + one.size_bytes, 0))}</span><${Act} class="small end" act=${() => download(story.view)}><${Icon} name="down" />Save all<//></div>`}
    ${files.length ? html`<ul class="file-list">${files.map((one) => html`<li key=${one.id}><div class="file"><button class="file-row" aria-expanded=${picked === one.id} onClick=${() => setPicked(picked === one.id ? null : one.id)}>
        <${Icon} name="file" /><span class="file-name"><b><bdi>${one.title || one.path}</bdi></b><small>${one.path} · ${bytes(one.size_bytes)}${story.runs[one.run] ? ` · ${story.runs[one.run].toLowerCase()}` : ""}</small></span></button>
        <a class="button small" href=${address(story.id, one)} download aria-label="Save ${one.path}"><${Icon} name="down" /></a></div>
        ${picked === one.id && html`<${Shown} run=${story.id} artifact=${one} />`}</li>`)}</ul>` : html`<p class="hint">Nothing was handed over${over(story) ? "" : " yet"}.</p>`}</div>`;
}

const BY_PATH = new Intl.Collator("en", { numeric: true });

function Shown({ run, artifact }) {
  const [found, setFound] = useState(null), [sheet, setSheet] = useState(0);
  useEffect(() => { get(`/v1/runs/${run}/preview/${encodeURIComponent(artifact.id)}`).then(setFound, (problem) => setFound({ kind: "none", why: problem.message })); }, [artifact.id]);
  if (!found) return html`<p class="hint" aria-busy="true">Opening…</p>`;
  return html`<section class="preview" aria-label="Preview of ${artifact.path}">
    ${found.kind === "image" && html`<img src=${address(run, artifact, true)} alt=${artifact.description || artifact.title || artifact.path} />`}
    ${found.kind === "page" && html`<iframe sandbox="" src=${address(run, artifact, true)} title=${artifact.path}></iframe>`}
    ${found.kind === "pdf" && html`<${Pdf} url=${address(run, artifact)} name=${artifact.path} />`}
    ${found.kind === "prose" && html`<div class="prose" dangerouslySetInnerHTML=${{ __html: found.html }}></div>`}
    ${found.kind === "text" && html`<pre class="code" tabindex="0">${found.text}</pre>`}
    ${found.kind === "table" && html`<${Table} sheets=${found.sheets} at=${sheet} onPick=${setSheet} />`}
    ${found.kind === "none" && html`<p class="hint">There is no preview: ${found.why}.</p>`}
    ${found.note && html`<p class="hint">Shown: ${found.note}.</p>`}
    <${Versions} run=${run} artifact=${artifact} />
    <p class="hint sha"><abbr title=${artifact.sha256}>sha256 ${artifact.sha256.slice(0, 16)}…</abbr> ${artifact.description}</p></section>`;
}

// What was published under the same path before, each as it was then.
function Versions({ run, artifact }) {
  const [found, setFound] = useState([]);
  useEffect(() => { get(`/v1/runs/${run}/versions/${encodeURIComponent(artifact.id)}`).then(({ versions }) => setFound(versions), () => {}); }, [artifact.id]);
  if (found.length < 2) return null;
  return html`<div class="hint">Version ${found.length}. Before:<ul class="versions">${found.slice(0, -1).map(({ artifact: one, at }, index) => html`<li key=${one.id}>
    <span>${moment(at)}, ${bytes(one.size_bytes)}, <abbr title=${one.sha256}>sha256 ${one.sha256.slice(0, 8)}…</abbr></span>
    <a class="button small" href=${address(run, one)} download aria-label="Save version ${index + 1} of ${one.path}"><${Icon} name="down" /></a></li>`)}</ul></div>`;
}

function Table({ sheets, at, onPick }) {
  const sheet = sheets[at];
  if (!sheet) return html`<p class="hint">It has no sheets.</p>`;
  const [head = [], ...rows] = sheet.rows;
  return html`${sheets.length > 1 && html`<div class="segmented" role="group" aria-label="Sheets">${sheets.map((one, index) => html`<button key=${index} aria-pressed=${index === at} onClick=${() => onPick(index)}>${one.name}</button>`)}</div>`}
    <div class="table-scroll" tabindex="0" role="region" aria-label="Table"><table class="data"><thead><tr>${head.map((cell, index) => html`<th key=${index} scope="col">${cell}</th>`)}</tr></thead>
      <tbody>${rows.map((row, index) => html`<tr key=${index}>${row.map((cell, column) => html`<td key=${column} class=${/^-?[\d.,]+%?$/.test(cell) ? "right figure" : ""}>${cell}</td>`)}</tr>`)}</tbody></table></div>
    ${sheet.more && html`<p class="hint">There is more of it: the beginning is shown.</p>`}`;
}

// A PDF is shown by the browser's own viewer, from bytes that are called a PDF whatever they are.
function Pdf({ url, name }) {
  const [place, setPlace] = useState(null);
  useEffect(() => {
    let made = null, gone = false;
    fetch(url).then((answer) => answer.blob()).then((blob) => { if (gone) return; made = URL.createObjectURL(new Blob([blob], { type: "application/pdf" })); setPlace(made); }, () => {});
    return () => { gone = true; if (made) URL.revokeObjectURL(made); };
  }, [url]);
  return place ? html`<iframe class="tall" src="${place}#navpanes=0&view=FitH" title=${name}></iframe>` : html`<p class="hint" aria-busy="true">Opening…</p>`;
}
