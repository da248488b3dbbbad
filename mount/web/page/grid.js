// A list of any length of which only the rows on the screen are elements.
import { el } from './tools.js';

// Browsers end elements at some 33 million pixels: above, scrolling is by ratio.
const tallest = 16_000_000;
const mostPrinted = 5000;

/** Rows with a cursor, type-ahead and a selection of indices left to the caller. */
export class Grid {
  /**
   * @param {HTMLElement} box what scrolls, with its role
   * @param {{row: (i: number) => HTMLElement, name: (i: number) => string, moved?: (i: number) => void, open?: (i: number) => void}} of
   */
  constructor(box, of) {
    Object.assign(this, { box, of, count: 0, cursor: 0, typed: '', typedAt: 0, anchor: 0 });
    this.space = el('div', { class: 'space', role: 'presentation' });
    box.append(this.space);
    box.addEventListener('scroll', () => this.later());
    new ResizeObserver(() => this.later()).observe(box);
    addEventListener('beforeprint', () => this.print(true));
    addEventListener('afterprint', () => this.print(false));
  }

  /** On paper there is no scrolling: all rows are drawn, but for those of huge lists. */
  print(on) {
    this.printing = on;
    this.draw();
  }

  get rowHeight() { return matchMedia('(max-width: 640px)').matches ? 52 : 28; }

  get ratio() { return Math.max(1, this.count * this.rowHeight / tallest); }

  setCount(n) {
    this.count = n;
    this.cursor = Math.max(0, Math.min(this.cursor, n - 1));
    this.later();
  }

  later() {
    this.pending ??= requestAnimationFrame(() => {
      this.pending = null;
      this.draw();
    });
  }

  /** First and last row on the screen. */
  range() {
    if (this.printing) return [0, Math.min(this.count, mostPrinted) - 1];
    const h = this.rowHeight;
    const first = Math.floor(this.box.scrollTop * this.ratio / h);
    return [Math.max(0, first - 4), Math.min(this.count - 1, first + Math.ceil(this.box.clientHeight / h) + 4)];
  }

  draw() {
    if (!this.box.offsetParent && !this.printing) return; // it is drawn when it is seen, which changes its size
    cancelAnimationFrame(this.pending);
    this.pending = null;
    const h = this.rowHeight;
    this.space.style.height = Math.min((this.printing ? Math.min(this.count, mostPrinted) : this.count) * h, tallest) + 'px';
    const [first, last] = this.range();
    const shift = this.printing ? 0 : this.box.scrollTop - this.box.scrollTop * this.ratio;
    const rows = [];
    for (let i = first; i <= last; i++) {
      const row = this.of.row(i);
      row.id = `${this.box.id}-${i}`;
      row.style.transform = `translateY(${i * h + shift}px)`;
      row.dataset.i = i;
      row.classList.toggle('cursor', i === this.cursor);
      rows.push(row);
    }
    this.space.replaceChildren(...rows);
    if (this.count && this.cursor >= first && this.cursor <= last) this.box.setAttribute('aria-activedescendant', `${this.box.id}-${this.cursor}`);
    else this.box.removeAttribute('aria-activedescendant');
    this.of.drawn?.(first, last);
  }

  /** Puts the cursor on a row, in sight. */
  to(i) {
    if (!this.count) return;
    this.cursor = Math.max(0, Math.min(this.count - 1, i));
    const h = this.rowHeight;
    const at = this.box.scrollTop * this.ratio;
    const room = this.box.clientHeight - h;
    if (this.cursor * h < at) this.box.scrollTop = this.cursor * h / this.ratio;
    else if (this.cursor * h > at + room) this.box.scrollTop = (this.cursor * h - room) / this.ratio;
    this.draw();
    this.of.moved?.(this.cursor);
  }

  /** Moves by keys; reports whether the key was one of them. */
  key(e) {
    const page = Math.max(1, Math.floor(this.box.clientHeight / this.rowHeight) - 1);
    const to = { ArrowDown: this.cursor + 1, ArrowUp: this.cursor - 1, PageDown: this.cursor + page, PageUp: this.cursor - page, Home: 0, End: this.count - 1 }[e.key];
    if (to !== undefined && !e.altKey) {
      this.to(to);
      return true;
    }
    if (e.key.length !== 1 || [' ', '/', '?'].includes(e.key) || e.ctrlKey || e.metaKey || e.altKey) return false;
    this.find(e.key);
    return true;
  }

  /** Type-ahead, over all rows. */
  find(letter) {
    const now = performance.now();
    this.typed = now - this.typedAt > 900 ? letter : this.typed + letter;
    this.typedAt = now;
    const same = [...this.typed].every((c) => c === this.typed[0]);
    const want = (same ? this.typed[0] : this.typed).toLocaleLowerCase();
    for (let k = same ? 1 : 0; k <= this.count; k++) {
      const i = (this.cursor + k) % this.count;
      if (this.of.name(i).toLocaleLowerCase().startsWith(want)) {
        this.to(i);
        return;
      }
    }
  }
}
