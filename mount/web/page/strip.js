// The time strip: all points of the volume on one axis, with marks where what is shown changed.
import { byId, el, plain, show, svg } from './tools.js';
import { go, pair, point, state, volume } from './state.js';
import { ago, damaged, pointKind, pointTitle, shape, size, utc, zoneName } from './words.js';
import { places, ticks } from './axis.js';
import { history } from './marks.js';
import { orders } from './carved.js';

const height = 74;
const line = 33; // where the axis runs
const apart = 70; // of the current state, at the right

let xs = []; // by index of the point, for those in the window
let view = { from: 0, to: 0 };
let shownVolume = null;

/** The first and the last point that are seen. */
export const seen = () => view;

/** Places of points from 0 to 1, for the history of rows. */
export function fractions() {
  const v = volume();
  v.fractions ??= places(v.all.map((p) => p.placed).slice(0, -1), 1, 1 / Math.max(v.all.length * 2, 1)).map((x) => x * 0.94).concat(1);
  return v.fractions;
}

export function zoom(factor, around = point().at) {
  const all = volume().all;
  const n = Math.max(6, Math.min(all.length, Math.round((view.to - view.from + 1) * factor)));
  const share = (around - view.from) / Math.max(1, view.to - view.from);
  const from = Math.max(0, Math.min(all.length - n, Math.round(around - share * (n - 1))));
  view = { from, to: Math.min(all.length - 1, from + n - 1) };
  draw();
}

export function pan(by) {
  const n = view.to - view.from;
  const from = Math.max(0, Math.min(volume().all.length - 1 - n, view.from + by));
  view = { from, to: from + n };
  draw();
}

export function whole() {
  view = { from: 0, to: volume().all.length - 1 };
  draw();
}

let flagged = null; // the part that a step in time changes
let drawn = ''; // what the rest is of

/** Shows the state: a step in time moves the chosen point and nothing else. */
export function refresh() {
  const v = volume();
  if (shownVolume !== v) {
    shownVolume = v;
    view = { from: 0, to: v.all.length - 1 };
  }
  keepInView();
  if (drawn !== keyOf()) draw();
  else {
    flags();
    head();
  }
}

const keyOf = () => [state.volume, state.path, state.file, view.from, view.to, zoneName(), byId('strip').clientWidth].join('\0');

/** Draws all of the strip. */
export function draw() {
  const v = volume();
  if (!v || v.locked || shownVolume !== v) return;
  drawn = keyOf();
  const box = byId('strip');
  const width = Math.max(box.clientWidth, 200);
  layout(v, width);
  const picture = svg('svg', { width, height, 'aria-hidden': 'true' });
  base(picture, v, width);
  marks(picture, v);
  flagged = svg('g');
  picture.append(flagged);
  show(box, picture);
  flags();
  head();
}

function keepInView() {
  const at = point().at;
  const n = view.to - view.from;
  if (at < view.from) view = { from: at, to: at + n };
  if (at > view.to) view = { from: at - n, to: at };
}

function layout(v, width) {
  xs = [];
  const part = v.all.slice(view.from, view.to + 1).filter((p) => p.kind !== 'current');
  const room = width - 24 - (view.to === v.all.length - 1 ? apart : 0);
  places(part.map((p) => p.placed), room, 9).forEach((x, i) => { xs[part[i].at] = 12 + x; });
  if (view.to === v.all.length - 1) xs[v.all.length - 1] = width - 36;
}

/** The axis, the points below it, and labels. */
function base(picture, v, width) {
  const part = v.all.slice(view.from, view.to + 1).filter((p) => p.kind !== 'current');
  picture.append(svg('path', { class: 'axis', d: `M4 ${line}.5H${width - 4}` }));
  if (xs[v.all.length - 1] !== undefined) {
    picture.append(svg('path', { class: 'apart', d: `M${width - apart + 4}.5 0V${height}` }), svg('text', { x: width - 36, y: height - 5, class: 'label', 'text-anchor': 'middle' }, 'Current'));
  }
  const crowded = part.length > 1 && (xs[part.at(-1).at] - xs[part[0].at]) / part.length < 4;
  for (const p of part) if (!crowded || shape(p) !== 'dot') picture.append(shapeOf(p, xs[p.at], line + 15));
  for (const t of ticks(part.map((p) => p.ms), part.map((p) => xs[p.at]), width - apart)) {
    picture.append(svg('path', { class: 'tick', d: `M${Math.round(t.x)}.5 ${line + 23}v5` }), svg('text', { x: t.end ? t.x - 4 : t.x + 4, y: height - 5, class: 'label', 'text-anchor': t.end ? 'end' : 'start' }, t.text));
  }
}

