// The command line for what is seen, to copy.
import { byId, plain } from './tools.js';
import { tell } from './say.js';

const texts = new Map();

export function setCommand(id, text) {
  texts.set(id, text);
  const code = byId(id).querySelector('code');
  code.textContent = plain(text);
  fit(code);
}

/** What does not fit is scrolled by keys, too. */
function fit(code) {
  if (code.scrollHeight <= code.clientHeight) for (const name of ['tabindex', 'role', 'aria-label']) code.removeAttribute(name);
  else for (const [name, value] of [['tabindex', '0'], ['role', 'group'], ['aria-label', 'Command']]) code.setAttribute(name, value);
}

export function start() {
  const sizes = new ResizeObserver((all) => { for (const one of all) fit(one.target); });
  for (const id of ['command', 'panelcommand', 'lockcommand', 'hintcommand']) {
    sizes.observe(byId(id).querySelector('code'));
    byId(id).querySelector('button').addEventListener('click', () => copy(texts.get(id) ?? ''));
  }
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    tell('Copied.');
  } catch {
    tell('The browser does not let this page copy: mark the line and copy it.');
  }
}
