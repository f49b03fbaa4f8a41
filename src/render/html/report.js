// The page: what is chosen, and what is shown of it.

const at = (id) => document.getElementById(id);

/** What the page shows; see `weigh` for what it means. */
const selection = { thread: null, state: "any", from: 0, to: profile.bins, idle: true };

const trees = new Map();
const functionSums = new Tree(false, "none");
const lineSums = new Tree(true, "none");
const hasLines = data.frames.line.some((line) => line > 0);

const graph = new FlameGraph(at("graph"), at("tip"), at("current"), () => showZoom());
const timeline = new Timeline(at("lanes"), at("legend"), chooseRange, chooseThread);
const functions = functionTable(at("functions"), (label) => searchFor(`^${escaped(label.text)}$`));
const lines = lineTable(at("lines"));

/** What the colours of boxes mean, where there is native code among them. */
function showColours() {
  const origins = { own: "the program", installed: "installed packages", standard: "standard library", native: "native code", interpreter: "the interpreter's own" };
  const occurring = new Set(functionSums.labels.map(({ origin }) => origin));
  const keys = Object.keys(origins).filter((origin) => occurring.has(origin));
  at("colours").replaceChildren(...keys.map((origin) => element("span", { className: `key ${origin}`, textContent: origins[origin] })));
  at("colours").hidden = !data.frames.kind;
}

/** The tree that the controls ask for; each is made once. */
function treeFor(boxes, group) {
  const key = `${boxes} ${group}`;
  if (boxes === "functions" && group === "none") return functionSums;
  if (boxes === "lines" && group === "none") return lineSums;
  if (!trees.has(key)) trees.set(key, new Tree(boxes === "lines", group));
  return trees.get(key);
}

function show() {
  const weights = weigh(selection);
  const tree = treeFor(at("boxes").value, at("group").value);
  for (const each of new Set([tree, functionSums, lineSums])) each.weigh(weights);
  graph.show(tree);
  functions.show(functionSums.sums(), weights.total);
  if (hasLines) lines.show(lineSums.sums().filter(({ label }) => label.line > 0), weights.total);
  showSelection(weights.total);
  showZoom();
}

function showSelection(total) {
  const parts = [`${count(total)} of ${count(data.samples)} samples`];
  if (selection.thread !== null) parts.push(threadName(selection.thread));
  if (selection.state !== "any") parts.push(STATES[selection.state].name.toLowerCase());
  const isWhole = selection.from === 0 && selection.to === profile.bins;
  if (!isWhole) parts.push(`${seconds(selection.from * profile.binWidth)} to ${seconds(selection.to * profile.binWidth)}`);
  if (total === 0) parts.push("nothing was seen here");
  at("selection").textContent = parts.join(" · ");
  at("whole").disabled = isWhole;
  at("from").value = Number((selection.from * profile.binWidth).toFixed(3));
  at("to").value = Number((selection.to * profile.binWidth).toFixed(3));
}

function showZoom() {
  at("reset").disabled = graph.zoomed === graph.tree.root;
  at("icicle").setAttribute("aria-pressed", String(graph.icicle));
  const matched = graph.matched();
  at("matched").textContent = matched ? `${percent(matched.samples, matched.of)}, ${count(matched.samples)} samples` : "";
}

function chooseRange(from, to) {
  Object.assign(selection, { from, to });
  show();
}

function chooseThread(thread) {
  selection.thread = thread;
  show();
}

function rangeFromInputs() {
  const bin = (id) => Number(at(id).value) / profile.binWidth;
  timeline.setRange(Math.floor(bin("from") + 1e-6), Math.ceil(bin("to") - 1e-6));
}

function searchFor(text) {
  at("search").value = text;
  let pattern = null;
  try {
    pattern = text ? new RegExp(text, "i") : null;
    at("search").setCustomValidity("");
  } catch {
    at("search").setCustomValidity("This is not a regular expression.");
  }
  graph.search(pattern);
  showZoom();
  if (!at("search").checkValidity()) at("matched").textContent = "not a regular expression";
}

function escaped(text) {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
}

function setIcicle(icicle) {
  graph.icicle = icicle;
  graph.draw();
  showZoom();
}

function options(select, choices) {
  select.replaceChildren(...choices.map(([value, textContent]) => element("option", { value, textContent })));
  select.hidden = choices.length < 2;
}

/** What a reader has to know before believing the picture. */
function warning() {
  const { due, missing } = data;
  if (due > 0 && missing > 0.02 * due) return `${percent(missing, due)} of the moments at which a sample was due gave none. The account below says why.`;
  if (data.samples === 0) return "No samples were taken.";
  return data.estimates ? "Samples were read while the program ran: what is short-lived is seldom caught, and shares are estimates." : "";
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.matches("input:not([type=checkbox]), select");
  if (event.key === "Escape") {
    if (event.target === at("search")) searchFor("");
    else graph.zoomTo(graph.tree.root);
  } else if (typing) return;
  else if (event.key === "/") at("search").focus();
  else if (event.key === "i") setIcicle(!graph.icicle);
  else return;
  event.preventDefault();
}

function begin() {
  const python = [...new Set(data.processes.map((process) => process.python).filter(Boolean))].join(", ");
  const facts = [`${count(data.samples)} samples`, `${data.rate} for ${data.duration}`];
  if (python) facts.push(`Python ${python}`);
  if (data.processes.length > 1) facts.push(`${data.processes.length} processes`);
  facts.push(data.everyThread ? `${count(data.threads.length)} threads` : "threads that held the GIL");
  at("facts").replaceChildren(...facts.map((textContent) => element("span", { textContent })));
  at("warning").textContent = warning();
  at("warning").hidden = warning() === "";
  at("footer").textContent = `pyflame ${data.version}`;

  options(at("state"), statesThatOccur().map((name) => [name, STATES[name].name]));
  const groups = [["none", "All together"]];
  if (data.tellsProcesses) groups.push(["process", "By process"]);
  if (data.threads.length > 1) groups.push(["thread", "By thread"]);
  options(at("group"), groups);
  at("boxes").hidden = at("lines-section").hidden = !hasLines;
  at("idle-label").hidden = profile.idle.bins.length + profile.failed.bins.length === 0;
  showColours();
  showAccount(at("account"));
  showAbout(at("about"));

  at("search").addEventListener("input", (event) => searchFor(event.target.value));
  at("state").addEventListener("change", (event) => ((selection.state = event.target.value), show()));
  at("idle").addEventListener("change", (event) => ((selection.idle = event.target.checked), show()));
  for (const id of ["group", "boxes"]) at(id).addEventListener("change", show);
  for (const id of ["from", "to"]) at(id).addEventListener("change", rangeFromInputs);
  at("whole").addEventListener("click", () => timeline.setRange(0, profile.bins));
  at("icicle").addEventListener("click", () => setIcicle(!graph.icicle));
  at("reset").addEventListener("click", () => graph.zoomTo(graph.tree.root));
  document.addEventListener("keydown", onKey);
  show();
}

begin();
