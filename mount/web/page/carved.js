// Deleted snapshots that were brought back: what is known of the one that is shown, and what tells that there may be some.
import { byId, el, plain, show } from './tools.js';
import { info, point, state, volume } from './state.js';
import { command, count, longTime, millis, pointTitle, shareWords, size, trustWords, utc } from './words.js';
import { setCommand } from './commands.js';
import { tell } from './say.js';

/** What tells the order of deleted snapshots. */
export const orders = { catalog: 'a remnant of the catalog', bitmaps: 'the bitmaps of both stores', lsn: 'log sequence numbers of what the stores keep', file: 'when their store files were made', guid: 'the ids of their stores' };

let shown = '';

/** Says above the content that the point is a deleted snapshot; aloud where one comes there from another point. */
export function refresh(old) {
  const p = point();
  const v = volume();
  hint(v);
  document.body.toggleAttribute('data-carved', !!p.carved);
  const box = byId('carved');
  box.hidden = !p.carved;
  if (!p.carved) {
    shown = '';
    return;
  }
  const key = [state.volume, p.name, pointTitle(p)].join('\0');
  if (shown === key) return;
  if (!shown && old.point !== undefined) tell(`A deleted snapshot, brought back: ${shareWords(p)}${p.carved.share < 1 ? '. The rest is not known' : ''}.`);
  shown = key;
  show(box, el('summary', {}, el('b', {}, 'Deleted snapshot, brought back'), `: ${shareWords(p)}. Trust says for each file what it rests on.`), facts(p), meanings());
}

/** What is known of a deleted snapshot, and how. */
export function facts(p) {
  const c = p.carved;
  const out = el('dl', { class: 'facts' });
  const put = (key, ...value) => out.append(el('dt', {}, key), el('dd', {}, ...value));
  if (p.created) put('Made', longTime(p.ms), el('div', { class: 'quiet' }, utc(p.created)));
  else put('Made', 'not known when', c.not_before ? el('div', {}, `after ${longTime(millis(c.not_before))}, the last change that it has`) : null, c.not_before ? el('div', { class: 'quiet' }, utc(c.not_before)) : null);
  put('Share', shareWords(p), el('div', { class: 'quiet' }, classes(c.bytes, ['kept', 'carved', 'proved', 'agreed'])));
  put('The rest', classes(c.bytes, ['doubtful', 'unknown']) || 'nothing');
  put('Found by', `the ${c.found} of its store, at 0x${c.store.toString(16)}`, c.listed ? '; its file is still listed' : '');
  put('Order', c.alone ? 'its place among other snapshots is not known' : c.order ? `newer than the one before by ${orders[c.order] ?? c.order}` : 'the oldest that was found');
  put('Copies end', c.until.time ? `not before ${longTime(millis(c.until.time))}, by ${plain(c.until.from)}` : 'not known when');
  if (c.gap) put('Gap', 'before the next snapshot, or up to now, copies may be missing');
  put('Blocks', count(c.rows, 'block'), c.overwritten ? `, ${c.overwritten} of them overwritten` : ', none of them overwritten');
  if (c.table) put('Damage', el('span', { class: 'warn' }, plain(c.table)));
  return out;
}

/** Bytes by class, those that there are. */
export const classes = (bytes, of = Object.keys(trustWords)) => of.filter((k) => bytes[k]).map((k) => `${k} ${size(bytes[k])}`).join(' · ');

function meanings() {
  return el('dl', { class: 'facts' }, ...Object.entries(trustWords).flatMap(([word, text]) => [el('dt', {}, word), el('dd', {}, text)]));
}

/** A sentence for each volume that has any. */
export function found(v) {
  const all = v.points.filter((p) => p.carved);
  if (!all.length) return '';
  const shares = all.map((p) => Math.floor(100 * p.carved.share));
  const [least, most] = [Math.min(...shares), Math.max(...shares)];
  const until = all.map((p) => p.carved.until.time ?? '').sort().at(-1);
  return `${v.name}: ${count(all.length, 'deleted snapshot')} ${all.length === 1 ? 'is' : 'are'} found${until ? `, deleted after ${longTime(millis(until))}` : ''}: ${least === most ? least : `${least} to ${most}`} % of what they need is proven or agreed, and shown. What was changed or encrypted after the deletion, and not before it, has no copy; the rest is unknown or doubtful.`;
}

/** Says that snapshots were deleted, where they were not looked for. */
function hint(v) {
  const box = byId('hint');
  box.hidden = !v.deleted;
  if (!v.deleted) return;
  show(byId('hinttext'), plain(v.deleted.charAt(0).toUpperCase() + v.deleted.slice(1)) + '. End snapmount and start it so:');
  setCommand('hintcommand', command('serve', '--carve', ...info.images.map((img) => img.path)));
}
