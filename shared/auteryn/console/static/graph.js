// Where the steps of a plan stand: layers by what they wait for, drawn from top to bottom. Pure.

export const NODE = { width: 168, height: 62, gapX: 18, gapY: 44, rowGap: 12, margin: 10, words: true, shrink: 1.25 };
export const NARROW = { ...NODE, width: 138, gapX: 12, shrink: 1.1 };
export const CHIP = { width: 48, height: 28, gapX: 8, gapY: 34, rowGap: 8, margin: 10, words: false, shrink: 1 };   // of a plan too large for words

// The waves that really run side by side: a step's wave is one more than the latest it waits for.
export function waves(steps) {
  const byId = new Map(steps.map((step) => [step.id, step])), depth = new Map();
  const of = (id, path) => {
    if (depth.has(id)) return depth.get(id);
    const above = (byId.get(id)?.depends_on ?? []).filter((one) => byId.has(one) && !path.has(one));
    const found = above.length ? 1 + Math.max(...above.map((one) => of(one, new Set([...path, id])))) : 0;
    depth.set(id, found);
    return found;
  };
  const found = [];
  for (const step of steps) (found[of(step.id, new Set())] ??= []).push(step);
  return found;
}

// { width, height, nodes: [{ step, x, y }], edges: [{ from, to, path }] }: no wider than fits into the room, drawn a little smaller.
export function layout(steps, node = NODE, room = Infinity) {
  const columns = Math.max(2, Math.floor((room * node.shrink - 2 * node.margin + node.gapX) / (node.width + node.gapX)));
  const rows = ordered(waves(steps)).flatMap((layer) => split(layer, columns).map((row, index) => ({ row, first: index === 0 })));
  const across = (count) => count * (node.width + node.gapX) - node.gapX;
  const width = across(Math.max(1, ...rows.map(({ row }) => row.length))) + 2 * node.margin, at = new Map();
  let y = node.margin;
  rows.forEach(({ row, first }, index) => {
    if (index) y += node.height + (first ? node.gapY : node.rowGap);
    row.forEach((step, column) => at.set(step.id, { step, x: (width - across(row.length)) / 2 + column * (node.width + node.gapX), y, row: index }));
  });
  const drawn = rows.map(({ row }) => row.map((step) => at.get(step.id)));
  const edges = steps.flatMap((step) => (step.depends_on ?? []).filter((one) => at.has(one)).map((one) => edge(at.get(one), at.get(step.id), drawn, node)));
  return { width, height: rows.length ? y + node.height + node.margin : 0, nodes: [...at.values()], edges };
}

// Into rows of about the same length.
function split(layer, columns) {
  const rows = Math.ceil(layer.length / columns), each = Math.ceil(layer.length / rows);
  return Array.from({ length: rows }, (_, row) => layer.slice(row * each, (row + 1) * each));
}

// The chain that decides how long the whole takes: { path: [step ids], ms }. `took(step)` is its time so far in ms, or null;
// a step of which nothing is known counts as long as the others on average.
export function longest(steps, took) {
  const known = steps.map(took).filter((ms) => ms !== null), mean = known.length ? known.reduce((sum, ms) => sum + ms, 0) / known.length : 1;
  const best = new Map(), byId = new Map(steps.map((step) => [step.id, step]));
  for (const step of waves(steps).flat()) {
    const before = (step.depends_on ?? []).filter((one) => best.has(one)).sort((a, b) => best.get(b).weight - best.get(a).weight)[0];
    best.set(step.id, { weight: (took(step) ?? mean) + (before === undefined ? 0 : best.get(before).weight), before });
  }
  const path = [];
  for (let id = [...best].sort((a, b) => b[1].weight - a[1].weight)[0]?.[0]; id !== undefined; id = best.get(id).before) path.unshift(id);
  return { path, ms: path.reduce((sum, id) => sum + (took(byId.get(id)) ?? 0), 0) };
}

// Two sweeps: every layer in the order of the middle of what it hangs on, so that few lines cross.
function ordered(layers) {
  const place = new Map();
  const keep = (layer) => layer.forEach((step, index) => place.set(step.id, (index + 0.5) / layer.length));
  layers.forEach(keep);
  for (let sweep = 0; sweep < 2; sweep += 1)
    layers = layers.map((layer) => {
      const middle = (step) => {
        const above = (step.depends_on ?? []).filter((one) => place.has(one)).map((one) => place.get(one));
        return above.length ? above.reduce((sum, one) => sum + one, 0) / above.length : place.get(step.id);
      };
      const found = layer.map((step) => [middle(step), step]).sort((a, b) => a[0] - b[0] || a[1].id - b[1].id).map(([, step]) => step);
      keep(found);
      return found;
    });
  return layers;
}

// Past the rows between them it runs where no step stands: between two, or beside all.
function edge(from, to, rows, node) {
  const end = { x: to.x + node.width / 2, y: to.y };
  let at = { x: from.x + node.width / 2, y: from.y + node.height }, path = `M${at.x} ${at.y}`;
  const bent = (x, y) => { const bend = (y - at.y) / 2; path += `C${at.x} ${at.y + bend} ${x} ${y - bend} ${x} ${y}`; at = { x, y }; };
  for (const row of rows.slice(from.row + 1, to.row)) {
    const y = row[0].y, free = clear(row, at.x + (end.x - at.x) * (y - at.y) / (end.y - at.y), node);
    bent(free, y);
    at = { x: free, y: y + node.height };
    path += `V${at.y}`;
  }
  bent(end.x, end.y);
  return { from: from.step.id, to: to.step.id, path };
}

function clear(row, wanted, node) {
  const half = node.gapX / 2, gaps = [...row.map((one) => one.x - half), row.at(-1).x + node.width + half];
  if (wanted <= gaps[0] || wanted >= gaps.at(-1)) return wanted;
  return gaps.reduce((best, one) => Math.abs(one - wanted) < Math.abs(best - wanted) ? one : best);
}

// Two lines that are no wider than the room, by `measure(text)`; a line may end after any letter of East Asia or emoji.
export function folded(text, room, measure) {
  const pieces = text.trim().match(PIECES) ?? [];
  let first = "";
  while (pieces.length && measure(first + pieces[0]) <= room) first += pieces.shift();
  return [first.trim(), cut(pieces.join("").trim(), room, measure)].filter(Boolean);
}

const PIECES = /[\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\s+|[^\s\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]+/gu;

function cut(text, room, measure) {
  if (measure(text) <= room) return text;
  const letters = [...text].slice(0, 80);
  while (letters.length && measure(`${letters.join("").trimEnd()}…`) > room) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}
