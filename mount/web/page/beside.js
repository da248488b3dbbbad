// What rows have beside their names: what changed since the point before, what they are now, and their history. Asked for
// when the rows are there; of verdicts and histories only for rows on the screen.
import { Turn, base, dropped, lines, parent, svg } from './tools.js';
import { point, state, volume } from './state.js';
import { fractions } from './strip.js';

const before = new Turn();
const after = new Turn();
const details = new Turn();
let events = new Map(); // by reference
let nows = new Map();
let nowsKnown = false;
let more = new Map(); // by name
let changed = () => {};
let timer;
let of0 = '';

export const onChange = (fn) => { changed = fn; };

/** Begins anew for the rows of a folder. */
export function ask() {
  [events, nows, nowsKnown] = [new Map(), new Map(), false];
  const all = volume().all;
  const p = point();
  const now = all.at(-1);
  if (p.at > 0) compare(before.next(), all[p.at - 1], p, events, true).then(changed, quiet);
  if (p !== now) compare(after.next(), p, now, nows, false).then((known) => { nowsKnown = known; changed(); }, quiet);
  else after.stop();
}

const quiet = (err) => { if (!dropped(err)) console.info(err.message); }; // the columns stay empty: nothing is claimed

/** Compares the folder at two points. What is told of a name counts for that name only. It gives whether all is known. */
async function compare(signal, a, b, into, forward) {
  let whole = true;
  for await (const all of lines('/api/changes', { volume: state.volume, a: a.name, b: b.name, path: state.path, depth: 1 }, signal)) {
    for (const c of all) {
      if (c.err !== undefined) {
        whole = whole && !!c.path;
        if (c.path) into.set('/' + c.path, { unknown: true });
        continue;
      }
      const at = c.kind === 'renamed' && !forward ? c.old_path : c.path;
      const key = ['created', 'deleted', 'renamed'].includes(c.kind) ? c.ref + base(at) : c.ref;
      if (!into.has(key) || c.kind === 'content') into.set(key, { kind: c.kind, from: c.old_path, fields: c.fields });
    }
  }
  return whole;
}

const words = { created: 'new', renamed: 'renamed', content: 'changed', streams: 'changed' };

/** What is known of a row. */
export function of(r) {
  const e = events.get(r.ref + r.name) ?? events.get(r.ref);
  const m = of0 === scope() ? more.get(r.name) : undefined;
  return {
    event: r.kind !== 'dir' || (e && e.kind !== 'metadata') ? words[e?.kind] : undefined,
    from: e?.kind === 'renamed' && parent(e.from) !== state.path ? e.from : e?.kind === 'renamed' ? base(e.from) : '',
    now: nowOf(r, m), intact: m && r.kind === 'file' ? m.intact : undefined, trust: m?.trust, verdict: m?.verdict, picture: m?.spans?.length ? picture(m.spans) : null,
  };
}

const store = /\{3808876b-c176-4e48-b7ae-04046e6cc752\}$/i; // of snapshots: those are not compared

/** What the current state has of a row. Of folders nothing is claimed: what is in them was not compared. What is not all known is never called the same. */
function nowOf(r, m) {
  if (point().kind === 'current' || nows.size + nowsKnown === 0) return '';
  const c = nows.get(r.ref + r.name) ?? nows.get(r.ref);
  if (nows.has('/' + (state.path === '/' ? '/' : state.path + '/') + r.name)) return 'not known';
  if (c?.kind === 'deleted') return 'gone';
  if (c?.kind === 'renamed') return 'renamed';
  if (r.kind === 'dir' || store.test(r.name)) return '';
  if ((!c || c.kind === 'metadata') && m && (m.intact === false || ['doubtful', 'unknown'].includes(m.trust))) return 'not known';
  if (c) return c.kind === 'metadata' ? 'same content' : 'changed';
  return nowsKnown ? 'same' : '';
}

const scope = () => [state.volume, state.point, state.path].join('\0');

/** Asks for what costs more, of the rows that stayed on the screen for a moment. */
export function want(rows) {
  if (of0 !== scope()) {
    more = new Map();
    of0 = scope();
    details.stop();
  }
  clearTimeout(timer);
  const names = rows.filter((r) => (r.kind === 'file' || (r.kind === 'dir' && point().carved)) && !r.gone && !more.has(r.name)).map((r) => r.name);
  if (names.length) timer = setTimeout(() => load(names, details.next()).catch(quiet), 100);
}

async function load(names, signal) {
  const into = more;
  for await (const all of lines('/api/rows', { volume: state.volume, point: state.point, path: state.path, name: names.slice(0, 200) }, signal)) {
    for (const m of all) into.set(m.name, m);
    changed();
  }
}

/** The history of a file on the axis of the strip: a line while it is there, and a tick for each version. */
function picture(spans) {
  const at = fractions();
  const v = volume();
  const x = (name) => 2 + 116 * at[v.byName.get(name).at];
  let there = '';
  let ticks = '';
  let unknown = '';
  for (const s of spans) {
    if (s.unknown) {
      unknown += `M${x(s.first).toFixed(1)} 8H${Math.max(x(s.last), x(s.first) + 1).toFixed(1)}`;
      continue;
    }
    there += `M${x(s.first).toFixed(1)} 8H${Math.max(x(s.last), x(s.first) + 1).toFixed(1)}`;
    ticks += `M${x(s.first).toFixed(1)} 4v8`;
  }
  const p = svg('svg', { width: 120, height: 16, 'aria-hidden': 'true' });
  p.append(svg('path', { class: 'h-base', d: 'M2 8H118' }), svg('path', { class: 'h-there', d: there }), svg('path', { class: 'h-tick', d: ticks }), svg('path', { class: 'h-unknown', d: unknown }), svg('path', { class: 'h-head', d: `M${x(state.point).toFixed(1)} 1v14` }));
  return p;
}
