// Preview: text, a picture, or bytes. Nothing of it is run: text is text, and pictures come with a policy that forbids scripts.
import { Turn, dropped, el, lines, plain, rawURL, show } from './tools.js';
import { point, state } from './state.js';
import { count, exact, size } from './words.js';
import { bytes, hexPages } from './hex.js';

const turn = new Turn();
const textLimit = 256 << 10;
const pictures = /\.(png|jpe?g|gif|webp|bmp)$/i;
const mostDoubts = 5000;
const pictureLimit = 30 << 20;
let shown = '';
let asHex = false;

/** Fills the tab for a file, unless it has that already. */
export async function preview(box, stat, path) {
  const key = [state.volume, state.point, path, asHex].join('\0');
  if (shown === key && box.dataset.is === 'preview') return;
  [shown, box.dataset.is] = [key, 'preview'];
  const signal = turn.next();
  if (stat.kind !== 'file') {
    show(box, el('p', {}, stat.target ? `A link to ${plain(stat.target)}.` : `This is a ${stat.kind}: it has no content of its own.`));
    return;
  }
  if (stat.size === 0) {
    show(box, el('p', {}, 'This file is empty.'));
    return;
  }
  show(box, el('p', { class: 'quiet' }, 'Reading …'));
  try {
    await fill(box, stat, path, signal);
  } catch (err) {
    if (!dropped(err)) show(box, el('p', { class: 'warn' }, plain(err.message)));
  }
}

async function fill(box, stat, path, signal) {
  const url = rawURL(state.volume, state.point, path);
  const gaps = point().carved ? await doubts(path, signal) : stat.ranges ?? [];
  const whole = !stat.verdict || stat.verdict === 'intact';
  if (!asHex && pictures.test(path) && whole && stat.size <= pictureLimit && await pixels(url, stat, signal)) {
    const img = el('img', { src: url, alt: 'The picture ' + plain(state.file) });
    img.addEventListener('error', () => show(box, bar(box, stat, path, 'Not a picture that the browser understands.')));
    show(box, bar(box, stat, path, 'Picture'), el('div', { class: 'picture' }, img));
    return;
  }
  if (!asHex && !gaps.some((g) => g.offset < textLimit)) {
    const text = decode(await bytes(url, 0, Math.min(stat.size, textLimit), signal), stat.size <= textLimit);
    if (text) {
      show(box, bar(box, stat, path, `${text.encoding}${stat.size > textLimit ? `, the first ${size(textLimit)} of ${size(stat.size)}` : ''}`), el('pre', { class: 'text', tabindex: 0 }, text.text));
      return;
    }
  }
  const pages = hexPages(url, stat.size, gaps);
  await pages.ready;
  if (!signal.aborted) show(box, bar(box, stat, path, gaps.length ? `${count(gaps.length, 'range')} not ${point().carved ? 'shown' : 'known'}, of ${exact(stat.size)}` : exact(stat.size)), pages.bar, pages.rows);
}

/** The ranges of a file of a deleted snapshot that are not shown, and why each is not. */
async function doubts(path, signal) {
  const out = [];
  for await (const part of lines('/api/explain', { volume: state.volume, point: state.point, path }, signal)) {
    for (const r of part) if (r.reason || r.error) out.push({ offset: r.offset, length: r.length, trust: r.trust, error: [r.why, r.trust ? '' : r.error].filter(Boolean).join(': ') });
    if (out.length > mostDoubts) break; // of those after, reading tells
  }
  return out;
}

function bar(box, stat, path, text) {
  const b = el('button', { type: 'button', class: 'chip', 'aria-pressed': String(asHex), onclick: () => { asHex = !asHex; preview(box, stat, path); } }, 'Hex');
  return el('div', { class: 'bar' }, b, el('span', { class: 'quiet' }, text));
}

/** Text by its mark, else UTF-8, else, without control characters, Windows' western encoding; null for anything else. */
function decode(b, all) {
  const marked = b[0] === 0xff && b[1] === 0xfe ? 'utf-16le' : b[0] === 0xfe && b[1] === 0xff ? 'utf-16be' : '';
  if (marked) return { text: new TextDecoder(marked).decode(b), encoding: marked.toUpperCase() };
  if (b.some((c) => c < 9 || (c > 13 && c < 32 && c !== 27))) return null;
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(b, { stream: !all }), encoding: 'UTF-8' };
  } catch {
    return { text: new TextDecoder('windows-1252').decode(b), encoding: 'taken for Windows-1252' };
  }
}

/** Reports whether a picture has no more pixels than a browser can hold, by its header; where that is not understood, no. */
async function pixels(url, stat, signal) {
  const b = await bytes(url, 0, Math.min(stat.size, 256 << 10), signal);
  const v = new DataView(b.buffer);
  let area = Infinity;
  try {
    if (v.getUint32(0) === 0x89504e47) area = v.getUint32(16) * v.getUint32(20);
    else if (v.getUint32(0) === 0x47494638) area = v.getUint16(6, true) * v.getUint16(8, true);
    else if (v.getUint16(0) === 0x424d) area = Math.abs(v.getInt32(18, true) * v.getInt32(22, true));
    else if (v.getUint16(0) === 0xffd8) area = jpegArea(v);
    else if (v.getUint32(0) === 0x52494646) area = stat.size < 4 << 20 ? 0 : Infinity;
  } catch { /* shorter than a header is */ }
  return area <= 64e6;
}

function jpegArea(v) {
  for (let at = 2; ;) {
    const marker = v.getUint16(at);
    if (marker >= 0xffc0 && marker <= 0xffcf && ![0xffc4, 0xffc8, 0xffcc].includes(marker)) return v.getUint16(at + 5) * v.getUint16(at + 7);
    if (marker < 0xff00) return Infinity;
    at += 2 + v.getUint16(at + 2);
  }
}
