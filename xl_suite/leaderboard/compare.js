// Two models side by side: paired differences by language, and both answers to each prompt.

const WINNERS = [
  ["", "any"], ["a", "A better than B"], ["b", "B better than A"], ["same", "no difference"],
  ["only-a", "only A beats the reference"], ["only-b", "only B beats the reference"],
];
const RATES = [["raw", "raw"], ["gated", "gated"]];
const MARKED = [["differences", "differences"], ["languages", "languages"]];
const view = {};
let browser = null;
let compared = 0; // counts comparisons, so that an older one is not shown

const rowsOf = (board) => DATA.boards[board].rows;

function loadView() {
  const given = readView();
  const find = (board, place) => rowsOf(board).findIndex((row) => row.place === place);
  const boards = DATA.boards.map((_, at) => at);
  const asked = Number(given.get("board") || -1);
  const fits = (board) => ["a", "b"].every((side) => !given.get(side) || find(board, given.get(side)) >= 0);
  view.board = boards.includes(asked) ? asked : boards.find(fits) || 0;
  const rows = rowsOf(view.board);
  view.a = Math.max(find(view.board, given.get("a")), 0);
  view.b = find(view.board, given.get("b"));
  if (view.b < 0 || view.b === view.a) view.b = rows.findIndex((_, at) => at !== view.a);
  const codes = rows[view.a].codes.filter((code) => view.b >= 0 && rows[view.b].codes.includes(code));
  const order = DATA.boards[view.board].languages;
  view.codes = [...order.filter((code) => codes.includes(code)), ...codes.filter((code) => !order.includes(code))];
  view.language = view.codes.includes(given.get("language")) ? given.get("language") : view.codes[0];
  view.rates = given.get("rates") === "gated" ? "gated" : "raw";
  view.marked = given.get("marked") === "languages" ? "languages" : "differences";
  Object.assign(view, readFilters(given));
  view.winner = WINNERS.some(([one]) => one === given.get("won")) ? given.get("won") : "";
}

function saveView() {
  const rows = rowsOf(view.board);
  writeView([
    ["board", view.board ? String(view.board) : ""], ["a", rows[view.a].place], ["b", view.b < 0 ? "" : rows[view.b].place],
    ["language", view.language === view.codes[0] ? "" : view.language], ["rates", view.rates === "raw" ? "" : view.rates],
    ["marked", view.marked === "differences" ? "" : view.marked], ["won", view.winner], ...writeFilters(view),
  ]);
}

const share = (side) => (view.rates === "gated" ? side.gated : side.preference);

function winnerOf(item) {
  const [a, b] = item.sides.map(share);
  if (a === null || b === null || a === undefined || b === undefined) return [];
  const found = [a > b ? "a" : a < b ? "b" : "same"];
  if (a > 0.5 && b <= 0.5) found.push("only-a");
  if (b > 0.5 && a <= 0.5) found.push("only-b");
  return found;
}

const signed = (value, digits = 1) => (value === null ? "–" : `${value > 0 ? "+" : ""}${value.toFixed(digits)}`);
const tellP = (p) => (p === null ? "–" : p < 0.001 ? "< .001" : p.toFixed(3).replace(/^0/, ""));

// The difference as a dot on its interval around 0; gated as a ring.
function drawDifference(raw, gated, end) {
  const across = (value) => place(Math.min(Math.max(value, -end), end) + end, 2 * end);
  const drawing = svg("svg", { class: "strip", width: "100%", height: 22, "aria-hidden": "true", focusable: "false" },
    svg("line", { class: "parity", x1: across(0), x2: across(0), y1: 0, y2: 22 }));
  if (raw && raw.difference !== null) drawing.append(svg("line", { class: "interval", x1: across(raw.ci_low), x2: across(raw.ci_high), y1: 11, y2: 11 }));
  if (gated && gated.difference !== null) drawing.append(svg("circle", { class: "ghost", cx: across(gated.difference), cy: 11, r: 3 }));
  if (raw && raw.difference !== null) drawing.append(svg("circle", { class: "dot", cx: across(raw.difference), cy: 11, r: 2.7 }));
  return drawing;
}

