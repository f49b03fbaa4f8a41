// The timeline: a lane for all samples and one for each thread, and the part of the run
// that is chosen with the pointer.

/** Lanes that are shown at first. */
const FEW_LANES = 12;

class Timeline {
  /** `onRange(from, to)` in bins; `onThread(thread)`, null for all. */
  constructor(place, legend, onRange, onThread) {
    Object.assign(this, { place, legend, onRange, onThread });
    this.thread = null;
    this.range = [0, profile.bins];
    this.shown = FEW_LANES;
    this.lanes = this.makeLanes();
    this.build();
    new ResizeObserver(() => this.draw()).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  makeLanes() {
    const all = newLane("All samples", null);
    const threads = data.threads.map((_, thread) => newLane(threadName(thread), thread));
    for (const row of profile.rows) {
      const kind = row.state & HOLDS_GIL ? "gil" : row.state & SUSPENDED ? "suspended" : "free";
      for (const lane of [all, threads[row.thread]]) if (lane) add(lane[kind], row.when, lane);
    }
    add(all.idle, profile.idle, all);
    add(all.failed, profile.failed, all);
    threads.sort((a, b) => b.samples - a.samples);
    return threads.length > 1 ? [all, ...threads] : [all];
  }

  build() {
    const lanes = this.lanes.slice(0, this.shown + 1);
    this.canvases = lanes.map(() => element("canvas"));
    this.buttons = lanes.map((lane) => {
      const button = element("button", { type: "button", className: "lane-name", textContent: lane.name, title: `${lane.name}: ${count(lane.samples)} samples`, disabled: lanes.length === 1 });
      button.addEventListener("click", () => this.choose(lane.thread === this.thread ? null : lane.thread));
      return button;
    });
    this.plot = element("div", { className: "plot" }, ...this.canvases);
    this.axis = element("div", { className: "axis" });
    this.brush = element("div", { className: "brush", hidden: true });
    this.plot.append(this.brush, this.axis);
    const names = element("div", { className: "names" }, ...this.buttons);
    this.place.replaceChildren(names, this.plot);
    if (this.lanes.length > lanes.length) names.append(this.moreButton());
    this.plot.addEventListener("pointerdown", (event) => this.startBrush(event));
    this.showChoice();
    this.showLegend();
  }

  moreButton() {
    const more = element("button", { type: "button", className: "more", textContent: `All ${this.lanes.length - 1} threads` });
    more.addEventListener("click", () => {
      this.shown = this.lanes.length;
      this.build();
      this.draw();
    });
    return more;
  }

  choose(thread) {
    this.thread = thread;
    this.showChoice();
    this.onThread(thread);
  }

  showChoice() {
    this.buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(this.lanes[at].thread === this.thread)));
    this.canvases.forEach((canvas, at) => {
      const { thread } = this.lanes[at];
      canvas.classList.toggle("apart", this.thread !== null && thread !== this.thread);
    });
  }

  showLegend() {
    const [gil, free] = isFreeThreaded ? ["attached", "detached"] : ["holds the GIL", "does not hold it"];
    const kinds = { gil, suspended: "suspended", free, idle: "idle", failed: "failed" };
    const occurring = Object.keys(kinds).filter((kind) => this.lanes[0][kind].some((n) => n > 0));
    this.legend.replaceChildren(...occurring.map((kind) => element("span", { className: `key ${kind}`, textContent: kinds[kind] })));
  }

  draw() {
    const style = getComputedStyle(document.documentElement);
    this.canvases.forEach((canvas, at) => drawLane(canvas, this.lanes[at], style));
    this.drawAxis();
    this.showRange();
  }

  drawAxis() {
    const whole = profile.bins * profile.binWidth;
    const step = niceStep(whole / Math.max(2, this.plot.clientWidth / 110));
    const marks = [];
    for (let time = 0; time <= whole; time += step) {
      const mark = element("span", { textContent: `${Number(time.toPrecision(6))} s` });
      mark.style.left = `${(100 * time) / whole}%`;
      marks.push(mark);
    }
    this.axis.replaceChildren(...marks);
  }

  startBrush(event) {
    if (event.button !== 0) return;
    event.preventDefault();
    const box = this.plot.getBoundingClientRect();
    const binAt = ({ clientX }) => Math.min(1, Math.max(0, (clientX - box.left) / box.width)) * profile.bins;
    const start = binAt(event);
    const range = (now) => {
      const [from, to] = [start, binAt(now)].sort((a, b) => a - b);
      return [Math.floor(from), Math.max(Math.ceil(to), Math.floor(from) + 1)];
    };
    const move = (now) => {
      this.range = range(now);
      this.showRange();
    };
    const end = (now) => {
      this.plot.removeEventListener("pointermove", move);
      // A click chooses the whole run again.
      const isClick = Math.abs(now.clientX - event.clientX) < 3;
      this.setRange(...(isClick ? [0, profile.bins] : range(now)));
    };
    this.plot.setPointerCapture(event.pointerId);
    this.plot.addEventListener("pointermove", move);
    this.plot.addEventListener("pointerup", end, { once: true });
  }

  /** Chooses the bins from `from` up to, and without, `to`. */
  setRange(from, to) {
    this.range = [Math.max(0, from), Math.min(profile.bins, to)];
    if (this.range[0] >= this.range[1]) this.range = [0, profile.bins];
    this.showRange();
    this.onRange(...this.range);
  }

  showRange() {
    const [from, to] = this.range;
    this.brush.hidden = from === 0 && to === profile.bins;
    this.brush.style.left = `${(100 * from) / profile.bins}%`;
    this.brush.style.width = `${(100 * (to - from)) / profile.bins}%`;
  }
}

