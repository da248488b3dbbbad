// Uses the page as a person would, and prints a line for each thing that must be so.
const { chromium } = require('playwright-core');
const axe = require('axe-core');
const fs = require('fs');

const [door, executablePath, shots] = process.argv.slice(2);
const url = new URL(door).origin;
const locked = JSON.parse(fs.readFileSync(0, 'utf8'));
const docs = 'd1p1-Documents';
const many = 'd2p0-many';
const lockedVolume = 'd3p1';
let page;
let trouble = [];

const only = new RegExp(process.env.CHECKS ?? '');

async function check(name, work) {
  if (!only.test(name)) return;
  const one = { name };
  const at = Date.now();
  try {
    const note = await work();
    if (typeof note === 'string') one.note = note;
    if (trouble.length) throw new Error('console: ' + trouble.join(' | '));
  } catch (err) {
    one.err = String(err.stack || err).slice(0, 1500);
  }
  trouble = [];
  one.ms = Date.now() - at;
  if (shots) fs.appendFileSync(shots + '/log', JSON.stringify(one) + '\n');
  console.log(JSON.stringify(one));
}

const must = (so, ...what) => { if (!so) throw new Error('not so: ' + what.join(' ')); };
const text = (sel) => page.locator(sel).innerText();
const until = (what, arg) => page.waitForFunction(what, arg, { timeout: 30000 });
/** Waits for a part of the address; steps in time are written there now and then only. */
const address = (key, value) => until(([k, v]) => { const x = new URL(location.href).searchParams.get(k); return v === true ? !!x : x === v; }, [key, value]);
const param = (key) => new URL(page.url()).searchParams.get(key);

async function open(address) {
  await page.goto(url + address);
  await page.waitForSelector('body[data-ready]');
}

const hasRow = (name) => until((n) => [...document.querySelectorAll('.rows .row .name')].some((x) => x.offsetParent && x.textContent === n), name);
const cell = (name, column, want) => until(([n, c, w]) => [...document.querySelectorAll('.rows .row')].some((x) => x.querySelector('.name')?.textContent === n && x.querySelector(c)?.textContent === w), [name, column, want]);
const row = (name) => page.locator('.row:visible', { has: page.locator('.name', { hasText: name }) }).first();

function watch(p) {
  p.on('console', (m) => { if (['error', 'warning'].includes(m.type())) trouble.push(m.text()); });
  p.on('pageerror', (e) => trouble.push(String(e)));
}

