// A volume that BitLocker keeps locked: asks for its key. Nothing of a key is kept here: it leaves with one request, and its
// fields are emptied.
import { ask, byId, el, object, plain, show } from './tools.js';
import { go, locationless, take } from './state.js';
import { command, longTime, millis, size } from './words.js';
import { copy, setCommand } from './commands.js';
import { tell } from './say.js';

const groupCount = 8;
const groupSize = 6;
const mostFile = 128 << 10;
let shown = '';
let opened = () => {};

/** What is to be done when a volume is open. */
export const onOpen = (fn) => { opened = fn; };

export function leave() {
  if (!shown) return;
  shown = '';
  show(byId('lock')).hidden = true;
}

/** Asks for the key of a volume. */
export function refresh(v) {
  if (shown === v.name) return;
  shown = v.name;
  const l = v.locked;
  const has = (kind) => l.protectors.filter((p) => p.kind === kind);
  const said = el('p', { class: 'warn', role: 'alert' }); // moves to what it is about
  const ways = [recovery(v, has('recovery password'), said), password(v, has('password'), said), file(v, l.protectors, said)].filter(Boolean);
  const about = [size(v.size), l.cipher, l.created ? `encrypted since ${longTime(millis(l.created))}` : '', l.description ? `named “${plain(l.description)}” then` : ''];
  show(byId('lock'), el('h2', {}, `${plain(v.name)} is encrypted with BitLocker.`),
    el('p', {}, about.filter(Boolean).join(', ') + '.'), el('p', {}, 'Nothing of it can be read without a key, not even how many snapshots it has.'),
    ways.length ? null : el('p', { class: 'warn' }, plain(l.error)), ...ways, said,
    ways.length ? el('p', { class: 'quiet' }, 'A key stays in memory until snapmount ends. It is neither written nor logged.') : null, protectors(l)).hidden = false;
  setCommand('lockcommand', command('unlock', v.location));
  byId('lock').querySelector('input')?.focus();
}

/** The eight groups of a recovery password: typed, or pasted whole into any of them. */
function recovery(v, keys, said) {
  if (!keys.length) return null;
  const button = el('button', { type: 'submit', class: 'main-action', disabled: true }, 'Unlock');
  const groups = Array.from({ length: groupCount }, (_, i) => el('input', { inputmode: 'numeric', maxlength: groupSize, autocomplete: 'off', spellcheck: 'false', 'aria-label': `Group ${i + 1} of ${groupCount}` }));
  const check = () => {
    const slip = groups.findIndex((g) => g.value.length === groupSize && (Number(g.value) % 11 || Number(g.value) >= 720896));
    groups.forEach((g, i) => g.setAttribute('aria-invalid', String(i === slip)));
    groups[0].form.append(said);
    said.textContent = slip < 0 ? '' : `Group ${slip + 1} has a slip: no key has ${groups[slip].value} there.`;
    button.disabled = slip >= 0 || groups.some((g) => g.value.length !== groupSize);
  };
  groups.forEach((g, i) => {
    g.addEventListener('input', () => {
      g.value = g.value.replace(/\D/g, '');
      if (g.value.length === groupSize) groups[i + 1]?.focus();
      check();
    });
    g.addEventListener('keydown', (e) => { if (e.key === 'Backspace' && !g.value) groups[i - 1]?.focus(); });
    g.addEventListener('paste', (e) => {
      const digits = e.clipboardData.getData('text').replace(/\D/g, '');
      if (digits.length <= groupSize) return;
      e.preventDefault();
      groups.forEach((x, k) => { x.value = digits.slice(k * groupSize, (k + 1) * groupSize); });
      groups.find((x) => x.value.length < groupSize)?.focus();
      check();
    });
  });
  const ids = keys.map((k) => el('p', {}, el('code', {}, k.id.toUpperCase()), ' ', el('button', { type: 'button', onclick: () => copy(k.id.toUpperCase()) }, 'Copy id')));
  return form('Recovery password', ['Look this id up where keys are kept: in the Microsoft account of the owner, in Entra ID or Active Directory, or on the printout.', ...ids,
    el('div', { class: 'groups', role: 'group', 'aria-label': 'Recovery password, 48 digits' }, ...groups), button],
  (at) => give(v, at, { text: groups.map((g) => g.value).join('-') }, said, () => { for (const g of groups) g.value = ''; check(); }));
}

