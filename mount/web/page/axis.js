// Where points stand on the strip.
import { dayKey, tickDay, tickMinute } from './words.js';

/**
 * Places points as near to their true time as a least distance allows: isotonic regression of what is left of their places
 * when that distance is taken away. Order stays true, and points of one night stay apart.
 * @param {number[]} times milliseconds, in the order of points; NaN stands between its neighbours
 * @param {number} width @param {number} least
 */
export function places(times, width, least) {
  const n = times.length;
  if (n === 0) return [];
  if (n === 1) return [width / 2];
  const known = filled(times);
  const gap = Math.min(least, width / (n - 1));
  const [first, last] = [known[0], known[n - 1]];
  const room = width - gap * (n - 1);
  const blocks = [];
  known.forEach((t, i) => {
    const wish = last > first ? (t - first) / (last - first) * width - gap * i : 0;
    blocks.push({ sum: wish, n: 1 });
    while (blocks.length > 1 && blocks.at(-2).sum / blocks.at(-2).n > blocks.at(-1).sum / blocks.at(-1).n) {
      const b = blocks.pop();
      blocks.at(-1).sum += b.sum;
      blocks.at(-1).n += b.n;
    }
  });
  const out = [];
  for (const b of blocks) for (let k = 0; k < b.n; k++) out.push(Math.min(Math.max(b.sum / b.n, 0), room) + gap * out.length);
  return out;
}

/** Times that are lost, or out of order, lie between their neighbours: the order of points is by their stores. */
function filled(times) {
  const out = [];
  let last = times.find((t) => !Number.isNaN(t)) ?? 0;
  for (const t of times) out.push(last = Number.isNaN(t) ? last : Math.max(t, last));
  return out;
}

/** Labels below the axis: days, or minutes where all points are of a day or two. */
export function ticks(times, xs, width) {
  const out = [];
  const fine = times.at(-1) - times[0] < 2 * 86400000;
  let day = '';
  let free = -Infinity;
  xs.forEach((x, i) => {
    if (Number.isNaN(times[i])) return;
    const key = dayKey(times[i]);
    const text = fine && key === day ? tickMinute(times[i]) : tickDay(times[i], out.length === 0);
    const room = text.length * 7 + 14;
    const end = x + room - 14 > width; // at the right there is room before the tick only
    if ((!fine && key === day) || x < free + (end ? room : 0)) return;
    day = key;
    free = x + (end ? 8 : room);
    out.push({ x, text, end });
  });
  return out;
}
