// The page of snapmount: begins, and passes on each change of the state.
import { base, byId, el, join, object, parent, plain, show } from './tools.js';
import { fromAddress, go, info, locationOf, locationless, point, settle, state, take, volume, watch } from './state.js';
import { command, count, damaged, switchZone, zoneName } from './words.js';
import { tell } from './say.js';
import * as strip from './strip.js';
import * as marks from './marks.js';
import * as files from './files.js';
import * as panel from './panel.js';
import * as compare from './compare.js';
import * as search from './search.js';
import * as pathbar from './pathbar.js';
import * as keys from './keys.js';
import * as commands from './commands.js';
import * as lock from './lock.js';
import * as carved from './carved.js';

const parts = [strip, files, panel, compare, search, pathbar, keys, commands];

/** Shows the state. */
function refresh(old = {}) {
  const v = volume();
  document.title = `${plain(base(state.path)) || v.name} · snapmount`;
  byId('volume').value = v.name;
  if (v.locked) {
    document.body.dataset.view = 'locked';
    for (const part of [files, compare, search]) part.leave();
    lock.refresh(v);
    return;
  }
  lock.leave();
  carved.refresh(old);
  const view = state.find ? 'find' : state.view;
  document.body.dataset.view = view;
  for (const b of document.querySelectorAll('[data-view]:is(button)')) b.setAttribute('aria-pressed', String(b.dataset.view === view));
  if (old.view !== undefined && [old.view, old.find, old.path, old.volume].join('\0') !== [state.view, state.find, state.path, state.volume].join('\0')) {
    byId('listnote').hidden = byId('damage').hidden = true;
  }
  marks.refresh();
  pathbar.refresh();
  strip.refresh();
  if (view === 'find') search.refresh();
  else {
    search.refresh();
    if (view === 'compare') compare.refresh();
    else {
      commands.setCommand('command', command('ls', '-l', locationOf(point(), state.path)));
      files.refresh();
    }
  }
  panel.refresh();
}

function volumes() {
  const groups = info.images.map((img) => el('optgroup', { label: plain(base(img.path.replaceAll('\\', '/'))) },
    ...info.volumes.filter((v) => v.image === img.path).map((v) => el('option', { value: v.name }, plain(v.name) + (v.locked ? ' (locked)' : '')))));
  show(byId('volume'), ...groups);
}

/** What is wrong with the images, and what is not shown. */
function notices() {
  const words = [...info.volumes.map(carved.found), ...info.warnings.filter((w) => !info.volumes.some((v) => v.locked && w.startsWith(v.name + ': BitLocker')))];
  for (const img of info.images) {
    words.push(...img.faults);
    for (const name of img.locked ?? []) words.push(`${name} is encrypted with BitLocker: nothing of it can be read without a key, which it asks for when you choose it at the top left.`);
  }
  for (const v of info.volumes) {
    words.push(...v.faults);
    if (!v.locked && !v.deleted && v.points.length === 1 && !v.points[0].damage) words.push(`${v.name} keeps no snapshots: there is only the state in which it was imaged.`);
    for (const p of v.points) if (damaged(p)) words.push(`${v.name}@${p.name}: ${p.carved?.table ?? p.damage}`);
  }
  const all = [...new Set(words.filter(Boolean))];
  byId('notices').hidden = !all.length;
  show(byId('notices'), el('summary', {}, el('b', {}, count(all.length, 'notice')), ': ' + plain(all[0] ?? '')), el('ul', {}, ...all.map((w) => el('li', {}, plain(w)))));
}

function buttons() {
  byId('volume').addEventListener('change', (e) => go({ ...locationless, volume: e.target.value }));
  for (const b of document.querySelectorAll('button[data-view]')) b.addEventListener('click', () => turnTo(b.dataset.view));
  for (const [id, work] of Object.entries({ older: () => keys.move(-1, false), newer: () => keys.move(1, false), closer: () => strip.zoom(0.6), farther: () => strip.zoom(1.7), whole: strip.whole, helping: keys.help, zone: zone })) byId(id).addEventListener('click', work);
  for (const [on, event] of [[true, 'beforeprint'], [false, 'afterprint']]) addEventListener(event, () => { byId('notices').open = on; });
  document.addEventListener('tolist', () => (state.view === 'compare' ? compare : files).focus());
  document.addEventListener('ended', () => { byId('ended').hidden = false; });
}

/** Goes to a view. A file of a comparison may lie deeper than the folder. */
function turnTo(view) {
  const file = state.file.includes('/') ? { path: parent(join(state.path, state.file)), file: base(state.file) } : {};
  go({ view, find: '', ...(view === 'files' ? file : {}) });
}

function zone() {
  switchZone();
  nameZone();
  go({}, true);
}

function nameZone() {
  byId('zone').textContent = zoneName();
  byId('zone').setAttribute('aria-label', `${zoneName()}: the zone of times; local or UTC`);
  byId('point').dataset.zone = zoneName();
}

async function begin() {
  nameZone();
  try {
    take(await object('/api/volumes', {}));
  } catch (err) {
    show(byId('listnote'), el('p', { class: 'big' }, 'The images could not be read.'), el('p', {}, plain(err.message))).hidden = false;
    return;
  }
  notices();
  if (!info.volumes.length) {
    show(byId('listnote'), el('p', { class: 'big' }, 'No NTFS volume was found.')).hidden = false;
    return;
  }
  Object.assign(state, fromAddress());
  const asked = { ...state };
  settle();
  volumes();
  for (const p of parts) p.start();
  buttons();
  watch(refresh);
  lock.onOpen(() => {
    volumes();
    notices();
  });
  marks.onChange(() => {
    strip.draw();
    panel.refreshVersions();
  });
  refresh();
  if (asked.volume && asked.volume !== state.volume) tell(`No volume is called ${plain(asked.volume)}: this is ${plain(state.volume)}.`);
  else if (asked.point !== state.point) tell(`No point in time is called ${plain(asked.point)}: this is the current state.`);
  if (!volume().locked && (!document.activeElement || document.activeElement === document.body)) files.focus();
  document.body.dataset.ready = '1';
}

begin();