function password(v, keys, said) {
  if (!keys.length) return null;
  const input = el('input', { type: 'password', autocomplete: 'off', 'aria-label': 'Password' });
  const button = el('button', { type: 'submit', class: 'main-action', disabled: true }, 'Unlock');
  input.addEventListener('input', () => { button.disabled = !input.value; });
  const seen = el('input', { type: 'checkbox', onchange: (e) => { input.type = e.target.checked ? 'text' : 'password'; } });
  return form('Password', ['The one that BitLocker asks for; a PIN of Windows is none.', el('div', { class: 'fields' }, input, el('label', {}, seen, ' Show it'), button)],
    (at) => give(v, at, { text: input.value }, said, () => { input.value = ''; button.disabled = true; }));
}

function file(v, all, said) {
  if (!all.length) return null;
  const startup = all.some((p) => p.kind === 'startup key');
  const input = el('input', { type: 'file', 'aria-label': 'File with a key', onchange: () => { button.disabled = !input.files.length; } });
  const button = el('button', { type: 'submit', class: 'main-action', disabled: true }, 'Unlock');
  return form(startup ? 'Startup key or file of keys' : 'File of keys', [startup ? 'A file .BEK, as on the USB stick that starts the computer (it is hidden there), or a text with keys.' : 'A text with recovery passwords or other keys, such as Windows saves.',
    el('div', { class: 'fields' }, input, button)], async (at) => {
    const chosen = input.files[0];
    at.append(said);
    if (chosen.size > mostFile) said.textContent = 'That is no file of keys: it is too large.';
    else await give(v, at, { name: chosen.name, file: base64(new Uint8Array(await chosen.arrayBuffer())) }, said, () => { input.value = ''; button.disabled = true; });
  });
}

const base64 = (bytes) => btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''));

function form(title, content, submit) {
  return el('form', { autocomplete: 'off', onsubmit: (e) => { e.preventDefault(); submit(e.target); } }, el('h3', {}, title), ...content.map((c) => (typeof c === 'string' ? el('p', { class: 'quiet' }, c) : c)));
}

/** Sends a key. Where it opens the volume, that is shown. */
async function give(v, at, key, said, clear) {
  at.append(said);
  const buttons = [...byId('lock').querySelectorAll('[type=submit]')].filter((b) => !b.disabled);
  for (const b of buttons) b.disabled = true;
  said.textContent = 'Trying the key …';
  try {
    const answer = await (await ask('/api/unlock', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ volume: v.name, ...key }) })).json();
    said.textContent = answer.why ? sentence(answer.why) : '';
    if (!answer.volume) return;
    clear();
    take(await object('/api/volumes', {}));
    opened();
    go({ ...locationless, volume: answer.volume });
    document.dispatchEvent(new CustomEvent('tolist'));
    tell(`${plain(answer.volume)} is unlocked.`);
  } catch (err) {
    said.textContent = sentence(err.message);
  } finally {
    for (const b of buttons) b.disabled = false;
  }
}

const sentence = (text) => plain(text.charAt(0).toUpperCase() + text.slice(1)).replace(/\.?$/, '.');

function protectors(l) {
  if (!l.protectors.length) return null;
  const rows = l.protectors.map((p) => el('tr', {}, el('td', {}, p.kind), el('td', {}, el('code', {}, p.id.toUpperCase())), el('td', { class: 'quiet' }, p.created ? longTime(millis(p.created)) : '')));
  return el('details', {}, el('summary', {}, l.protectors.length === 1 ? 'Its protector' : `All ${l.protectors.length} protectors`), el('table', { class: 'places' }, el('tbody', {}, ...rows)));
}

