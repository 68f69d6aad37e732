// When it worked and when it only waited; and every event as a tick to go to.

import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/preact.js";
import { address, now, useKeys, useWidth } from "./parts.js";
import { axis, bars, nextError, ticks } from "./axis.js";
import { isError, over, weight } from "./story.js";
import { clock, moment, plural, short, span } from "./words.js";

const ROW = 20, LABEL = 74, MOST_LANES = 12;

export function Timeline({ story, at, onPick }) {
  const box = useRef(), strip = useRef(), atEnd = useRef(true), room = Math.max(160, useWidth(box) - LABEL), [zoom, setZoom] = useState(1);
  const until = story.view.ended_at ? Date.parse(story.view.ended_at) : over(story) ? lastOf(story) : now.value;
  const scale = useMemo(() => axis(story.lanes, until, room, zoom), [story.lanes, room, zoom, over(story) ? 0 : Math.floor(until / 1000)]);
  const lanes = Object.entries(story.lanes).sort(([a], [b]) => nameOf(a, story).localeCompare(nameOf(b, story), "en", { numeric: true }));
  const shown = lanes.length > MOST_LANES ? newest(lanes, story) : lanes, height = shown.length * ROW + 18;
  const scrolled = () => { const { scrollLeft, scrollWidth, clientWidth } = strip.current; atEnd.current = scrollWidth - scrollLeft - clientWidth < 4; };
  useLayoutEffect(() => { if (atEnd.current && strip.current) strip.current.scrollLeft = strip.current.scrollWidth; }, [scale.width]);   // the newest is in sight until somebody looks elsewhere
  const awaited = 1 + (story.view.plan?.steps ?? []).filter((step) => step.run).length;   // lanes to come, where nothing is loaded yet: what is below stays where it is
  return html`<section class="timeline" aria-label="Timeline" ref=${box}>
    ${!story.items.length && html`<svg class="lanes" height=${Math.min(MOST_LANES, awaited) * ROW + 18} aria-hidden="true"></svg>`}
    ${shown.length > 0 && html`<div class="lanes"><div class="lane-names" aria-hidden="true">${shown.map(([run]) => html`<span key=${run}>${nameOf(run, story)}</span>`)}</div>
      <div class="lane-scroll" ref=${strip} onScroll=${scrolled} tabindex="0" role="group" aria-label=${said(story, scale, lanes)}>
        <svg width=${Math.ceil(scale.width)} height=${height} aria-hidden="true">
          ${scale.spans.map((one) => one.gap && html`<g key=${one.from} class="gap"><rect x=${one.x} y="0" width=${one.width} height=${height - 16} /><text x=${one.x + one.width / 2} y=${height - 4} text-anchor="middle">${span(one.to - one.from).split(" ").slice(0, 2).join(" ")} free</text><title>Nothing ran for ${span(one.to - one.from)}: free of charge</title></g>`)}
          ${shown.map(([run, slices], row) => bars(slices, scale, until).map((bar) => html`<g key="${run}-${bar.x}" class="slice ${bar.open && !over(story) ? "open" : ""} ${bar.cut ? "cut" : ""}">
            <rect x=${bar.x} y=${row * ROW + 5} width=${Math.max(2, bar.end - bar.x - 1)} height=${ROW - 9} rx="2.5" /><title>${sliceTitle(bar, run, story)}</title></g>`))}
        </svg></div></div>`}
    <div class="scrub-row"><${Scrubber} story=${story} at=${at} width=${room} onPick=${onPick} />
      <div class="zoom" role="group" aria-label="Zoom"><button class="quiet icon-only" aria-label="Zoom out" disabled=${zoom <= 1} onClick=${() => setZoom(zoom / 2)}>−</button><button class="quiet icon-only" aria-label="Zoom in" disabled=${zoom >= 16} onClick=${() => setZoom(zoom * 2)}>+</button></div></div>
    ${lanes.length > MOST_LANES && html`<p class="hint">${lanes.length - MOST_LANES} further lanes are not drawn; every step is in the plan.</p>`}
    ${!story.whole && story.items.length > 0 && html`<p class="hint">Of what is loaded: the newest ${plural(story.items.length, "event")}.</p>`}
  </section>`;
}

