// The Files view: a folder at a point.
import { Pace, Turn, base, byId, dropped, el, join, lines, longName, nameNode, parent, plain, show } from './tools.js';
import { go, listOf, point, state, volume } from './state.js';
import { count, letters, pointShort, settings, size, time, trustWords, utc, millis, zoneName } from './words.js';
import { Grid } from './grid.js';
import { download, downloadOne, format } from './download.js';
import * as beside from './beside.js';
import * as say from './say.js';

const turn = new Turn();
const pace = new Pace(120);
let rows = []; // as they are shown
let all = []; // as they came
let listed = ''; // what they are of
let complete = false;
let trouble = null; // why more is missing
const selected = new Set(); // names
let grid;

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
const isDir = (r) => r.kind === 'dir';
const orders = {
  name: (a, b) => a.place - b.place,
  size: (a, b) => a.size - b.size,
  time: (a, b) => (a.mtime < b.mtime ? -1 : a.mtime > b.mtime ? 1 : 0),
};

export function start() {
  grid = new Grid(byId('list'), { row, name: (i) => rows[i].name, drawn: (a, b) => beside.want(rows.slice(a, b + 1)) });
  byId('list').addEventListener('click', clicked);
  byId('list').addEventListener('keydown', pressed);
  byId('deleted').addEventListener('change', (e) => go({ deleted: e.target.checked ? '1' : '' }, true));
  byId('zip').addEventListener('click', () => download(chosen()));
  byId('format').value = format();
  byId('format').addEventListener('change', (e) => settings.set('format', e.target.value));
  for (const b of document.querySelectorAll('[data-sort]')) b.addEventListener('click', () => go({ sort: b.dataset.sort, down: state.sort === b.dataset.sort && !state.down ? '1' : '' }, true));
  beside.onChange(() => grid.later());
}

const keyOf = () => [state.volume, state.point, state.path, state.deleted, zoneName()].join('\0');

/** Asks for the folder, where it is another one. */
export function refresh() {
  byId('deleted').checked = !!state.deleted;
  sortHeads();
  if (listed === keyOf()) {
    arrange();
    return;
  }
  const samePath = listed.split('\0').slice(0, 3).filter((_, i) => i !== 1).join('\0') === [state.volume, state.path].join('\0');
  const at = rows[grid.cursor]?.name;
  listed = keyOf();
  if (!samePath) selected.clear();
  const cursor = samePath ? at : state.file || came;
  turn.stop();
  pace.run(() => load(turn.next(), cursor));
}

/** Another volume is shown, of which nothing can be listed. */
export function leave() {
  turn.stop();
  clearTimeout(pace.timer);
  listed = '';
}

let came = ''; // the folder that was left, where the cursor goes

async function load(signal, cursor) {
  const next = [];
  let seen = -Infinity; // when there was time for others last
  [complete, trouble] = [false, null];
  const waiting = setTimeout(() => say.loading(byId('listnote'), `Reading ${plain(base(state.path)) || 'the folder'} …`), 150);
  try {
    for await (const part of lines(...listOf(state), signal)) {
      if (part[0]?.missing) {
        show0([]);
        byId('summary').textContent = '';
        await say.missing(byId('listnote'), part[0].missing);
        return;
      }
      for (const r of part) next.push(r);
      const first = seen < 0;
      if (first) show0(next.slice(), cursor);
      else if (performance.now() - seen < 16) continue;
      else byId('summary').textContent = `Reading … ${count(next.length, 'entry', 'entries')} so far`;
      await (first ? painted() : heard());
      seen = performance.now();
    }
  } catch (err) {
    if (dropped(err)) return;
    trouble = err.message;
  } finally {
    clearTimeout(waiting);
  }
  complete = true;
  show0(next, cursor);
  beside.ask();
}

/** Keys that wait are heard before more is read: all of an answer may be there already. */
const heard = () => new Promise((done) => { setTimeout(done); });

/** The first rows are seen before the others are read. */
const painted = () => new Promise((done) => {
  requestAnimationFrame(() => setTimeout(done));
  setTimeout(done, 100); // a page behind another one has no frames
});

/** Takes rows, sorts them, and puts the cursor where it was. */
function show0(list, cursor) {
  all = list;
  byId('listnote').hidden = true;
  arrange(cursor);
}

function arrange(cursor) {
  const at = cursor ?? rows[grid.cursor]?.name;
  sort();
  byId('list').setAttribute('aria-rowcount', String(rows.length + 1));
  grid.setCount(rows.length);
  const i = at ? rows.findIndex((r) => r.name === at) : 0;
  grid.to(Math.max(0, i));
  summarize();
}

