// drive.mjs WHAT FILE [ARGUMENT]: opens FILE in a browser, uses it as a reader would, and
// fails if it does not show what is known. The numbers are those of fixture.rs.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const { PYFLAME_BROWSER, PYFLAME_BROWSER_LIBRARY } = process.env;
if (!PYFLAME_BROWSER_LIBRARY) throw new Error("run this by `make report-test`");
const puppeteer = createRequire(import.meta.url)(PYFLAME_BROWSER_LIBRARY);

const [what, file, argument] = process.argv.slice(2);
const url = pathToFileURL(file).href;
// ---------------------------------------------------------------- what a reader does

const text = (page, selector) => page.$eval(selector, (found) => found.textContent);

/** Samples of the boxes by their labels; boxes of the same label one after the other. */
const boxes = (page) =>
  page.$$eval(".box", (all) => {
    const found = {};
    for (const box of all) (found[box.dataset.name] ??= []).push(Number(box.dataset.samples));
    return found;
  });

const total = (page) => text(page, "#selection").then((words) => Number(words.split(" of ")[0].replaceAll(",", "")));

/** Own and total samples of a row of a table. */
const row = (page, table, name) =>
  page.$$eval(`${table} tbody > tr`, (rows, name) => {
    const found = rows.find((row) => row.dataset.name === name);
    return found ? [...found.querySelectorAll(":scope > td.samples")].map((cell) => Number(cell.textContent.replaceAll(",", ""))) : null;
  }, name);

const names = (page, table) => page.$$eval(`${table} tbody > tr`, (rows) => rows.map((row) => row.dataset.name).filter(Boolean));

async function search(page, words) {
  await page.$eval("#search", (field) => (field.value = ""));
  await page.focus("#search");
  await page.keyboard.type(words);
}

async function enter(page, selector, value) {
  await page.$eval(selector, (field, value) => {
    field.value = value;
    field.dispatchEvent(new Event("change"));
  }, value);
}

async function drag(page, from, to) {
  const box = await page.$eval(".plot", (plot) => {
    plot.scrollIntoView();
    const { left, top, width } = plot.getBoundingClientRect();
    return { left, top, width };
  });
  const x = (share) => box.left + share * box.width;
  await page.mouse.move(x(from), box.top + 20);
  await page.mouse.down();
  await page.mouse.move(x((from + to) / 2), box.top + 20);
  await page.mouse.move(x(to), box.top + 20);
  await page.mouse.up();
}

const click = (page, name) => page.$$eval(".box", (all, name) => all.find((box) => box.dataset.name === name).click(), name);

async function screenshots(page) {
  await page.mouse.move(1, 1);
  for (const scheme of ["light", "dark"]) {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    // The canvases are drawn again in the other colours.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.evaluate(() => scrollTo(0, 0));
    await page.screenshot({ path: file.replace(/html$/, `${scheme}.png`) });
  }
}

// ------------------------------------------------------------------------ the reports

