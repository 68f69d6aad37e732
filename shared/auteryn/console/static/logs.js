// The log. Only the lines in sight are in the page, so that 50,000 of them scroll like 50.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { follow } from "./net.js";
import { Trace } from "./mind.js";
import { Copy, Icon } from "./parts.js";
import { over } from "./story.js";
import { clock, number, whole } from "./words.js";

const ROW = 22, AROUND = 12, LEVELS = ["debug", "info", "warning", "error"];

export function Logs({ story, mind }) {
  const { id } = story, isOver = over(story);
  const [lines, setLines] = useState([]), [level, setLevel] = useState("info"), [text, setText] = useState(""), [picked, setPicked] = useState(null), ended = useRef(isOver);
  ended.current = isOver;
  useEffect(() => {
    const all = [];
    setLines([]);
    return follow(`/v1/runs/${id}/logs?level=debug`, { kinds: ["log"], isOver: () => ended.current, read: (_, place, data) => ({ ...JSON.parse(data), place }),
      onEvents: (found) => { for (const line of found) all.push(line); setLines(all.slice()); } });
  }, [id]);
  const shown = useMemo(() => {
    const least = LEVELS.indexOf(level), wanted = text.toLowerCase();
    return lines.filter((line) => LEVELS.indexOf(line.level) >= least && (!wanted || line.message.toLowerCase().includes(wanted)));
  }, [lines, level, text]);
  return html`<div class="logs"><div class="bar-row">
      <label class="choice"><span class="sr">Level</span><select value=${level} onChange=${(event) => setLevel(event.currentTarget.value)}>${LEVELS.map((one) => html`<option value=${one}>${one} and above</option>`)}</select></label>
      <label class="search"><span class="sr">Search the log</span><${Icon} name="search" /><input type="search" placeholder="Search" value=${text} onInput=${(event) => setText(event.currentTarget.value)} /></label>
      <span class="hint">${number(shown.length)}${shown.length === lines.length ? "" : ` of ${number(lines.length)}`} lines</span>
      <${Copy} label="Copy JSON" text=${() => JSON.stringify(shown.map(({ place, ...line }) => line))} /></div>
    <${Trace} found=${mind} />
    <${Window} lines=${shown} picked=${picked} onPick=${setPicked} />
    ${picked && html`<div class="log-whole" role="status"><p class="hint">${whole(picked.at)} · ${picked.level} · ${picked.kind} · entry ${picked.seq}</p><pre class="code" tabindex="0">${picked.message}</pre></div>`}</div>`;
}

function Window({ lines, picked, onPick }) {
  const box = useRef(), [top, setTop] = useState(0), [room, setRoom] = useState(400), following = useRef(true);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setRoom(entry.contentRect.height));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  useLayoutEffect(() => { if (following.current) box.current.scrollTop = lines.length * ROW; }, [lines]);
  const scrolled = () => {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    following.current = scrollHeight - scrollTop - clientHeight < 2 * ROW;
    setTop(scrollTop);
  };
  const keys = (event) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key], at = lines.indexOf(picked);
    if (!by || !lines.length) return;
    event.preventDefault();
    const next = at < 0 ? Math.min(lines.length - 1, Math.floor((top + room) / ROW) - 1) : Math.max(0, Math.min(lines.length - 1, at + by));
    onPick(lines[next]);
    box.current.scrollTop = Math.min(next * ROW, Math.max(box.current.scrollTop, (next + 1) * ROW - box.current.clientHeight));
  };
  const first = Math.max(0, Math.floor(top / ROW) - AROUND), last = Math.min(lines.length, Math.ceil((top + room) / ROW) + AROUND);
  return html`<div class="log-window" ref=${box} onScroll=${scrolled} onKeyDown=${keys} tabindex="0" role="log" aria-live="off" aria-label="Log lines; the arrow keys choose one to read in full">
    <div class="log-all" style=${{ height: `${lines.length * ROW}px` }}><div class="log-seen" style=${{ transform: `translateY(${first * ROW}px)` }}>
      ${lines.slice(first, last).map((line) => html`<div key=${line.place} class="log-line is-${line.level} ${line === picked ? "picked" : ""}" onClick=${() => onPick(line === picked ? null : line)}>
        <time>${clock(line.at)}</time><span class="level">${line.level}</span><span class="text">${line.message}</span></div>`)}</div></div></div>`;
}