function shapeOf(p, x, y) {
  switch (shape(p)) {
    case 'triangle': return svg('path', { class: p.carved ? 'kind bad carved' : 'kind bad', d: `M${x} ${y - 5}l5 9h-10z` });
    case 'diamond': return svg('path', { class: 'kind open', d: `M${x} ${y - 5}l5 5l-5 5l-5 -5z` });
    case 'dashed': return svg('circle', { class: 'kind open carved', cx: x, cy: y, r: 4.5 });
    case 'ring': return svg('circle', { class: 'kind open', cx: x, cy: y, r: 4 });
    default: return svg('circle', { class: 'kind', cx: x, cy: y, r: 1.5 });
  }
}

/** What changed at each point: up for what came or changed, down for what was deleted; hatched where it is not known yet. */
function marks(picture, v) {
  const band = history.band(v);
  for (const [from, to] of band) {
    if (to < view.from || from > view.to) continue;
    const x = xs[Math.max(from, view.from)];
    picture.append(svg('path', { class: 'band', d: `M${x} ${line}.5H${xs[Math.min(to, view.to)]}` }));
  }
  let ticks = '';
  let asked = -Infinity;
  for (let i = view.from; i <= view.to; i++) {
    const x = Math.round(xs[i]);
    const r = history.at(v.all[i]);
    if (!r) {
      if (i > 0) picture.append(svg('path', { class: 'pending', d: `M${x - 2} ${line + 6}l5 -12` }));
      continue;
    }
    if (r.error || r.failed) asked = ask(picture, x, asked);
    let y = line;
    for (const kind of ['new', 'changed', 'renamed']) {
      if (!r[kind]) continue;
      const h = Math.min(18, 5 + 3 * Math.log2(r[kind] + 1));
      picture.append(svg('rect', { class: 'mark ' + kind, x: x - 2.5, y: y - h, width: 5, height: h }));
      y -= h;
    }
    if (r.deleted) picture.append(svg('rect', { class: 'mark deleted', x: x - 2.5, y: line + 1, width: 5, height: Math.min(9, 4 + 2 * Math.log2(r.deleted + 1)) }));
    else if (y === line) ticks += r.below || r.details ? `M${x}.5 ${line - 4}v8` : `M${x}.5 ${line - 1}v3`;
  }
  picture.append(svg('path', { class: 'small', d: ticks }));
}

/** Asks above a point of which not all is known; above many side by side once, with a line. It gives where it has asked. */
function ask(picture, x, before) {
  if (x - before > 10) picture.append(svg('text', { x: x - 3, y: 18, class: 'ask' }, '?'));
  else picture.append(svg('path', { class: 'asked', d: `M${before} 20.5H${x}` }));
  return x;
}

/** The chosen point, or A and B of a comparison. */
function flags() {
  flagged.replaceChildren();
  if (state.view !== 'compare') {
    const x = xs[point().at];
    if (x !== undefined) flagged.append(svg('path', { class: 'head', d: `M${x} 10V${line + 22}M${x - 5} 0h10l-5 8z` }));
    return;
  }
  const [a, b] = pair();
  const [x, y] = [xs[a.at], xs[b.at]];
  if (x !== undefined && y !== undefined) flagged.append(svg('rect', { class: 'between', x: Math.min(x, y), y: 8, width: Math.abs(x - y), height: line + 14 }));
  for (const [at, letter] of [[x, 'A'], [y, 'B']]) {
    if (at === undefined) continue;
    flagged.append(svg('path', { class: 'head', d: `M${at} 10V${line + 22}` }), svg('rect', { class: 'flag', x: at - 7, y: 0, width: 14, height: 14, rx: 2 }),
      svg('text', { class: 'flagtext', x: at, y: 11, 'text-anchor': 'middle' }, letter));
  }
}