async function report(page) {
  assert.match(await text(page, "#facts"), /2,050 samples.*1,000 Hz for 1\.1 s.*Python 3\.11\.7.*2 threads/);
  assert.equal(await text(page, "#title"), "python3 app.py (pid 4242)");
  assert.match(await text(page, "#warning"), /6\.0 % of the moments/);
  assert.match(await text(page, "#account"), /torn.*7.*left out/);
  const app = (await names(page, "#functions")).find((name) => name.startsWith("parse (")).slice("parse (".length, -1);
  const label = (name) => `${name} (${app})`;

  // The graph, whole.
  const whole = await boxes(page);
  assert.deepEqual(whole.all, [2050]);
  assert.deepEqual(whole["(idle)"], [50]);
  assert.deepEqual(whole[label("main")], [1000]);
  assert.deepEqual(whole[label("parse")], [500]);
  assert.deepEqual(whole[label("render")], [500]);
  assert.deepEqual(whole[label("fib")], [100, 100]);
  await screenshots(page);

  // Strange names are found as they are, in a view that is narrow enough to show them.
  await enter(page, "#to", "0.01");
  for (const name of ["a;b", "line\nbreak", "</script><b>\"'&", "🔥 é", "\u001b[31m", "constructor"]) {
    assert.deepEqual((await boxes(page))[`${name} (${"x".repeat(10_000)})`], [1], name);
  }
  await page.click("#whole");

  // Search: a share of what is shown, without counting nested matches twice.
  await search(page, "fib|rend");
  assert.equal(await text(page, "#matched"), "24.4 %, 500 samples");
  assert.equal(await page.$$eval(".match", (all) => all.length), 3);
  await search(page, "(");
  assert.equal(await text(page, "#matched"), "not a regular expression");
  await page.keyboard.press("Escape");
  assert.equal(await text(page, "#matched"), "");

  // Zoom: by pointer and by keyboard.
  await click(page, label("render"));
  const zoomed = await boxes(page);
  assert.equal(zoomed[label("parse")], undefined);
  assert.deepEqual(Object.keys(zoomed).sort(), ["all", label("fib"), label("main"), label("render")].sort());
  await search(page, "fib");
  assert.equal(await text(page, "#matched"), "20.0 %, 100 samples");
  await page.keyboard.press("Escape");
  await page.click("#reset");
  assert.deepEqual((await boxes(page))[label("parse")], [500]);
  await page.focus("#graph");
  for (const key of ["Home", "ArrowUp", "ArrowUp", "Enter"]) await page.keyboard.press(key);
  assert.match(await text(page, "#current"), /^(parse|wait|render) .*: \d+ samples/);
  assert.equal((await boxes(page))["(idle)"], undefined);
  await page.keyboard.press("Escape");
  assert.deepEqual((await boxes(page))["(idle)"], [50]);

  // Icicle: the root is at the top.
  const rootTop = () => page.$eval(".box", (box) => box.getBoundingClientRect().top - box.parentElement.getBoundingClientRect().top);
  assert.ok((await rootTop()) > 20);
  await page.keyboard.press("i");
  assert.equal(await rootTop(), 0);
  assert.equal(await page.$eval("#icicle", (button) => button.ariaPressed), "true");
  await page.click("#icicle");

  // Threads: one alone, all, each.
  const lane = async (words) => {
    for (const button of await page.$$(".lane-name")) {
      if ((await button.evaluate((found) => found.textContent)).includes(words)) await button.click();
    }
  };
  await lane("worker <2>;");
  assert.equal(await total(page), 1000);
  assert.equal((await boxes(page))[label("main")], undefined);
  assert.deepEqual(await row(page, "#functions", "wait (/usr/lib/python3.11/threading.py)"), [994, 994]);
  await lane("All samples");
  assert.equal(await total(page), 2050);
  await page.select("#group", "thread");
  assert.deepEqual((await boxes(page))["MainThread (4242)"], [1000]);
  assert.deepEqual((await boxes(page))["worker <2>; (0xffffffffffffffff)"], [1000]);
  await page.select("#group", "none");

  // States, idle samples.
  await page.select("#state", "gil");
  assert.equal(await total(page), 1000);
  assert.equal((await boxes(page))["run (/usr/lib/python3.11/threading.py)"], undefined);
  await page.select("#state", "free");
  assert.equal((await boxes(page))[label("main")], undefined);
  await page.select("#state", "any");
  await page.click("#idle");
  assert.equal(await total(page), 2000);
  await page.click("#idle");

  // A part of the run, by numbers and by pointer.
  await enter(page, "#to", "0.25");
  assert.equal(await total(page), 500);
  assert.deepEqual((await boxes(page))[label("parse")], [250]);
  assert.deepEqual(await row(page, "#functions", label("parse")), [250, 250]);
  await page.click("#whole");
  await drag(page, 0.5, 1);
  const [from, to] = await page.$$eval("#from, #to", (fields) => fields.map((field) => Number(field.value)));
  assert.ok(Math.abs(from - 0.525) < 0.003 && to === 1.05, `${from} to ${to}`);
  const milliseconds = Math.round(1000 * (1 - from));
  assert.equal(await total(page), 2 * milliseconds + 50);
  assert.equal((await boxes(page))[label("parse")], undefined);
  await drag(page, 0.3, 0.3);
  assert.equal(await total(page), 2050);

  // Tables: a function that calls itself counts once in a stack.
  assert.deepEqual(await row(page, "#functions", label("fib")), [100, 100]);
  assert.deepEqual(await row(page, "#functions", label("render")), [400, 500]);
  assert.deepEqual(await row(page, "#functions", label("main")), [0, 1000]);
  assert.deepEqual(await row(page, "#lines", `render (${app}:6)`), [400, 500]);
  assert.deepEqual((await names(page, "#functions")).slice(0, 3), ["wait (/usr/lib/python3.11/threading.py)", label("parse"), label("render")]);
  await page.click("#functions th:nth-child(2) button");
  assert.deepEqual((await names(page, "#functions")).slice(0, 2).sort(), [label("main"), "run (/usr/lib/python3.11/threading.py)"].sort());

  // Boxes of lines.
  await page.select("#boxes", "lines");
  assert.deepEqual((await boxes(page))[`parse (${app}:3)`], [500]);
  await page.select("#boxes", "functions");

  // Source, with what was written after the run began said to be so.
  const excerpt = await openSource(page, `parse (${app}:3)`);
  assert.match(excerpt, /24\.4 %3def parse\(text\): return json\.loads\(text\) {2}# <\/script> &amp; \u2028 is harmless/);
  assert.match(excerpt, /6 {4}return \[str\(row\) for row in rows\]/);
  assert.match(excerpt, /changed after the program was started/);

  // A click on a function finds it in the graph.
  await page.$$eval("#functions .link", (links) => links.find((link) => link.textContent === "parse").click());
  assert.equal(await page.$$eval(".match", (all) => all.map((box) => box.dataset.name).join()), label("parse"));
}

/** Opens the source of a row of the lines, and returns the excerpt's text. */
function openSource(page, name) {
  return page.$$eval("#lines tbody > tr", async (rows, name) => {
    const details = rows.find((row) => row.dataset.name === name).querySelector("details");
    const opened = new Promise((done) => details.addEventListener("toggle", done, { once: true }));
    details.open = true;
    await opened;
    return details.querySelector(".excerpt").textContent;
  }, name);
}

async function pauses(page) {
  const keys = () =>
    page.$$eval("#legend .key", (all) => all.map((key) => [key.textContent, getComputedStyle(key, "::before").backgroundColor]));
  const shown = await keys();
  assert.deepEqual(shown.map(([words]) => words), ["attached", "suspended", "detached"]);
  assert.equal(new Set(shown.map(([, colour]) => colour)).size, 3, "each has a colour of its own");
  const choices = await page.$$eval("#state option", (all) => all.map((option) => option.textContent));
  assert.deepEqual(choices, ["Any state", "Attached", "Detached", "Suspended"]);
  for (const [state, samples] of [["suspended", 300], ["gil", 600], ["free", 100], ["any", 1000]]) {
    await page.select("#state", state);
    assert.equal(await total(page), samples, state);
  }
  // The canvas has all three, in the order of the run.
  const colours = await page.$eval(".plot canvas", (canvas) => {
    const { data } = canvas.getContext("2d").getImageData(0, canvas.height - 2, canvas.width, 1);
    const at = (share) => 4 * Math.floor(share * canvas.width);
    return [0.3, 0.75, 0.95].map((share) => `rgb(${[...data.slice(at(share), at(share) + 3)].join(", ")})`);
  });
  assert.deepEqual(colours, shown.map(([, colour]) => colour));
  await screenshots(page);
}

async function empty(page) {
  assert.equal(await text(page, "#warning"), "No samples were taken.");
  assert.match(await text(page, "#selection"), /^0 of 0 samples/);
}

async function million(page, before) {
  assert.equal(await total(page), 1_000_000);
  assert.deepEqual((await boxes(page)).all, [1_000_000]);
  const opened = Date.now() - before;
  const started = Date.now();
  await enter(page, "#to", "1000");
  assert.equal(await total(page), 250_000);
  const recomputed = Date.now() - started;
  await screenshots(page);
  assert.ok(opened < 20_000, `it took ${opened} ms to open`);
  console.log(`opened in ${opened} ms, a part of it shown in ${recomputed} ms`);
}

/** A run of tests/targets/traced.py; `argument` names its source. */
async function run(page) {
  assert.equal(await text(page, "#title"), "a <title>");
  assert.match(await text(page, "#about"), /traced\.py/);
  const samples = await page.evaluate(() => JSON.parse(document.getElementById("profile").textContent).samples);
  assert.ok(samples > 100, `${samples} samples`);
  assert.equal(await total(page), samples);
  const burn = (await names(page, "#functions")).find((name) => name.startsWith("burn ("));
  const [own, all] = await row(page, "#functions", burn);
  assert.ok(own > samples / 3 && own <= all && all <= samples, `${own} ${all} ${samples}`);
  const source = readFileSync(argument, "utf8").split("\n");
  const hottest = (await names(page, "#lines")).find((name) => name.startsWith("burn ("));
  const number = Number(hottest.match(/:(\d+)\)$/)[1]);
  assert.ok((await openSource(page, hottest)).includes(`${number}${source[number - 1]}`));
  await screenshots(page);
  console.log(`${samples} samples, ${own} in burn`);
}

