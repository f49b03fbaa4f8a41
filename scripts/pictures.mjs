// pictures.mjs REPORT FOLDER: the report as a reader first sees it, and in the dark, with a
// part of the run chosen. `scripts/pictures` runs this.
import { createRequire } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const { PYFLAME_BROWSER, PYFLAME_BROWSER_LIBRARY } = process.env;
if (!PYFLAME_BROWSER_LIBRARY) throw new Error("run this by scripts/pictures");
const puppeteer = createRequire(import.meta.url)(PYFLAME_BROWSER_LIBRARY);

const [report, folder] = process.argv.slice(2);
const browser = await puppeteer.launch({
  executablePath: PYFLAME_BROWSER,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"],
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 1000 });
  const enter = (selector, value) =>
    page.$eval(selector, (field, value) => {
      field.value = value;
      field.dispatchEvent(new Event("change"));
    }, value);
  const photograph = async (scheme) => {
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    // The canvases are drawn again in the other colours.
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.screenshot({ path: join(folder, `report-${scheme}.png`) });
  };
  await page.goto(pathToFileURL(resolve(report)).href);
  await photograph("light");
  await enter("#from", "1");
  await enter("#to", "2.5");
  await photograph("dark");
} finally {
  await browser.close();
}