/** The line above: the point in words. */
function head() {
  const p = point();
  const [a, b] = pair();
  const comparing = state.view === 'compare';
  const select = byId('point');
  if (select.dataset.volume !== state.volume + select.dataset.zone) {
    select.dataset.volume = state.volume + select.dataset.zone;
    show(select, ...volume().all.toReversed().map((x) => el('option', { value: x.name }, pointTitle(x))));
  }
  select.value = comparing ? b.name : p.name;
  const words = comparing ? [`from ${pointTitle(a)}`, `${Math.abs(b.at - a.at)} ${Math.abs(b.at - a.at) === 1 ? 'point' : 'points'} apart`, '← → move B, with Shift A']
    : [ago(p.ms), pointKind(p), history.wordsAt(p)];
  show(byId('about'), words.filter(Boolean).join(' · '));
  byId('printhead').textContent = [plain(p.location), plain(state.path), pointTitle(p), utc(p.created), p.copy_id ? 'shadow copy ' + p.copy_id : '', 'times in ' + zoneName()].filter(Boolean).join(' · ');
  const box = byId('strip');
  box.setAttribute('aria-valuemax', String(volume().all.length));
  box.setAttribute('aria-valuenow', String((comparing ? b : p).at + 1));
  box.setAttribute('aria-valuetext', [pointTitle(comparing ? b : p), ...words].filter(Boolean).join(', '));
  const subject = byId('subject');
  show(subject, el('span', { class: 'what' }, history.subject()), state.file ? el('button', { type: 'button', title: 'Back to the folder', 'aria-label': 'Show the folder on the strip', onclick: () => go({ file: '' }, true) }, '✕') : null);
}

function legend() {
  show(byId('legend'), ...['new', 'changed', 'renamed', 'deleted'].map((k) => el('span', {}, el('i', { class: k }), k)));
}

/** The nearest point to a place of the strip. */
function nearest(x) {
  let best = view.from;
  for (let i = view.from; i <= view.to; i++) if (Math.abs(xs[i] - x) < Math.abs(xs[best] - x)) best = i;
  return volume().all[best];
}

/** What tells of a deleted snapshot, in short: all of it stands above the files. */
function carvedTip(p) {
  const c = p.carved;
  return c && [`found by the ${c.found} of its store`, p.created ? '' : 'when it was made is not known', c.alone ? 'its place among others is not known' : c.order ? `in this place by ${orders[c.order] ?? c.order}` : '', c.gap ? 'copies may be missing after it' : ''].filter(Boolean).join(', ');
}

/** What a point is, for the tooltip. */
function tip(p) {
  return [el('b', {}, pointTitle(p)), ...[[ago(p.ms), utc(p.created)].filter(Boolean).join(' · '), pointKind(p), carvedTip(p), damaged(p) ? p.carved?.table ?? p.damage : '',
    p.changed_bytes === null ? '' : size(p.changed_bytes) + ' kept by this snapshot', history.wordsAt(p)].filter(Boolean).map((t) => el('div', {}, t))];
}

function choose(p, shift = false) {
  if (state.view !== 'compare') return go({ point: p.name }, true);
  const [a, b] = pair();
  const moveA = shift || Math.abs(xs[a.at] - xs[p.at]) < Math.abs(xs[b.at] - xs[p.at]);
  return go(moveA ? { a: p.name, b: b.name } : { a: a.name, b: p.name }, true);
}

export function start() {
  legend();
  const box = byId('strip');
  const bubble = byId('tip');
  const x = (e) => e.clientX - box.getBoundingClientRect().left;
  box.addEventListener('pointerdown', (e) => {
    box.setPointerCapture(e.pointerId);
    choose(nearest(x(e)), e.shiftKey);
  });
  box.addEventListener('pointermove', (e) => {
    const p = nearest(x(e));
    if (e.buttons) choose(p, e.shiftKey);
    show(bubble, ...tip(p)).hidden = false;
    bubble.style.left = Math.max(4, Math.min(innerWidth - bubble.offsetWidth - 4, e.clientX - bubble.offsetWidth / 2)) + 'px';
    bubble.style.top = box.getBoundingClientRect().bottom + 4 + 'px';
  });
  box.addEventListener('pointerleave', () => { bubble.hidden = true; });
  box.addEventListener('wheel', (e) => {
    e.preventDefault();
    if (e.shiftKey || Math.abs(e.deltaX) > Math.abs(e.deltaY)) pan(Math.sign(e.deltaX || e.deltaY) * Math.ceil((view.to - view.from) / 20));
    else zoom(e.deltaY > 0 ? 1.4 : 0.7, nearest(x(e)).at);
  }, { passive: false });
  box.addEventListener('keydown', (e) => {
    const all = volume().all;
    const now = state.view === 'compare' ? pair()[1] : point();
    const to = { Home: 0, End: all.length - 1, PageUp: now.at - 10, PageDown: now.at + 10 }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    const p = all[Math.max(0, Math.min(all.length - 1, to))];
    go(state.view === 'compare' ? { b: p.name, a: pair()[0].name } : { point: p.name }, true);
  });
  byId('point').addEventListener('change', (e) => go(state.view === 'compare' ? { b: e.target.value, a: pair()[0].name } : { point: e.target.value }, true));
  new ResizeObserver(() => draw()).observe(box);
}

