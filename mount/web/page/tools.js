// Elements, addresses, and answers of the server. Names of an image become text nodes and nothing else.

/**
 * Makes an element. Attributes whose name begins with "on" are listeners; those of null, undefined and false are left out.
 * @param {string} tag @param {Object} [attrs] @param {...(Node|string|null|false|undefined)} children
 */
export function el(tag, attrs = {}, ...children) {
  return fill(document.createElement(tag), attrs, children);
}

/** Makes an element of a picture. */
export function svg(tag, attrs = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attrs, children);
}

function fill(node, attrs, children) {
  for (const [key, value] of Object.entries(attrs)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? '' : String(value));
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

export const byId = (id) => document.getElementById(id);

/** Replaces what is in an element. */
export function show(node, ...children) {
  node.replaceChildren(...children.filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

// What a name could deceive with: control and format characters, halves of characters, separators, blanks at its ends.
const odd = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|^\p{Zs}+|\p{Zs}+$/gu;

/** Shows a name as it is, with what cannot be seen in it as code points. */
export function nameNode(text) {
  const bdi = el('bdi');
  let at = 0;
  for (const m of text.matchAll(odd)) {
    if (m.index > at) bdi.append(text.slice(at, m.index));
    for (const ch of m[0]) bdi.append(el('span', { class: 'odd' }, codePoint(ch)));
    at = m.index + m[0].length;
  }
  bdi.append(text.slice(at));
  return bdi;
}

/** The same as plain text, for titles and messages. */
export const plain = (text) => text.replace(odd, (m) => [...m].map(codePoint).join(''));

const codePoint = (ch) => '[U+' + ch.codePointAt(0).toString(16).toUpperCase().padStart(4, '0') + ']';

/** A file name in two parts: its end stays when room is short. */
export function longName(text) {
  if (text.length < 28) return el('span', { class: 'name' }, nameNode(text));
  return el('span', { class: 'name two' }, el('span', { class: 'head' }, nameNode(text.slice(0, -12))), el('span', {}, nameNode(text.slice(-12))));
}

/** Percent-escapes WTF-8: names may have unpaired surrogates. */
export function enc(text) {
  let out = '';
  for (const ch of text) {
    const c = ch.codePointAt(0);
    if (c < 0xd800 || c > 0xdfff) out += encodeURIComponent(ch);
    else for (const b of [0xe0 | c >> 12, 0x80 | c >> 6 & 63, 0x80 | c & 63]) out += '%' + b.toString(16).toUpperCase();
  }
  return out;
}

/** Undoes enc. */
export function dec(text) {
  const bytes = [];
  const utf8 = new TextEncoder();
  for (const m of text.replace(/\+/g, ' ').matchAll(/%([0-9a-fA-F]{2})|([^%]+|%)/g)) {
    if (m[1]) bytes.push(parseInt(m[1], 16));
    else for (const b of utf8.encode(m[2])) bytes.push(b); // not spread: a path may be long
  }
  let out = '';
  for (let i = 0; i < bytes.length;) {
    const b = bytes[i];
    const n = b < 0x80 ? 1 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : 4;
    let c = n === 1 ? b : b & (0xff >> (n + 1));
    for (let k = 1; k < n; k++) c = c << 6 | (bytes[i + k] ?? 0) & 63;
    out += c > 0x10ffff ? '\ufffd' : String.fromCodePoint(c);
    i += n;
  }
  return out;
}

/** A query of an address; lists give a key several times, and what is empty is left out. */
export function query(params) {
  const words = [];
  for (const [key, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null && one !== false && one !== '') words.push(key + '=' + enc(one === true ? '1' : String(one)));
    }
  }
  return words.length ? '?' + words.join('&') : '';
}

/** The bytes of a file. */
export const rawURL = (volume, point, path) => '/raw/' + enc(volume) + '/' + enc(point) + path.split('/').map(enc).join('/');

/** What the server says of an answer that is none. */
async function failure(answer) {
  const text = (await answer.text()).trim();
  try {
    return new Error(JSON.parse(text).err);
  } catch {
    return new Error(text || `the server answered ${answer.status}`);
  }
}

let ahead = null; // an answer that was asked for before anybody wanted it

/** Asks for what ask will be called for, if it is so before it is for anything else of that path. An error comes as a line. */
export function askAhead(path, params) {
  const ending = new AbortController();
  ahead = { path, url: path + query(params), ending, answer: fetch(path + query({ ...params, early: 1 }), { signal: ending.signal }) };
  ahead.answer.catch(() => {}); // told to who asks
}

/** The answer that was asked for ahead; another one of its path is not wanted any more. */
function waiting(url, signal) {
  const one = ahead;
  if (!one || !url.startsWith(one.path)) return null;
  ahead = null;
  if (one.url !== url || signal?.aborted) {
    one.ending.abort();
    return null;
  }
  signal?.addEventListener('abort', () => one.ending.abort());
  return one.answer;
}

/** Asks the server. Where nothing answers, snapmount has ended. */
export async function ask(url, options = {}) {
  let answer;
  try {
    answer = await (waiting(url, options.signal) ?? fetch(url, options));
  } catch (err) {
    if (err.name !== 'AbortError') document.dispatchEvent(new CustomEvent('ended'));
    throw err;
  }
  if (answer.status === 401) document.dispatchEvent(new CustomEvent('ended'));
  if (!answer.ok) throw await failure(answer);
  return answer;
}

export const object = async (path, params, signal) => (await ask(path + query(params), { signal })).json();

/** Gives the lines of an answer as they come, many at a time. A last line of an error is thrown. */
export async function* lines(path, params, signal) {
  const reader = (await ask(path + query(params), { signal })).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split('\n');
    rest = parts.pop();
    const all = parts.map((line) => JSON.parse(line));
    const last = all.at(-1);
    if (last && last.err !== undefined && !last.on) {
      yield all.slice(0, -1);
      throw new Error(last.err);
    }
    if (all.length) yield all;
  }
  if (rest) throw new Error('the answer was cut short: more may be missing');
}

/** Reports whether an error only says that nobody waits for the answer any more. */
export const dropped = (err) => err.name === 'AbortError';

/** Work of which only the newest counts: next ends what was begun before. */
export class Turn {
  next() {
    this.controller?.abort();
    this.controller = new AbortController();
    return this.controller.signal;
  }
  stop() {
    this.controller?.abort();
  }
}

/** Work that is done at once, and while it is asked for over and over, such as by a key that is held, only so often. */
export class Pace {
  constructor(ms) {
    Object.assign(this, { ms, last: -Infinity });
  }
  run(work) {
    clearTimeout(this.timer);
    const wait = this.last + this.ms - performance.now();
    const now = () => {
      this.last = performance.now();
      work();
    };
    if (wait <= 0) now();
    else this.timer = setTimeout(now, wait);
  }
}

export const join = (dir, name) => (dir === '/' ? '/' : dir + '/') + name;
export const parent = (path) => path.slice(0, path.lastIndexOf('/')) || '/';
export const base = (path) => path.slice(path.lastIndexOf('/') + 1);
