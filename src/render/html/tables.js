// The tables: hottest functions and lines, the account, and what was profiled.

/** Rows that are shown at first, and how many come with each wish for more. */
const ROWS = 25;

const AROUND = 4;

class HotTable {
  /** `columns`: header and a function from a row to what stands in its cell. */
  constructor(place, columns, onChoose) {
    Object.assign(this, { place, columns, onChoose, by: "own", rows: [], whole: 0, shown: ROWS });
  }

  show(rows, whole) {
    Object.assign(this, { rows, whole });
    this.draw();
  }

  draw() {
    const other = this.by === "own" ? "total" : "own";
    const sorted = [...this.rows].sort((a, b) => b[this.by] - a[this.by] || b[other] - a[other] || (a.label.text < b.label.text ? -1 : 1));
    const rows = sorted.slice(0, this.shown).map((row) => this.row(row));
    const table = element("table", {}, element("thead", {}, this.header()), element("tbody", {}, ...rows));
    this.place.replaceChildren(table);
    if (sorted.length > this.shown) {
      const more = element("button", { type: "button", className: "more", textContent: `More (${count(sorted.length - this.shown)})` });
      more.addEventListener("click", () => {
        this.shown += 4 * ROWS;
        this.draw();
      });
      this.place.append(more);
    }
  }

  header() {
    const cells = ["own", "total"].map((by) => {
      const button = element("button", { type: "button", textContent: by === "own" ? "Own" : "Total" });
      button.addEventListener("click", () => {
        this.by = by;
        this.draw();
      });
      const cell = element("th", { scope: "col", className: "share", colSpan: 2 }, button);
      cell.setAttribute("aria-sort", this.by === by ? "descending" : "none");
      return cell;
    });
    const names = this.columns.map(({ header }) => element("th", { scope: "col", textContent: header }));
    return element("tr", {}, ...cells, ...names);
  }

  row(row) {
    const cells = ["own", "total"].flatMap((by) => {
      const share = element("td", { className: "share", textContent: percent(row[by], this.whole) });
      share.style.setProperty("--share", `${(100 * row[by]) / (this.whole || 1)}%`);
      return [share, element("td", { className: "samples", textContent: count(row[by]) })];
    });
    const made = element("tr", {}, ...cells, ...this.columns.map(({ cell }) => cell(row)));
    made.dataset.name = row.label.text;
    return made;
  }
}

function functionTable(place, onChoose) {
  return new HotTable(place, [
    {
      header: "Function",
      cell: ({ label }) => {
        const button = element("button", { type: "button", className: "link", textContent: shortened(label.name), title: "Find it in the flame graph" });
        button.addEventListener("click", () => onChoose(label));
        return element("td", { className: "what" }, element("i", { className: `dot ${label.origin}` }), button, placeOf(label));
      },
    },
  ]);
}

function lineTable(place) {
  const open = new Set();
  const table = new HotTable(place, [
    {
      header: "Line",
      cell: (row) => {
        const { label } = row;
        const code = sourceLine(label.file, label.line);
        const cell = element("td", { className: "what" }, element("i", { className: `dot ${label.origin}` }), element("span", { textContent: shortened(label.name) }), placeOf(label));
        if (code === undefined) return cell;
        const details = element("details", { open: open.has(label.text) }, element("summary", {}, element("code", { textContent: code.trim() || " " })));
        const fill = () => details.open && details.append(excerpt(label, table.rows, table.whole));
        details.addEventListener("toggle", () => {
          details.querySelector(".excerpt")?.remove();
          if (details.open) open.add(label.text);
          else open.delete(label.text);
          fill();
        });
        cell.append(details);
        return cell;
      },
    },
  ]);
  return table;
}

/** A path that gives way at its start, where paths are alike. */
function placeOf(label) {
  return element("span", { className: "place", title: label.place }, element("bdi", { textContent: shortened(label.place) }));
}

const excerpts = new Map(data.excerpts.map(({ file, changed, lines }) => [file, { changed, lines: new Map(lines) }]));

function sourceLine(file, line) {
  return excerpts.get(file)?.lines.get(line);
}

/** The lines around one, each with its own share. */
function excerpt(label, sums, whole) {
  const { changed, lines } = excerpts.get(label.file);
  const shares = new Map();
  for (const sum of sums) {
    if (sum.label.file === label.file) shares.set(sum.label.line, (shares.get(sum.label.line) ?? 0) + sum.own);
  }
  const shown = [];
  for (let line = label.line - AROUND; line <= label.line + AROUND; line++) {
    if (!lines.has(line)) continue;
    const own = shares.get(line) ?? 0;
    const row = element("tr", { className: line === label.line ? "hot" : "" },
      element("td", { className: "samples", textContent: own ? percent(own, whole) : "" }),
      element("td", { className: "number", textContent: line }),
      element("td", {}, element("code", { textContent: lines.get(line) || " " })));
    row.style.setProperty("--share", `${Math.min(100, (100 * own) / (whole || 1))}%`);
    shown.push(row);
  }
  const made = element("div", { className: "excerpt" }, element("table", {}, element("tbody", {}, ...shown)));
  if (changed) made.prepend(element("p", { className: "warning", textContent: "This file was changed after the program was started: its lines may be others." }));
  return made;
}

function showAccount(place) {
  const rows = data.account.map(({ name, value, meaning }) => element("tr", {},
    element("th", { scope: "row", textContent: name }),
    element("td", { className: "samples", textContent: value }),
    element("td", { className: "meaning", textContent: meaning })));
  place.replaceChildren(element("table", {}, element("tbody", {}, ...rows)));
}

function showAbout(place) {
  const rows = data.processes.map(({ pid, command, python }) => [`Process ${pid}`, `${command || "(unknown command)"}${python ? `, Python ${python}` : ""}`]);
  rows.push(["Began", data.started ? new Date(data.started / 1000).toLocaleString("en-GB", { timeZoneName: "short" }) : "unknown"]);
  rows.push(["Took", data.duration], ["Rate", data.rate]);
  rows.push(["Sampled", data.everyThread ? "all threads, whatever they were doing" : "the threads that held the GIL"]);
  rows.push(["Seen", `${count(data.threads.length)} threads, ${count(data.functions.length)} names of functions in ${count(data.files.length)} files`]);
  place.replaceChildren(element("table", {}, element("tbody", {}, ...rows.map(([name, value]) => element("tr", {},
    element("th", { scope: "row", textContent: name }), element("td", { className: "value", textContent: value }))))));
}

