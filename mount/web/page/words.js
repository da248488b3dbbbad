// Numbers, times and kinds of things in words.

const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** A size for people. */
export function size(n) {
  let i = 0;
  let x = n;
  while (x >= 1000 && i < units.length - 1) {
    x /= 1024;
    i++;
  }
  return (i === 0 ? String(x) : x < 10 ? x.toFixed(2) : x < 100 ? x.toFixed(1) : x.toFixed(0)) + ' ' + units[i];
}

export const exact = (n) => n.toLocaleString('en-US') + (n === 1 ? ' byte' : ' bytes');

/** A number and what it counts. */
export const count = (n, one, many = one + 's') => `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;

const kept = { get: (key) => { try { return localStorage.getItem(key); } catch { return null; } },
  set: (key, value) => { try { localStorage.setItem(key, value); } catch { /* a browser that keeps nothing */ } } };
export const settings = kept;

const local = Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC';
let zone = kept.get('zone') === 'UTC' ? 'UTC' : local;
let formats = {};

export const zoneName = () => zone;
export function switchZone() {
  zone = zone === 'UTC' ? local : 'UTC';
  kept.set('zone', zone === 'UTC' ? 'UTC' : '');
  formats = {};
}

function format(kind, options) {
  formats[kind] ??= new Intl.DateTimeFormat('en-GB', { timeZone: zone, hourCycle: 'h23', ...options });
  return formats[kind];
}

const day = { day: 'numeric', month: 'short', year: 'numeric' };
const minute = { hour: '2-digit', minute: '2-digit' };

/** A time of the server, which has seven digits of a second, in milliseconds. */
export const millis = (text) => (text ? Date.parse(text.replace(/(\.\d{3})\d*Z$/, '$1Z')) : NaN);

export const time = (ms) => (Number.isNaN(ms) ? 'time unknown' : format('time', { ...day, ...minute }).format(ms));
export const longTime = (ms) => (Number.isNaN(ms) ? 'time unknown' : format('long', { weekday: 'short', ...day, ...minute }).format(ms));
export const tickDay = (ms, year) => format(year ? 'tickYear' : 'tickDay', { day: 'numeric', month: 'short', ...(year ? { year: 'numeric' } : {}) }).format(ms);
export const tickMinute = (ms) => format('tickMinute', minute).format(ms);
export const dayKey = (ms) => format('key', day).format(ms);
/** UTC as the commands have it, to the last digit. */
export const utc = (text) => (text ? text.replace('T', ' ').replace('Z', ' UTC') : '');

/** How long ago, roughly. */
export function ago(ms, now = Date.now()) {
  if (Number.isNaN(ms)) return '';
  const s = Math.abs(now - ms) / 1000;
  for (const [limit, unit, word] of [[90, 1, 'second'], [5400, 60, 'minute'], [129600, 3600, 'hour'], [1209600, 86400, 'day'], [5184000, 604800, 'week'], [63072000, 2629800, 'month'], [Infinity, 31557600, 'year']]) {
    if (s < limit) return count(Math.round(s / unit), word) + (now < ms ? ' from now' : ' ago');
  }
  return '';
}

/** The time of a point. That of a deleted snapshot may be known to be after another one only. */
const timeOf = (p, format) => (p.created || !p.carved?.not_before ? format(p.ms) : 'after ' + format(millis(p.carved.not_before))) + (p.carved ? ' (carved)' : '');

/** The name of a point for people. */
export const pointTitle = (p) => (p.kind === 'current' ? 'Current state' : timeOf(p, longTime));
export const pointShort = (p) => (p.kind === 'current' ? 'current state' : timeOf(p, time));

/** Reports whether a point is damaged. Of what is missing of a deleted snapshot its share tells. */
export const damaged = (p) => !!p.damage && (!p.carved || !!p.carved.table);

/** What of a deleted snapshot is there for certain. */
export const shareWords = (p) => `${Math.floor(100 * p.carved.share)} % of what it needs is proven or agreed`;

/** What bytes of a deleted snapshot rest on, the best first. A file is as good as its worst byte. */
export const trustWords = { kept: 'a store that was not deleted has it, or it is as now, without a gap in copying', carved: 'its store has it, and nothing was written over that', proved: 'as it is now: by its sequence numbers it was not written since',
  agreed: 'as it is now: by its times it was not written since', doubtful: 'in clusters that no file has now: they may have been used in between', unknown: 'overwritten since, or nothing proves that it was not' };

/** What kind of point it is. */
export function pointKind(p) {
  if (p.carved) return `deleted snapshot, brought back: ${shareWords(p)}${damaged(p) ? ' · damaged' : ''}`;
  if (p.damage) return 'damaged';
  if (p.kind === 'current') return 'as the volume was imaged';
  const words = [];
  if (p.offline) words.push('deleted by its owner, but kept');
  if (p.recovered) words.push('recovered: order and time may be inferred');
  if (p.consistency === 'application') words.push('application-consistent');
  if (p.consistency === 'crash') words.push('crash-consistent');
  return words.join(' · ') || 'snapshot';
}

export const shape = (p) => (damaged(p) ? 'triangle' : p.carved ? 'dashed' : p.recovered ? 'diamond' : p.offline ? 'ring' : 'dot');

/** What a strip's record says. */
export function stripWords(r, there = true) {
  if (!r) return 'finding out what changed here';
  if (r.error) return 'what changed here is not known';
  const words = [];
  if (r.new) words.push(`${r.new} new`);
  if (r.changed) words.push(`${r.changed} changed`);
  if (r.renamed) words.push(`${r.renamed} renamed`);
  if (r.deleted) words.push(`${r.deleted} deleted`);
  if (r.details) words.push(`details of ${r.details}`);
  if (r.failed) words.push(`${r.failed} not known`);
  if (words.length) return words.join(', ') + ' here';
  if (r.below) return `${r.below} changed deeper`;
  return there ? 'nothing changed here' : 'not there';
}

/** Why bytes are not known, by the word that the commands have for it. */
export const reasonWords = (word) => ({ zeroed: 'in a damaged chunk of the image, for which zeros were asked', unprotected: 'not kept by the snapshot', carved: 'not proven for a carved snapshot',
  incomplete: 'lost with a damaged store', 'not-acquired': 'not read when the image was made', missing: 'in a missing part of the image' })[word] ?? word;

export const letters = { new: 'N', changed: 'C', renamed: 'R', deleted: 'D', details: 'd', unknown: '?' };

/** What a version of a file is, from its event: the kinds that have a colour. */
export function kindsOfEvent(event) {
  const kinds = [];
  for (const word of event.split(', ')) {
    const kind = { created: 'new', replaced: 'new', reappeared: 'new', deleted: 'deleted', renamed: 'renamed', moved: 'renamed', links: 'details',
      content: 'changed', streams: 'changed', metadata: 'details', unknown: 'unknown' }[word];
    if (kind && !kinds.includes(kind)) kinds.push(kind);
  }
  return kinds;
}

const shellSafe = /^[A-Za-z0-9_@%+=:,./-]+$/;

let windows = false;

/** Says whether commands are for the shells of Windows. */
export const forWindows = (yes) => { windows = yes; };

let options = []; // that all commands need

/** Says which options commands need to see the same. */
export const withOptions = (words) => { options = words; };

/** A word as cmd and PowerShell both take it, as far as one can be; else as PowerShell does. */
function quotedWindows(word) {
  if (/^[A-Za-z0-9_./:+=\\-][A-Za-z0-9_./:+=@\\-]*$/.test(word)) return word;
  if (/[$`"\u201c\u201d\u201e]|%.*%/s.test(word)) return "'" + word.replace(/['\u2018\u2019\u201a\u201b]/g, '$&$&') + "'";
  return '"' + word + /\\*$/.exec(word)[0] + '"';
}

/** A word as shells of the system take it. */
export function quoted(word) {
  if (windows) return quotedWindows(word);
  if (shellSafe.test(word)) return word;
  if (!/[\p{Cc}\p{Cs}]/u.test(word)) return "'" + word.replace(/'/g, "'\\''") + "'";
  let out = "$'";
  for (const ch of word) {
    const c = ch.codePointAt(0);
    if (c >= 0xd800 && c <= 0xdfff) for (const b of [0xe0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63]) out += '\\x' + b.toString(16);
    else if (/\p{Cc}/u.test(ch)) for (const b of new TextEncoder().encode(ch)) out += '\\x' + b.toString(16).padStart(2, '0');
    else out += ch === "'" || ch === '\\' ? '\\' + ch : ch;
  }
  return out + "'";
}

export const command = (verb, ...words) => 'snapmount ' + [verb, ...options, ...words].filter((w) => w !== '').map(quoted).join(' ');
