// The command line for what is seen, to copy.
import { byId, plain } from './tools.js';
import { tell } from './say.js';

const texts = new Map();

export function setCommand(id, text) {
  texts.set(id, text);
  byId(id).querySelector('code').textContent = plain(text);
}

export function start() {
  for (const id of ['command', 'panelcommand', 'lockcommand', 'hintcommand']) {
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