function drawTable(found) {
  const kinds = Object.keys(found);
  const lines = [...view.codes.map((code) => [code, kinds.map((kind) => found[kind].languages[code])]), ...(found[kinds[0]].overall ? [[AVERAGE, kinds.map((kind) => found[kind].overall)]] : [])];
  const end = roundUp(Math.max(1, ...lines.flatMap(([, cells]) => cells.flatMap((cell) => (cell.difference === null ? [] : [Math.abs(cell.ci_low), Math.abs(cell.ci_high)])))));
  const cellsOf = (one, code) => [
    el("td", { class: "first" }, one.win_rate_a === null ? "–" : one.win_rate_a.toFixed(1)), el("td", {}, one.win_rate_b === null ? "–" : one.win_rate_b.toFixed(1)),
    el("td", { class: "number", title: one.smallest_detectable === null ? null : `So many prompts show a difference of ${one.smallest_detectable.toFixed(1)} points 4 times in 5` },
      signed(one.difference), one.ci_low === null ? null : el("small", {}, ` ${signed(one.ci_low)} to ${signed(one.ci_high)}`)),
    el("td", { class: "number" }, tellP(code === AVERAGE ? one.p_value : one.p_holm)),
  ];
  const body = el("tbody", {}, ...lines.map(([code, cells]) =>
    el("tr", { class: code === AVERAGE ? "average" : null },
      el("th", { scope: "row", class: "model" }, code === AVERAGE || code === view.language ? languageName(code) : el("button", { type: "button", class: "quiet", on: { click: () => chooseLanguage(code) } }, languageName(code))),
      el("td", {}, String(cells[0].n)), ...cells.flatMap((one) => cellsOf(one, code)), el("td", { class: "plot" }, drawDifference(cells[0], cells[1], end)))));
  const head = [
    el("tr", { class: "groups" }, el("td", { colspan: 2 }), ...kinds.map((kind) => el("th", { scope: "colgroup", colspan: 4, class: "first" }, kind === "raw" ? "Win rate" : "Gated win rate")), el("td", {})),
    el("tr", {}, el("th", { scope: "col", class: "model" }, "Language"), el("th", { scope: "col" }, "n"),
      ...kinds.flatMap(() => [el("th", { scope: "col", class: "first" }, "A"), el("th", { scope: "col" }, "B"), el("th", { scope: "col" }, "A − B, 95 % interval"), el("th", { scope: "col" }, "p")]),
      el("th", { scope: "col", class: "plot" }, el("span", { class: "hidden" }, "Difference as a dot, gated as a ring"), el("span", { "aria-hidden": "true" }, `−${end} to +${end}`))),
  ];
  const table = el("table", { class: "scores", "aria-labelledby": "scores-title", "aria-describedby": "origin" }, el("thead", {}, ...head), body);
  byId("scores").replaceChildren(el("div", { class: "scroller", tabindex: 0, role: "group", "aria-labelledby": "scores-title" }, table),
    el("p", { class: "scale" }, "Percent points over the prompts that both have. Intervals and tests are over prompts, as in “xl-suite compare”; p of a language is corrected for the number of languages (Holm)."));
}

async function drawScores() {
  compared += 1;
  const mine = compared;
  const rows = rowsOf(view.board);
  byId("scores").replaceChildren(el("p", { class: "scale" }, "Comparing …"));
  const [one, other] = await tellLoading(Promise.all([loadValues(rows[view.a].answers), loadValues(rows[view.b].answers)]), "the preferences");
  const gated = view.codes.some((code) => one.languages[code].gated && other.languages[code].gated);
  if (mine !== compared) return; // others were chosen meanwhile
  drawTable(compareModels(one, other, gated ? ["raw", "gated"] : ["raw"], view.codes));
  document.documentElement.dataset.compared = `${rows[view.a].place} ${rows[view.b].place}`;
}

