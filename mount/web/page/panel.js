// The panel: a file at a point, with Preview, Versions and Details.
import { Pace, Turn, base, byId, dropped, join, nameNode, object, plain, show } from './tools.js';
import { go, locationOf, point, state } from './state.js';
import { command, exact, millis, size, time } from './words.js';
import { history } from './marks.js';
import { downloadOne } from './download.js';
import { noFile } from './say.js';
import { preview } from './preview.js';
import { showVersions } from './versions.js';
import { details } from './details.js';
import { setCommand } from './commands.js';

const turn = new Turn();
const pace = new Pace(120);
let shown = '';
let stat = null; // of the file, once it is known
let pending = false; // it is asked for
let wide = false;

export const path = () => join(state.path, state.file);

export function start() {
  byId('close').addEventListener('click', close);
  byId('wide').addEventListener('click', () => widen(!wide));
  byId('get').addEventListener('click', () => downloadOne(state.point, path()));
  const tabs = [...document.querySelectorAll('[role=tab]')];
  for (const [i, t] of tabs.entries()) {
    t.addEventListener('click', () => go({ tab: t.dataset.tab }, true));
    t.addEventListener('keydown', (e) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
      if (!by) return;
      e.preventDefault();
      e.stopPropagation();
      const to = tabs[(i + by + tabs.length) % tabs.length];
      go({ tab: to.dataset.tab }, true);
      to.focus();
    });
  }
}

export const isOpen = () => !!state.file;
export const isWide = () => wide;

export function close() {
  go({ file: '' }, true);
}

export function widen(on) {
  wide = on;
  byId('main').classList.toggle('wide', wide && isOpen());
  byId('wide').textContent = wide ? '⇥ Narrow' : '⇤ Wide';
}

/** Shows the file that the state names. */
export function refresh() {
  byId('panel').hidden = !isOpen();
  byId('main').classList.toggle('open', isOpen());
  byId('main').classList.toggle('wide', wide && isOpen());
  for (const t of document.querySelectorAll('[role=tab]')) {
    const on = t.dataset.tab === state.tab;
    t.setAttribute('aria-selected', String(on));
    t.tabIndex = on ? 0 : -1;
  }
  byId('tabpanel').setAttribute('aria-labelledby', 'tab-' + state.tab);
  if (!isOpen()) {
    turn.stop();
    shown = '';
    return;
  }
  const key = [state.volume, state.point, path()].join('\0');
  if (shown === key && stat) {
    body();
    return;
  }
  if (shown === key) return;
  shown = key;
  [stat, pending] = [null, true];
  turn.stop(); // what it answers would be taken for this
  pace.run(() => { if (shown === key) load(turn.next()); });
}

async function load(signal) {
  show(byId('title'), nameNode(base(state.file)));
  byId('get').hidden = true;
  try {
    stat = await object('/api/stat', { volume: state.volume, point: state.point, path: path() }, signal);
  } catch (err) {
    if (dropped(err)) return;
    pending = false;
    absent = err.message;
    header();
    show(byId('tabbody'));
    notThere();
    return;
  }
  pending = false;
  header();
  body();
}

let absent = '';

function notThere() {
  const versions = history.versions();
  if (state.tab === 'versions' && versions) showVersions(byId('tabbody'));
  else if (versions?.length) noFile(byId('tabbody'), versions);
  else show(byId('tabbody'), plain(absent));
}

/** What changes when the history of the file comes. */
export function refreshVersions() {
  if (!isOpen() || pending) return;
  header();
  if (!stat) notThere();
  else if (state.tab === 'versions') body();
}

function header() {
  const versions = (history.versions() ?? []).filter((v) => v.size !== null);
  const n = history.versionAt(point());
  byId('tab-versions').textContent = history.versions() ? `Versions (${versions.length})` : 'Versions';
  const words = [n >= 0 ? `Version ${history.versions()[n].version} of ${versions.length}` : ''];
  if (stat) words.push(stat.kind === 'file' ? size(stat.size) : stat.kind, 'changed ' + time(millis(stat.mtime)));
  byId('facts').textContent = words.filter(Boolean).join(' · ');
  byId('facts').title = stat ? exact(stat.size) : '';
  const whole = stat && (!stat.verdict || stat.verdict === 'intact');
  byId('get').hidden = !stat || stat.kind !== 'file';
  byId('get').textContent = whole ? 'Download this version' : 'Download what is known …';
  byId('verdict').textContent = whole || !stat ? '' : 'Unknown ranges stay holes; a list of them comes with it.';
}

function body() {
  if (!stat) return;
  const box = byId('tabbody');
  const at = locationOf(point(), path());
  switch (state.tab) {
    case 'preview':
      preview(box, stat, path());
      setCommand('panelcommand', command('cat', at));
      break;
    case 'details':
      details(box, stat, path());
      setCommand('panelcommand', command('stat', at));
      break;
    default:
      showVersions(box);
      setCommand('panelcommand', command('history', at.replace('@' + state.point + ':', ':')));
  }
}
