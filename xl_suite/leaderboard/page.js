// The index: a table for each board, filters, columns, and the plots.

const SIZES = [["", "any"], ["0-3", "up to 3B"], ["3-10", "3B to 10B"], ["10-40", "10B to 40B"], ["40-", "over 40B"], ["?", "not known"]];
const VIEWS = [["numbers", "Numbers"], ["dots", "Dots"], ["both", "Both"]];
const ADDED = ["n", "cost"]; // summed over languages; all others are averaged
const PANEL_ROWS = 12;
const FIRST_ROWS = 30; // drawn at once; the others follow when these are on the screen

const afterPaint = (work) => requestAnimationFrame(() => setTimeout(work));

const present = DATA.metrics.filter((metric) => DATA.boards.some((board) => board.rows.some((row) => row.cells[metric.key])));
const IN_COLUMNS = present.map((metric) => metric.key);
const ALL_LANGUAGES = Object.keys(DATA.languages);
const DEFAULT_COLUMNS = ["size", ...present.filter((metric) => !metric.hidden).map((metric) => metric.key)];
const BY_DEFAULT = "default"; // the order that a table has until another is asked for, see `chooseOrder`
const RATES = ["win_rate", "gated"];
const view = {};

function loadView() {
  const given = readView();
  const listed = (name, known, otherwise) => {
    const found = (given.get(name) || "").split(",").filter((one) => known.includes(one));
    return found.length ? found : otherwise;
  };
  const one = (name, known, otherwise) => (known.includes(given.get(name)) ? given.get(name) : otherwise);
  view.query = given.get("q") || "";
  view.size = one("size", SIZES.map(([value]) => value), "");
  view.training = given.get("training") || "";
  view.metric = one("metric", IN_COLUMNS, "win_rate");
  view.show = one("show", VIEWS.map(([value]) => value), "both");
  view.languages = listed("languages", ALL_LANGUAGES, ALL_LANGUAGES);
  view.columns = given.has("columns") ? listed("columns", ["size", ...present.map((metric) => metric.key)], []) : DEFAULT_COLUMNS;
  const [, key, direction] = /^(.+?)(?:\.(asc|desc))?$/.exec(given.get("sort") || `${BY_DEFAULT}.desc`);
  view.sort = key;
  view.direction = direction || "desc";
}

function saveView() {
  const same = (list, other) => list.length === other.length && list.every((one) => other.includes(one));
  const sort = `${view.sort}.${view.direction}`;
  writeView([
    ["q", view.query],
    ["size", view.size],
    ["training", view.training],
    ["metric", view.metric === "win_rate" ? "" : view.metric],
    ["show", view.show === "both" ? "" : view.show],
    ["languages", same(view.languages, ALL_LANGUAGES) ? "" : view.languages.join(",")],
    ["columns", same(view.columns, DEFAULT_COLUMNS) ? "" : view.columns.join(",") || "none"],
    ["sort", sort === `${BY_DEFAULT}.desc` ? "" : sort],
  ]);
}

// The mean (or sum) over the chosen languages, {cell, complete}. A mean over other languages than the stored one gets
// its interval from the covariance of the languages' win rates, since they share their prompts.
function summarize(board, row, key) {
  const cells = row.cells[key];
  if (!cells) return { cell: null, complete: false };
  const added = ADDED.includes(key);
  const chosen = board.languages.filter((code) => view.languages.includes(code) && (added || code !== "eng" || view.languages.length === 1));
  const codes = chosen.filter((code) => cells[code]);
  const own = Object.keys(cells).filter((code) => code !== AVERAGE && code !== "eng");
  const complete = codes.length === chosen.length || own.length === 0;
  const whole = own.length === 0 || (!added && codes.length === own.length && own.every((code) => codes.includes(code)));
  if (whole) return { cell: cells[AVERAGE] || null, complete, count: codes.length, of: chosen.length };
  if (!codes.length) return { cell: null, complete: false };
  const total = codes.reduce((sum, code) => sum + cells[code][0], 0);
  if (added) return { cell: [total], complete, count: codes.length, of: chosen.length };
  const mean = total / codes.length;
  const cell = [mean];
  if (codes.length === 1 && cells[codes[0]].length > 1) cell.push(cells[codes[0]][1], cells[codes[0]][2]);
  else if (key === "win_rate" && row.covariance.length) {
    const places = codes.map((code) => row.languages.indexOf(code));
    let variance = 0;
    for (const one of places) for (const other of places) variance += row.covariance[one][other];
    const spread = (1.96 * Math.sqrt(Math.max(variance, 0))) / codes.length;
    cell.push(Math.max(mean - spread, 0), Math.min(mean + spread, 100));
  }
  return { cell, complete, count: codes.length, of: chosen.length };
}