function drawRow(item) {
  const [a, b] = item.sides.map(share);
  const winner = winnerOf(item)[0];
  return [
    el("span", { class: "number" }, item.id === null ? `n${item.place + 1}` : String(item.id)),
    el("span", { class: "line", dir: "auto" }, item.instruction.slice(0, 160)),
    el("span", { class: "marks" }, el("span", {}, "A "), drawShare(a, 56), el("span", {}, "B "), drawShare(b, 56),
      el("span", {}, winner === undefined ? "not read" : winner === "same" ? "same" : winner === "a" ? "A better" : "B better")),
  ];
}

function drawParts(parts, tag) {
  const holder = el("div", { class: "text plain", lang: tag, dir: "auto" });
  for (const [text, differs] of parts) holder.append(differs && text.trim() ? el("mark", { class: "differs" }, text) : text);
  return holder;
}

function drawItem(item) {
  const board = DATA.boards[view.board];
  const rows = [view.a, view.b].map((at) => rowsOf(view.board)[at]);
  const tag = languageTag(view.language);
  const [a, b] = item.sides;
  const marked = view.marked === "differences" ? markDifferences(a.output, b.output, tag) : null;
  const answer = (at) => {
    const side = item.sides[at];
    const text = marked ? (shown) => drawParts(cutParts(marked[at], shown.length), tag) : null;
    return drawAnswer(at ? "B" : "A", rows[at].name, side, view.language, { text, children: [drawPreference(side.preference, at ? "B" : "A"), el("p", { class: "scale" }, describeGate(side))] });
  };
  const segments = el("span", {});
  drawSegments(segments, "marked", MARKED, view.marked, (value) => { view.marked = value; browser.show(item); });
  const record = {
    id: item.id, run: item.run, language: view.language, dataset: item.dataset, expected: item.expected, instruction: item.instruction, reference: item.reference.output,
    answers: item.sides.map((side, at) => ({ generator: rows[at].name, output: side.output, preference: side.preference, gated_preference: side.gated, order: side.order, verdict: side.verdict, finish_reason: side.finish_reason, flags: side.flags })),
  };
  return [
    drawHead(item, browser, [el("fieldset", { class: "segments" }, el("legend", {}, "Mark"), segments),
      view.marked === "differences" && !marked ? el("p", { class: "scale" }, "The answers are too long to mark their differences.") : null].filter(Boolean)),
    drawPrompt(item),
    el("div", { class: "pair" }, answer(0), answer(1)),
    el("details", { class: "raw", open: view.reference, on: { toggle: (event) => { view.reference = event.target.open; } } }, el("summary", {}, "The reference’s answer"),
      drawAnswer("Reference", board.reference, item.reference, view.language)),
    drawRaw(record, rows.map((row, at) => el("a", { class: "file", href: `${fileOf(row.answers, view.language)}.json` }, `All answers of ${at ? "B" : "A"} as JSON`))),
  ];
}

// The parts of a text up to a number of characters.
function cutParts(parts, length) {
  const kept = [];
  let left = length;
  for (const [text, differs] of parts) {
    if (left <= 0) break;
    kept.push([text.slice(0, left), differs]);
    left -= text.length;
  }
  return kept;
}

async function drawPrompts() {
  const rows = rowsOf(view.board);
  const [asked, a, b] = [view.language, rows[view.a], rows[view.b]];
  const sides = await tellLoading(Promise.all([a, b].map((row) => loadSide(row.answers, asked))), `the answers in ${languageName(asked)}`);
  const prompts = await tellLoading(loadPrompts(sides[0].prompts), "the prompts");
  if (asked !== view.language || a !== rowsOf(view.board)[view.a] || b !== rowsOf(view.board)[view.b]) return; // another was chosen
  browser.fill(joinSides(prompts, sides));
  document.documentElement.dataset.ready = `${a.place} ${b.place} ${asked}`;
}

