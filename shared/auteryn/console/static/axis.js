// Time as it is drawn: work in proportion, waiting as a gap of fixed width, however long it was. Pure.

const GAP = 76, LONG = 20_000;   // px of a drawn gap; ms of quiet that make one

// lanes: { run: [{ from, to }] } → { width, spans: [{ from, to, x, width, gap }], x(ms) }
export function axis(lanes, now, room, zoom = 1) {
  const work = merged(Object.values(lanes).flat().map((slice) => [Date.parse(slice.from), slice.to ? Date.parse(slice.to) : now]));
  const spans = work.flatMap(([from, to], index) => {
    const gap = index ? [{ from: work[index - 1][1], to: from, gap: true }] : [];
    return [...gap, { from, to: Math.max(to, from + 1), gap: false }];
  });
  const last = work.at(-1)?.[1];
  if (last !== undefined && now - last > LONG) spans.push({ from: last, to: now, gap: true, open: true });
  const gaps = spans.filter((span) => span.gap).length;
  const active = spans.reduce((sum, span) => sum + (span.gap ? 0 : span.to - span.from), 0) || 1;
  const left = Math.max(room * zoom - gaps * GAP, room / 4);
  let x = 0;
  for (const span of spans) {
    span.x = x;
    span.width = span.gap ? GAP : Math.max(2, (span.to - span.from) / active * left);
    x += span.width;
  }
  return { width: x, spans, at: (moment) => place(spans, moment) };
}

// Slices that touch or nearly touch are one stretch of work.
function merged(pieces) {
  const found = [];
  for (const [from, to] of pieces.sort((a, b) => a[0] - b[0])) {
    const last = found.at(-1);
    if (last && from - last[1] <= LONG) last[1] = Math.max(last[1], to);
    else found.push([from, to]);
  }
  return found;
}

function place(spans, moment) {
  if (!spans.length || moment <= spans[0].from) return 0;
  const span = spans.find((one) => moment <= one.to) ?? spans.at(-1);
  return span.x + Math.min(1, Math.max(0, (moment - span.from) / (span.to - span.from))) * span.width;
}

// What is drawn of a lane: slices that fall into the same few pixels become one bar.
export function bars(slices, scale, now, least = 2) {
  const found = [];
  for (const slice of slices) {
    const x = scale.at(Date.parse(slice.from)), end = Math.max(x + least, scale.at(slice.to ? Date.parse(slice.to) : now));
    const last = found.at(-1);
    if (last && x - last.x < least && end - last.end < least) Object.assign(last, { end: Math.max(end, last.end), count: last.count + 1, cut: last.cut || slice.cut });
    else found.push({ x, end, count: 1, cut: slice.cut, open: slice.to === null, slice });
  }
  return found;
}

// Events side by side, one tick each: the loudest of those that share a pixel wins.
export function ticks(items, width, weight) {
  const found = new Array(Math.max(1, Math.floor(width)));
  items.forEach((item, index) => {
    const x = Math.min(found.length - 1, Math.floor(index / Math.max(1, items.length) * found.length));
    const loud = weight(item);
    if (!found[x] || loud > found[x].loud) found[x] = { x, loud, item };
  });
  return found.filter(Boolean);
}

export function nextError(items, from, by, isError) {
  for (let index = from + by; index >= 0 && index < items.length; index += by) if (isError(items[index])) return index;
  return from;
}
