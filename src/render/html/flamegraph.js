// The flame graph: a box for each node that is wide enough to be seen.

const ROW_HEIGHT = 20;
/** The narrowest box, as a share of the width: about a pixel. */
const NARROWEST = 0.0008;
const MOST_BOXES = 5000;
/** The narrowest box with a text, in pixels: less than three letters tell nothing. */
const NARROWEST_TEXT = 28;
/** A graph of more rows hangs from its root at first, so that its wide boxes are in sight. */
const TALL = 36;

class FlameGraph {
  /** `tip` shows a box under the pointer, `current` the one that the keyboard chose. */
  constructor(place, tip, current, onZoom) {
    Object.assign(this, { place, tip, current, onZoom });
    this.icicle = null;
    this.pattern = null;
    this.zoomed = null;
    this.chosen = null;
    this.boxes = new Map();
    place.addEventListener("click", (event) => this.zoomTo(this.nodeAt(event)));
    place.addEventListener("pointermove", (event) => this.showTip(event));
    place.addEventListener("pointerleave", () => (tip.hidden = true));
    place.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.tree && this.width !== place.clientWidth && this.draw()).observe(place);
  }

  /** Draws a tree. Of another one, the node that was zoomed into is looked for again. */
  show(tree) {
    const again = (node) => (node && this.tree && tree !== this.tree ? this.sameIn(tree, node) : node);
    this.zoomed = again(this.zoomed) ?? tree.root;
    if (this.zoomed.total === 0) this.zoomed = tree.root;
    this.chosen = again(this.chosen);
    this.tree = tree;
    this.draw();
  }

  sameIn(tree, node) {
    const path = [];
    for (let at = node; at.parent; at = at.parent) path.push(this.tree.label(at).text);
    let found = tree.root;
    for (const text of path.reverse()) {
      found = found.children.find((child) => tree.label(child).text === text);
      if (!found) return null;
    }
    return found;
  }

  zoomTo(node) {
    if (!node || node.total === 0) return;
    this.zoomed = node;
    this.draw();
    this.onZoom(node);
  }

  /** Highlights what a regular expression matches. */
  search(pattern) {
    this.pattern = pattern;
    this.draw();
  }

  /** The samples whose stack has a match, below the node that is zoomed into. */
  matched() {
    if (!this.pattern) return null;
    const hits = this.tree.labels.map((label) => this.pattern.test(label.text));
    let samples = 0;
    const open = [this.zoomed];
    while (open.length > 0) {
      const node = open.pop();
      if (hits[node.label]) samples += node.total;
      else open.push(...node.children);
    }
    return { samples, of: this.zoomed.total };
  }

  layout() {
    const boxes = [];
    for (let node = this.zoomed.parent; node; node = node.parent) boxes.push({ node, x: 0, width: 1 });
    const whole = this.zoomed.total || 1;
    const open = [{ node: this.zoomed, x: 0, width: 1 }];
    while (open.length > 0) {
      const box = open.pop();
      boxes.push(box);
      let x = box.x;
      for (const child of box.node.children) {
        const width = child.total / whole;
        if (width < NARROWEST) break; // The others are narrower still.
        open.push({ node: child, x, width });
        x += width;
      }
    }
    if (boxes.length <= MOST_BOXES) return boxes;
    const narrowest = boxes.map((box) => box.width).sort((a, b) => b - a)[MOST_BOXES];
    return boxes.filter((box) => box.width > narrowest);
  }

  draw() {
    const boxes = this.layout();
    const rows = 1 + boxes.reduce((most, box) => Math.max(most, box.node.depth), 0);
    this.icicle ??= rows > TALL;
    this.width = this.place.clientWidth;
    this.place.style.height = `${rows * ROW_HEIGHT}px`;
    this.place.classList.toggle("searching", this.pattern !== null);
    this.boxes.clear();
    this.place.replaceChildren(...boxes.map((box) => this.box(box)));
    this.mark(this.chosen, false);
  }

  box({ node, x, width }) {
    const label = this.tree.label(node);
    const textContent = width * this.width < NARROWEST_TEXT ? "" : label.text;
    const made = element("div", { className: `box ${label.origin}`, textContent });
    const side = this.icicle ? "top" : "bottom";
    made.style.cssText = `left:${100 * x}%;width:${100 * width}%;${side}:${node.depth * ROW_HEIGHT}px`;
    made.dataset.shade = shade(label.name);
    made.dataset.name = label.text;
    made.dataset.samples = node.total;
    if (node.depth < this.zoomed.depth) made.classList.add("above");
    if (this.pattern?.test(label.text)) made.classList.add("match");
    made.node = node;
    this.boxes.set(node, made);
    return made;
  }

  nodeAt(event) {
    return event.target.closest?.(".box")?.node ?? null;
  }

  describe(node) {
    const label = this.tree.label(node);
    const whole = this.tree.root.total;
    const parts = [`${count(node.total)} samples, ${percent(node.total, whole)}`, `own ${count(node.own)}, ${percent(node.own, whole)}`];
    if (this.zoomed.parent) parts.push(`${percent(node.total, this.zoomed.total)} of what is shown`);
    return { title: label.name, place: label.place, parts };
  }

  showTip(event) {
    const node = this.nodeAt(event);
    this.tip.hidden = !node;
    if (!node) return;
    const { title, place, parts } = this.describe(node);
    this.tip.replaceChildren(
      element("strong", { textContent: shortened(title) }),
      element("span", { textContent: shortened(place) }),
      element("span", { className: "numbers", textContent: parts.join(" · ") }),
    );
    const right = Math.min(event.clientX + 14, innerWidth - this.tip.offsetWidth - 10);
    const below = event.clientY + 18;
    const fits = below + this.tip.offsetHeight < innerHeight;
    this.tip.style.left = `${Math.max(4, right)}px`;
    this.tip.style.top = `${fits ? below : event.clientY - this.tip.offsetHeight - 10}px`;
  }

  onKey(event) {
    const from = this.chosen ?? this.zoomed;
    const siblings = (from.parent?.children ?? []).filter((node) => this.boxes.has(node));
    const at = siblings.indexOf(from);
    const up = from.parent;
    const down = from.children.find((node) => this.boxes.has(node));
    const moves = {
      ArrowLeft: siblings[at - 1],
      ArrowRight: siblings[at + 1],
      ArrowUp: this.icicle ? up : down,
      ArrowDown: this.icicle ? down : up,
      Home: this.zoomed,
    };
    if (event.key in moves) this.mark(moves[event.key], true);
    else if (event.key === "Enter") this.zoomTo(from);
    else return;
    event.preventDefault();
  }

  /** Chooses a box, and says what it is. */
  mark(node, scroll) {
    if (!node || !this.boxes.has(node)) return;
    this.boxes.get(this.chosen)?.classList.remove("chosen");
    this.chosen = node;
    const box = this.boxes.get(node);
    box.classList.add("chosen");
    if (scroll) box.scrollIntoView({ block: "nearest" });
    const { title, place, parts } = this.describe(node);
    this.current.textContent = `${shortened(title)} ${shortened(place)}: ${parts.join(", ")}`;
  }
}

/** A number from 0 to 5 that belongs to a name, so that neighbours differ. */
function shade(name) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
  return hash % 6;
}

function shortened(text) {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

