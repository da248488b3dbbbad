// What changed at which point: of the folder that is shown, or of the file that is chosen.
import { Turn, base, dropped, lines, plain } from './tools.js';
import { point, state, volume } from './state.js';
import { count, kindsOfEvent, stripWords } from './words.js';

const turn = new Turn();
let subject = ''; // what records are of
let records = new Map(); // by name of the point
let versions = null; // of a file
let failed = '';
let changed = () => {};

const keyOf = () => [state.volume, state.path, state.file].join('\0');

/** What is known of the subject over time. */
export const history = {
  /** The record of a point; undefined while it is not known. The oldest point has none before it. */
  at: (p) => records.get(p.name) ?? (p.at === 0 && (records.size > 0 || versions) ? { there: true } : failed ? { error: failed } : undefined),
  /** What the file's versions are; null of a folder, or while they are not known. */
  versions: () => (state.file ? versions : null),
  failed: () => failed,
  wordsAt(p) {
    if (state.file && versions) {
      const i = this.versionAt(p);
      if (i < 0) return 'the file is not there at this point';
      return records.get(p.name)?.first || p.at === 0 ? `version ${i + 1} of ${versions.length} begins here` : `version ${i + 1} of ${versions.length}`;
    }
    if (volume().all.length === 1) return '';
    return p.at === 0 && records.size ? 'the oldest point' : stripWords(this.at(p), records.get(p.name)?.there);
  },
  /** Index of the version that a point has, -1 for none. */
  versionAt(p) {
    const all = volume().byName;
    return (versions ?? []).findIndex((v) => v.size !== null && all.get(v.first).at <= p.at && p.at <= all.get(v.last).at);
  },
  subject: () => (state.file ? `${plain(base(state.file))} · ${versions ? count(versions.filter((v) => v.size !== null).length, 'version') : 'file'}` : `${plain(base(state.path)) || state.volume} · folder`),
  /** Ranges of points at which a file is there. */
  band(v) {
    if (!state.file || !versions) return [];
    const out = [];
    for (const x of versions.filter((y) => y.size !== null)) {
      const [from, to] = [v.byName.get(x.first).at, v.byName.get(x.last).at];
      if (out.length && out.at(-1)[1] >= from - 1) out.at(-1)[1] = to;
      else out.push([from, to]);
    }
    return out;
  },
};

/** Asks again where the subject is another one. */
export function refresh() {
  if (subject === keyOf()) return;
  subject = keyOf();
  records = new Map();
  versions = null;
  failed = '';
  const signal = turn.next();
  (state.file ? askFile(signal) : askFolder(signal)).catch((err) => {
    if (dropped(err)) return;
    failed = err.message;
    changed();
  });
}

async function askFolder(signal) {
  let last = 0;
  for await (const all of lines('/api/strip', { volume: state.volume, path: state.path }, signal)) {
    for (const r of all) records.set(r.point, r);
    if (performance.now() - last > 100) changed();
    last = performance.now();
  }
  changed();
}

async function askFile(signal) {
  const found = [];
  for await (const all of lines('/api/versions', { volume: state.volume, point: state.point, path: (state.path === '/' ? '' : state.path) + '/' + state.file }, signal)) found.push(...all);
  for (const p of volume().all) records.set(p.name, { there: false });
  for (const v of found) {
    const r = { there: v.size !== null, first: true };
    for (const k of kindsOfEvent(v.event)) r[k] = 1;
    if (v.error) r.error = v.error;
    const at = volume().byName;
    for (let i = at.get(v.first).at; i <= at.get(v.last).at; i++) records.set(volume().all[i].name, { there: v.size !== null });
    records.set(v.first, r);
  }
  versions = found;
  changed();
}

/** The next point, in a direction, that begins another version; or a sentence why there is none. */
export function step(by) {
  const all = volume().all;
  const begins = (i) => {
    const r = history.at(all[i]);
    return i === 0 || !!r && !!(r.new || r.changed || r.renamed || r.deleted || r.error || (state.file && r.first));
  };
  let i = point().at;
  let unsure = 0;
  if (by < 0) while (i > 0 && !begins(i)) i--;
  for (i += by; i >= 0 && i < all.length; i += by) {
    if (!history.at(all[i])) return { words: `Still finding out what changed here before ${by < 0 ? 'that' : 'then'}. Shift with an arrow goes through all points.` };
    if (begins(i)) return { point: all[i] };
    if (history.at(all[i]).failed) unsure++;
  }
  const what = state.file ? 'file' : 'folder';
  if (unsure) return { words: `No ${by < 0 ? 'older' : 'newer'} version of this ${what} is known: at ${count(unsure, 'point')} not all could be compared.` };
  return { words: by < 0 ? `No older version of this ${what}. Shift+← goes through all points.` : `Nothing newer: this ${what} is the same until the current state.` };
}

export function onChange(fn) { changed = fn; }
