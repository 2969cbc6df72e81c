"use strict";
// What both pages share. Data reaches the page as text nodes and checked attributes only, never as markup.

const DATA = JSON.parse(document.getElementById("data").textContent);
const AVERAGE = "avg";
const CLASSES = { high: "High resource", medium: "Medium", low: "Low", "non-EU": "Non-EU", "zero-shot": "Zero-shot", source: "Source" };

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function svg(tag, attributes, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

const byId = (id) => document.getElementById(id);
const metricOf = (key) => DATA.metrics.find((metric) => metric.key === key);

function languageName(code) {
  if (code === AVERAGE) return "Average";
  if (DATA.languages[code]) return DATA.languages[code].name;
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code) || code;
  } catch {
    return code || "no language named";
  }
}

// The value of `lang`: `de` for `deu`.
function languageTag(code) {
  if (DATA.languages[code]) return DATA.languages[code].tag;
  return /^[a-z]{3}$/.test(code) ? Intl.getCanonicalLocales(code)[0] : null;
}

const FORMATS = [0, 1, 2].map((digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));

function formatNumber(value, metric) {
  if (value === null || value === undefined) return "–";
  const text = FORMATS[metric.digits].format(value);
  return metric.unit === "$" ? "$" + text : text;
}

const formatSize = (billions) => (billions === null ? "" : `${billions >= 100 ? Math.round(billions) : billions.toFixed(1)}B`);

// The end of a scale that holds all values: a round number.
function roundUp(value) {
  const steps = [5, 10, 20, 30, 40, 50, 60, 80, 100];
  return steps.find((step) => value <= step + 1e-9) || Math.ceil(value / 100) * 100;
}

const place = (value, end) => `${(2 + (96 * Math.min(Math.max(value, 0), end)) / end).toFixed(2)}%`;

// A dot on its interval, drawn to the width of whatever it is in; all strips with the same end are aligned.
function drawStrip(cell, end, { height = 14, ghost = null, parity = true } = {}) {
  const middle = height / 2;
  const drawing = svg("svg", { class: "strip", width: "100%", height, "aria-hidden": "true", focusable: "false" });
  if (parity && end > 50) drawing.append(svg("line", { class: "parity", x1: place(50, end), x2: place(50, end), y1: 0, y2: height }));
  if (cell && cell[0] !== null) {
    if (cell.length > 1) drawing.append(svg("line", { class: "interval", x1: place(cell[1], end), x2: place(cell[2], end), y1: middle, y2: middle }));
    if (ghost && ghost[0] !== null) drawing.append(svg("circle", { class: "ghost", cx: place(ghost[0], end), cy: middle, r: 3 }));
    drawing.append(svg("circle", { class: "dot", cx: place(cell[0], end), cy: middle, r: 2.7 }));
  }
  return drawing;
}

// sparse: for a narrow place, in which more labels than the ends' and the middle's would run into each other.
function drawAxis(end, unit, { sparse = false } = {}) {
  const drawing = svg("svg", { class: "axis", width: "100%", height: 18, "aria-hidden": "true", focusable: "false" });
  const step = sparse || end <= 10 ? end / 2 : end <= 30 ? 10 : end <= 80 ? 20 : 25;
  for (let tick = 0; tick <= end + 1e-9; tick += step) {
    const x = place(tick, end);
    drawing.append(svg("line", { x1: x, x2: x, y1: 0, y2: 4 }));
    const label = svg("text", { x, y: 15, "text-anchor": tick === 0 ? "start" : tick === end ? "end" : "middle" });
    label.textContent = `${tick}${tick + step > end ? unit : ""}`;
    drawing.append(label);
  }
  return drawing;
}

