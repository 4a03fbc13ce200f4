/** A lineage graph in layers: what made something stands to its left. Pure; places are in pixels. */
import type { LineageGraph, LineageNode } from './types';

export interface Placed extends LineageNode {
  layer: number;
  x: number;
  y: number;
  /** Of a heap of sources: how many it stands for; else 1. */
  heap: number;
}

export interface Drawing {
  nodes: Placed[];
  edges: { from: Placed; to: Placed; n_records: number | undefined }[];
  width: number;
  height: number;
}

export const BOX = { width: 216, height: 62, gapX: 48, gapY: 14 };
const HEAP = 6; /* sources with the same versions behind them are drawn as one from here on */

/** Many sources that feed the same versions become one node; `keep` is drawn by itself. */
function heaped(graph: LineageGraph, keep: string): { nodes: (LineageNode & { heap: number })[]; edges: LineageGraph['edges'] } {
  const feeds = new Map<string, string[]>();
  for (const edge of graph.edges) feeds.set(edge.from, [...(feeds.get(edge.from) ?? []), edge.to]);
  const heaps = new Map<string, LineageNode[]>();
  for (const node of graph.nodes) {
    if (node.kind !== 'source' || node.id === keep) continue;
    const key = `${[...(feeds.get(node.id) ?? [])].sort().join(' ')} ${node.state}`;
    heaps.set(key, [...(heaps.get(key) ?? []), node]);
  }
  const into = new Map<string, string>();
  const nodes: (LineageNode & { heap: number })[] = [];
  for (const [key, members] of heaps) {
    const [first] = members;
    if (!first || members.length < HEAP) continue;
    const id = `heap ${key}`;
    for (const one of members) into.set(one.id, id);
    nodes.push({ kind: 'source', id, title: '', state: first.state, heap: members.length });
  }
  for (const node of graph.nodes) if (!into.has(node.id)) nodes.push({ ...node, heap: 1 });
  const sums = new Map<string, { from: string; to: string; n_records?: number }>();
  for (const edge of graph.edges) {
    const from = into.get(edge.from) ?? edge.from;
    const key = `${from} ${edge.to}`;
    const known = sums.get(key);
    if (!known) sums.set(key, edge.n_records === undefined ? { from, to: edge.to } : { from, to: edge.to, n_records: edge.n_records });
    else if (edge.n_records !== undefined) known.n_records = (known.n_records ?? 0) + edge.n_records;
  }
  return { nodes, edges: [...sums.values()] };
}

/** What was acquired came in by a run that has no input of its own: source -> run -> version. */
function throughRuns(graph: LineageGraph): LineageGraph {
  const kinds = new Map(graph.nodes.map((node) => [node.id, node.kind]));
  const fed = new Set(graph.edges.map((edge) => edge.to));
  const makers = new Map<string, string>();
  for (const edge of graph.edges) if (kinds.get(edge.from) === 'run' && !fed.has(edge.from)) makers.set(edge.to, edge.from);
  const edges = graph.edges.map((edge) => (kinds.get(edge.from) === 'source' && makers.has(edge.to) ? { ...edge, to: makers.get(edge.to) ?? edge.to } : edge));
  return { ...graph, edges };
}

export function draw(graph: LineageGraph, keep: string): Drawing {
  const { nodes, edges } = heaped(throughRuns(graph), keep);
  const placed = new Map<string, Placed>(nodes.map((node) => [node.id, { ...node, layer: 0, x: 0, y: 0 }]));
  const links = edges.flatMap((edge) => {
    const from = placed.get(edge.from);
    const to = placed.get(edge.to);
    return from && to ? [{ from, to, n_records: edge.n_records }] : [];
  });
  /* The longest way from the left; as often as there are nodes at most, should there be a circle. */
  for (let round = 0, moved = true; moved && round < nodes.length; round++) {
    moved = false;
    for (const { from, to } of links)
      if (to.layer < from.layer + 1 && from.layer + 1 < nodes.length) {
        to.layer = from.layer + 1;
        moved = true;
      }
  }
  /* What nothing made moves up to what it feeds. */
  for (const node of placed.values()) {
    const next = links.filter((link) => link.from === node).map((link) => link.to.layer);
    if (next.length && !links.some((link) => link.to === node)) node.layer = Math.min(...next) - 1;
  }
  const layers: Placed[][] = [];
  for (const node of placed.values()) (layers[node.layer] ??= []).push(node);
  const columns = layers.filter((one) => one !== undefined);
  order(columns, links);
  return settle(columns, links);
}

type Links = Drawing['edges'];

/** Neighbours near each other: each layer by the mean place of what it hangs on, there and back. */
function order(columns: Placed[][], links: Links): void {
  for (const column of columns) column.forEach((node, i) => (node.y = i));
  for (let round = 0; round < 6; round++) {
    const there = round % 2 === 0;
    for (const column of there ? columns : [...columns].reverse()) {
      const mean = (node: Placed) => {
        const near = links.filter((link) => (there ? link.to : link.from) === node).map((link) => (there ? link.from : link.to).y);
        return near.length ? near.reduce((sum, y) => sum + y, 0) / near.length : node.y;
      };
      const means = new Map(column.map((node) => [node, mean(node)]));
      column.sort((a, b) => (means.get(a) ?? 0) - (means.get(b) ?? 0));
      column.forEach((node, i) => (node.y = i));
    }
  }
}

/** Beside what they hang on where there is room: from the longest column outwards, each node at the mean of its neighbours. */
function settle(columns: Placed[][], links: Links): Drawing {
  const pitch = BOX.height + BOX.gapY;
  const longest = columns.reduce((best, column, c) => (column.length > (columns[best]?.length ?? 0) ? c : best), 0);
  const height = Math.max(1, columns[longest]?.length ?? 1) * pitch + BOX.gapY;
  const place = (column: Placed[], wanted: (node: Placed, i: number) => number) => {
    let below = BOX.gapY;
    column.forEach((node, i) => {
      node.y = Math.max(below, wanted(node, i));
      below = node.y + pitch;
    });
    let above = height - pitch;
    for (const node of [...column].reverse()) {
      node.y = Math.min(node.y, above);
      above = node.y - pitch;
    }
  };
  const beside = (side: 'from' | 'to') => (node: Placed, i: number) => {
    const other = side === 'from' ? 'to' : 'from';
    const near = links.filter((link) => link[other] === node).map((link) => link[side].y);
    return near.length ? near.reduce((sum, y) => sum + y, 0) / near.length : BOX.gapY + i * pitch;
  };
  columns.forEach((column, c) => column.forEach((node) => (node.x = 8 + c * (BOX.width + BOX.gapX))));
  place(columns[longest] ?? [], (_node, i) => BOX.gapY + i * pitch);
  for (let c = longest + 1; c < columns.length; c++) place(columns[c] ?? [], beside('from'));
  for (let c = longest - 1; c >= 0; c--) place(columns[c] ?? [], beside('to'));
  return { nodes: columns.flat(), edges: links, width: 16 + columns.length * (BOX.width + BOX.gapX) - BOX.gapX, height };
}
