// Details: all that stat tells, where the bytes lie, and the verdict in words.
import { Turn, dropped, el, lines, nameNode, plain, show } from './tools.js';
import { locationOf, point, state } from './state.js';
import { command, count, exact, longTime, millis, trustWords, utc } from './words.js';
import { classes, facts } from './carved.js';

const turn = new Turn();
let shown = '';
const most = 200;

export function details(box, stat, path) {
  const key = [state.volume, state.point, path].join('\0');
  if (shown === key && box.dataset.is === 'details') return;
  [shown, box.dataset.is] = [key, 'details'];
  const places = el('div', {}, el('p', { class: 'quiet' }, 'Finding out where the bytes lie …'));
  show(box, verdict(stat), table(stat), stat.kind === 'file' ? el('h3', {}, 'Where the bytes lie') : null, stat.kind === 'file' ? places : null,
    point().carved ? el('h3', {}, 'This deleted snapshot') : null, point().carved ? facts(point()) : null);
  if (stat.kind === 'file') explain(places, path, turn.next());
}

function verdict(stat) {
  if (!stat.verdict) return null;
  if (stat.verdict === 'intact') return el('p', { class: 'verdict good' }, el('b', {}, 'Intact.'), stat.trust ? ' All bytes are shown. What they rest on, Trust says.' : ' All bytes are known and come from this image.');
  const n = stat.ranges?.length ?? 0;
  const word = stat.ranges?.some((r) => r.error) ? 'Damaged.' : n ? 'Incomplete.' : 'Not as it was.';
  return el('p', { class: 'verdict bad' }, el('b', {}, word), ` ${n ? count(n, 'range') + (n === 1 ? ' is' : ' are') + ' not known: ' : ''}${plain(stat.verdict)}.`);
}

function table(stat) {
  const out = el('dl', { class: 'facts' });
  const put = (key, ...value) => {
    if (value[0] !== undefined && value[0] !== null && value[0] !== '') out.append(el('dt', {}, key), el('dd', {}, ...value));
  };
  const when = (key, text) => put(key, text ? longTime(millis(text)) : '', el('div', { class: 'quiet' }, utc(text)));
  put('Path', nameNode(stat.path));
  put('Size', exact(stat.size));
  put('Trust', stat.trust && `${stat.trust}: ${trustWords[stat.trust]}`, stat.trust_bytes && el('div', { class: 'quiet' }, 'On the volume, with its records: ', classes(stat.trust_bytes)));
  when('Modified', stat.mtime);
  when('Created', stat.btime);
  when('Record changed', stat.ctime);
  when('Last access', stat.atime);
  put('Attributes', stat.attributes.join(', '));
  put('File reference', stat.ref);
  put('Owner', stat.owner);
  put('Permissions', stat.sddl && el('code', {}, stat.sddl));
  put('Link to', stat.target && nameNode(stat.target));
  for (const n of stat.names.length > 1 ? stat.names : []) put('Name', nameNode(n.name), el('span', { class: 'quiet' }, ` ${n.namespace}, in ${n.parent}`));
  for (const s of stat.streams) put('Stream', nameNode(s.name), el('span', { class: 'quiet' }, ' ' + exact(s.size)));
  put('Reparse point', stat.reparse && `${stat.reparse.tag} ${stat.reparse.name ?? ''}`);
  put('Error', stat.error && plain(stat.error));
  return out;
}

async function explain(box, path, signal) {
  const rows = [];
  let more = false;
  try {
    for await (const part of lines('/api/explain', { volume: state.volume, point: state.point, path }, signal)) {
      rows.push(...part);
      if (more = rows.length > most) break;
    }
  } catch (err) {
    if (!dropped(err)) show(box, el('p', { class: 'warn' }, plain(err.message)));
    return;
  }
  if (more) turn.stop();
  const hex = (n) => (n === null || n === undefined ? '' : '0x' + n.toString(16));
  const head = ['Offset', 'Length', 'On the volume', ...(point().carved ? ['Trust'] : []), 'Why', 'In the image'].map((t) => el('th', { scope: 'col' }, t));
  const body = rows.slice(0, most).map((r) => el('tr', { class: r.error || r.reason || r.trust === 'doubtful' ? 'unknown' : '' }, el('td', {}, hex(r.offset)), el('td', {}, hex(r.length)), el('td', {}, hex(r.volume_offset)), point().carved ? el('td', {}, r.trust ?? '') : null,
    el('td', {}, plain([r.why, r.error].filter(Boolean).join(': '))), el('td', {}, r.image ? plain(r.image.split(/[\\/]/).pop()) + ' ' + hex(r.image_offset) : '')));
  show(box, rows.length ? el('div', { class: 'scroll', tabindex: 0, role: 'group', 'aria-label': 'Where the bytes lie' }, el('table', { class: 'places' }, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...body))) : el('p', {}, 'The file has no bytes.'),
    more ? el('p', { class: 'quiet' }, `The first ${most} ranges. All: `, el('code', {}, plain(command('explain', locationOf(point(), path))))) : null);
}