function newLane(name, thread) {
  const bins = () => new Float64Array(profile.bins);
  return { name, thread, samples: 0, gil: bins(), suspended: bins(), free: bins(), idle: bins(), failed: bins() };
}

function add(bins, when, lane) {
  when.bins.forEach((bin, at) => {
    bins[bin] += when.samples[at];
    lane.samples += when.samples[at];
  });
}

function drawLane(canvas, lane, style) {
  const scale = devicePixelRatio || 1;
  const width = (canvas.width = Math.max(1, Math.round(canvas.clientWidth * scale)));
  const height = (canvas.height = Math.max(1, Math.round(canvas.clientHeight * scale)));
  const context = canvas.getContext("2d");
  const columns = Math.min(Math.ceil(width / (2 * scale)), profile.bins);
  const kinds = ["gil", "suspended", "free", "failed", "idle"];
  const sums = kinds.map((kind) => intoColumns(lane[kind], columns));
  const totals = Array.from({ length: columns }, (_, at) => sums.reduce((sum, of) => sum + of[at], 0));
  const most = usual(totals);
  const edge = (column) => Math.round((column * width) / columns);
  for (let column = 0; column < columns; column++) {
    let base = height;
    sums.forEach((of, kind) => {
      const tall = (of[column] / most) * (height - 1);
      context.fillStyle = style.getPropertyValue(`--${kinds[kind]}`);
      context.fillRect(edge(column), base - tall, edge(column + 1) - edge(column), tall);
      base -= tall;
    });
  }
}

/** What all but a few columns do not exceed: where ticks fall into bins is a bit uneven. */
function usual(totals) {
  const sorted = totals.filter((total) => total > 0).sort((a, b) => a - b);
  return sorted[Math.floor(0.9 * (sorted.length - 1))] ?? 1;
}

/** The mean number of samples of the bins that each column of a picture stands for. */
function intoColumns(bins, columns) {
  const means = new Float64Array(columns);
  for (let column = 0; column < columns; column++) {
    const from = Math.floor((column * bins.length) / columns);
    const to = Math.max(from + 1, Math.floor(((column + 1) * bins.length) / columns));
    for (let bin = from; bin < to; bin++) means[column] += bins[bin] / (to - from);
  }
  return means;
}

/** 1, 2 or 5 times a power of ten, and not less than `least`. */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least * 0.999);
}