// What a table is ordered and ranked by, and why: gated win rates where the error of the language check is published
// for every language, else raw ones.
function chooseOrder(board) {
  if (board.paper) return ["win_rate", "the paper printed no gated rates."];
  if (!board.rows.some((row) => row.cells.gated)) return ["win_rate", "this table has no gated rates."];
  const unknown = board.languages.filter((code) => !(DATA.languages[code] || {}).error);
  if (unknown.length || !board.languages.length) return ["win_rate", `no error of the language check is published for ${unknown.map(languageName).join(", ") || "answers without a language"}.`];
  if (board.languages.some((code) => !view.languages.includes(code))) return ["win_rate", "the mean gated rate has an interval over all languages only."];
  const most = Math.max(...board.languages.map((code) => DATA.languages[code].error));
  return ["gated", `the error of the language check is published for all of these languages (at most ${most.toFixed(1)} % of right answers are called wrong or mixed, by the upper end of a 95 % interval).`];
}

// Whether nearly all prompts of the languages that are shown were judged.
const isWhole = (row) => !row.missing.some((code) => view.languages.includes(code) || !DATA.languages[code]);

const sortOf = (board) => (view.sort === BY_DEFAULT ? chooseOrder(board)[0] : view.sort);

// What of the ranks that were computed fits the chosen languages; null where none does.
function rankedBy(board) {
  const chosen = board.languages.filter((code) => view.languages.includes(code) || !DATA.languages[code]);
  if (chosen.length === 1) return chosen[0];
  return board.languages.every((code) => code === "eng" || chosen.includes(code)) ? AVERAGE : null;
}

// The ranks that were computed for all complete rows at once, for all languages or for one; a table that only has
// printed or mapped numbers is ranked by these, without a test.
function rankRows(board, summaries, ordered) {
  const full = board.rows.filter((row) => isWhole(row) && summaries.get(row).complete && summaries.get(row).cell);
  const show = (best, worst) => (worst > best ? `${best}–${worst}` : `${best}`);
  if (full.some((row) => row.ranks[ordered])) {
    const key = rankedBy(board);
    return new Map(full.filter((row) => (row.ranks[ordered] || {})[key]).map((row) => [row, show(...row.ranks[ordered][key])]));
  }
  const bounds = full.map((row) => {
    const cell = summaries.get(row).cell;
    return cell.length > 1 ? [cell[1], cell[2]] : [cell[0], cell[0]];
  });
  return new Map(
    full.map((row, at) => {
      const best = 1 + bounds.filter(([low]) => low > bounds[at][1]).length;
      const worst = full.length - bounds.filter(([, high]) => high < bounds[at][0]).length;
      return [row, show(best, worst)];
    }),
  );
}

function isShown(row) {
  const words = view.query.toLowerCase().split(/\s+/).filter(Boolean);
  const text = `${row.name} ${row.training}`.toLowerCase();
  if (!words.every((word) => text.includes(word))) return false;
  if (view.training && (row.training || "none") !== view.training && row.training.split(/ \d|,/)[0] !== view.training) return false;
  if (!view.size) return true;
  if (view.size === "?" || row.billions === null) return view.size === "?" && row.billions === null;
  const [low, high] = view.size.split("-").map(Number);
  return row.billions > low && (high ? row.billions <= high : true);
}