function describeOrigin(board) {
  if (board.paper) {
    const tables = board.tables.length > 1 ? `Tables ${board.tables.join(", ")}` : `Table ${board.tables[0]}`;
    return [el("strong", {}, "Published in the paper"), `, ${tables}. Judge ${board.judge}, reference ${board.reference}; as printed, without intervals.`];
  }
  if (board.through.old) {
    const { old, date, design_sha256: design } = board.through;
    return [el("strong", {}, "Mapped, not measured"), ": judge ", el("bdi", { class: "name" }, board.judge), " from ", el("bdi", { class: "name" }, old),
      `, through the bridge of ${date} (design ${design.slice(0, 12)}); reference `, el("bdi", { class: "name" }, board.reference), ". Intervals are of the prediction."];
  }
  const parts = ["Judge ", el("bdi", { class: "name" }, board.judge), ", reference ", el("bdi", { class: "name" }, board.reference)];
  if (board.reference_fidelity !== null) parts.push(` (${board.reference_fidelity.toFixed(1)} % in the right language)`);
  parts.push(board.order === "both" ? ", both orders" : ", one order per prompt", board.method ? `, verdicts by ${board.method}.` : ".");
  const audited = board.languages.filter((code) => board.audited[code]);
  const marked = audited.filter((code) => board.audited[code].length);
  if (marked.length) parts.push(" ", el("span", { class: "warning" }, `⚠ The judge’s card marks it in ${marked.map((code) => `${languageName(code)} (${board.audited[code].join(", ")})`).join("; ")}`), ".");
  if (audited.length > marked.length) parts.push(` The judge’s card has no mark in ${audited.filter((code) => !marked.includes(code)).map(languageName).join(", ")}.`);
  if (board.rater) parts.push(" Rubric rated by ", el("bdi", { class: "name" }, board.rater), ".");
  return parts;
}

const benchmarkName = (board) =>
  ({ "xl-alpacaeval": "XL-AlpacaEval", "m-alpacaeval": "m-AlpacaEval" })[board.benchmark] || board.benchmark || "Benchmark not named";

// A sign beside a language in which the judge's card marks the judge.
function drawAudit(board, code) {
  const defects = board.audited[code] || [];
  if (!defects.length) return null;
  const says = `the judge’s card marks it: ${defects.join(", ")}`;
  return el("span", { class: "warning", title: says }, el("span", { class: "sign", "aria-hidden": "true" }, "⚠"), el("span", { class: "hidden" }, ` (${says})`));
}

// One choice among several, as radio buttons that look like one control.
function drawSegments(holder, name, choices, chosen, choose) {
  holder.replaceChildren(
    ...choices.map(([value, label]) =>
      el("label", {}, el("input", { type: "radio", name, value, checked: value === chosen, on: { change: () => choose(value) } }), el("span", {}, label)),
    ),
  );
}

// The languages in groups of resource classes, each a checkbox or a radio button.
function drawLanguages(holder, codes, type, chosen, change) {
  const groups = new Map();
  for (const code of codes) {
    const group = (DATA.languages[code] || {}).class || "";
    if (!groups.has(group)) groups.set(group, []);
    groups.get(group).push(code);
  }
  holder.replaceChildren(
    ...[...groups].map(([group, members]) =>
      el("span", { class: "group", role: "group", "aria-label": CLASSES[group] || "Other languages" },
        el("span", { class: "class", "aria-hidden": "true" }, CLASSES[group] || ""),
        ...members.map((code) =>
          el("label", { class: "chip" },
            el("input", { type, name: "language", value: code, checked: chosen.includes(code), on: { change } }),
            el("span", {}, languageName(code))))),
    ),
  );
}

const loads = new Map();

// A data file is a script that calls this: a page opened from a file may load scripts, but not read other files.
function deliver(data) {
  document.currentScript.take(data);
}

function load(src) {
  if (!loads.has(src)) {
    loads.set(src, new Promise((resolve, reject) => {
      const script = el("script", { src, async: true });
      script.take = (data) => { script.remove(); resolve(data); };
      script.addEventListener("error", () => { loads.delete(src); script.remove(); reject(new Error(src)); });
      document.head.append(script);
    }));
  }
  return loads.get(src);
}

function readView() {
  const text = location.hash.slice(1);
  return new URLSearchParams(text.includes("=") ? text : "");
}

function writeView(pairs) {
  const view = new URLSearchParams(pairs.filter(([, value]) => value));
  const hash = view.toString();
  if (hash !== location.hash.slice(1)) history.replaceState(null, "", hash ? `#${hash}` : `${location.pathname}${location.search}`);
}

function setUpPage(target) {
  const themes = ["auto", "light", "dark"];
  const button = byId("theme");
  const show = (theme) => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = `Theme: ${theme}`;
  };
  let theme = "auto";
  try {
    theme = localStorage.getItem("theme") || "auto";
  } catch {} // storage may be forbidden; the page works without it
  show(themes.includes(theme) ? theme : "auto");
  button.addEventListener("click", () => {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length];
    try {
      localStorage.setItem("theme", theme);
    } catch {}
    show(theme);
  });
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault(); // the address holds the view
    byId(target).focus();
    byId(target).scrollIntoView();
  });
}
