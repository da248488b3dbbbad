// Downloads: a file as it is, or several things as an archive.
import { ask, base, el, object, plain, rawURL } from './tools.js';
import { state } from './state.js';
import { count, settings, size } from './words.js';
import { tell } from './say.js';

function follow(url) {
  const a = el('a', { href: url, download: true, hidden: true });
  document.body.append(a);
  a.click();
  a.remove();
}

/** Saves a file. What is not all there would fail midway: that is known before, and a zip of what is known offered. */
export async function downloadOne(point, path) {
  try {
    const stat = await object('/api/stat', { volume: state.volume, point, path });
    if (stat.verdict && stat.verdict !== 'intact') {
      tell(`${plain(base(path))} is not there in full: ${plain(stat.verdict)}.`, el('button', { type: 'button', onclick: () => download([{ point, path }], true) }, 'Download what is known'));
      return;
    }
    follow(rawURL(state.volume, point, path) + '?save=1');
  } catch (err) {
    tell(plain(err.message));
  }
}

/** The kind of archive: zip, or tar, which holds all that NTFS has of a file. */
export const format = () => (settings.get('format') === 'tar' ? 'tar' : 'zip');

/** Saves several files and folders as an archive, and tells what of them could not be given. */
export async function download(items, partial = false) {
  try {
    const body = JSON.stringify({ volume: state.volume, format: format(), partial, items });
    const { job } = await (await ask('/api/select', { method: 'POST', body, headers: { 'X-Snapmount': '1' } })).json();
    follow('/api/zip?job=' + job);
    await attend(job, format() === 'tar' ? 'Tar' : 'Zip');
  } catch (err) {
    tell(plain(err.message));
  }
}

async function attend(job, what) {
  for (;;) {
    await new Promise((done) => { setTimeout(done, 700); });
    const d = await object('/api/job', { job });
    const so = `${count(d.files, 'item')}, ${size(d.bytes)}`;
    if (d.error) return tell(`The ${what.toLowerCase()} is not whole: it was cut after ${so}. ${plain(d.error)}`, el('span', {}, 'The browser shows it as failed.'));
    if (d.done) return tell(d.failed ? `${what}: ${so}. ${count(d.failed, 'item')} could not be given in full:` : `${what} complete: ${so}, with a receipt.`, ...faults(d));
    tell(`${what}: ${so} so far …`);
  }
}

function faults(d) {
  if (!d.failed) return [];
  const list = d.faults.slice(0, 100).map((f) => el('li', {}, plain(f.path ?? ''), ': ', plain(f.err)));
  if (d.failed > list.length) list.push(el('li', {}, `and ${d.failed - list.length} more`));
  return [el('details', {}, el('summary', {}, 'Which'), el('ul', {}, ...list))];
}