function sortValue(board, row) {
  const sort = sortOf(board);
  if (sort === "name") return row.name.toLowerCase();
  if (sort === "size") return row.billions;
  if (DATA.languages[sort]) return ((row.cells[view.metric] || {})[sort] || [null])[0];
  const found = summarize(board, row, sort);
  if (!found.cell) return null;
  return found.complete ? found.cell[0] : found.cell[0] - 1e9 * (view.direction === "asc" ? -1 : 1); // below complete ones
}

function compareRows(board) {
  const values = new Map(board.rows.map((row) => [row, sortValue(board, row)]));
  const sign = view.direction === "asc" ? 1 : -1;
  return (one, other) => {
    if (view.sort === BY_DEFAULT && isWhole(one) !== isWhole(other)) return isWhole(one) ? -1 : 1; // incomplete ones apart
    const [a, b] = [values.get(one), values.get(other)];
    if (a === null || b === null) return (a === null) - (b === null);
    return (a < b ? -sign : a > b ? sign : 0) || one.name.localeCompare(other.name);
  };
}

const hasStrip = (key) => ["win_rate", "gated", "lc", "fidelity"].includes(key);

function findEnd(board, key) {
  if (key === "fidelity") return 100;
  let most = 0;
  for (const row of board.rows)
    for (const cell of Object.values(row.cells[key] || {})) most = Math.max(most, cell.length > 1 ? cell[2] : cell[0]);
  return roundUp(most);
}

function drawCell(cell, metric, { end, best = false, partial = "", wide = false } = {}) {
  const node = el("td", { class: `${wide ? "wide " : ""}${best ? "best" : ""}`.trim() || null });
  if (!cell) {
    node.append(el("span", { class: "none" }, "–"));
    return node;
  }
  const interval = cell.length > 1 ? `${cell[1].toFixed(metric.digits)} to ${cell[2].toFixed(metric.digits)}` : "";
  if (interval || partial) node.title = [interval && `95 % interval ${interval}`, partial].filter(Boolean).join("; ");
  const strip = end && hasStrip(metric.key);
  const numbers = el("span", { class: strip && view.show === "dots" ? "value hidden" : "value" }, formatNumber(cell[0], metric));
  if (partial) numbers.append(el("span", { class: "partial" }, "*"), el("span", { class: "hidden" }, ` ${partial}`));
  if (interval && wide) numbers.append(el("small", {}, `${cell[1].toFixed(0)}–${cell[2].toFixed(0)}`));
  else if (interval) numbers.append(el("span", { class: "hidden" }, ` (${interval})`));
  node.append(numbers);
  if (strip && view.show !== "numbers") node.append(drawStrip(cell, end));
  return node;
}

function headCell(board, key, label, { says = "", group = "" } = {}) {
  const sorted = sortOf(board) === key;
  const sort = () => {
    view.direction = sortOf(board) === key ? (view.direction === "desc" ? "asc" : "desc") : key === "name" ? "asc" : "desc";
    view.sort = key;
    reorder();
  };
  return el("th", { scope: "col", class: group || null, "data-key": key, "aria-sort": sorted ? (view.direction === "asc" ? "ascending" : "descending") : null },
    el("button", { type: "button", "data-key": key, title: says || null, on: { click: sort } }, label, drawAudit(board, key)));
}