function chooseLanguage(code) {
  view.language = code;
  saveView();
  drawLanguages(byId("languages"), view.codes, "radio", [view.language], (event) => chooseLanguage(event.target.value));
  drawPrompts();
}

function drawChoices() {
  const rows = rowsOf(view.board);
  const names = [...rows.keys()].sort((a, b) => rows[a].name.localeCompare(rows[b].name));
  for (const side of ["a", "b"]) byId(side).replaceChildren(...names.map((at) => el("option", { value: at, selected: at === view[side] }, rows[at].name)));
  byId("board").replaceChildren(...DATA.boards.map((board, at) => el("option", { value: at, selected: at === view.board }, `${benchmarkName(board)}: ${board.judge}${board.method ? `, ${board.method}` : ""}, against ${board.reference}`)));
  byId("board-label").hidden = DATA.boards.length < 2;
  for (const side of ["a", "b"]) {
    const row = view[side] < 0 ? null : rows[view[side]];
    byId(`link-${side}`).replaceChildren(...(row ? [el("a", { href: `models/${encodeURIComponent(row.place)}.html` }, el("bdi", {}, row.name))] : ["–"]));
  }
}

function draw() {
  loadView();
  drawChoices();
  byId("origin").replaceChildren(el("span", {}, `${benchmarkName(DATA.boards[view.board])}. `), ...describeOrigin(DATA.boards[view.board]));
  drawSegments(byId("rates"), "rates", RATES, view.rates, (value) => { view.rates = value; saveView(); browser.apply(); });
  byId("prompts").hidden = view.b < 0 || !view.codes.length;
  if (byId("prompts").hidden) {
    byId("scores").replaceChildren(el("p", { class: "note" }, view.b < 0 ? "This table has one model only: there is none to compare it with." : "The two have no language in common."));
    return;
  }
  drawLanguages(byId("languages"), view.codes, "radio", [view.language], (event) => chooseLanguage(event.target.value));
  drawScores();
  drawPrompts();
}

function chooseModels() {
  const rows = rowsOf(view.board);
  writeView([["board", view.board ? String(view.board) : ""], ["a", rows[view.a].place], ["b", view.b < 0 ? "" : rows[view.b].place], ["language", view.language], ["rates", view.rates]]);
  draw();
}

byId("controls").addEventListener("submit", (event) => event.preventDefault());
for (const side of ["a", "b"]) byId(side).addEventListener("change", (event) => {
  const other = side === "a" ? "b" : "a";
  const chosen = Number(event.target.value);
  if (chosen === view[other]) view[other] = view[side]; // the two change places
  view[side] = chosen;
  chooseModels();
});
byId("swap").addEventListener("click", () => { [view.a, view.b] = [view.b, view.a]; chooseModels(); });
byId("board").addEventListener("change", (event) => {
  const [a, b] = [view.a, view.b].map((at) => (at < 0 ? "" : rowsOf(view.board)[at].place));
  writeView([["board", event.target.value], ["a", a], ["b", b]]);
  draw();
});
window.addEventListener("hashchange", draw);
setUpPage("list");
browser = new PromptBrowser({
  view, drawRow, drawItem, save: saveView,
  value: (item) => { const [a, b] = item.sides.map(share); return a === null || b === null ? NaN : a - b; },
  more: [["winner", "Who won", WINNERS, (item, winner) => winnerOf(item).includes(winner)]],
  describe: (shown, all) => {
    const found = browser.list.items.map((item) => winnerOf(item)[0]);
    const count = (one) => found.filter((winner) => winner === one).length;
    return [`${languageName(view.language)}: ${shown.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} prompts that both answered; A is better in ${count("a")}, B in ${count("b")}, no difference in ${count("same")}.`];
  },
});
if (DATA.boards.length) draw();
else byId("scores").replaceChildren(el("p", { class: "note" }, "There are no results with answers to compare."));
