// Where the steps of a plan stand: layers by what they wait for, drawn from top to bottom. Pure.

export const NODE = { width: 168, height: 62, gapX: 18, gapY: 44, margin: 10 };

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

// { width, height, nodes: [{ step, x, y }], edges: [{ from, to, path }] }
export function layout(steps, node = NODE) {
  const layers = ordered(waves(steps));
  const widest = Math.max(1, ...layers.map((layer) => layer.length));
  const width = widest * (node.width + node.gapX) - node.gapX + 2 * node.margin;
  const at = new Map();
  layers.forEach((layer, row) => {
    const room = layer.length * (node.width + node.gapX) - node.gapX;
    layer.forEach((step, column) => at.set(step.id, {
      step, x: (width - room) / 2 + column * (node.width + node.gapX), y: node.margin + row * (node.height + node.gapY),
    }));
  });
  const edges = steps.flatMap((step) => (step.depends_on ?? []).filter((one) => at.has(one)).map((one) => edge(at.get(one), at.get(step.id), node)));
  const height = layers.length * (node.height + node.gapY) - node.gapY + 2 * node.margin;
  return { width, height: Math.max(height, 0), nodes: [...at.values()], edges };
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

function edge(from, to, node) {
  const x1 = from.x + node.width / 2, y1 = from.y + node.height, x2 = to.x + node.width / 2, y2 = to.y, bend = (y2 - y1) / 2;
  return { from: from.step.id, to: to.step.id, path: `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 - bend} ${x2} ${y2}` };
}