class BoardView {
  constructor(board, number) {
    this.board = board;
    this.rows = new Map();
    this.title = el("h2", { id: `board-${number}` }, benchmarkName(board));
    this.table = el("table", { "aria-labelledby": `board-${number}`, "aria-describedby": `origin-${number}` });
    this.caption = el("p", { class: "scale" });
    this.told = el("p", { class: "origin ordered" });
    this.figure = el("figure", { class: "plots", "aria-label": "The same numbers as dots on their intervals" });
    this.empty = el("p", { class: "note", hidden: true }, "No model in this table fits the filters.");
    this.scroller = el("div", { class: "scroller", tabindex: 0, role: "group", "aria-labelledby": `board-${number}` }, this.table);
    this.node = el("section", { class: board.paper ? "board paper" : "board", "aria-labelledby": `board-${number} origin-${number}` },
      this.title, el("p", { class: "origin", id: `origin-${number}` }, ...describeOrigin(board)), this.told, this.scroller, this.empty, this.caption, this.figure);
    this.allRows = false;
  }

  languages() {
    return this.board.languages.filter((code) => view.languages.includes(code));
  }

  draw() {
    const board = this.board;
    const metric = metricOf(view.metric);
    const codes = this.languages();
    const summaryKeys = present.map((one) => one.key).filter((key) => view.columns.includes(key) && board.rows.some((row) => row.cells[key]));
    const [ordered, why] = chooseOrder(board);
    this.told.textContent = `Ranked by ${ordered === "gated" ? "gated" : "raw"} win rate: ${why}`;
    if (rankedBy(board) === null && board.rows.some((row) => row.ranks[ordered])) this.told.textContent += " Ranks are given for all languages and for each one.";
    this.summaries = new Map(board.rows.map((row) => [row, summarize(board, row, ordered)]));
    const ranks = rankRows(board, this.summaries, ordered);
    const ends = new Map([...summaryKeys, view.metric].filter(hasStrip).map((key) => [key, findEnd(board, key === "gated" || key === "lc" ? "win_rate" : key)]));
    for (const key of ["gated", "lc"]) if (ends.has(key)) ends.set(key, Math.max(ends.get(key), findEnd(board, key)));
    if (ends.has("gated") && ends.has("win_rate")) for (const key of RATES) ends.set(key, Math.max(ends.get("gated"), ends.get("win_rate")));
    const best = (values) => Math.max(...values.filter((value) => value !== null && value !== undefined));
    const bestOf = new Map(codes.map((code) => [code, best(board.rows.map((row) => ((row.cells[view.metric] || {})[code] || [null])[0]))]));
    const marksBest = !["n", "cost", "length", "truncated"].includes(view.metric) && board.rows.length > 1;

    const groups = [];
    for (const code of codes) {
      const name = DATA.languages[code].class;
      if (!groups.length || groups[groups.length - 1][0] !== name) groups.push([name, 0]);
      groups[groups.length - 1][1] += 1;
    }
    const sized = view.columns.includes("size") && board.rows.some((row) => row.billions !== null);
    const averaged = codes.filter((code) => code !== "eng").length;
    const groupRow = el("tr", { class: "groups" }, el("td", { colspan: sized ? 3 : 2 }),
      summaryKeys.length ? el("th", { scope: "colgroup", colspan: summaryKeys.length }, averaged === 1 ? languageName(codes.find((code) => code !== "eng")) : `All ${averaged} languages`) : null,
      ...groups.map(([name, span]) => el("th", { scope: "colgroup", colspan: span, class: "first" }, CLASSES[name] || "Other")));
    let previous = null;
    const head = el("tr", {}, el("th", { scope: "col", class: "rank" }, el("abbr", { title: `Rank by ${metricOf(ordered).label.toLowerCase()}; a range where models cannot be told apart` }, "Rank")),
      headCell(board, "name", "Model", { group: "model" }), sized ? headCell(board, "size", "Size", { says: "Parameters in billions" }) : null,
      ...summaryKeys.map((key) => headCell(board, key, metricOf(key).label, { says: metricOf(key).says, group: RATES.includes(key) ? "wide" : "" })),
      ...codes.map((code) => {
        const first = DATA.languages[code].class !== previous;
        previous = DATA.languages[code].class;
        return headCell(board, code, languageName(code), { says: `${metric.label}, ${languageName(code)}`, group: first ? "first" : "" });
      }));
    this.rows.clear();
    this.drawRow = (row) => this.makeRow(row, { codes, metric, summaryKeys, ranks, ends, bestOf, marksBest, sized });
    this.body = el("tbody", {});
    this.table.replaceChildren(el("thead", {}, groupRow, head), this.body);
    const end = ends.get(view.metric) || ends.get("win_rate");
    this.end = end;
    const notes = [];
    if (end && view.show !== "numbers") {
      notes.push(`Dots lie on a scale from 0 to ${end} %${board.paper ? "" : ", on the band of their 95 % interval"}.`);
      if (end > 50 && view.metric !== "fidelity") notes.push("The upright line marks 50 %, as good as the reference.");
    }
    if (marksBest) notes.push("Bold: best of its column.");
    const apart = board.rows.filter((row) => !isWhole(row)).length;
    if (apart) notes.push(`${apart === 1 ? "One model was" : `${apart} models were`} judged on a part of the prompts only: not ranked.`);
    const partial = board.rows.some((row) => summaryKeys.some((key) => { const found = summarize(board, row, key); return found.cell && !found.complete; }));
    if (partial) notes.push("* over fewer languages than are shown, and ranked below the others.");
    this.caption.textContent = notes.join(" ");
  }