let sorted = {}; // what rows are sorted of, and how
let sums = {};

/** Sorts rows, where they are not so yet. By names that is done once: those have a place among all. */
function sort() {
  if (sorted.all === all && sorted.by === state.sort + state.down) return;
  if (sorted.all !== all) {
    all.sort((a, b) => names.compare(a.name, b.name)).forEach((r, i) => { r.place = i; });
    const here = all.filter((r) => !r.gone);
    sums = { dirs: here.filter(isDir).length, here: here.length, gone: all.length - here.length, bytes: here.reduce((n, r) => n + r.size, 0), damaged: all.filter((r) => r.error).length };
  }
  const order = orders[state.sort] ?? orders.name;
  const sign = state.down ? -1 : 1;
  rows = all.toSorted((a, b) => (isDir(b) - isDir(a)) || sign * order(a, b) || a.place - b.place);
  sorted = { all, by: state.sort + state.down };
}

function summarize() {
  const { dirs, here, gone, bytes, damaged } = sums;
  const words = selected.size ? [`${count(selected.size, 'item')} chosen`]
    : [dirs ? count(dirs, 'folder') : '', count(here - dirs, 'file'), size(bytes), gone ? `${gone} no longer there` : ''];
  byId('summary').textContent = words.filter(Boolean).join(', ');
  byId('zip').textContent = selected.size ? `Download ${count(selected.size, 'item')}` : 'Download folder';
  byId('zip').disabled = !complete || (!rows.length && !selected.size);
  const bar = byId('damage');
  bar.hidden = !trouble && !damaged;
  if (!bar.hidden) {
    const list = rows.filter((r) => r.error).slice(0, 200).map((r) => el('li', {}, nameNode(r.name), ': ', plain(r.error)));
    show(bar, trouble ? `Not all of this folder could be read: ${plain(trouble)}. All that could is shown.` : `${count(damaged, 'entry', 'entries')} of this folder could not be read in full. All others are shown.`, damaged ? el('details', {}, el('summary', {}, 'Which, and why'), el('ul', {}, ...list)) : null);
  }
  if (complete && !rows.length && !trouble) {
    show(byId('listnote'), el('p', { class: 'big' }, 'This folder is empty at this point.'), el('p', {}, 'Older points may have had files here.'),
      state.deleted ? null : el('button', { type: 'button', onclick: () => go({ deleted: '1' }, true) }, 'Show deleted')).hidden = false;
  }
}

function sortHeads() {
  for (const b of document.querySelectorAll('[data-sort]')) {
    const on = b.dataset.sort === state.sort;
    b.parentElement.setAttribute('aria-sort', on ? (state.down ? 'descending' : 'ascending') : 'none');
    b.querySelector('i').textContent = on ? (state.down ? '↓' : '↑') : '';
  }
}

const icons = { dir: '▸', symlink: '↪', file: '', unreadable: '⚠' };

/** One row of the list. */
function row(i) {
  const r = rows[i];
  const here = state.file === r.name;
  const more = beside.of(r);
  const cells = [
    el('span', { class: 'c-pick', role: 'gridcell' }, el('input', { type: 'checkbox', tabindex: -1, 'aria-label': 'Choose ' + plain(r.name), ...(selected.has(r.name) ? { checked: true } : {}) })),
    el('span', { class: 'c-name', role: 'gridcell', title: plain(r.name) }, el('i', { class: 'icon ' + r.kind, 'aria-hidden': 'true' }, icons[r.kind] ?? '·'), longName(r.name),
      r.target ? el('span', { class: 'quiet to' }, '→ ' + plain(r.target)) : null, mark(r, more),
      r.kind === 'file' ? el('button', { class: 'get', type: 'button', tabindex: -1, 'aria-label': 'Download ' + plain(r.name) }, '↓ Download') : null),
    el('span', { class: 'c-size', role: 'gridcell' }, r.kind === 'file' ? size(r.size) : ''),
    el('span', { class: 'c-time', role: 'gridcell', title: utc(r.mtime) }, r.mtime ? time(millis(r.mtime)) : ''),
    el('span', { class: 'c-trust', role: 'gridcell', title: more.trust ? trustWords[more.trust] : '' }, r.gone ? '' : trust(more.trust)),
    ...(r.gone ? [el('span', { class: 'c-fate', role: 'gridcell', title: fate(r) }, fate(r))]
      : [el('span', { class: 'c-event', role: 'gridcell' }, event(more)), el('span', { class: 'c-history', role: 'gridcell' }, more.picture ?? null), el('span', { class: 'c-now', role: 'gridcell' }, more.now ?? '')]),
  ];
  return el('div', { role: 'row', class: `row${r.gone ? ' gone' : ''}${here ? ' here' : ''}`, 'aria-rowindex': i + 2, 'aria-selected': String(selected.has(r.name)) }, ...cells);
}

