// The Compare view: what differs below the folder between the points A and B.
import { Turn, base, byId, dropped, el, join, lines, longName, plain, show } from './tools.js';
import { go, locationOf, pair, state, volume } from './state.js';
import { command, count, letters, pointTitle, size, zoneName } from './words.js';
import { Grid } from './grid.js';
import { Tree, changeWords, kinds } from './changes.js';
import { setCommand } from './commands.js';

const turn = new Turn();
const most = 50000;
let tree = new Tree();
let rows = [];
let compared = '';
let ended = ''; // how the comparison ended: '' while it is under way
const closed = new Set();
const hidden = new Set();
let grid;
let pointsOf = '';

export function start() {
  grid = new Grid(byId('tree'), { row, name: (i) => base(rows[i].label) });
  byId('tree').addEventListener('click', clicked);
  byId('tree').addEventListener('keydown', pressed);
  byId('swap').addEventListener('click', () => {
    const [a, b] = pair();
    go({ a: b.name, b: a.name }, true);
  });
  for (const id of ['a', 'b']) byId(id).addEventListener('change', (e) => go({ a: pair()[0].name, b: pair()[1].name, [id]: e.target.value }, true));
}

export function refresh() {
  const [a, b] = pair();
  const list = state.volume + zoneName();
  if (pointsOf !== list) {
    pointsOf = list;
    for (const id of ['a', 'b']) show(byId(id), ...volume().all.toReversed().map((p) => el('option', { value: p.name }, pointTitle(p))));
  }
  byId('a').value = a.name;
  byId('b').value = b.name;
  const at = locationOf(a, '/');
  setCommand('command', command('diff', at, '@' + b.name, state.path === '/' ? '' : state.path));
  const key = [state.volume, a.name, b.name, state.path].join('\0');
  if (key === compared) {
    grid.later();
    return;
  }
  compared = key;
  closed.clear();
  load(a, b, turn.next());
}

export function leave() {
  turn.stop();
  compared = '';
}

async function load(a, b, signal) {
  tree = new Tree();
  ended = '';
  arrange();
  const waiting = setTimeout(() => note(el('p', { class: 'quiet' }, `Comparing ${pointTitle(a)} with ${pointTitle(b)} …`)), 150);
  let last = performance.now();
  try {
    if (a === b) throw new Error('A and B are the same point: choose two.');
    for await (const part of lines('/api/changes', { volume: state.volume, a: a.name, b: b.name, path: state.path }, signal)) {
      for (const c of part) tree.add(c);
      if (tree.lines > most) {
        turn.stop();
        break;
      }
      if (performance.now() - last > 250) {
        arrange();
        last = performance.now();
      }
    }
    ended = tree.lines > most ? `These are the first ${count(tree.lines, 'change')}: there are more. Choose a folder to see all that changed in it.` : 'all';
  } catch (err) {
    if (dropped(err) && tree.lines <= most) return;
    ended = plain(err.message);
  } finally {
    clearTimeout(waiting);
  }
  arrange();
  grid.to(0);
}

function arrange() {
  const sums = tree.count(new Set(kinds.filter((k) => !hidden.has(k))));
  show(byId('kinds'), ...kinds.map((k) => el('button', { type: 'button', class: 'chip ' + k, 'aria-pressed': String(!hidden.has(k)), onclick: () => { if (!hidden.delete(k)) hidden.add(k); arrange(); } },
    el('b', {}, String(sums[k])), ' ' + (k === 'details' ? 'details only' : k))));
  rows = tree.rows(closed);
  byId('tree').setAttribute('aria-rowcount', String(rows.length));
  grid.setCount(rows.length);
  const [a, b] = pair();
  const bar = byId('damage');
  const failed = tree.failed.length;
  bar.hidden = !failed && (ended === 'all' || ended === '');
  if (!bar.hidden) {
    show(bar, ended !== 'all' && ended ? ended + ' ' : '', failed ? `${count(failed, 'file or range of records', 'files or ranges of records')} could not be compared: ` : '', failed ? el('details', {}, el('summary', {}, 'which, and why'),
      el('ul', {}, ...tree.failed.slice(0, 200).map((f) => el('li', {}, plain(f.path ?? ''), ' ', plain(f.err))))) : null);
  }
  if (rows.length || !ended) note();
  else if (ended === 'all' && !failed && Object.values(sums).every((n) => n === 0)) {
    note(el('p', { class: 'big' }, `Nothing differs here between ${pointTitle(a)} and ${pointTitle(b)}.`), el('p', {}, 'Proven by where the bytes lie in the image, or read and equal; times prove nothing.'));
  } else if (ended === 'all') note(el('p', {}, failed ? 'Nothing that could be compared differs.' : 'All changes are of kinds that are not shown.'));
  else note();
}