// ----------------------------------------------------------------------- the pictures

async function picture(page) {
  const svg = await page.evaluate(() => document.documentElement.tagName);
  assert.equal(svg, "svg");
  // inferno's own functions, which its buttons call.
  const match = await page.evaluate(() => {
    search("parse");
    return document.getElementById("matched").textContent;
  });
  assert.equal(match, "Matched: 24.4%");
  const hidden = await page.evaluate(() => {
    const box = [...document.querySelectorAll("#frames > g")].find((found) => found.querySelector("title").textContent.startsWith("render ("));
    zoom(box);
    return [...document.querySelectorAll("#frames > g")].filter((found) => found.classList.contains("hide")).length;
  });
  assert.ok(hidden > 0, "what is outside is hidden");
  await page.screenshot({ path: file.replace(/svg$/, "png") });
}

// ------------------------------------------------------------------------- the browser

const userDataDir = mkdtempSync(join(tmpdir(), "pyflame-browser-"));
const browser = await puppeteer.launch({
  executablePath: PYFLAME_BROWSER,
  userDataDir,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const page = await browser.newPage();
  const complaints = [];
  const requests = [];
  page.on("console", (message) => complaints.push(message.text()));
  page.on("pageerror", (error) => complaints.push(error.stack));
  page.on("request", (request) => requests.push(request.url()));
  await page.setViewport({ width: 1400, height: 1100 });
  const before = Date.now();
  await page.goto(url);
  await { report, pauses, empty, picture, million, run }[what](page, before);
  assert.deepEqual(complaints, [], "the console is empty");
  assert.deepEqual(new Set(requests), new Set([url]), "nothing but the file was asked for");
} finally {
  await browser.close();
  rmSync(userDataDir, { recursive: true, force: true });
}