// Where there are too many lanes: the run's own, and those that were at work last.
const newest = (lanes, story) => {
  const began = ([run, slices]) => run === story.id ? Infinity : Date.parse(slices.at(-1).from) + (slices.at(-1).to ? 0 : 1e12);
  const kept = new Set([...lanes].sort((a, b) => began(b) - began(a)).slice(0, MOST_LANES));
  return lanes.filter((lane) => kept.has(lane));
};
const lastOf = (story) => Date.parse(story.items.at(-1)?.at ?? story.view.created_at);
const nameOf = (run, story) => run === story.id ? "Run" : story.runs[run] ?? "Tick";   // "Run" before "Step 1" before "Tick 1"
const sliceTitle = (bar, run, story) => bar.count > 1 ? `${nameOf(run, story)}: ${bar.count} slices` :
  `${nameOf(run, story)}, slice ${bar.slice.slice}: from ${clock(bar.slice.from)}${bar.slice.to ? `, ${span(Date.parse(bar.slice.to) - Date.parse(bar.slice.from))}` : ", at work"}${bar.cut ? ", cut off and resumed" : ""}`;

function said(story, scale, lanes) {
  const gaps = scale.spans.filter((one) => one.gap), cut = lanes.flatMap(([, slices]) => slices).filter((one) => one.cut).length;
  const waited = gaps.reduce((sum, one) => sum + one.to - one.from, 0);
  return `${lanes.reduce((sum, [, slices]) => sum + slices.length, 0)} slices in ${lanes.length} lanes${gaps.length ? `, ${gaps.length} waits of ${span(waited)} together, free of charge` : ""}${cut ? `, ${cut} cut off and resumed` : ""}`;
}

// ---- one tick an event --------------------------------------------------------------------------------------

const HEIGHT = 26, TALL = [7, 12, 20];
const COLOURS = { message: "--tick-message", thought: "--tick-quiet", tool: "--tick-tool", ask: "--tick-ask", heard: "--tick-ask", step: "--tick-step", bad: "--tick-bad", task: "--tick-message" };

function Scrubber({ story, at, width, onPick }) {
  const canvas = useRef(), items = story.items, here = items.findIndex((item) => item.id === at);
  useLayoutEffect(() => {
    const box = canvas.current, pen = box.getContext("2d"), dense = devicePixelRatio || 1, looks = getComputedStyle(box);
    box.width = width * dense;
    box.height = HEIGHT * dense;
    pen.scale(dense, dense);
    const step = width / Math.max(1, items.length), thick = Math.max(1, Math.min(3, step - 1));
    for (const tick of ticks(items, width, (item) => weight(item, story))) {
      pen.fillStyle = looks.getPropertyValue(isError(tick.item) ? COLOURS.bad : COLOURS[tick.item.kind] ?? "--tick-quiet");
      pen.fillRect(tick.x, HEIGHT - TALL[tick.loud], thick, TALL[tick.loud]);
    }
    if (here >= 0) { pen.fillStyle = looks.getPropertyValue("--ink"); pen.fillRect((here + 0.5) * step - 1, 0, 2, HEIGHT); }
  }, [items, width, here, useScheme()]);
  const to = (index) => onPick(items[Math.max(0, Math.min(items.length - 1, index))]);
  const click = (event) => to(Math.floor((event.clientX - canvas.current.getBoundingClientRect().left) / width * items.length));
  const move = (key) => {   // from where the address says: two presses may come before one is drawn
    const at = address.value.searchParams.get("at"), here = items.findIndex((item) => item.id === at), from = here < 0 ? items.length : here;
    const next = { ",": from - 1, ArrowLeft: from - 1, ".": from + 1, ArrowRight: from + 1, Home: 0, End: items.length - 1,
      "[": nextError(items, from, -1, isError), "]": nextError(items, here, 1, isError) }[key];
    if (next >= 0 && next < items.length) to(next);
  };
  useKeys(Object.fromEntries([...",.[]"].map((key) => [key, () => move(key)])));
  const keys = (event) => { if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) { event.preventDefault(); move(event.key); } };
  const now = here < 0 ? null : items[here];
  return html`<div class="scrubber" role="slider" tabindex="0" aria-label="Events; comma and full stop go back and on, brackets to errors" aria-valuemin="1" aria-valuemax=${Math.max(1, items.length)} aria-valuenow=${here < 0 ? Math.max(1, items.length) : here + 1}
    aria-valuetext=${now ? `${here + 1} of ${items.length}: ${now.kind}${now.text ? `, ${short(now.text, 60)}` : now.tool ? `, ${now.tool}` : ""}, ${moment(now.at)}` : `${items.length} events, now`} onClick=${click} onKeyDown=${keys}>
    <canvas ref=${canvas} height=${HEIGHT} aria-hidden="true"></canvas></div>`;
}

const dark = matchMedia("(prefers-color-scheme: dark)");
function useScheme() {
  const [is, set] = useState(dark.matches);
  useEffect(() => { const heard = () => set(dark.matches); dark.addEventListener("change", heard); return () => dark.removeEventListener("change", heard); }, []);
  return is;
}
