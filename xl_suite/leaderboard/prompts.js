// The prompts of one or two models: loads their data, filters and lists them, and shows the answers of one prompt.

const fileOf = (folder, code) => `${folder}${encodeURIComponent(code || "all")}`;
const loadSide = (folder, code) => load(`${fileOf(folder, code)}.js`);
const loadValues = (folder) => load(`${folder}values.js`);
const loadPrompts = (digest) => load(`${DATA.root}prompts/${encodeURIComponent(digest)}.js`);

const readVerdict = (packed) => (packed ? { verdict: packed[0], note: packed[1], lines: packed[2] } : null);

// The rows that all sides have, as items {key, id, run, dataset, instruction, expected, reference, sides}.
function joinSides(prompts, sides) {
  const places = sides.map((side) => new Map(side.keys.map((key, at) => [`${side.run ? side.run[at] : 0} ${key}`, at])));
  const known = new Map(prompts.keys.map((key, at) => [key, at]));
  const repeats = sides.map((side) => countTexts(side.output));
  const items = [];
  for (const [mark, first] of places[0]) {
    const rows = places.map((one) => one.get(mark));
    const key = sides[0].keys[first];
    const at = known.get(key);
    if (at === undefined || rows.some((row) => row === undefined)) continue;
    items.push({
      key, id: typeof key === "number" ? key : null, run: sides[0].run ? sides[0].run[first] : 0,
      dataset: prompts.dataset[at], instruction: prompts.instruction[at], expected: prompts.expected[at],
      reference: { output: prompts.reference[at], verdict: readVerdict(prompts.verdict[at]), finish_reason: prompts.finish_reason[at] },
      sides: sides.map((side, number) => readSide(side, rows[number], repeats[number])),
    });
  }
  items.forEach((item, place) => { item.place = place; });
  return items;
}

function readSide(side, row, repeats) {
  const output = side.output[row];
  const verdict = readVerdict(side.verdict[row]);
  const flags = [];
  if (side.preference[row] === null) flags.push("verdict of the judge not read");
  if (side.finish_reason[row] === "length") flags.push("cut off by the token limit");
  if (side.finish_reason[row] === "withheld") flags.push("withheld");
  if (!output.trim()) flags.push("empty");
  else if (repeats.get(output) > 1) flags.push(`repeated: ${repeats.get(output)} answers are this text`);
  for (const flag of (side.flags && side.flags[row]) || []) flags.push(flag);
  return {
    output, verdict, flags, preference: side.preference[row], gated: side.gated[row], order: side.order[row],
    by_order: side.by_order ? side.by_order[row] : null, finish_reason: side.finish_reason[row],
  };
}

function countTexts(texts) {
  const counts = new Map();
  for (const text of texts) counts.set(text, (counts.get(text) || 0) + 1);
  return counts;
}

// Whether the judge decides otherwise with the answers in the other order, or another judge decides otherwise.
const winner = (share) => (share === null || share === undefined ? null : Math.sign(share - 0.5));
function disagrees(item) {
  return item.sides.some((side) => {
    const found = Object.values(side.by_order || {}).map(winner).filter((one) => one !== null);
    const others = (side.others || []).map(winner).filter((one) => one !== null);
    return new Set(found).size > 1 || others.some((one) => one !== winner(side.preference) && side.preference !== null);
  });
}

const LANGUAGE_VERDICTS = {
  right: "right language", wrong: "wrong language", mixed: "mixed languages", empty: "empty",
  undetermined: "language not to be told", withheld: "withheld", failed: "failed",
};
const LENGTHS = [
  ["", "any", () => true],
  ["0-200", "up to 200 characters", (one) => one <= 200],
  ["200-1000", "200 to 1,000", (one) => one > 200 && one <= 1000],
  ["1000-3000", "1,000 to 3,000", (one) => one > 1000 && one <= 3000],
  ["3000-", "over 3,000", (one) => one > 3000],
  ["short", "under half the reference", (one, other) => 2 * one < other],
  ["long", "over twice the reference", (one, other) => one > 2 * other],
];
const ORDERS = [["", "by number"], ["worst", "worst first"], ["best", "best first"], ["long", "longest first"], ["short", "shortest first"]];

