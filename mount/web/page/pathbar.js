// The path: crumbs to click, or typed.
import { byId, el, nameNode, show } from './tools.js';
import { go, info, state, volume } from './state.js';

export function start() {
  byId('typing').addEventListener('click', type);
  const input = byId('typed');
  input.addEventListener('keydown', (e) => {
    if (e.key === 'Enter') {
      const to = understand(input.value);
      done();
      go({ ...to, file: '', find: '' });
    } else if (e.key === 'Escape') done();
    else return;
    e.preventDefault();
    e.stopPropagation();
    document.dispatchEvent(new CustomEvent('tolist'));
  });
  input.addEventListener('blur', done);
}

/** Lets a path be typed. */
export function type() {
  byId('crumbs').hidden = byId('typing').hidden = true;
  const input = byId('typed');
  input.hidden = false;
  input.value = state.path;
  input.focus();
  input.select();
}

function done() {
  byId('crumbs').hidden = byId('typing').hidden = false;
  byId('typed').hidden = true;
}

/** Takes /Users/ann, C:\Users\ann, or a LOCATION as the commands print it. */
export function understand(text) {
  let rest = text.trim();
  const out = {};
  for (const v of info.volumes) {
    for (const p of v.points) {
      if (rest === p.location || rest.startsWith(p.location + ':')) return { volume: v.name, point: p.name, path: clean(rest.slice(p.location.length + 1)) };
    }
    if (rest === v.location || rest.startsWith(v.location + ':')) return { volume: v.name, path: clean(rest.slice(v.location.length + 1)) };
  }
  if (/^[A-Za-z]:[\\/]/.test(rest)) rest = rest.slice(2);
  if (!rest.includes('/')) rest = rest.replaceAll('\\', '/');
  out.path = clean(rest);
  return out;
}

const clean = (path) => '/' + path.split('/').filter(Boolean).join('/');

let shown = '';

export function refresh() {
  if (shown === volume().name + '\0' + state.path) return;
  shown = volume().name + '\0' + state.path;
  const parts = state.path.split('/').filter(Boolean);
  const crumb = (label, path, last) => [el('button', { type: 'button', class: 'crumb', ...(last ? { 'aria-current': 'page' } : {}), onclick: () => go({ path, file: '', find: '' }) }, nameNode(label))];
  const all = crumb(volume().label || state.volume, '/', parts.length === 0);
  parts.forEach((p, i) => all.push(el('span', { 'aria-hidden': 'true' }, '›'), ...crumb(p, '/' + parts.slice(0, i + 1).join('/'), i === parts.length - 1)));
  show(byId('crumbs'), ...all);
  byId('crumbs').scrollLeft = 1e6;
}