async function files() {
  await check('files', async () => {
    await open('/?v=' + docs);
    await hasRow('Letters');
    must((await text('#summary')).startsWith('4 folders, 2 files'), await text('#summary'));
    must(await page.evaluate(() => document.activeElement.id) === 'list', 'focus in the list');
    must(await page.locator('#list').getAttribute('aria-rowcount') === '7', 'row count');
  });
  await check('keys of the list', async () => {
    await page.keyboard.press('p');
    await page.keyboard.press('p');
    must((await text('.row.cursor .name')) === 'Projects', 'type-ahead to', await text('.row.cursor .name'));
    await page.keyboard.press('Enter');
    await hasRow('plan.txt');
    must(param('p') === '/Projects', page.url());
    await page.keyboard.press('Backspace');
    await hasRow('Letters');
    await until(() => document.querySelector('.row.cursor .name')?.textContent === 'Projects');
    await page.keyboard.press('Home');
    await page.keyboard.press(' ');
    await page.keyboard.press('Shift+ArrowDown');
    must((await text('#summary')) === '2 items chosen', await text('#summary'));
    await page.keyboard.press('Escape');
    must(!(await text('#summary')).includes('chosen'), 'Escape');
  });
  await check('back leaves the folder', async () => {
    await open('/?v=' + docs);
    await row('Letters').locator('.name').dblclick();
    await hasRow('offer.txt');
    await page.keyboard.press('Shift+ArrowLeft');
    await until(() => location.search.includes('at=2026-03-04'));
    await page.goBack();
    await hasRow('Letters');
    must(param('p') === null, page.url());
  });
  await check('steps over versions, and over points', async () => {
    await open('/?v=' + docs + '&p=/Projects');
    await until(() => !document.querySelector('.pending') && document.querySelector('.mark'));
    for (const at of ['2026-03-04T180000Z', '2026-03-03T180000Z', '2026-03-02T180000Z']) {
      await page.keyboard.press('ArrowLeft');
      await address('at', at);
    }
    await page.keyboard.press('ArrowLeft');
    must((await text('#status')).startsWith('No older version of this folder'), await text('#status'));
    must((await page.locator('#strip').getAttribute('aria-valuetext')).startsWith('Mon, 2 Mar 2026'), 'value text');
  });
  await check('what changed, and what it is now', async () => {
    await open('/?v=' + docs + '&p=/Letters&at=2026-03-03T180000Z');
    await until(() => document.querySelectorAll('.c-now').length > 2 && [...document.querySelectorAll('.c-now')].some((x) => x.textContent === 'same'));
    must((await row('offer.txt').locator('.c-event').innerText()).includes('changed'), 'changed');
    must((await row('offer.txt').locator('.c-now').innerText()) === 'changed', 'now');
    must((await row('thanks').locator('.c-event').innerText()).includes('renamed from thanks.txt'), 'renamed');
    await until(() => document.querySelectorAll('.c-history svg').length === 2);
  });
  await check('deleted files', async () => {
    await open('/?v=' + docs + '&p=/Projects');
    await page.locator('#deleted').check();
    await hasRow('budget.csv');
    must((await row('budget.csv').locator('.c-fate').innerText()).startsWith('deleted, last seen 3 Mar 2026'), 'fate');
    must(await row('budget.csv').locator('.name').evaluate((n) => getComputedStyle(n).textDecorationLine) === 'line-through', 'struck through');
  });
  await check('a path that is not there', async () => {
    await open('/?v=' + docs + '&p=/Photos');
    await until(() => document.querySelector('#listnote').textContent.includes('another name'));
    await page.getByRole('button', { name: 'Go to it' }).click();
    await hasRow('bridge.raw');
    await open('/?v=' + docs + '&p=/nowhere');
    await until(() => document.querySelector('#listnote').textContent.includes('No point in time has this path.'));
    await open('/?v=' + many + '&p=/empty');
    await until(() => document.querySelector('#listnote').textContent.includes('This folder is empty at this point.'));
  });
  await check('typed paths', async () => {
    await open('/?v=' + docs);
    for (const typed of ['/Letters', 'C:\\Letters']) {
      await page.locator('#typing').click();
      await page.locator('#typed').fill(typed);
      await page.keyboard.press('Enter');
      await hasRow('offer.txt');
    }
  });
}

async function panel() {
  await check('versions and their difference', async () => {
    await open('/?v=' + docs + '&p=/Letters');
    await hasRow('offer.txt');
    await row('offer.txt').locator('.name').click();
    await until(() => document.querySelectorAll('.line.old').length === 2 && document.querySelectorAll('.versions tbody tr').length === 3);
    must((await text('#tab-versions')) === 'Versions (3)', 'tab');
    await page.locator('#v-A-0').check();
    await page.locator('#v-B-1').check();
    await until(() => document.querySelector('.hunks').textContent.includes('rope included') && document.querySelector('.bar').textContent.includes('v1 → v2'));
    await address('a', true);
    await address('b', true);
  });
  await check('preview, details, and Escape', async () => {
    await open('/?v=' + docs + '&p=/Letters&f=offer.txt&tab=preview&at=2026-03-03T180000Z');
    await until(() => document.querySelector('.text')?.textContent.includes('Dear Ms Noether'));
    await page.getByRole('button', { name: 'Hex' }).click();
    await until(() => document.querySelector('.hexrow')?.textContent.includes('44 65 61 72'));
    await page.locator('#tab-details').click();
    await until(() => document.querySelector('.verdict')?.textContent.startsWith('Intact.') && document.querySelector('.places'));
    await page.locator('#list').focus();
    await page.keyboard.press('Escape');
    must(await page.locator('#panel').isHidden(), 'closed');
  });
  await check('unknown ranges', async () => {
    const first = await page.evaluate(async () => (await (await fetch('/api/volumes')).json()).volumes.find((v) => v.label === 'many').points[1].name);
    await open(`/?v=${many}&f=torn.bin&tab=preview&at=${first}`);
    await until(() => document.querySelectorAll('.hexrow.unknown').length > 0);
    must((await text('.why')).includes('not known'), await text('.why'));
    must((await text('#get')).startsWith('Download what is known'), await text('#get'));
    await until(() => [...document.querySelectorAll('.row .warn')].some((n) => n.textContent.includes('incomplete')));
    await page.locator('#tab-details').click();
    await until(() => document.querySelector('.verdict.bad'));
    await page.locator('#get').click();
    const saving = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Download what is known', exact: true }).click();
    must(fs.readFileSync(await (await saving).path()).subarray(0, 2).toString() === 'PK', 'a zip');
    await until(() => document.querySelector('#status').textContent.includes('could not be given in full'));
  });
  await check('pictures, odd names, and nothing runs', async () => {
    await open('/?v=' + many);
    await hasRow('photo[U+202E]gnp.exe');
    await hasRow('<img src=x onerror=alert(1)>.txt');
    await row('picture.png').locator('.name').click();
    await page.locator('#tab-preview').click();
    await until(() => document.querySelector('.picture img')?.naturalWidth === 1);
    await row('evil.html').locator('.name').click();
    await until(() => document.querySelector('.text')?.textContent.includes('<script>'));
    for (const name of ['evil.html', 'evil.svg']) {
      const other = await page.context().newPage();
      await other.goto(`${url}/raw/${many}/current/${name}`);
      await other.waitForTimeout(150);
      must((await other.title()) !== 'OWNED', name, 'ran');
      must((await other.locator('body').innerText()).includes('OWNED'), name, 'is not shown as text');
      await other.close();
      await page.evaluate((src) => new Promise((done) => { const i = new Image(); i.onload = i.onerror = done; i.src = src; }), `/raw/${many}/current/${name}`);
      must((await page.title()) !== 'OWNED', name, 'ran in a picture');
    }
  });
}