// What the filters keep. view: the state of the controls. Of two models it is enough that one of them fits.
function isKept(item, view) {
  if (view.found === undefined || view.found.text !== view.query) view.found = { text: view.query, words: view.query.toLowerCase().split(/\s+/).filter(Boolean) };
  const { words } = view.found;
  if (words.length) {
    if (item.lower === undefined) item.lower = [item.instruction, item.reference.output, ...item.sides.map((side) => side.output)].join("\n").toLowerCase();
    if (!words.every((word) => (/^#\d+$/.test(word) ? word === `#${item.id}` : item.lower.includes(word)))) return false;
  }
  if (view.dataset && item.dataset !== view.dataset) return false;
  if (view.verdict && !item.sides.some((side) => (side.verdict ? side.verdict.verdict : "") === view.verdict)) return false;
  if (view.length) {
    const fits = LENGTHS.find(([name]) => name === view.length)[2];
    if (!item.sides.some((side) => fits(side.output.length, item.reference.output.length))) return false;
  }
  if (view.disagree && !disagrees(item)) return false;
  return !view.flagged || item.sides.some((side) => side.flags.length);
}

function sortItems(items, order, value) {
  const length = (item) => Math.max(...item.sides.map((side) => side.output.length));
  const by = { worst: (item) => value(item), best: (item) => -value(item), long: (item) => -length(item), short: length }[order];
  if (!by) return items;
  const keys = new Map(items.map((item) => [item, by(item)]));
  return [...items].sort((a, b) => {
    const [one, other] = [keys.get(a), keys.get(b)];
    if (Number.isNaN(one) || Number.isNaN(other)) return Number.isNaN(one) - Number.isNaN(other) || a.place - b.place;
    return one - other || a.place - b.place;
  });
}

// A list of which only the rows on the screen are in the page; it keeps its height however long it is.
class VirtualList {
  constructor(holder, { label, draw, choose }) {
    this.draw = draw;
    this.choose = choose;
    this.items = [];
    this.at = -1;
    this.list = el("div", { class: "list", role: "listbox", tabindex: 0, "aria-label": label, on: { keydown: (event) => this.key(event), click: (event) => this.click(event) } });
    this.scroller = el("div", { class: "list-scroller", on: { scroll: () => this.show() } }, this.list);
    this.none = el("p", { class: "note", hidden: true }, "No prompt fits the filters.");
    holder.replaceChildren(this.scroller, this.none);
    this.probe();
    new ResizeObserver(() => { this.probe(); this.show(); }).observe(this.scroller);
  }

  probe() {
    this.height = parseFloat(getComputedStyle(this.list).getPropertyValue("--row")) || 64;
  }

  set(items) {
    this.items = items;
    this.list.style.height = `${items.length * this.height}px`;
    this.scroller.hidden = !items.length;
    this.none.hidden = items.length > 0;
    this.first = null;
    this.show();
  }

  show() {
    const from = Math.max(0, Math.floor(this.scroller.scrollTop / this.height) - 6);
    const to = Math.min(this.items.length, Math.ceil((this.scroller.scrollTop + this.scroller.clientHeight) / this.height) + 6);
    if (this.first === from && this.last === to) return;
    [this.first, this.last] = [from, to];
    const rows = [];
    for (let at = from; at < to; at += 1) {
      const row = el("div", { class: "row", role: "option", id: `row-${at}`, "aria-selected": at === this.at ? "true" : "false", "aria-setsize": this.items.length, "aria-posinset": at + 1, "data-at": at },
        ...this.draw(this.items[at]));
      row.style.top = `${at * this.height}px`;
      rows.push(row);
    }
    this.list.replaceChildren(...rows);
    this.mark();
  }

  mark() {
    for (const row of this.list.children) row.setAttribute("aria-selected", Number(row.dataset.at) === this.at ? "true" : "false");
    if (this.at >= this.first && this.at < this.last) this.list.setAttribute("aria-activedescendant", `row-${this.at}`);
    else this.list.removeAttribute("aria-activedescendant");
  }

  select(at, { tell = true } = {}) {
    if (!this.items.length) {
      this.at = -1;
      return this.choose(null);
    }
    this.at = Math.min(Math.max(at, 0), this.items.length - 1);
    const top = this.at * this.height;
    const { scrollTop, clientHeight } = this.scroller;
    if (top < scrollTop) this.scroller.scrollTop = top;
    else if (top + this.height > scrollTop + clientHeight) this.scroller.scrollTop = top + this.height - clientHeight;
    this.show();
    this.mark();
    if (tell) this.choose(this.items[this.at]);
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / this.height) - 1);
    const to = { ArrowDown: this.at + 1, ArrowUp: this.at - 1, PageDown: this.at + page, PageUp: this.at - page, Home: 0, End: this.items.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.select(to);
  }

  click(event) {
    const row = event.target.closest(".row");
    if (row) this.select(Number(row.dataset.at));
  }
}

// The controls, the list and the prompt that is shown. draw: (item) -> nodes of a row and of the detail; more: further
// filters [name, label, choices, test]; value: (item) -> what `worst first` sorts by.
class PromptBrowser {
  constructor({ view, drawRow, drawItem, more = [], value, save, describe }) {
    Object.assign(this, { view, drawItem, more, value, save, describe });
    this.items = [];
    this.list = new VirtualList(byId("list"), { label: "Prompts", draw: drawRow, choose: (item) => this.show(item) });
    this.fields = byId("fields");
  }

  // The data of a language came: fills the choices with what there is.
  fill(items) {
    this.items = items;
    const { view } = this;
    const choice = (name, label, choices) => {
      if (!choices.some(([value]) => value === view[name])) view[name] = "";
      return el("label", {}, `${label} `, el("select", { "data-name": name, on: { change: (event) => { view[name] = event.target.value; this.apply(); } } },
        ...choices.map(([value, text]) => el("option", { value, selected: value === view[name] }, text))));
    };
    const box = (name, label) =>
      el("label", {}, el("input", { type: "checkbox", "data-name": name, checked: view[name], on: { change: (event) => { view[name] = event.target.checked; this.apply(); } } }), ` ${label}`);
    const verdicts = new Set(items.flatMap((item) => item.sides.map((side) => (side.verdict ? side.verdict.verdict : ""))).filter(Boolean));
    const datasets = [...new Set(items.map((item) => item.dataset).filter(Boolean))].sort();
    const parts = [el("label", {}, "Search ", el("input", { type: "search", id: "query", value: view.query, placeholder: "words, or #12", autocomplete: "off", spellcheck: "false", on: { input: (event) => { view.query = event.target.value; this.apply(); } } }))];
    for (const [name, label, choices] of this.more) parts.push(choice(name, label, choices));
    if (verdicts.size) parts.push(choice("verdict", "Language verdict", [["", "any"], ...Object.entries(LANGUAGE_VERDICTS).filter(([one]) => verdicts.has(one))]));
    if (datasets.length > 1) parts.push(choice("dataset", "Dataset", [["", "any"], ...datasets.map((one) => [one, one])]));
    parts.push(choice("length", "Length", LENGTHS), choice("order", "Order", ORDERS));
    if (items.some((item) => item.sides.some((side) => side.by_order || (side.others || []).length))) parts.push(box("disagree", "Judges disagree"));
    else view.disagree = false;
    parts.push(box("flagged", "Flagged"));
    this.fields.replaceChildren(...parts);
    this.apply();
  }

  apply() {
    const kept = this.items.filter((item) => isKept(item, this.view) && this.more.every(([name, , , test]) => !this.view[name] || test(item, this.view[name])));
    const sorted = sortItems(kept, this.view.order, this.value);
    this.list.set(sorted);
    const at = sorted.findIndex((item) => markOf(item) === this.view.prompt);
    byId("status").replaceChildren(...this.describe(sorted.length, this.items.length));
    this.list.select(Math.max(at, 0));
  }

  show(item) {
    if (item) this.view.prompt = markOf(item);
    byId("detail").replaceChildren(...(item ? this.drawItem(item) : []));
    this.save();
  }

  step(by) {
    this.list.select(this.list.at + by);
  }
}

// What names a prompt in an address: its number, or its place where it has none; and the run.
const markOf = (item) => `${item.id === null ? `n${item.place + 1}` : item.id}${item.run ? `.${item.run + 1}` : ""}`;
const nameOf = (item) => `${item.id === null ? `Prompt ${item.place + 1} of the file` : `Prompt ${item.id}`}${item.run ? `, run ${item.run + 1}` : ""}`;

function readFilters(given) {
  return {
    query: given.get("q") || "", verdict: given.get("verdict") || "", dataset: given.get("dataset") || "",
    length: LENGTHS.some(([one]) => one === given.get("length")) ? given.get("length") : "",
    order: ORDERS.some(([one]) => one === given.get("order")) ? given.get("order") : "",
    disagree: given.get("disagree") === "yes", flagged: given.get("flagged") === "yes", prompt: given.get("prompt") || "",
  };
}

const writeFilters = (view) => [
  ["q", view.query], ["verdict", view.verdict], ["dataset", view.dataset], ["length", view.length], ["order", view.order],
  ["disagree", view.disagree ? "yes" : ""], ["flagged", view.flagged ? "yes" : ""], ["prompt", view.prompt],
];

function drawVerdict(verdict) {
  if (!verdict) return el("span", { class: "verdict" }, "language not looked at");
  return el("span", { class: `verdict ${LANGUAGE_VERDICTS[verdict.verdict] ? verdict.verdict : ""}` }, LANGUAGE_VERDICTS[verdict.verdict] || "", verdict.note ? el("bdi", {}, ` (${verdict.note})`) : null);
}

const LONGEST_EXCERPT = 120; // characters; longer passages come cut
const SHOWN_CHARACTERS = 6000; // of one text, until the rest is asked for

// Where a marked passage ends in its line: with its sentence, if it was cut, and with the sign that closes it.
function findEnd(line, end, cut) {
  if (cut) {
    const rest = line.slice(end).search(/[.!?。！？।…]/);
    end = rest < 0 ? line.length : end + rest;
  }
  while (/[.!?。！？।…"»”]/.test(line.charAt(end))) end += 1;
  return end;
}

// A text line by line; the passages that the verdict rests on are marked with the language that was found.
function drawText(text, verdict, target, tag) {
  const marks = new Map();
  for (const [line, code, probability, excerpt] of (verdict && verdict.lines) || []) {
    if (!marks.has(line)) marks.set(line, []);
    const foreign = verdict.verdict === "wrong" || (verdict.verdict === "mixed" && code !== target);
    marks.get(line).push({ code, probability, excerpt, foreign });
  }
  const holder = el("ol", { class: "text", lang: tag });
  text.split("\n").forEach((line, at) => {
    const item = el("li", { dir: "auto" });
    let written = 0;
    const own = marks.get(at + 1) || [];
    const places = own.map((mark) => ({ ...mark, start: line.indexOf(mark.excerpt) })).sort((a, b) => a.start - b.start);
    for (const { code, probability, excerpt, foreign, start } of places) {
      if (start >= 0 && start < written) continue; // within what is marked already
      const from = start >= 0 ? start : written;
      const to = start >= 0 ? findEnd(line, start + excerpt.length, excerpt.length >= LONGEST_EXCERPT) : line.length;
      if (from === to) continue;
      const kind = foreign ? "foreign" : "own";
      item.append(line.slice(written, from), el("mark", { class: kind, lang: languageTag(code) }, line.slice(from, to)),
        el("span", { class: `found ${kind}`, lang: "en", dir: "ltr" }, `${languageName(code)} ${Math.floor(probability * 100)} %`));
      written = to;
    }
    item.append(line.slice(written) || (item.childNodes.length ? "" : "\u200b"));
    holder.append(item);
  });
  return holder;
}

function drawPreference(preference, name = "the model") {
  if (preference === null || preference === undefined) return el("span", { class: "preference" }, "The judge’s verdict was not read");
  const share = Math.round(preference * 100);
  const words = share === 50 ? "The judge sees no difference" : share > 50 ? `The judge prefers ${name}, ${share} %` : `The judge prefers the reference, ${100 - share} %`;
  return el("span", { class: "preference" }, drawShare(preference), el("bdi", {}, words));
}

// From the left end (the reference wins) to the right one (the model wins).
function drawShare(preference, width = 120) {
  const across = (share) => 6 + (width - 12) * share;
  const drawing = svg("svg", { class: "scale-strip", width, height: 16, "aria-hidden": "true", focusable: "false" },
    svg("line", { class: "base", x1: 6, x2: width - 6, y1: 8, y2: 8 }), svg("line", { class: "parity", x1: across(0.5), x2: across(0.5), y1: 2, y2: 14 }));
  if (preference !== null && preference !== undefined)
    drawing.append(svg("line", { class: "interval", x1: across(0.5), x2: across(preference), y1: 8, y2: 8 }), svg("circle", { class: "dot", cx: across(preference), cy: 8, r: 4 }));
  return drawing;
}

// What the gate makes of the preference, in words.
function describeGate(side) {
  if (side.gated === null || side.gated === undefined) return side.preference === null ? "" : "Not gated.";
  if (side.gated === side.preference) return "The gate keeps the judge’s preference.";
  return side.gated === 0 ? "Gated: the model loses, whatever the judge thought." : side.gated === 1 ? "Gated: the reference fails, so the model wins." : "Gated: a draw.";
}

// One answer; text: (shown text) -> node, by default with the passages of the language verdict.
function drawAnswer(title, name, side, target, { text = null, children = [] } = {}) {
  const tag = languageTag(target);
  const holder = el("div", { class: "answer" },
    el("h4", {}, el("span", { class: "role" }, title), el("bdi", { class: "name" }, name), drawVerdict(side.verdict),
      el("span", { class: "role" }, `${side.output.length.toLocaleString("en-US")} characters`),
      side.finish_reason === "length" ? el("span", { class: "verdict mixed" }, "cut off by the token limit") : null),
    ...children);
  const draw = text || ((shown) => drawText(shown, side.verdict, target, tag));
  if (!side.output.trim()) holder.append(el("p", { class: "none" }, "Empty."));
  else if (side.output.length <= SHOWN_CHARACTERS) holder.append(draw(side.output));
  else {
    const part = draw(side.output.slice(0, SHOWN_CHARACTERS));
    const more = el("button", { type: "button", class: "quiet", on: { click: () => { part.replaceWith(draw(side.output)); more.remove(); } } },
      `Show all ${side.output.length.toLocaleString("en-US")} characters`);
    holder.append(part, more);
  }
  return holder;
}

// The heading of the prompt that is shown, with the buttons that step through the list, and the raw record.
function drawHead(item, browser, notes) {
  return el("div", { class: "head" },
    el("h3", { id: "prompt-title" }, nameOf(item), item.dataset ? el("small", {}, el("bdi", {}, item.dataset)) : null),
    el("span", { class: "steps" },
      el("button", { type: "button", class: "quiet", disabled: browser.list.at <= 0, on: { click: () => { browser.step(-1); } } }, "Previous"),
      el("button", { type: "button", class: "quiet", disabled: browser.list.at >= browser.list.items.length - 1, on: { click: () => { browser.step(1); } } }, "Next"),
      el("button", { type: "button", class: "quiet", on: { click: copyAddress } }, "Copy link")),
    ...notes);
}

async function copyAddress(event) {
  const button = event.currentTarget;
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(location.href);
    button.textContent = "Copied";
  } catch {
    button.textContent = "The address bar has it";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
}

const drawPrompt = (item) =>
  el("div", { class: "prompt", tabindex: 0, role: "group", "aria-label": "Prompt" }, ...item.instruction.split("\n").map((line) => el("p", { dir: "auto" }, line || "\u200b")));

function drawRaw(record, files) {
  const holder = el("details", { class: "raw" }, el("summary", {}, "Raw JSON"));
  holder.addEventListener("toggle", () => {
    if (holder.open && holder.children.length === 1)
      holder.append(el("p", { class: "scale" }, ...files), el("pre", { tabindex: 0, role: "group", "aria-label": "Raw JSON" }, JSON.stringify(record, null, 2)));
  });
  return holder;
}

function tellLoading(promise, what) {
  const status = byId("status");
  const timer = setTimeout(() => status.replaceChildren(`Loading ${what} …`), 150);
  return promise.finally(() => clearTimeout(timer)).catch((error) => {
    status.replaceChildren(`${what} could not be loaded: ${error.message} is missing. The folder of the page has to be kept whole.`);
    throw error;
  });
}
