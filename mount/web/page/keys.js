// Keys that work everywhere but in text fields.
import { byId } from './tools.js';
import { go, pair, point, state, volume } from './state.js';
import { settings } from './words.js';
import { step } from './marks.js';
import { pan, whole, zoom } from './strip.js';
import { tell } from './say.js';
import { type } from './pathbar.js';
import * as panel from './panel.js';
import * as files from './files.js';
import { download, downloadOne } from './download.js';

export const help = () => byId('help').showModal();
const parts = ['strip', 'list', 'tree', 'hits', 'tab-' /* of the state */, 'find'];

export function start() {
  addEventListener('keydown', (e) => {
    if (e.target.closest('dialog') || e.isComposing) return;
    const typing = e.target.closest('input:not([type=checkbox],[type=radio]), textarea, select');
    if (everywhere(e, typing)) e.preventDefault();
  });
  byId('letters').checked = settings.get('letters') !== 'off';
  byId('letters').addEventListener('change', (e) => settings.set('letters', e.target.checked ? '' : 'off'));
}

function everywhere(e, typing) {
  if (e.key === 'F6') return part(e.shiftKey ? -1 : 1);
  if ((e.ctrlKey || e.metaKey) && e.key === 's') return save();
  if (volume()?.locked) return !typing && e.key === '?' && !help();
  if (typing || e.ctrlKey || e.metaKey || e.altKey) return false;
  if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') return move(e.key === 'ArrowLeft' ? -1 : 1, e.shiftKey);
  if (e.key === 'Escape') return escape();
  if (byId('letters').checked && !e.target.closest('[role=grid], [role=treegrid]')) return letter(e.key);
  const always = { '/': () => byId('find').focus(), '?': help }[e.key];
  always?.();
  return !!always;
}

function letter(key) {
  const work = { '/': () => byId('find').focus(), '?': help, p: type, d: () => go({ deleted: state.deleted ? '' : '1' }, true), w: () => panel.widen(!panel.isWide()),
    0: whole, '+': () => zoom(0.6), '=': () => zoom(0.6), '-': () => zoom(1.7), ',': () => pan(-5), '.': () => pan(5) }[key];
  work?.();
  return !!work;
}

/** Left and right: versions; with Shift every point. In a comparison B moves, with Shift A. */
export function move(by, every) {
  const all = volume().all;
  if (state.view === 'compare') {
    const [a, b] = pair();
    const to = all[(every ? a : b).at + by];
    if (to) go({ a: a.name, b: b.name, [every ? 'a' : 'b']: to.name }, true);
    return true;
  }
  const next = every ? { point: all[point().at + by], words: by < 0 ? 'This is the oldest point.' : 'This is the current state.' } : step(by);
  if (next.point) go({ point: next.point.name }, true);
  else tell(next.words);
  return true;
}

function escape() {
  if (panel.isWide() && panel.isOpen()) panel.widen(false);
  else if (panel.isOpen()) panel.close();
  else return false;
  return true;
}

function save() {
  if (panel.isOpen()) downloadOne(state.point, panel.path());
  else download(files.chosen());
  return true;
}

function part(by) {
  const there = parts.map((id) => byId(id === 'tab-' ? 'tab-' + state.tab : id)).filter((n) => n && n.offsetParent);
  const at = there.findIndex((n) => n === document.activeElement || n.contains(document.activeElement));
  there[(at + by + there.length) % there.length].focus();
  return true;
}