async function compareAndFind() {
  await check('compare', async () => {
    await open('/?v=' + docs + '&view=compare&a=2026-03-02T180000Z');
    await until(() => document.querySelectorAll('#tree .row').length === 11);
    must((await text('#kinds')).replace(/\s+/g, ' ') === '2 new 2 changed 2 renamed 2 deleted 0 details only', await text('#kinds'));
    await page.locator('#tree').focus();
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    await until(() => document.querySelectorAll('#tree .row').length === 9);
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await until(() => document.querySelectorAll('.line').length > 0 && document.querySelector('#title').textContent === 'offer.txt');
    must(param('view') === 'compare', page.url());
    await page.locator('.chip.deleted').click();
    await until(() => ![...document.querySelectorAll('#tree .name')].some((n) => n.textContent === 'budget.csv'));
    await open('/?v=' + docs + '&view=compare&a=2026-03-03T180000Z&b=2026-03-04T180000Z&p=/Letters');
    await until(() => document.querySelector('#listnote').textContent.startsWith('Nothing differs here'));
  });
  await check('search', async () => {
    await open('/?v=' + docs);
    await page.keyboard.press('/');
    must(await page.evaluate(() => document.activeElement.id) === 'find', 'focus');
    await page.keyboard.type('budget');
    await until(() => document.querySelector('#hits .row')?.textContent.includes('budget.csv'));
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await until(() => document.querySelector('#title')?.textContent === 'budget.csv');
    must(param('at') === '2026-03-03T180000Z', 'where it was last', page.url());
    await open('/?v=' + docs + '&q=xyzzy');
    await until(() => document.querySelector('#listnote').textContent.startsWith('Nothing called xyzzy at any of 4 points'));
  });
  await check('three clicks to a file', async () => {
    await open('/?v=' + docs + '&p=/Letters');
    await hasRow('offer.txt');
    const before = page.waitForEvent('download');
    await page.locator('#strip').click({ position: { x: 20, y: 30 } });
    await until(() => location.search.includes('at=2026-03-02') && document.querySelector('.c-size')?.textContent !== undefined);
    await hasRow('thanks.txt');
    await row('offer.txt').hover();
    await row('offer.txt').locator('.get').click();
    must(fs.readFileSync(await (await before).path(), 'utf8').includes('14 a crate'), 'content');
    must(fs.statSync(await (await before).path()).size === 52, 'size');
  });
  await check('zip of a selection', async () => {
    await open('/?v=' + docs);
    await hasRow('Letters');
    await row('Letters').locator('input').click();
    await row('Pictures').locator('input').click();
    const saving = page.waitForEvent('download');
    await page.locator('#zip').click();
    must((await saving).suggestedFilename().endsWith('.zip'), 'name');
    must(fs.readFileSync(await (await saving).path()).subarray(0, 2).toString() === 'PK', 'a zip');
    await until(() => document.querySelector('#status').textContent.startsWith('Zip complete'));
  });
  await check('print', async () => {
    await open('/?v=' + docs + '&p=/Projects');
    await hasRow('plan.txt');
    await page.emulateMedia({ media: 'print' });
    await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
    must((await text('#printhead')).includes('p1-Documents@current · /Projects'), await text('#printhead'));
    must(await page.locator('#find').isHidden() && await page.locator('#list .row').count() === 4, 'what is printed');
    await page.evaluate(() => dispatchEvent(new Event('afterprint')));
    await page.emulateMedia({ media: null });
  });
  await check('help, zone, command', async () => {
    await page.locator('#zip').focus();
    await page.keyboard.press('?');
    must(await page.locator('#help').isVisible(), 'help');
    await page.keyboard.press('Escape');
    await page.locator('#zone').click();
    must((await text('#zone')) === 'UTC', 'zone');
    await page.locator('#zone').click();
    must((await text('#command code')).startsWith('snapmount ls -l '), await text('#command code'));
  });
}

