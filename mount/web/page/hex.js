// Bytes: rows of sixteen, and a page of them anywhere in a file.
import { Turn, ask, dropped, el, plain, show } from './tools.js';
import { exact, reasonWords } from './words.js';

const two = (b) => b.toString(16).padStart(2, '0');
const letter = (b) => (b >= 32 && b < 127 ? String.fromCharCode(b) : '·');

/** One row: offset, bytes, letters. Differs says which bytes to mark. */
export function hexRow(off, bytes, differs = () => false) {
  const hex = [];
  const text = [];
  for (let i = 0; i < 16; i++) {
    if (i === 8) hex.push(' ');
    const b = bytes[i];
    if (b === undefined) hex.push('   ');
    else if (b === null) hex.push('?? ');
    else hex.push(differs(i) ? el('b', {}, two(b)) : two(b), ' ');
    if (b !== undefined) text.push(b === null ? '?' : differs(i) ? el('b', {}, letter(b)) : letter(b));
  }
  return el('div', { class: 'hexrow' }, el('span', { class: 'quiet' }, off.toString(16).padStart(8, '0')), '  ', ...hex, ' ', ...text);
}

/** All rows of n bytes from an offset on, of which parts are known, or unknown for a reason. Long runs of unknown rows are one. */
function hexRows(parts, from, n) {
  const all = new Array(n).fill(null);
  const why = new Map();
  const doubtful = [];
  for (const p of parts) {
    if (p.bytes) p.bytes.forEach((b, i) => { all[p.off - from + i] = b; });
    else why.set(p.off, `${exact(p.unknown)} ${p.trust && p.trust !== 'unknown' ? 'not shown' : 'not known'}: ${plain((p.why ?? '').replace(/^not known: /, ''))}`);
    if (p.trust === 'doubtful') doubtful.push([p.off, p.off + p.unknown]);
  }
  const out = el('div', { class: 'hex', tabindex: 0, role: 'group', 'aria-label': 'Bytes' });
  let skipped = 0;
  for (let off = from; off < from + n; off += 16) {
    const row = all.slice(off - from, off - from + 16);
    for (const [at, text] of why) if (at >= off && at < off + 16) out.append(el('div', { class: 'why' }, text));
    const lost = row.every((b) => b === null);
    skipped = lost ? skipped + 1 : 0;
    if (skipped > 4) continue;
    const node = hexRow(off, row);
    if (row.includes(null)) node.classList.add(doubtful.some(([a, b]) => a < off + 16 && off < b) ? 'doubtful' : 'unknown');
    out.append(node);
  }
  return out;
}

export const fromHex = (text) => (text.match(/../g) ?? []).map((x) => parseInt(x, 16));

const page = 4096; // bytes: as many rows as a browser draws at once without a pause
const turn = new Turn();

/** Bytes of a file with a bar to go anywhere in it. Gaps are the ranges that are not known. */
export function hexPages(url, size, gaps) {
  const rows = el('div');
  const place = el('input', { class: 'offset', 'aria-label': 'Offset, in hex with 0x or in bytes', spellcheck: 'false', autocomplete: 'off' });
  let at = 0;
  const button = (label, title, work) => el('button', { type: 'button', 'aria-label': title, title, onclick: work }, label);
  const last = Math.floor((size - 1) / page) * page;
  const older = button('◀', 'The bytes before', () => to(at - page));
  const newer = button('▶', 'The next bytes', () => to(at + page));
  const next = () => gaps.find((g) => g.offset >= at + page) ?? gaps[0];
  const go = async (off) => {
    at = Math.max(0, Math.min(last, Math.floor(off / page) * page));
    place.value = '0x' + at.toString(16);
    [older.disabled, newer.disabled] = [at === 0, at === last];
    const n = Math.min(page, size - at);
    try {
      show(rows, hexRows(await known(url, at, n, gaps, turn.next()), at, n));
    } catch (err) {
      if (!dropped(err)) show(rows, el('p', { class: 'warn' }, plain(err.message)));
    }
  };
  const to = (off) => { go(off); };
  place.addEventListener('keydown', (e) => { if (e.key === 'Enter' && /^(0x[0-9a-f]+|[0-9]+)$/i.test(place.value.trim())) to(Number(place.value)); });
  const bar = size <= page && !gaps.length ? null : el('div', { class: 'bar' }, older, newer, el('label', {}, 'at ', place), el('span', { class: 'quiet' }, `of ${exact(size)}`),
    gaps.length && size > page ? el('button', { type: 'button', onclick: () => to(next().offset) }, 'Next unknown range') : null);
  return { bar, rows, ready: go(gaps[0]?.offset ?? 0) };
}

export async function bytes(url, off, n, signal) {
  const answer = await ask(url, { headers: { Range: `bytes=${off}-${off + n - 1}` }, signal });
  return new Uint8Array(await answer.arrayBuffer());
}

/** Reads what is known of a range, and says of the rest why it is not. */
async function known(url, from, n, gaps, signal) {
  const parts = [];
  let at = from;
  for (const g of [...gaps, { offset: from + n, length: 0 }]) {
    const end = Math.min(g.offset, from + n);
    if (end > at) {
      try {
        parts.push({ off: at, bytes: await bytes(url, at, end - at, signal) });
      } catch (err) {
        if (dropped(err)) throw err;
        parts.push({ off: at, unknown: end - at, why: err.message });
      }
    }
    const [a, b] = [Math.max(g.offset, from), Math.min(g.offset + g.length, from + n)];
    if (b > a) parts.push({ off: a, unknown: b - a, trust: g.trust, why: g.error || reasonWords(g.reason) });
    at = Math.max(at, g.offset + g.length);
  }
  return parts;
}
