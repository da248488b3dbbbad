// Changes between two points as a tree of what changed, without all that did not.
import { base } from './tools.js';

export const kinds = ['new', 'changed', 'renamed', 'deleted', 'details'];
const kindOf = { created: 'new', deleted: 'deleted', renamed: 'renamed', content: 'changed', streams: 'changed', metadata: 'details' };

const noise = new Set(['created', 'modified', 'changed', 'accessed', 'name_times']);

/** Takes the lines of a comparison: one leaf for each file, of its most telling kind. */
export class Tree {
  constructor() {
    this.root = node('', '/');
    this.failed = [];
    this.lines = 0;
  }

  add(c) {
    if (c.err !== undefined) {
      this.failed.push(c);
      return;
    }
    this.lines++;
    let kind = kindOf[c.kind];
    if (kind === 'details' && c.fields.every((f) => f === 'accessed' || (c.type === 'dir' && noise.has(f)))) return;
    const n = this.at(c.path);
    n.type = c.type;
    if (n.kind && kinds.indexOf(kind) > kinds.indexOf(n.kind) && n.kind !== 'deleted') kind = n.kind;
    if (n.kind === 'deleted' && kind === 'new') kind = 'changed'; // another file has the name
    n.kind = kind;
    if (c.kind === 'content' || !('size' in n)) n.size = [c.old_size, c.new_size];
    if (c.kind === 'renamed') n.from = c.old_path;
    if (c.kind === 'metadata') n.fields = c.fields;
    if (c.in_place) n.inPlace = true;
  }

  at(path) {
    let n = this.root;
    let so = '';
    for (const name of path.split('/').filter(Boolean)) {
      so += '/' + name;
      let next = n.children.get(name);
      if (!next) n.children.set(name, next = node(name, so));
      n = next;
    }
    return n;
  }

  /** Counts of each kind, of those that are wanted, for each folder. */
  count(wanted) {
    const sum = (n) => {
      n.sums = Object.fromEntries(kinds.map((k) => [k, 0]));
      for (const c of n.children.values()) {
        sum(c);
        for (const k of kinds) n.sums[k] += c.sums[k] + (c.kind === k ? 1 : 0);
      }
      n.seen = (n.kind && wanted.has(n.kind)) || [...n.children.values()].some((c) => c.seen);
    };
    sum(this.root);
    if (this.root.kind) this.root.sums[this.root.kind]++;
    return this.root.sums;
  }

  /** What is shown, as rows: chains of single folders are joined. */
  rows(closed) {
    const out = [];
    const order = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' }).compare;
    const walk = (n, level) => {
      const list = [...n.children.values()].filter((c) => c.seen).sort((a, b) => (b.children.size > 0) - (a.children.size > 0) || order(a.name, b.name));
      for (const first of list) {
        let c = first;
        let label = c.name;
        while (!c.kind && c.children.size === 1 && [...c.children.values()][0].children.size > 0 && [...c.children.values()][0].seen) {
          [c] = c.children.values();
          label += '/' + c.name;
        }
        out.push({ node: c, label, level, open: c.children.size > 0 ? !closed.has(c.path) : undefined });
        if (c.children.size > 0 && !closed.has(c.path)) walk(c, level + 1);
      }
    };
    walk(this.root, 1);
    return out;
  }
}

const node = (name, path) => ({ name, path, children: new Map(), kind: '', from: '' });

/** What a row says of its change. */
export function changeWords(n) {
  if (n.kind === 'renamed') return 'from ' + (n.from && n.from.slice(0, n.from.lastIndexOf('/')) === n.path.slice(0, n.path.lastIndexOf('/')) ? base(n.from) : n.from);
  if (n.kind === 'changed' && n.from) return 'changed, renamed';
  if (n.kind === 'details') return n.fields?.join(', ') || 'details';
  return n.kind + (n.inPlace ? ', in place' : '');
}
