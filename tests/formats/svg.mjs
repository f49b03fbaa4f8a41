// The pictures, as a browser has them: from where its boxes lie and what their titles say,
// the stacks and how often each was seen.

import fs from 'node:fs';
import path from 'node:path';

/// Compares the boxes of a picture with the JSON lines of the same profile.
export async function read(browser, file, truth) {
  const page = await browser.newPage();
  const errors = [];
  page.on('pageerror', error => errors.push(error.message));
  try {
    await page.goto(`file://${path.resolve(file)}`);
    const boxes = await page.evaluate(shownBoxes);
    if (errors.length > 0) {
      throw new Error(errors.join('; '));
    }
    compare(expected(truth, file.endsWith('.chart.svg')), seen(boxes));
  } finally {
    await page.close();
  }
}

// This runs in the page. A file that is no XML has no such elements.
function shownBoxes() {
  const number = (element, name) => Number(element.getAttribute(name));
  return [...document.querySelectorAll('#frames g')].map(group => {
    const [title, box] = [group.querySelector('title'), group.querySelector('rect')];
    return { title: title.textContent, start: number(box, 'fg:x'), width: number(box, 'fg:w'), row: number(box, 'y') };
  });
}

/// Samples by stack, of boxes each of which lies on the one that it was called from.
function seen(boxes) {
  const root = boxes.find(({ title }) => title.startsWith('all ('));
  const rows = new Map();
  boxes.forEach(box => rows.set(box.row, [...(rows.get(box.row) ?? []), box]));
  const outwards = [...rows.keys()].sort((a, b) => Math.abs(a - root.row) - Math.abs(b - root.row));
  const stacks = new Map();
  let callers = [];
  for (const row of outwards) {
    for (const box of rows.get(row)) {
      const [, label, count] = /^(.*) \(([\d,]+) samples?, [\d.]+%\)$/s.exec(box.title);
      const samples = Number(count.replaceAll(',', ''));
      if (samples !== box.width) {
        throw new Error(`a box of ${box.width} for ${box.title}`);
      }
      const caller = callers.find(({ start, width }) => start <= box.start && box.start + box.width <= start + width);
      if (!caller && box !== root) {
        throw new Error(`nothing below ${box.title}`);
      }
      box.stack = caller ? [...caller.stack, label] : [];
      const key = JSON.stringify(box.stack);
      stacks.set(key, (stacks.get(key) ?? 0) + samples);
    }
    callers = rows.get(row);
  }
  return stacks;
}

/// The same by the JSON lines. In a chart each thread is a box below its stacks; else each
/// process is.
function expected(file, isChart) {
  const lines = fs.readFileSync(file, 'utf8').trimEnd().split('\n').map(line => JSON.parse(line));
  const processes = new Map(
    lines[0].processes.map(({ pid, command }) => [pid, `${command || 'process'} (pid ${pid})`]),
  );
  const stacks = new Map();
  for (const line of lines.slice(1, -1)) {
    const labels = [];
    if (line.type === 'sample') {
      const process = processes.get(line.pid);
      labels.push(isChart ? `${thread(line)}, ${process}` : process);
      labels.push(...(line.truncated ? ['(truncated)'] : []));
      labels.push(...line.frames.map(frame => `${frame.function} (${place(frame)})`));
    } else {
      labels.push(`(${line.type})`);
    }
    const shown = labels.map(printable);
    for (let depth = 0; depth <= shown.length; depth++) {
      const key = JSON.stringify(shown.slice(0, depth));
      stacks.set(key, (stacks.get(key) ?? 0) + 1);
    }
  }
  return stacks;
}

/// A library is called by the last part of its path.
function place({ kind, file }) {
  return kind ? file.split('/').at(-1) || '[anonymous]' : file;
}

/// JSON's numbers are no integers here; the one of the golden file is known.
function thread({ thread_id: id, native_id: native, thread_name: name }) {
  const hex = Number.isSafeInteger(id) ? id.toString(16) : BigInt.asUintN(64, -1n).toString(16);
  const number = native === null ? `0x${hex}` : `${native}`;
  return name === null ? `Thread ${number}` : `${name} (${number})`;
}

/// Control characters cannot stand in XML, and a blank at the start is easily lost.
function printable(text) {
  const words = { '\t': '\\t', '\r': '\\r', '\n': '\\n' };
  const escape = character => words[character] ?? `\\u{${character.codePointAt(0).toString(16)}}`;
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/gu, escape).replace(/^(?=\s)/u, '␠');
}

function compare(wanted, seen) {
  for (const key of new Set([...wanted.keys(), ...seen.keys()])) {
    if (wanted.get(key) !== seen.get(key)) {
      const short = key.length > 300 ? `${key.slice(0, 300)}…` : key;
      throw new Error(`${short}: ${seen.get(key)} samples, not ${wanted.get(key)}`);
    }
  }
}
