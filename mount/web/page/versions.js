// Versions of a file, and how two of them differ.
import { Turn, byId, dropped, el, join, object, plain, show } from './tools.js';
import { go, state, volume } from './state.js';
import { count, exact, kindsOfEvent, letters, millis, pointShort, pointTitle, size, time, trustWords, utc } from './words.js';
import { history } from './marks.js';
import { trust } from './files.js';
import { fromHex, hexRow } from './hex.js';

const turn = new Turn();
let compared = '';
let all = null; // the versions that are shown to the last one
const most = 150; // are shown at first

/** Which versions are A and B: as chosen, else the one that is shown and the one before it. */
function chosen(versions) {
  const at = volume().byName;
  const has = (v, name) => v.size !== null && at.get(v.first).at <= at.get(name)?.at && at.get(name).at <= at.get(v.last).at;
  const real = versions.filter((v) => v.size !== null);
  const here = real.find((v) => has(v, state.point)) ?? real.at(-1);
  const b = (state.b && real.find((v) => has(v, state.b))) || here;
  const a = (state.a && real.find((v) => has(v, state.a))) || real[real.indexOf(b) - 1];
  return [a, b, here];
}

export function showVersions(box) {
  const versions = history.versions();
  if (!versions) {
    box.dataset.is = '';
    show(box, el('p', { class: history.failed() ? 'warn' : 'quiet' }, history.failed() ? plain(history.failed()) : 'Finding the versions …'));
    return;
  }
  const [a, b, here] = chosen(versions);
  const focus = box.contains(document.activeElement) ? document.activeElement.id : '';
  const difference = box.querySelector('.difference') ?? el('div', { class: 'difference' });
  show(box, table(versions, a, b, here), difference);
  if (box.dataset.is !== 'versions') compared = '';
  box.dataset.is = 'versions';
  if (focus) byId(focus)?.focus();
  if (a && b && a !== b) compare(difference, a, b, versions);
  else show(difference, el('p', { class: 'quiet' }, versions.length > 1 ? 'Choose two versions, A and B, to see how they differ.' : 'There is one version: nothing to compare.'));
}

function table(versions, a, b, here) {
  const head = el('tr', {}, el('th', { scope: 'col' }, 'A'), el('th', { scope: 'col' }, 'B'), el('th', { scope: 'col' }, 'First seen, until'), el('th', { scope: 'col', class: 'num' }, 'Size'), el('th', { scope: 'col' }, 'What happened'));
  const skip = all === versions ? 0 : Math.max(0, Math.min(versions.length - most, versions.indexOf(here)));
  const rows = versions.slice(skip).map((v, i) => row(v, versions[skip + i - 1], a, b, here, skip + i)).reverse();
  if (skip) rows.push(el('tr', {}, el('td', { colspan: 5 }, el('button', { type: 'button', onclick: () => { all = versions; showVersions(byId('tabbody')); } }, `Show ${skip} older`))));
  return el('table', { class: 'versions' }, el('caption', { class: 'hidden' }, 'Versions of the file, the newest first'), el('thead', {}, head), el('tbody', {}, ...rows));
}

function row(v, before, a, b, here, i) {
  const at = volume().byName;
  const [first, last] = [at.get(v.first), at.get(v.last)];
  const real = v.size !== null;
  const radio = (letter, on, change) => (real ? el('input', { type: 'radio', name: 'version-' + letter, id: `v-${letter}-${i}`, 'aria-label': `${letter}: version ${v.version}`, ...(on ? { checked: true } : {}), onchange: change }) : null);
  const until = last.kind === 'current' ? 'until now' : last === first ? 'at this point alone' : 'until ' + pointShort(last);
  const gap = volume().all.slice(first.at, last.at).some((p) => p.carved?.gap);
  const pickA = () => go({ a: v.first, b: b?.first ?? '' }, true);
  const pickB = () => go({ b: v.first, a: a?.first ?? '' }, true);
  return el('tr', { class: v === here ? 'here' : '' }, el('td', {}, radio('A', v === a, pickA)), el('td', {}, radio('B', v === b, pickB)),
    el('td', {}, real ? el('button', { type: 'button', class: 'link', title: utc(first.created), onclick: () => go({ point: v.first, a: '', b: '' }, true) }, pointTitle(first)) : pointTitle(first),
      el('div', { class: 'quiet' }, until), gap ? el('div', { class: 'quiet' }, 'across a gap in the copies') : null, real ? el('div', { class: 'quiet', title: utc(v.mtime) }, `modified ${time(millis(v.mtime))}`) : null),
    el('td', { class: 'num', title: real ? exact(v.size) : '' }, real ? size(v.size) : '', real && before && before.size !== null ? el('div', { class: 'quiet' }, signed(v.size - before.size)) : null),
    el('td', {}, ...what(v, i)));
}

// What changes with the content anyway.
const noise = new Set(['created', 'modified', 'changed', 'accessed', 'name_times']);