/** What a file of a deleted snapshot rests on. */
export const trust = (word) => (word ? el('span', { class: ['doubtful', 'unknown'].includes(word) ? 'warn' : '' }, ({ doubtful: '? ', unknown: '⚠ ' })[word] ?? '✓ ', word) : '');

function mark(r, more) {
  if (r.error) return el('span', { class: 'warn', title: plain(r.error) }, ' ⚠ damaged');
  if (more.intact === false) return el('span', { class: 'warn', title: plain(more.verdict) }, ' ⚠ incomplete');
  return null;
}

/** What became of a file that is not there at the point. */
function fate(r) {
  const seen = 'last seen ' + pointShort(volume().byName.get(r.point));
  if (r.gone === 'renamed') return `now ${plain(r.now)}, ${seen} here`;
  return (r.gone === 'deleted' ? 'deleted, ' : 'perhaps deleted, ') + seen;
}

function event(more) {
  return more.event ? el('span', {}, el('b', { class: 'letter ' + more.event }, letters[more.event]), ' ' + more.event, more.from ? ' from ' + plain(more.from) : '') : '';
}

const rowOf = (e) => rows[e.target.closest('[data-i]')?.dataset.i];

function clicked(e) {
  const r = rowOf(e);
  if (!r) return;
  const i = rows.indexOf(r);
  byId('list').focus();
  if (e.target.closest('.get')) return downloadOne(r.point || state.point, join(state.path, r.name));
  if (e.target.closest('.c-pick') || e.ctrlKey || e.metaKey) pick(r.name);
  else if (e.shiftKey) pickRange(grid.anchor, i);
  else if (isDir(r) && (narrow() || e.detail === 2)) return open(r);
  else choose(r);
  if (!e.shiftKey) grid.anchor = i;
  grid.to(i);
  summarize();
  return undefined;
}

const narrow = () => matchMedia('(max-width: 640px)').matches;

function pick(name) {
  if (!selected.delete(name)) selected.add(name);
}

function pickRange(a, b) {
  for (let i = Math.min(a, b); i <= Math.max(a, b); i++) selected.add(rows[i].name);
}

/** Shows a file in the panel; of a folder nothing more than its row is known. */
function choose(r) {
  if (r.kind === 'unreadable') say.tell(`This entry is damaged: ${plain(r.error)}`);
  else if (!isDir(r)) go(r.gone ? { file: r.name, point: r.point } : { file: r.name }, true);
  else if (state.file) go({ file: '' }, true);
}

function open(r) {
  if (!r) return;
  if (isDir(r)) go({ path: join(state.path, r.name), file: '', ...(r.gone ? { point: r.point } : {}) });
  else if (r.kind === 'symlink') go({ path: join(state.path, r.name), file: '' });
  else choose(r);
}

/** Goes to the folder above, with the cursor on the one that was left. */
export function up() {
  if (state.path === '/') return;
  came = base(state.path);
  go({ path: parent(state.path), file: '' });
  came = '';
}

function pressed(e) {
  if (e.target !== e.currentTarget) return;
  const r = rows[grid.cursor];
  const at = grid.cursor;
  if (e.key === 'Enter') open(r);
  else if (e.key === 'Backspace' || (e.altKey && e.key === 'ArrowUp')) up();
  else if (e.key === ' ' && r) pick(r.name);
  else if (e.key === 'a' && (e.ctrlKey || e.metaKey)) pickRange(0, rows.length - 1);
  else if (e.key === 'Escape' && selected.size) selected.clear();
  else if (!grid.key(e)) return;
  e.preventDefault();
  e.stopPropagation();
  if (e.shiftKey && ['ArrowDown', 'ArrowUp'].includes(e.key)) pickRange(at, grid.cursor);
  grid.later();
  summarize();
}

/** What a download is of: rows that were chosen, the file in the panel, or the folder. */
export function chosen() {
  const item = (r) => ({ point: r.point || state.point, path: join(state.path, r.name) });
  if (selected.size) return rows.filter((r) => selected.has(r.name)).map(item);
  return [{ point: state.point, path: state.path }];
}

export const focus = () => byId('list').focus();
export const locationText = () => [point(), state.path];