function note(...what) {
  show(byId('listnote'), ...what).hidden = !what.length;
}

function row(i) {
  const { node, label, level, open } = rows[i];
  const here = !!state.file && join(state.path, state.file) === node.path;
  const folder = open !== undefined;
  const sums = folder ? kinds.filter((k) => node.sums[k]).map((k) => el('span', { class: k }, ({ new: '+', changed: '~', renamed: '→', deleted: '−', details: 'd' })[k] + node.sums[k] + ' ')) : [];
  const r = el('div', { role: 'row', class: `row${here ? ' here' : ''}`, 'aria-level': level, 'aria-rowindex': i + 1, ...(folder ? { 'aria-expanded': String(open) } : {}) },
    el('span', { class: 'c-tree', role: 'gridcell', title: plain(node.path) }, el('i', { class: 'twist', 'aria-hidden': 'true' }, folder ? (open ? '▾' : '▸') : ''), el('i', { class: 'icon ' + (folder || node.type === 'dir' ? 'dir' : 'file'), 'aria-hidden': 'true' }), longName(label)),
    el('span', { class: 'c-change', role: 'gridcell' }, node.kind ? el('span', {}, el('b', { class: 'letter ' + node.kind }, letters[node.kind]), ' ' + plain(changeWords(node)) + ' ') : null, ...sums),
    el('span', { class: 'c-sizes', role: 'gridcell' }, folder || node.type === 'dir' ? '' : sizes(node)));
  r.firstChild.style.paddingLeft = 10 + (level - 1) * 18 + 'px';
  r.children[1].style.setProperty('--in', 22 + level * 18 + 'px'); // where names begin, on a phone
  return r;
}

function sizes(n) {
  const [a, b] = n.size ?? [];
  const known = (x) => x !== null && x !== undefined;
  if (n.kind === 'changed' && known(a) && known(b)) return `${size(a)} → ${size(b)}`;
  return known(b) ? size(b) : known(a) ? size(a) : '';
}

function clicked(e) {
  const i = Number(e.target.closest('[data-i]')?.dataset.i);
  if (!rows[i]) return;
  byId('tree').focus();
  grid.to(i);
  if (rows[i].open === undefined) choose(rows[i].node);
  else toggle(i);
}

function toggle(i, open = !rows[i].open) {
  if (open) closed.delete(rows[i].node.path);
  else closed.add(rows[i].node.path);
  arrange();
}

/** Shows in the panel how a file differs. Its name is a path below the folder of the comparison. */
function choose(n) {
  if (n.type === 'dir') return;
  const [a, b] = pair();
  const file = n.path.slice(state.path === '/' ? 1 : state.path.length + 1);
  go({ file, tab: 'versions', a: a.name, b: b.name, point: n.kind === 'deleted' ? a.name : b.name }, true);
}

function pressed(e) {
  const r = rows[grid.cursor];
  if (e.target !== e.currentTarget || !r || e.shiftKey || e.ctrlKey) return;
  if (e.key === 'Enter') {
    if (r.open === undefined) choose(r.node);
    else toggle(grid.cursor);
  } else if (e.key === 'ArrowLeft') {
    if (r.open) toggle(grid.cursor, false);
    else grid.to(Math.max(0, rows.findLastIndex((x, i) => i < grid.cursor && x.level < r.level)));
  } else if (e.key === 'ArrowRight' && r.open !== undefined) {
    if (!r.open) toggle(grid.cursor, true);
    else grid.to(grid.cursor + 1);
  } else if (!grid.key(e)) return;
  e.preventDefault();
  e.stopPropagation();
}

export const focus = () => byId('tree').focus();