const signed = (n) => (n === 0 ? 'same size' : (n > 0 ? '+' : '−') + size(Math.abs(n)));

function what(v, i) {
  const details = v.fields?.some((f) => !noise.has(f));
  const kinds = kindsOfEvent(v.event).filter((k, _, all) => k !== 'details' || details || all.length === 1);
  const out = kinds.length ? kinds.map((k) => el('span', { class: 'event' }, el('b', { class: 'letter ' + k }, letters[k]), ' ' + k)) : [el('span', { class: 'quiet' }, i === 0 ? 'oldest known' : 'the same')];
  if (v.old_path) out.push(el('div', { class: 'quiet' }, 'from ' + plain(v.old_path)));
  if (kinds.includes('details')) out.push(el('div', { class: 'quiet' }, v.fields?.join(', ') ?? ''));
  if (v.trust) out.push(el('div', { class: 'quiet', title: trustWords[v.trust] }, 'Trust: ', trust(v.trust)));
  if (v.verdict && v.verdict !== 'intact') out.push(el('div', { class: 'warn' }, '⚠ ' + plain(v.verdict)));
  if (v.error) out.push(el('div', { class: 'warn' }, plain(v.error)));
  return out;
}

async function compare(box, a, b, versions) {
  const key = [state.volume, a.path, a.first, b.path, b.first].join('\0');
  if (compared === key) return;
  compared = key;
  const signal = turn.next();
  const real = versions.filter((v) => v.size !== null);
  const head = el('div', { class: 'bar' }, el('b', {}, 'Changes from A to B'), el('span', { class: 'quiet' }, `v${a.version} → v${b.version}`),
    real.indexOf(b) > 0 ? el('button', { type: 'button', onclick: () => go({ a: real[real.indexOf(b) - 1].first, b: b.first }, true) }, 'With the one before') : null,
    b !== real.at(-1) ? el('button', { type: 'button', onclick: () => go({ a: b.first, b: real.at(-1).first }, true) }, 'With the newest') : null);
  const body = el('div', { class: 'hunks', tabindex: 0, role: 'group', 'aria-label': 'How A and B differ' }, el('p', { class: 'quiet' }, 'Comparing A with B …'));
  show(box, head, body);
  try {
    const d = await object('/api/diff', { volume: state.volume, a: a.first, b: b.first, path: b.path || join(state.path, state.file), old: a.path }, signal);
    show(body, ...parts(d));
  } catch (err) {
    if (dropped(err)) return;
    compared = '';
    show(body, el('p', { class: 'warn' }, plain(err.message)));
  }
}

function parts(d) {
  const sizes = `Sizes: ${exact(d.old_size)}, and ${exact(d.new_size)}.`;
  if (d.kind === 'same') return [el('p', {}, 'The content of A and B is the same: proven by where the bytes lie in the image, or read and equal.')];
  if (d.kind === 'text') return few(d.hunks.flatMap(hunk));
  const lost = d.rows.filter((r) => r.error).length;
  return [el('p', {}, `${d.more ? 'The first ' : ''}${d.rows.length - lost} rows of 16 bytes differ${lost ? `, and ${lost} are not known` : ''}. ${sizes}`), ...d.rows.flatMap(hexPair)];
}

const mostLines = 400; // lines at first: a browser takes long for many

function few(rows) {
  if (rows.length <= mostLines) return rows;
  const more = el('p', {}, el('button', { type: 'button', onclick: () => more.replaceWith(...rows.slice(mostLines)) }, `Show ${count(rows.length - mostLines, 'more line')}`));
  return [...rows.slice(0, mostLines), more];
}

function hexPair(r) {
  const [x, y] = [fromHex(r.old), fromHex(r.new)];
  if (r.error) return [el('div', { class: 'unknown why' }, `from ${r.offset.toString(16)}: not known: ${plain(r.error)}`)];
  const differs = (i) => x[i] !== y[i];
  const side = (kind, bytes) => {
    const node = hexRow(r.offset, bytes, differs);
    node.classList.add(kind);
    return node;
  };
  return [x.length ? side('old', x) : null, y.length ? side('new', y) : null].filter(Boolean);
}

function hunk(h) {
  let [x, y] = [h.old, h.new];
  const line = (l) => {
    const left = l.op === '+' ? '' : x++;
    const right = l.op === '-' ? '' : y++;
    const kind = { '-': 'old', '+': 'new' }[l.op] ?? '';
    const sign = { '-': '−', '+': '+' }[l.op] ?? ' ';
    return el('div', { class: 'line ' + kind }, el('span', { class: 'no' }, String(left)), el('span', { class: 'no' }, String(right)), el('span', { class: 'sign' }, sign), el('span', {}, plain(l.text.replace(/\t/g, '    '))), l.no_end ? el('span', { class: 'quiet' }, ' (no line end)') : null);
  };
  return [el('div', { class: 'hunk' }, `Line ${h.old} / ${h.new}`), ...h.lines.map(line)];
}