async function large() {
  await check('512 points', async () => {
    const at = Date.now();
    await open('/?v=' + many);
    await until(() => document.querySelectorAll('#point option').length === 513);
    const shown = Date.now() - at;
    await until(() => document.querySelectorAll('.mark.changed').length >= 60 && !document.querySelector('.pending'));
    const known = Date.now() - at;
    await page.locator('#strip').focus();
    await page.keyboard.press('Home');
    await until(() => document.querySelector('#about').textContent.includes('the oldest point'));
    await page.keyboard.press('ArrowRight');
    must((await text('#about')).includes('1 changed'), await text('#about'));
    await page.keyboard.press('+');
    await page.keyboard.press('0');
    const steps = await page.evaluate(async () => {
      const out = [];
      for (let i = 0; i < 20; i++) {
        const t = performance.now();
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', shiftKey: true, bubbles: true }));
        out.push(performance.now() - t);
      }
      return out.sort((a, b) => a - b)[10];
    });
    return `first ${shown} ms, all marks ${known} ms, a step ${Math.round(steps)} ms`;
  });
  await check('100,000 rows', async () => {
    const name = await page.evaluate(async () => (await (await fetch('/api/volumes')).json()).volumes.at(-1).name);
    await page.addInitScript(() => { // by the clock of the page: the driver hears of it late while rows come
      new MutationObserver((_, watcher) => {
        if (document.querySelectorAll('#list .row').length <= 10) return;
        watcher.disconnect();
        requestAnimationFrame(() => { window.firstRows = performance.now(); });
      }).observe(document, { childList: true, subtree: true });
    });
    const at = Date.now();
    await page.goto(`${url}/?v=${encodeURIComponent(name)}&p=/flat`);
    await until(() => window.firstRows);
    const first = await page.evaluate(() => Math.round(window.firstRows));
    await page.waitForFunction(() => /100,000 files/.test(document.querySelector('#summary').textContent), null, { timeout: 60000 });
    const all = Date.now() - at;
    const asked = await page.evaluate(() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/api/')).map((e) => e.name.replace(/.*\/api/, '').slice(0, 20)));
    must(asked.length <= 8, asked.length, 'requests:', asked.join(' '));
    must(asked.filter((x) => x.startsWith('/list')).length === 1, 'the list is asked for once:', asked.join(' '));
    const sort = await page.evaluate(async () => {
      const t = performance.now();
      document.querySelector('[data-sort=size]').click();
      await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
      return performance.now() - t;
    });
    await page.locator('#list').focus();
    await page.keyboard.press('End');
    must((await page.locator('.row.cursor').getAttribute('aria-rowindex')) === '100001', 'last row');
    const jump = await page.evaluate(async () => {
      const box = document.querySelector('#list');
      const out = [];
      for (let i = 0; i < 30; i++) {
        const t = performance.now();
        box.scrollTop = Math.random() * box.scrollHeight;
        await new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
        out.push(performance.now() - t);
      }
      return out.sort((a, b) => a - b)[15];
    });
    const elements = await page.evaluate(() => document.querySelectorAll('*').length);
    must(elements < 2000, elements, 'elements');
    return `first rows ${first} ms, all ${all} ms, sort ${Math.round(sort)} ms, jump ${Math.round(jump)} ms, ${elements} elements`;
  });
}

// Each view and state: its address, and what is there when all of it is.
const looks = { locked: [`/?v=${lockedVolume}`, '.groups'], root: [`/?v=${docs}`, '.c-event .letter'], deleted: [`/?v=${docs}&p=/Projects&deleted=1`, '.row.gone'], versions: [`/?v=${docs}&p=/Letters&f=offer.txt`, '.line.old'],
  preview: [`/?v=${docs}&p=/Letters&f=offer.txt&tab=preview`, 'pre.text'], details: [`/?v=${docs}&p=/Letters&f=offer.txt&tab=details`, '.places td'], torn: [`/?v=${many}&f=torn.bin&tab=preview&at=FIRST`, '.hexrow.unknown'],
  picture: [`/?v=${many}&f=picture.png&tab=preview`, '.picture img'], hex: [`/?v=${many}&f=torn.bin&a=FIRST&b=current`, '.hunks .hexrow, .hunks .why'], compare: [`/?v=${docs}&view=compare&a=2026-03-02T180000Z`, '#tree .row'], same: [`/?v=${docs}&view=compare&a=2026-03-03T180000Z&b=2026-03-04T180000Z&p=/Letters`, '#listnote .big'],
  find: [`/?v=${docs}&q=o`, '#hits .row'], missing: [`/?v=${docs}&p=/Photos`, '#listnote button'], empty: [`/?v=${many}&p=/empty`, '#listnote button'], many: [`/?v=${many}`, '.mark.changed'], help: [`/?v=${docs}`, '.c-event .letter'] };
const carvedLooks = { carved: ['/?v=d2p0-FORGE-A&at=after-2019-06-17T0012Z-carved', '.c-trust .warn'], 'carved-details': ['/?v=d2p0-FORGE-A&at=after-2019-06-17T0012Z-carved&f=file_000041.dat&tab=details', '.places td'],
  'carved-hex': ['/?v=d2p0-FORGE-A&at=after-2019-06-17T0012Z-carved&f=file_000079.txt&tab=preview', '.hexrow.doubtful'], 'carved-versions': ['/?v=d2p0-FORGE-A&at=after-2019-06-17T0012Z-carved&f=file_000041.dat', '.versions .quiet'],
  'carved-compare': ['/?v=d1p0-FORGE-A&view=compare', '#tree .row'] };
const narrow = ['carved', 'carved-details', 'locked', 'root', 'deleted', 'versions', 'compare', 'find'];

async function axeFinds(runOnly) {
  await page.evaluate(axe.source).catch(() => {}); // the policy of the page lets no script in, but that of the driver
  if (!(await page.evaluate(() => !!window.axe))) throw new Error('axe does not run');
  const found = (await page.evaluate((only) => window.axe.run(document, { runOnly: only, resultTypes: ['violations'] }), runOnly)).violations;
  trouble = trouble.filter((m) => !m.includes('axe'));
  must(!found.length, JSON.stringify(found.map((v) => [v.id, v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160) + ' ' + (n.any[0]?.message ?? n.all[0]?.message ?? n.none[0]?.message ?? ''))])));
}