  makeRow(row, { codes, metric, summaryKeys, ranks, ends, bestOf, marksBest, sized }) {
    const name = row.place ? el("a", { href: `models/${encodeURIComponent(row.place)}.html` }, el("bdi", {}, row.name)) : el("bdi", {}, row.name);
    const notes = [row.training, row.tables.length ? `Table ${row.tables.join(", ")}` : ""].filter(Boolean).join(" · ");
    const header = el("th", { scope: "row", class: "model" }, name, notes ? el("small", {}, el("bdi", {}, notes)) : null,
      row.warnings.length ? el("small", { class: "warning", title: row.warnings.join(". ") }, `⚠ see its page: ${row.warnings.length === 1 ? "a warning" : `${row.warnings.length} warnings`}`) : null);
    const line = el("tr", {}, el("td", { class: "rank" }, ranks.get(row) || "–"), header);
    if (sized) line.append(el("td", {}, formatSize(row.billions)));
    for (const key of summaryKeys) {
      const found = summarize(this.board, row, key);
      const partial = found.cell && !found.complete ? `over ${found.count} of ${found.of} languages` : "";
      line.append(drawCell(found.cell, metricOf(key), { end: RATES.includes(key) ? ends.get(key) : 0, partial, wide: RATES.includes(key) }));
    }
    let previous = null;
    for (const code of codes) {
      const cell = (row.cells[view.metric] || {})[code];
      const node = drawCell(cell, metric, { end: ends.get(view.metric), best: marksBest && cell && cell[0] === bestOf.get(code) });
      if (DATA.languages[code].class !== previous) node.classList.add("first");
      previous = DATA.languages[code].class;
      line.append(node);
    }
    return line;
  }

  rowOf(row) {
    if (!this.rows.has(row)) this.rows.set(row, this.drawRow(row));
    return this.rows.get(row);
  }

