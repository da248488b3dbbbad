// Search by name over all points of the volume.
import { Turn, base, byId, dropped, el, lines, longName, parent, plain, show } from './tools.js';
import { go, state, volume } from './state.js';
import { command, count, millis, pointShort, size, time, utc } from './words.js';
import { Grid } from './grid.js';
import { setCommand } from './commands.js';

const turn = new Turn();
const most = 1000;
let hits = [];
let lost = [];
let searched = '';
let timer;
let grid;

export function start() {
  grid = new Grid(byId('hits'), { row, name: (i) => base(hits[i].path) });
  const input = byId('find');
  input.addEventListener('input', () => {
    clearTimeout(timer);
    timer = setTimeout(() => go({ find: input.value.trim(), view: 'files', file: '' }, true), 180);
  });
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Escape') {
      input.value = '';
      go({ find: '' }, true);
      document.dispatchEvent(new CustomEvent('tolist'));
    } else if (e.key === 'ArrowDown' || e.key === 'Enter') {
      byId('hits').focus();
      grid.to(0);
    } else return;
    e.preventDefault();
    e.stopPropagation();
  });
  byId('hits').addEventListener('keydown', pressed);
  byId('hits').addEventListener('click', (e) => {
    const h = hits[e.target.closest('[data-i]')?.dataset.i];
    if (h) open(h, !!e.target.closest('.folder'));
  });
}

export function refresh() {
  if (document.activeElement !== byId('find')) byId('find').value = state.find;
  if (!state.find) {
    turn.stop();
    searched = '';
    return;
  }
  const whole = !/[*?[/\\]/.test(state.find);
  setCommand('command', command('find', volume().location, whole ? `*${state.find}*` : state.find));
  const key = state.volume + '\0' + state.find;
  if (key === searched) return grid.later();
  searched = key;
  return load(turn.next());
}

export function leave() {
  turn.stop();
  searched = '';
}

async function load(signal) {
  [hits, lost] = [[], []];
  grid.cursor = 0;
  grid.setCount(0);
  const n = volume().all.length;
  say(el('p', { class: 'quiet' }, `Searching ${count(n, 'point')} for ${plain(state.find)} …`), el('button', { type: 'button', onclick: () => { turn.stop(); say(el('p', {}, 'Stopped: not all was searched.')); } }, 'Stop'));
  let more = false;
  try {
    for await (const part of lines('/api/find', { volume: state.volume, point: 'current', path: '/', name: state.find }, signal)) {
      for (const h of part) (h.err === undefined ? hits : lost).push(h);
      if (hits.length) byId('listnote').hidden = true;
      grid.setCount(hits.length);
      if (more = hits.length >= most) break;
    }
  } catch (err) {
    if (dropped(err)) return;
    lost.push(err.message ? { err: err.message } : { err: String(err) });
  }
  if (more) turn.stop();
  done(more, n);
}

function done(more, n) {
  byId('hits').setAttribute('aria-rowcount', String(hits.length));
  byId('summary').textContent = more ? `The first ${count(hits.length, 'result')}: there are more` : count(hits.length, 'result');
  const bar = byId('damage');
  bar.hidden = !lost.length;
  if (lost.length) show(bar, `${count(lost.length, 'part')} could not be searched: `, el('details', {}, el('summary', {}, 'which, and why'), el('ul', {}, ...lost.slice(0, 200).map((x) => el('li', {}, plain(x.err))))));
  if (hits.length) byId('listnote').hidden = true;
  else say(el('p', { class: 'big' }, lost.length ? `Nothing called ${plain(state.find)} in what could be searched.` : `Nothing called ${plain(state.find)} at any of ${count(n, 'point')}.`));
}

function say(...what) {
  show(byId('listnote'), ...what).hidden = false;
}

function row(i) {
  const h = hits[i];
  const at = volume().byName;
  const last = at.get(h.last);
  const there = last.kind === 'current' ? 'there now' : `last at ${pointShort(last)}`;
  const name = h.stream ? `${base(h.path)}:${h.stream}` : base(h.path);
  return el('div', { role: 'row', class: `row${last.kind === 'current' ? '' : ' old'}`, 'aria-rowindex': i + 1 },
    el('span', { class: 'c-name', role: 'gridcell', title: plain(h.path) }, el('i', { class: 'icon ' + h.kind, 'aria-hidden': 'true' }, h.kind === 'symlink' ? '↪' : ''), longName(name)),
    el('span', { class: 'c-folder', role: 'gridcell' }, el('button', { class: 'link folder', type: 'button', tabindex: -1, title: 'Open this folder: ' + plain(parent(h.path)) }, h.orphan ? '(no folder is known)' : plain(parent(h.path)))),
    el('span', { class: 'c-size', role: 'gridcell' }, h.kind === 'dir' ? '' : size(h.size)), el('span', { class: 'c-time', role: 'gridcell', title: utc(h.mtime) }, h.mtime ? time(millis(h.mtime)) : ''),
    el('span', { class: 'c-event', role: 'gridcell' }, there, h.versions > 1 ? `, ${h.versions} versions` : ''));
}

/** Opens a result where it was last, or its folder. */
function open(h, folder) {
  if (h.orphan) return;
  if (h.kind === 'dir' && !folder) go({ find: '', view: 'files', point: h.last, path: h.path, file: '' });
  else go({ find: '', view: 'files', point: h.last, path: parent(h.path), file: base(h.path) });
}

function pressed(e) {
  if (e.key === 'ArrowUp' && grid.cursor === 0) byId('find').focus();
  else if (e.key === 'Enter' && hits[grid.cursor]) open(hits[grid.cursor], e.altKey);
  else if (!grid.key(e)) return;
  e.preventDefault();
  e.stopPropagation();
}

