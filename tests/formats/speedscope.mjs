// speedscope itself, as its package ships it, in a headless Chromium: what its sandwich view
// shows of each profile of a file.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { createRequire } from 'node:module';
import puppeteer from 'puppeteer-core';
import { Thread } from './profiles.mjs';

const PAGE = createRequire(import.meta.url).resolve('speedscope/dist/release/index.html');

/// How long the page may take to show a file, in milliseconds.
const PATIENCE = 30_000;

/// Its words for a function without a name, and what it leaves out, by the kind of file.
const HABITS = {
  '.cpuprofile': { nameless: '(anonymous .py:7)', without: ['(idle)'] },
  '.gz': { nameless: '(unknown)' },
};

export class Speedscope {
  static async open() {
    const speedscope = new Speedscope();
    speedscope.folder = fs.mkdtempSync(path.join(os.tmpdir(), 'speedscope-'));
    speedscope.browser = await puppeteer.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--allow-file-access-from-files', '--enable-unsafe-swiftshader'],
    });
    return speedscope;
  }

  async close() {
    await this.browser.close();
    fs.rmSync(this.folder, { recursive: true });
  }

  async read(file) {
    const page = await this.browser.newPage();
    const errors = [];
    page.on('pageerror', error => errors.push(error.message));
    page.on('dialog', dialog => {
      errors.push(dialog.message());
      dialog.dismiss();
    });
    try {
      // Every row must be in view: what is not is not made.
      await page.setViewport({ width: 1400, height: 3000 });
      await page.goto(`file://${PAGE}#localProfilePath=${this.script(file)}&view=sandwich`);
      const threads = await this.profiles(page);
      if (errors.length > 0) {
        throw new Error(errors.join('; '));
      }
      return { threads, ...HABITS[path.extname(file)] };
    } catch (error) {
      throw new Error(`${errors.join('; ')} ${error.message}`);
    } finally {
      await page.close();
    }
  }

  /// The page takes its file from a script, as its own command line does it.
  script(file) {
    const name = path.basename(file);
    const script = path.join(this.folder, `${name}.js`);
    const contents = fs.readFileSync(file).toString('base64');
    fs.writeFileSync(
      script,
      `speedscope.loadFileFromBase64(${JSON.stringify(name)}, ${JSON.stringify(contents)})`,
    );
    return script;
  }

  async profiles(page) {
    await page.waitForFunction(hasTable, { timeout: PATIENCE });
    const { titles, position } = await page.evaluate(shownProfiles);
    if (titles.length === 0) {
      return [await thread(page, null)];
    }
    for (let back = position; back > 1; back--) {
      await page.keyboard.press('p');
    }
    const threads = [];
    for (const [index, title] of titles.entries()) {
      if (index > 0) {
        await page.keyboard.press('n');
      }
      await page.waitForFunction(
        at => document.body.innerText.includes(`(${at})`),
        { timeout: PATIENCE },
        `${index + 1}/${titles.length}`,
      );
      threads.push(await thread(page, title));
    }
    return threads;
  }
}

// These run in the page.

function hasTable() {
  return [...document.querySelectorAll('td')].some(cell => cell.textContent.includes('%'));
}

/// The titles of several profiles, and which is shown, from 1.
function shownProfiles() {
  const place = /\((\d+)\/(\d+)\)/.exec(document.body.innerText);
  const rows = [...document.querySelectorAll('tr')].filter(row => /^\d+$/.test(row.cells[0].textContent));
  return {
    titles: rows.map(row => row.cells[1].textContent),
    position: place ? Number(place[1]) : 1,
  };
}

/// Totals, own times and names of the functions in the table.
function shownFunctions() {
  const rows = [...document.querySelectorAll('tr')].map(row => [...row.cells].map(cell => cell.textContent));
  return rows.filter(row => row.length === 3 && row[0].includes('%'));
}

// And these here.

async function thread(page, title) {
  const seen = new Thread(title);
  for (const [total, self, name] of await page.evaluate(shownFunctions)) {
    // It shows the arguments of a trace's event behind its name.
    const [, bare] = /^(.*) \{"file":.*\}$/s.exec(name) ?? [null, name];
    seen.add(bare === '(unnamed)' ? '' : bare, milliseconds(total), milliseconds(self));
  }
  return seen;
}

function milliseconds(text) {
  const [, number, unit] = /^([\d.]+)(ns|µs|ms|s)\b/.exec(text);
  return Number(number) * { ns: 1e-6, 'µs': 1e-3, ms: 1, s: 1e3 }[unit];
}