const allRules = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Looks at what is shown in light; in dark, where only colours are others; and as a phone has it. */
async function look(name, rulesNarrow) {
  for (const [scheme, width, height, rules] of [['light', 1280, 800, allRules], ['dark', 1280, 800, ['color-contrast']], ...(rulesNarrow ? [['light', 390, 844, rulesNarrow]] : [])]) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme: scheme });
    if (shots) await page.screenshot({ path: `${shots}/${name}-${scheme}-${width}.png` });
    await axeFinds(rules);
  }
}

/** Looks at each view. */
async function accessible(views, first) {
  for (const [name, [where, there]] of Object.entries(views)) {
    await check(`axe ${name}`, async () => {
      await page.setViewportSize({ width: 1280, height: 800 });
      await page.emulateMedia({ colorScheme: 'light' });
      await open(where.replace('FIRST', first));
      await page.locator(there).first().waitFor();
      if (name === 'help') await page.locator('#helping').click();
      if (name === 'carved') await page.locator('#carved summary').click();
      await look(name, narrow.includes(name) ? allRules : null);
    });
  }
  await page.setViewportSize({ width: 1280, height: 800 });
  await page.emulateMedia({ colorScheme: 'light' });
}

/** Gives the key of a volume. A page that is open meanwhile goes on. */
async function unlocking() {
  await check('a wrong key', async () => {
    await open('/?v=' + docs);
    await page.locator('#volume').selectOption(lockedVolume);
    await page.locator('.groups input').first().waitFor();
    must((await text('#lock')).includes('is encrypted with BitLocker') && await page.locator('#strip').isHidden(), 'what is locked');
    must(await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === 'Group 1 of 8', 'focus');
    await page.keyboard.type('123456');
    await until(() => document.querySelector('#lock .warn').textContent === 'Group 1 has a slip: no key has 123456 there.');
    must(await page.evaluate(() => document.activeElement.getAttribute('aria-label')) === 'Group 2 of 8', 'the next group');
    await page.locator('input[type=password]').fill('hunter2hunter2');
    await page.keyboard.press('Enter');
    await until(() => document.querySelector('#lock .warn').textContent === 'The password opens no protector.');
    await page.locator('input[type=file]').setInputFiles({ name: 'x.BEK', mimeType: 'application/octet-stream', buffer: Buffer.from([0, 1, 2, 255]) });
    await page.getByRole('button', { name: 'Unlock' }).last().click();
    await until(() => document.querySelector('#lock .warn').textContent.startsWith('X.BEK: ') || document.querySelector('#lock .warn').textContent.startsWith('x.BEK: '));
  });
  await check('the right key', async () => {
    const other = await page.context().newPage();
    await other.goto(`${url}/?v=${docs}`);
    await other.waitForSelector('body[data-ready]');
    const paste = (value) => page.evaluate((text) => {
      const clipboardData = new DataTransfer();
      clipboardData.setData('text', text);
      document.querySelector('.groups input').dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
    }, value);
    await paste(locked.Recovery);
    await page.locator('.groups ~ button').click();
    await hasRow('Letters');
    must(param('v') === lockedVolume + '-Documents', page.url());
    const kept = await page.evaluate(() => JSON.stringify([location.href, history.state, Object.entries(localStorage), Object.entries(sessionStorage), document.documentElement.outerHTML,
      [...document.querySelectorAll('input')].map((n) => n.value), performance.getEntries().map((e) => e.name)]));
    for (const secret of [locked.Recovery, locked.Recovery.split('-').join(''), locked.Recovery.slice(0, 13), 'hunter2']) must(!kept.includes(secret), 'a secret is kept');
    await page.locator('.row', { hasText: 'Letters' }).first().dblclick();
    await hasRow('offer.txt');
    await page.goBack();
    await page.goBack();
    await until(() => document.querySelector('#volume').value.startsWith('d1'));
    await other.locator('.row', { hasText: 'Projects' }).first().dblclick();
    await other.waitForFunction(() => [...document.querySelectorAll('.row .name')].some((n) => n.textContent === 'notes.txt'));
    await other.close();
    await open('/?v=' + lockedVolume);
    await until((name) => document.querySelector('#status').textContent.includes(`No volume is called ${name}`), lockedVolume);
  });
}