  order() {
    const shown = this.board.rows.filter(isShown).sort(compareRows(this.board));
    this.shown = shown;
    this.body.replaceChildren(...shown.slice(0, FIRST_ROWS).map((row) => this.rowOf(row)));
    afterPaint(() => {
      if (this.shown !== shown) return; // another order came in between
      this.body.append(...shown.slice(FIRST_ROWS).map((row) => this.rowOf(row)));
      this.table.dataset.complete = "";
    });
    delete this.table.dataset.complete;
    this.scroller.hidden = !shown.length;
    this.empty.hidden = shown.length > 0;
    for (const head of this.table.querySelectorAll("thead th[data-key]")) {
      if (head.dataset.key === sortOf(this.board)) head.setAttribute("aria-sort", view.direction === "asc" ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    }
    drawPlotsLater(this);
    return shown.length;
  }

  // Small multiples: a panel for each language, the same models in the same order on the same scale in each.
  drawPlots() {
    const shown = this.shown;
    const key = hasStrip(view.metric) ? view.metric : "win_rate";
    const codes = this.languages();
    if (!shown.length || !codes.length) return this.figure.replaceChildren();
    const metric = metricOf(key);
    const end = this.end || 100;
    const few = shown.length <= 2;
    const limited = this.allRows ? shown : shown.slice(0, PANEL_ROWS);
    const line = (label, cell, name) =>
      el("li", { "data-name": name }, el("span", { class: "label" }, label), drawStrip(cell, end, { height: 15 }), el("span", { class: "value" }, cell ? formatNumber(cell[0], metric) : "–"));
    const axis = () => el("div", { class: "axis-row", "aria-hidden": "true" }, el("span", {}), drawAxis(end, " %"), el("span", {}));
    let panels;
    if (few) {
      panels = shown.map((row) =>
        el("div", { class: "panel" }, el("h3", {}, el("bdi", {}, row.name)),
          el("ul", {}, ...codes.map((code) => line(languageName(code), (row.cells[key] || {})[code], code))), axis()));
    } else {
      panels = codes.map((code) =>
        el("div", { class: "panel" }, el("h3", {}, languageName(code), el("small", {}, CLASSES[DATA.languages[code].class] || "")),
          el("ul", {}, ...limited.map((row) => line(el("bdi", { title: row.training ? `${row.name} · ${row.training}` : row.name }, row.training ? `${row.name} · ${row.training}` : row.name), (row.cells[key] || {})[code], String(this.board.rows.indexOf(row))))), axis()));
    }
    const more = !few && shown.length > PANEL_ROWS
      ? el("button", { type: "button", on: { click: () => { this.allRows = !this.allRows; this.drawPlots(); } } }, this.allRows ? `First ${PANEL_ROWS} only` : `Show all ${shown.length} models`) : null;
    const caption = el("figcaption", {}, el("h3", {}, few ? `${metric.label} by language` : `${metric.label}, language by language`), more);
    this.figure.replaceChildren(caption, el("div", { class: "panels" }, ...panels));
  }
}

let boards = [];
const waiting = new Set(); // tables whose plots are not drawn yet

// Plots are drawn when there is time, one table after the other, and not when they come into sight: a page whose
// height changes while it is scrolled jumps.
const whenIdle = window.requestIdleCallback ? (work) => requestIdleCallback(work, { timeout: 1000 }) : (work) => setTimeout(work, 50);

function drawPlotsLater(one) {
  delete document.documentElement.dataset.plotted;
  waiting.add(one);
  if (waiting.size === 1) whenIdle(drawNextPlots);
}

function drawNextPlots() {
  const next = boards.find((one) => waiting.has(one));
  if (next) next.drawPlots();
  waiting.delete(next);
  if (waiting.size && next) whenIdle(drawNextPlots);
  else document.documentElement.dataset.plotted = "";
}

let turn = 0;

function announce() {
  const shown = DATA.boards.reduce((sum, board) => sum + board.rows.filter(isShown).length, 0);
  const sort = DATA.boards.length ? sortOf(DATA.boards[0]) : "win_rate";
  const label = sort === "name" ? "model" : sort === "size" ? "size" : DATA.languages[sort] ? languageName(sort) : (metricOf(sort) || metricOf("win_rate")).label;
  byId("status").textContent = `${shown} rows, sorted by ${label}, ${view.direction === "asc" ? "ascending" : "descending"}.`;
}

// What a person sees first is drawn first; the tables below follow when it is on the screen.
function inTurn(work) {
  turn += 1;
  const mine = turn;
  if (boards.length) work(boards[0]);
  afterPaint(() => {
    if (mine === turn) boards.slice(1).forEach(work);
  });
  announce();
  saveView();
}

let stale = false; // whether tables wait to be drawn anew

function reorder() {
  if (stale) return redraw();
  inTurn((one) => one.order());
}

function redraw() {
  stale = true;
  inTurn((one) => {
    one.draw();
    one.order();
    if (one === boards[boards.length - 1]) stale = false;
  });
}

function drawControls() {
  byId("query").value = view.query;
  byId("size").replaceChildren(...SIZES.map(([value, label]) => el("option", { value, selected: value === view.size }, label)));
  const trainings = new Set(DATA.boards.flatMap((board) => board.rows.map((row) => (row.training || "none").split(/ \d|,/)[0])));
  byId("training").replaceChildren(...[["", "any"], ...[...trainings].sort().map((one) => [one, one])].map(([value, label]) => el("option", { value, selected: value === view.training }, label)));
  byId("metric").replaceChildren(...present.map((metric) => el("option", { value: metric.key, selected: metric.key === view.metric }, metric.label)));
  drawSegments(byId("views"), "view", VIEWS, view.show, (value) => { view.show = value; redraw(); });
  drawLanguages(byId("languages"), ALL_LANGUAGES, "checkbox", view.languages, (event) => {
    const chosen = [...byId("languages").querySelectorAll("input:checked")].map((input) => input.value);
    if (!chosen.length) event.target.checked = true; // a table without languages says nothing
    else view.languages = chosen;
    redraw();
  });
  byId("columns").replaceChildren(...[["size", "Size"], ...present.map((metric) => [metric.key, metric.label])].map(([key, label]) =>
    el("label", {}, el("input", { type: "checkbox", value: key, checked: view.columns.includes(key), on: { change: () => {
      view.columns = [...byId("columns").querySelectorAll("input:checked")].map((input) => input.value);
      redraw();
    } } }), ` ${label}`)));
}

function setUp() {
  if (matchMedia("(max-width: 640px)").matches) byId("filters").open = false;
  byId("controls").addEventListener("submit", (event) => event.preventDefault());
  byId("query").addEventListener("input", (event) => { view.query = event.target.value; reorder(); });
  byId("size").addEventListener("change", (event) => { view.size = event.target.value; reorder(); });
  byId("training").addEventListener("change", (event) => { view.training = event.target.value; reorder(); });
  byId("metric").addEventListener("change", (event) => { view.metric = event.target.value; redraw(); });
  byId("controls").addEventListener("reset", (event) => {
    event.preventDefault();
    history.replaceState(null, "", "#");
    loadView();
    drawControls();
    redraw();
  });
  byId("link").addEventListener("click", async (event) => {
    try {
      await navigator.clipboard.writeText(location.href);
      event.target.textContent = "Copied";
    } catch {
      event.target.textContent = "The address bar has it";
    }
    setTimeout(() => (event.target.textContent = "Copy link to this view"), 2000);
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && document.querySelector("details.columns[open]")) {
      document.querySelector("details.columns").open = false;
      document.querySelector("details.columns summary").focus();
    }
  });
  const mark = (event) => {
    const item = event.target.closest && event.target.closest(".panel li");
    for (const other of document.querySelectorAll(".panel li.marked")) other.classList.remove("marked");
    if (item) for (const other of item.closest("figure").querySelectorAll(".panel li")) other.classList.toggle("marked", other.dataset.name === item.dataset.name);
  };
  document.addEventListener("pointerover", mark);
  window.addEventListener("beforeprint", () => { for (const one of boards) one.drawPlots(); });
  window.addEventListener("hashchange", () => { loadView(); drawControls(); redraw(); });
  byId("compare").hidden = !DATA.boards.some((board) => !board.paper && board.rows.length > 1);
  byId("glossary").replaceChildren(...present.flatMap((metric) => [el("dt", {}, metric.label), el("dd", {}, `${metric.says}.`)]));
}

setUpPage("boards");
loadView();
drawControls();
setUp();
boards = DATA.boards.map((board, number) => new BoardView(board, number));
byId("boards").replaceChildren(...boards.map((one) => one.node));
redraw();
if (DATA.live) startLive();
