// Draws the lineage from the JSON block `drawing`. Without this script the page's tables and list say the same.
(() => {
  "use strict";

  const SVG = "http://www.w3.org/2000/svg";
  const LEGIBLE = 0.75; // below this scale names can't be read comfortably
  const MANY = 1500; // nodes; beyond, laying out takes seconds, so the reader is asked first
  const LINE = 15, PAD_X = 11, PAD_Y = 7, POINT = 8;

  const byId = (id) => document.getElementById(id);
  const whole = JSON.parse(byId("drawing").textContent);
  const frame = byId("frame"), told = byId("told");
  const subject = whole.nodes.find((n) => n.marks.includes("subject"));
  let nodes, edges, node, causes, effects; // what is drawn now
  let svg, layout, scale = 1, chosen = null, isFolded = whole.stacks.length > 0;

  // With stacks folded, each stands for its members, and their edges become one.
  function select() {
    const standIn = new Map();
    for (const s of isFolded ? whole.stacks : []) for (const id of s.members) standIn.set(id, s.id);
    nodes = [...whole.nodes.filter((n) => !standIn.has(n.id)), ...(isFolded ? whole.stacks : [])];
    const distinct = new Map();
    for (const e of whole.edges) {
      const from = standIn.get(e.from) ?? e.from, to = standIn.get(e.to) ?? e.to;
      distinct.set(`${from} ${to}`, { from, to, how: e.how });
    }
    edges = [...distinct.values()];
    node = new Map(nodes.map((n) => [n.id, n]));
    causes = new Map(nodes.map((n) => [n.id, []]));
    effects = new Map(nodes.map((n) => [n.id, []]));
    for (const e of edges) {
      causes.get(e.to).push(e.from);
      effects.get(e.from).push(e.to);
    }
    if (!node.has(chosen)) chosen = null;
    measure();
  }

  function make(name, attributes, parent) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (parent) parent.append(made);
    return made;
  }

  // --- layout ---

  function measure() {
    const context = document.createElement("canvas").getContext("2d");
    const family = getComputedStyle(document.body).fontFamily;
    const width = (text, font) => {
      context.font = `${font} ${family}`;
      return context.measureText(text).width;
    };
    for (const n of nodes) {
      n.lines = [["context", "11px"], ["label", "600 13px"], ["detail", "11px"]].filter(([key]) => n[key]);
      const widest = Math.max(...n.lines.map(([key, font]) => width(n[key], font)));
      n.width = Math.ceil(Math.max(widest, 56) + 2 * (PAD_X + (n.kind === "run" ? POINT - 3 : 0)));
      n.height = n.lines.length * LINE + 2 * PAD_Y;
    }
  }

  function arrange(rankdir) {
    const g = new dagre.graphlib.Graph();
    g.setGraph({ rankdir, nodesep: rankdir === "LR" ? 12 : 18, ranksep: 34, edgesep: 8, marginx: 10, marginy: 10 });
    g.setDefaultEdgeLabel(() => ({}));
    for (const n of nodes) g.setNode(n.id, { width: n.width, height: n.height });
    for (const e of edges) g.setEdge(e.from, e.to);
    dagre.layout(g);
    const { width, height } = g.graph();
    return { rankdir, g, width: Math.ceil(width), height: Math.ceil(height) };
  }

  // Left to right, as text runs, where that is legible in this width; else whichever needs less of it.
  function arrangeFor(width) {
    const across = arrange("LR");
    if (across.width * LEGIBLE <= width) return across;
    const down = arrange("TB");
    return down.width < across.width ? down : across;
  }

  // --- drawing ---

  // A curve through dagre's points that leaves and enters boxes straight.
  function curve(points) {
    const lr = layout.rankdir === "LR";
    let d = `M${points[0].x} ${points[0].y}`;
    for (let i = 1; i < points.length; i++) {
      const a = points[i - 1], b = points[i];
      const mid = lr ? (a.x + b.x) / 2 : (a.y + b.y) / 2;
      d += lr ? `C${mid} ${a.y} ${mid} ${b.y} ${b.x} ${b.y}` : `C${a.x} ${mid} ${b.x} ${mid} ${b.x} ${b.y}`;
    }
    return d;
  }

  function pointsOf(e) {
    const between = layout.g.edge(e.from, e.to).points.slice(1, -1);
    const a = layout.g.node(e.from), b = layout.g.node(e.to), lr = layout.rankdir === "LR";
    const start = lr ? { x: a.x + a.width / 2, y: a.y } : { x: a.x, y: a.y + a.height / 2 };
    const end = lr ? { x: b.x - b.width / 2 - 6, y: b.y } : { x: b.x, y: b.y - b.height / 2 - 6 };
    const isForward = lr ? start.x < end.x : start.y < end.y;
    if (!isForward) return layout.g.edge(e.from, e.to).points; // part of a circle: where dagre leads it
    return between.length > 1 ? [start, ...between, end] : [start, end];
  }

  function shape(n, parent) {
    const w = n.width / 2, h = n.height / 2;
    if (n.kind === "version") {
      if (n.members) make("rect", { class: "version", x: 4 - w, y: 4 - h, width: n.width, height: n.height, rx: 8 }, parent);
      make("rect", { class: "shape version", x: -w, y: -h, width: n.width, height: n.height, rx: 8 }, parent);
    } else {
      const p = [[-w, 0], [POINT - w, -h], [w - POINT, -h], [w, 0], [w - POINT, h], [POINT - w, h]];
      make("polygon", { class: "shape run", points: p.map((xy) => xy.join(",")).join(" ") }, parent);
    }
  }

  function draw() {
    const { width, height } = layout;
    const fresh = make("svg", { viewBox: `0 0 ${width} ${height}`, role: "group" });
    fresh.setAttribute("aria-label", `Lineage graph, ${nodes.length} nodes. Arrow keys move, Enter follows, Escape lets go.`);
    const defs = make("defs", {}, fresh);
    const marker = { id: "tip", viewBox: "0 0 8 8", refX: 1, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto",
      markerUnits: "userSpaceOnUse" };
    make("path", { class: "tip", d: "M0 0L8 4L0 8z" }, make("marker", marker, defs));
    for (const e of edges) {
      const attributes = { class: `edge ${e.how}`, d: curve(pointsOf(e)), "marker-end": "url(#tip)" };
      e.element = make("path", attributes, fresh);
      make("title", {}, e.element).textContent = `${node.get(e.from).title} → ${node.get(e.to).title} (${e.how})`;
    }
    for (const n of nodes) {
      const at = layout.g.node(n.id);
      n.x = at.x;
      n.y = at.y;
      n.element = make("g", {
        class: ["node", n.kind === "run" ? "activity" : "entity", ...n.marks].join(" "), "data-id": n.id,
        transform: `translate(${at.x} ${at.y})`, tabindex: n === subject ? 0 : -1, role: "button",
        "aria-pressed": false, "aria-label": n.title,
      }, fresh);
      make("title", {}, n.element).textContent = n.title;
      shape(n, n.element);
      n.lines.forEach(([key], i) => {
        const y = (i - (n.lines.length - 1) / 2) * LINE + 4;
        make("text", { class: key, y }, n.element).textContent = n[key];
      });
    }
    if (svg) svg.replaceWith(fresh);
    else frame.append(fresh);
    svg = fresh;
    choose(chosen);
  }

  // --- looking at it ---

  function zoom(to, at) {
    const box = frame.getBoundingClientRect();
    const x = at ? at.clientX - box.left : frame.clientWidth / 2;
    const y = at ? at.clientY - box.top : frame.clientHeight / 2;
    const next = Math.min(Math.max(to, 0.05), 3), ratio = next / scale;
    const left = (frame.scrollLeft + x) * ratio - x, top = (frame.scrollTop + y) * ratio - y;
    scale = next;
    svg.setAttribute("width", layout.width * scale);
    svg.setAttribute("height", layout.height * scale);
    frame.scrollTo(left, top);
  }

  function roomFor() {
    const max = parseFloat(getComputedStyle(frame).maxHeight);
    return { width: frame.clientWidth, height: (Number.isFinite(max) ? max : innerHeight * 0.78) - 2 };
  }

  function fit() {
    const room = roomFor();
    zoom(Math.min(1, room.width / layout.width, room.height / layout.height));
  }

  // All of it where that is legible; else as wide as is, on what was asked about.
  function open() {
    const room = roomFor();
    const all = Math.min(1, room.width / layout.width, room.height / layout.height);
    zoom(all >= LEGIBLE ? all : Math.min(1, Math.max(room.width / layout.width, LEGIBLE)));
    show(subject);
  }

  function show(n) {
    if (!n) return;
    frame.scrollTo(n.x * scale - frame.clientWidth / 2, n.y * scale - frame.clientHeight / 2);
  }

  function reach(from, next) {
    const found = new Set(), queue = [from];
    while (queue.length) {
      for (const id of next.get(queue.pop())) {
        if (!found.has(id)) {
          found.add(id);
          queue.push(id);
        }
      }
    }
    return found;
  }

  const count = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

  function sum(ids) {
    let runs = 0, versions = 0;
    for (const id of ids) {
      const n = node.get(id);
      if (n.kind === "run") runs += 1;
      else versions += n.members?.length ?? 1;
    }
    return `${count(runs, "run")}, ${count(versions, "data version")}`;
  }

  // Mark everything that led to a node and everything that it led to.
  function choose(id) {
    chosen = id;
    const up = id ? reach(id, causes) : new Set(), down = id ? reach(id, effects) : new Set();
    const inside = (set, e) => (set.has(e.from) || e.from === id) && (set.has(e.to) || e.to === id);
    for (const n of nodes) {
      n.element.classList.toggle("faded", Boolean(id) && n.id !== id && !up.has(n.id) && !down.has(n.id));
      n.element.classList.toggle("chosen", n.id === id);
      n.element.setAttribute("aria-pressed", n.id === id);
    }
    for (const e of edges) {
      const isLit = Boolean(id) && (inside(up, e) || inside(down, e));
      e.element.classList.toggle("lit", isLit);
      e.element.classList.toggle("faded", Boolean(id) && !isLit);
    }
    told.replaceChildren();
    if (!id) {
      told.append("Choose a box to see what led to it and what it led to. Drag to move, Ctrl and wheel to zoom.");
      return;
    }
    const link = document.createElement("a");
    link.href = `#${node.get(id).members?.[0] ?? id}`;
    link.textContent = "all that is known of it";
    told.append(`${node.get(id).title}. Upstream: ${sum(up)}. Downstream: ${sum(down)}. See `, link, ".");
  }

  function focus(n) {
    for (const other of nodes) other.element.setAttribute("tabindex", other === n ? 0 : -1);
    n.element.focus({ preventScroll: true });
    n.element.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // The nearest box in the direction of an arrow key; straying sideways counts thrice.
  function neighbour(n, key) {
    const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
    let best = null, least = Infinity;
    for (const other of nodes) {
      const along = (other.x - n.x) * dx + (other.y - n.y) * dy;
      const aside = Math.abs((other.x - n.x) * dy) + Math.abs((other.y - n.y) * dx);
      if (along > 1 && along + 3 * aside < least) [best, least] = [other, along + 3 * aside];
    }
    return best;
  }

  const nodeAt = (event) => node.get(event.target.closest?.(".node")?.dataset.id);

  function listen() {
    let from = null, isMoved = false;
    frame.addEventListener("pointerdown", (event) => {
      isMoved = false;
      if (event.button === 0 && event.pointerType === "mouse") {
        from = { x: event.clientX, y: event.clientY, left: frame.scrollLeft, top: frame.scrollTop };
      }
    });
    frame.addEventListener("pointermove", (event) => {
      if (!from) return;
      const dx = event.clientX - from.x, dy = event.clientY - from.y;
      if (!isMoved && Math.hypot(dx, dy) > 4) {
        isMoved = true;
        frame.classList.add("moving");
        frame.setPointerCapture(event.pointerId);
      }
      if (isMoved) frame.scrollTo(from.left - dx, from.top - dy);
    });
    for (const type of ["pointerup", "pointercancel"]) {
      frame.addEventListener(type, () => {
        from = null;
        frame.classList.remove("moving");
      });
    }
    frame.addEventListener("click", (event) => {
      if (isMoved) return;
      const n = nodeAt(event);
      choose(n && n.id !== chosen ? n.id : null);
      if (n) focus(n);
    });
    frame.addEventListener("keydown", (event) => {
      const n = nodeAt(event);
      if (!n) return;
      if (event.key === "Enter" || event.key === " ") choose(n.id === chosen ? null : n.id);
      else if (event.key === "Escape") choose(null);
      else if (event.key.startsWith("Arrow")) focus(neighbour(n, event.key) ?? n);
      else return;
      event.preventDefault();
    });
    frame.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoom(scale * Math.exp(-event.deltaY / 300), event);
    }, { passive: false });
    byId("zoom-in").addEventListener("click", () => zoom(scale * 1.25));
    byId("zoom-out").addEventListener("click", () => zoom(scale / 1.25));
    byId("zoom-fit").addEventListener("click", fit);
    byId("zoom-full").addEventListener("click", () => {
      zoom(1);
      show(node.get(chosen) ?? subject);
    });
    byId("fold").addEventListener("click", () => {
      isFolded = !isFolded;
      select();
      redraw();
    });
    byId("turn").addEventListener("click", () => {
      redraw(layout.rankdir === "LR" ? "TB" : "LR");
    });
    listenToPrinter();
  }

  // A page on paper is narrower than a screen.
  function listenToPrinter() {
    let before = null;
    addEventListener("beforeprint", () => {
      before = { layout, scale };
      layout = arrangeFor(640);
      draw();
      svg.setAttribute("width", layout.width);
      svg.setAttribute("height", layout.height);
    });
    addEventListener("afterprint", () => {
      layout = before.layout;
      draw();
      zoom(before.scale);
    });
  }

  function redraw(rankdir) {
    layout = rankdir ? arrange(rankdir) : arrangeFor(frame.clientWidth);
    draw();
    open();
    byId("fold").textContent = isFolded ? "Unfold" : "Fold";
  }

  function start() {
    byId("graph").hidden = false;
    byId("fold").hidden = whole.stacks.length === 0;
    redraw();
    listen();
    byId("outline").open = false;
  }

  function ask() {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `Draw the graph of ${nodes.length} nodes (takes some seconds)`;
    button.addEventListener("click", () => {
      button.remove();
      start();
    });
    byId("graph").before(button);
  }

  select();
  if (nodes.length > MANY) ask();
  else start();
})();