const deleted = 'd1p0-FORGE-A'; // known when: four snapshots
const timeless = 'd2p0-FORGE-A'; // three, of which is known what they were made after
const later = 'after-2019-06-17T0012Z-carved';

/** Deleted snapshots that were brought back. */
async function carved() {
  await check('carved points', async () => {
    await open('/?v=' + deleted);
    must((await text('#point option:checked')) === 'Current state' && await page.locator('#carved').isHidden(), 'none is chosen by itself');
    must(await page.locator('.c-trust').first().isHidden(), 'no trust at the current state');
    must(await page.locator('.kind.open.carved').count() === 4, 'dashed rings');
    must((await text('#notices summary')).includes('4 deleted snapshots are found'), await text('#notices summary'));
    const titles = await page.locator('#point option').allInnerTexts();
    must(titles.length === 5 && titles.slice(1).every((x) => x.endsWith('(carved)')), titles.join());
    await until(() => !document.querySelector('.pending'));
    await page.keyboard.press('Shift+ArrowLeft');
    await address('at', '2022-10-18T112531Z-carved');
    await until(() => document.querySelector('#status').textContent.startsWith('A deleted snapshot, brought back: 19 %'));
    must((await text('#about')).includes('deleted snapshot, brought back: 19 %'), await text('#about'));
    must((await text('#carved summary')).startsWith('Deleted snapshot, brought back: 19 %'), await text('#carved summary'));
    must((await text('#command code')).startsWith('snapmount ls --carve=scan -l '), await text('#command code'));
  });
  await check('a time that is not known', async () => {
    await open(`/?v=${timeless}&at=${later}`);
    must((await text('#point option:checked')) === 'after Mon, 17 Jun 2019, 02:12 (carved)', await text('#point option:checked'));
    must(!(await text('#about')).includes('ago'), 'no age');
    const order = await page.evaluate(() => [...document.querySelectorAll('.kind.carved')].map((n) => Number(n.getAttribute('cx'))));
    must(order.length === 3 && order[0] < order[1] && order[1] < order[2], order.join());
    await page.locator('#carved summary').click();
    must((await text('#carved')).includes('log sequence numbers') && (await text('#carved')).includes('not known when'), await text('#carved'));
    await page.locator('#strip').hover({ position: { x: 12, y: 30 } });
    must((await text('#tip')).includes('when it was made is not known'), await text('#tip'));
  });
  await check('trust of files', async () => {
    await open(`/?v=${timeless}&at=${later}`);
    await cell('file_000079.txt', '.c-trust', '? doubtful');
    await cell('file_000041.dat', '.c-trust', '⚠ unknown');
    await cell('file_000041.dat', '.c-now', 'not known');
    await cell('Folder 002', '.c-trust', '✓ carved');
    await row('file_000041.dat').locator('.name').click();
    await page.locator('#tab-details').click();
    await until(() => document.querySelector('.places td') && document.querySelector('#tabbody .facts'));
    const facts = await text('#tabbody');
    must(/Trust\s+unknown: overwritten since/.test(facts) && facts.includes('carved 87.9 KiB · unknown 80.0 KiB') && facts.includes('This deleted snapshot'), facts);
    must((await page.locator('.places tr').allInnerTexts()).some((x) => x.includes('\tunknown\t')), 'ranges');
    await page.locator('#tab-preview').click();
    await until(() => document.querySelectorAll('.hexrow.unknown').length > 0);
    await row('file_000079.txt').locator('.name').click();
    await until(() => document.querySelectorAll('.hexrow.doubtful').length > 0 && /not shown: doubtful/.test(document.querySelector('.why').textContent));
    await page.locator('#tab-versions').click();
    await until(() => document.querySelector('.versions')?.textContent.includes('Trust: '));
    must(!(await text('#tabbody')).includes('is the same'), 'nothing is called equal');
  });
  await check('a hint', async () => {
    const context = await page.context().browser().newContext();
    const other = await context.newPage();
    await other.goto(locked.Hint);
    await other.waitForSelector('body[data-ready]');
    must((await other.locator('#hinttext').innerText()).startsWith('Shadow copies were on, and none is left'), await other.locator('#hinttext').innerText());
    must(/^snapmount serve --carve .*c2-removed\.raw$/.test(await other.locator('#hintcommand code').innerText()), await other.locator('#hintcommand code').innerText());
    const driven = page;
    page = other;
    try {
      await look('hint', allRules);
    } finally {
      page = driven;
      await context.close();
    }
  });
  await accessible(carvedLooks);
}

(async () => {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, timezoneId: 'Europe/Berlin', acceptDownloads: true, reducedMotion: 'reduce' });
  page = await context.newPage();
  watch(page);
  await page.goto(door);
  await page.waitForSelector('body[data-ready]'); // else nothing of what follows can be
  if (locked.Hint) {
    await carved();
    await browser.close();
    return;
  }
  await files();
  await panel();
  await compareAndFind();
  await large();
  await accessible(looks, await page.evaluate(async () => (await (await fetch('/api/volumes')).json()).volumes.find((v) => v.label === 'many').points[1].name));
  await unlocking();
  await browser.close();
})().catch((err) => {
  console.error(err);
  process.exit(1);
});
