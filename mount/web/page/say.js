// Messages: what is under way, what is not there, and what became of something.
import { byId, el, parent, plain, show } from './tools.js';
import { go, state, volume } from './state.js';
import { pointShort } from './words.js';

let timer;

/** A line at the bottom for some seconds; read aloud. */
export function tell(text, ...more) {
  show(byId('status'), el('span', {}, text), ...more).hidden = false;
  clearTimeout(timer);
  timer = setTimeout(() => { byId('status').hidden = true; }, more.length ? 20000 : 6000);
}

export function loading(where, text) { show(where, el('p', { class: 'quiet' }, text)).hidden = false; }

/** Says why a path leads to no folder at this point, and where it is instead. */
export async function missing(where, m) {
  if (m.kind) { // a file: its folder is shown, and the file beside it
    go({ path: parent(state.path), file: state.path.slice(state.path.lastIndexOf('/') + 1) }, true);
    return;
  }
  const at = volume().byName;
  const parts = [];
  const button = (text, change) => el('button', { type: 'button', onclick: () => go(change) }, text);
  if (m.moved && m.moved !== state.path) {
    parts.push(el('p', { class: 'big' }, 'This folder had another name at this point.'), el('p', {}, `It is the same folder, known there as ${plain(m.moved)}.`), button('Go to it', { path: m.moved, file: '' }));
  } else if (m.first) {
    parts.push(el('p', { class: 'big' }, 'This folder is not there at this point.'), el('p', {}, `It exists from ${pointShort(at.get(m.first))} to ${pointShort(at.get(m.last))}.`));
  } else if (!m.lost) {
    parts.push(el('p', { class: 'big' }, 'No point in time has this path.'), button('Go to the top', { path: '/', file: '' }));
  } else {
    parts.push(el('p', { class: 'big' }, 'This path was not found.'));
  }
  if (m.first) parts.push(button(`Show it at ${pointShort(at.get(m.last))}`, { point: m.last }));
  if (m.lost) parts.push(el('p', { class: 'warn' }, `Not known of ${m.lost.length} points, which could not be read.`));
  show(where, ...parts).hidden = false;
}

/** Says in the panel that a file is not there at the point, and where it is. */
export async function noFile(where, versions) {
  const at = volume().byName;
  const there = versions.filter((v) => v.size !== null);
  const now = at.get(state.point).at;
  const [first, last] = [there[0], there.at(-1)];
  if (!first) {
    show(where, el('p', { class: 'big' }, 'No version of this file is known.'));
  } else if (now < at.get(first.first).at) {
    show(where, el('p', { class: 'big' }, `Not yet there at this point: first seen ${pointShort(at.get(first.first))}.`), el('button', { type: 'button', onclick: () => go({ point: first.first }, true) }, 'Go to the first version'));
  } else {
    const before = there.filter((v) => at.get(v.last).at < now).at(-1) ?? last;
    show(where, el('p', { class: 'big' }, `Not there at this point: last seen ${pointShort(at.get(before.last))}.`), el('button', { type: 'button', onclick: () => go({ point: before.last }, true) }, 'Go to the last version'));
  }
}

