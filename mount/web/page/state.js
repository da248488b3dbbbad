// What is shown: all of it stands in the address, so that Back, reload and a copied address work.
import { Pace, dec, query } from './tools.js';
import { forWindows, millis, withOptions } from './words.js';

const defaults = { volume: '', point: 'current', path: '/', view: 'files', file: '', tab: 'versions', a: '', b: '', deleted: '', find: '', sort: 'name', down: '' };
const short = { volume: 'v', point: 'at', path: 'p', view: 'view', file: 'f', tab: 'tab', a: 'a', b: 'b', deleted: 'deleted', find: 'q', sort: 'sort', down: 'down' };

/** The state, to be changed by go alone. */
export const state = { ...defaults };
/** A change of the state that leads away from all that is of one volume. */
export const locationless = { point: 'current', path: '/', file: '', a: '', b: '', find: '' };
/** What info tells, with points in the order of time. */
export const info = { images: [], volumes: [], warnings: [] };

const replacing = new Pace(250); // browsers refuse to be told each step of a key that is held
const watchers = [];
export const watch = (fn) => watchers.push(fn);

/** Changes the state. Keep says that the address is replaced: steps in time are not worth a Back of their own. */
export function go(change, keep = false) {
  const old = { ...state };
  Object.assign(state, change);
  const write = () => { if (addressOf(state) !== location.pathname + location.search) history[keep ? 'replaceState' : 'pushState'](null, '', addressOf(state)); };
  if (keep) replacing.run(write);
  else {
    if (addressOf(old) !== location.pathname + location.search) history.replaceState(null, '', addressOf(old));
    clearTimeout(replacing.timer);
    write();
  }
  for (const fn of watchers) fn(old);
}

/** The request for the folder of a state. */
export const listOf = (s) => ['/api/list', { volume: s.volume, point: s.point, path: s.path, deleted: s.deleted }];

export function addressOf(s) {
  const params = {};
  for (const [key, name] of Object.entries(short)) if (s[key] !== defaults[key]) params[name] = s[key];
  return '/' + query(params);
}

/** Reads the address. */
export function fromAddress() {
  const out = { ...defaults };
  for (const word of location.search.slice(1).split('&')) {
    const [name, value] = [word.slice(0, word.indexOf('=')), word.slice(word.indexOf('=') + 1)];
    const key = Object.keys(short).find((k) => short[k] === name);
    if (key) out[key] = dec(value);
  }
  return out;
}

addEventListener('popstate', () => {
  clearTimeout(replacing.timer);
  const old = { ...state };
  Object.assign(state, fromAddress());
  settle();
  for (const fn of watchers) fn(old);
});

/** Takes what info tells. */
export function take(answer) {
  Object.assign(info, answer);
  info.volumes = answer.volumes.filter((v) => v.filesystem === 'ntfs' || v.locked);
  forWindows(Boolean(answer.windows));
  withOptions(answer.carve ?? []);
  for (const v of info.volumes) {
    const [current, ...snapshots] = v.points;
    v.all = v.locked ? [] : [...snapshots, current];
    v.all.forEach((p, i) => {
      p.at = i;
      p.ms = millis(p.created);
      p.placed = p.created ? p.ms : millis(p.carved?.not_before); // on the axis: as early as it may be
    });
    v.byName = new Map(v.all.map((p) => [p.name, p]));
  }
}

/** Makes sense of a state that somebody typed, or that is of another image. */
export function settle() {
  if (!volume()) state.volume = (info.volumes.find((v) => !v.locked) ?? info.volumes[0])?.name ?? '';
  const v = volume();
  if (v && !v.locked && !v.byName.has(state.point)) state.point = 'current';
  if (!state.path.startsWith('/')) state.path = '/' + state.path;
  if (v && !v.byName.has(state.a)) state.a = '';
  if (v && !v.byName.has(state.b)) state.b = '';
}

export const volume = () => info.volumes.find((v) => v.name === state.volume);
export const point = () => volume()?.byName.get(state.point);

/** The points that Compare is about: unless chosen, the one before against the point that is shown. A deleted snapshot is taken for the one before only where there is no other, or it is shown. */
export function pair() {
  const all = volume()?.all ?? [];
  const b = volume()?.byName.get(state.b) ?? point();
  const a = volume()?.byName.get(state.a) ?? before(all, b);
  return [a, b];
}

function before(all, p) {
  const older = all.slice(0, all.indexOf(p));
  return (p?.carved ? undefined : older.findLast((x) => !x.carved)) ?? older.at(-1) ?? p;
}

/** The LOCATION of a path at a point, as every command takes it. */
export const locationOf = (p, path) => p.location + (path === '/' ? '' : ':' + path);
