// A model's page: its scores by language, and all of its prompts with both answers.

const OUTCOMES = [["", "any"], ["won", "prefers the model"], ["lost", "prefers the reference"], ["drawn", "no difference"], ["unread", "not read"]];
const outcomeOf = (share) => (share === null || share === undefined ? "unread" : share > 0.5 ? "won" : share < 0.5 ? "lost" : "drawn");
const view = {};
let browser = null;

function loadView() {
  const given = readView();
  const run = Number(given.get("run"));
  view.run = DATA.runs[run] ? run : 0;
  const { codes } = DATA.runs[view.run];
  const order = DATA.runs[view.run].board.languages;
  view.codes = [...order.filter((code) => codes.includes(code)), ...codes.filter((code) => !order.includes(code))];
  view.language = view.codes.includes(given.get("language")) ? given.get("language") : view.codes[0];
  Object.assign(view, readFilters(given));
  view.outcome = OUTCOMES.some(([one]) => one === given.get("judge")) ? given.get("judge") : "";
}

function saveView() {
  writeView([
    ["run", view.run ? String(view.run) : ""],
    ["language", view.language === view.codes[0] ? "" : view.language],
    ["judge", view.outcome], ...writeFilters(view),
  ]);
}

function drawScores() {
  const { board } = DATA.runs[view.run];
  const row = board.rows[0];
  const metrics = DATA.metrics.filter((metric) => row.cells[metric.key] && !["win_rate", "gated"].includes(metric.key));
  const codes = board.languages.length ? board.languages : [""];
  let most = 0;
  for (const key of ["win_rate", "gated"]) for (const cell of Object.values(row.cells[key] || {})) most = Math.max(most, cell.length > 1 ? cell[2] : cell[0]);
  const end = roundUp(most);
  const gated = row.cells.gated || {};
  const body = el("tbody", {});
  let previous = null;
  const rate = (cell, key) => el("td", { class: "number" }, formatNumber(cell && cell[0], metricOf(key)), cell && cell.length > 1 ? el("small", {}, ` ${cell[1].toFixed(0)}–${cell[2].toFixed(0)}`) : null);
  for (const code of [...codes, ...(codes.length > 1 ? [AVERAGE] : [])]) {
    const group = (DATA.languages[code] || {}).class;
    const line = el("tr", { class: [code === AVERAGE ? "average" : "", group !== previous && previous !== null ? "first" : ""].filter(Boolean).join(" ") || null },
      el("th", { scope: "row", class: "model" }, languageName(code), drawAudit(board, code), group && group !== previous ? el("small", {}, CLASSES[group] || group) : null),
      rate(row.cells.win_rate[code], "win_rate"), row.cells.gated ? rate(gated[code], "gated") : null,
      el("td", { class: "plot" }, drawStrip(row.cells.win_rate[code], end, { height: 22, ghost: gated[code] })));
    for (const metric of metrics) line.append(el("td", {}, formatNumber((row.cells[metric.key][code] || [null])[0], metric)));
    previous = group;
    body.append(line);
  }
  const head = el("tr", {}, el("th", { scope: "col", class: "model" }, "Language"), el("th", { scope: "col" }, "Win rate"), row.cells.gated ? el("th", { scope: "col" }, "Gated") : null,
    el("th", { scope: "col", class: "plot" }, el("span", { class: "hidden" }, "Win rate as a dot, gated as a ring"), drawAxis(end, " %", { sparse: true })),
    ...metrics.map((metric) => el("th", { scope: "col" }, el("abbr", { title: metric.says }, metric.label))));
  const table = el("table", { class: "scores", "aria-labelledby": "scores-title", "aria-describedby": "origin" }, el("thead", {}, head), body);
  byId("origin").replaceChildren(el("span", {}, `${benchmarkName(board)}. `), ...describeOrigin(board));
  byId("scores").replaceChildren(
    ...row.warnings.map((warning) => el("p", { class: "note warning" }, el("bdi", {}, `⚠ ${warning}`))),
    el("div", { class: "scroller", tabindex: 0, role: "group", "aria-labelledby": "scores-title" }, table),
    el("p", { class: "scale" }, "Dot: win rate with its 95 % interval. Ring: gated, where an answer in the wrong language loses. Numbers of prompts and costs are added up, not averaged."));
}

function drawRow(item) {
  const side = item.sides[0];
  return [
    el("span", { class: "number" }, item.id === null ? `n${item.place + 1}` : String(item.id)),
    el("span", { class: "line", dir: "auto" }, item.instruction.slice(0, 160)),
    el("span", { class: "marks" }, drawShare(side.preference, 72), el("span", { class: "hidden" }, `judge: ${OUTCOMES.find(([one]) => one === outcomeOf(side.preference))[1]}`),
      drawVerdict(side.verdict), side.flags.length ? el("span", { class: "verdict mixed" }, "flagged") : null),
  ];
}

function drawItem(item) {
  const { board } = DATA.runs[view.run];
  const side = item.sides[0];
  const orders = Object.entries(side.by_order || {}).map(([order, share]) => `${order === "12" ? "reference first" : "model first"} ${share === null ? "not read" : `${Math.round(100 * share)} %`}`);
  const others = (side.others || []).map((share, at) => `${side.judges[at]} ${share === null || share === undefined ? "not read" : `${Math.round(100 * share)} %`}`);
  const record = {
    id: item.id, run: item.run, language: view.language, dataset: item.dataset, expected: item.expected, instruction: item.instruction,
    generator: DATA.name, output: side.output, reference: item.reference.output, preference: side.preference, gated_preference: side.gated,
    order: side.order, by_order: side.by_order, verdict: side.verdict, reference_verdict: item.reference.verdict,
    finish_reason: side.finish_reason, reference_finish_reason: item.reference.finish_reason, flags: side.flags,
  };
  const file = `${fileOf(DATA.runs[view.run].board.answers, view.language)}.json`;
  return [
    drawHead(item, browser, [
      drawPreference(side.preference),
      el("p", { class: "scale" }, el("bdi", {}, [describeGate(side), orders.length ? `By order: ${orders.join(", ")}.` : "", others.length ? `Other judges: ${others.join(", ")}.` : "",
        item.expected !== "target" ? `Expected: ${item.expected}.` : "", side.flags.length ? `Flagged: ${side.flags.join("; ")}.` : ""].filter(Boolean).join(" "))),
    ]),
    drawPrompt(item),
    el("div", { class: "pair" },
      drawAnswer("Model", DATA.name, side, view.language), drawAnswer("Reference", board.reference, item.reference, view.language)),
    drawRaw(record, [el("a", { href: file }, `All answers in ${languageName(view.language)} as JSON`)]),
  ];
}

// The preferences of the other judges of this model, on the same benchmark and against the same reference.
async function loadOthers() {
  const { board } = DATA.runs[view.run];
  const others = DATA.runs.filter((one, at) => at !== view.run && one.board.benchmark === board.benchmark && one.board.reference === board.reference && one.board.judge !== board.judge);
  const values = await Promise.all(others.map((one) => loadValues(one.board.answers)));
  return values.map((one, at) => {
    const own = one.languages[view.language];
    const places = new Map(own ? one.prompts.map((prompt, place) => [prompt, own.raw[place]]) : []);
    return { judge: others[at].board.judge, find: (key) => places.get(key) };
  });
}

async function drawPrompts() {
  const asked = view.language;
  const folder = DATA.runs[view.run].board.answers;
  const [side, others] = await tellLoading(Promise.all([loadSide(folder, asked), loadOthers()]), `the answers in ${languageName(asked)}`);
  const prompts = await tellLoading(loadPrompts(side.prompts), "the prompts");
  if (asked !== view.language || folder !== DATA.runs[view.run].board.answers) return; // another was chosen meanwhile
  const items = joinSides(prompts, [side]);
  for (const item of items) {
    item.sides[0].others = others.map((one) => one.find(item.key));
    item.sides[0].judges = others.map((one) => one.judge);
  }
  browser.fill(items);
  document.documentElement.dataset.ready = `${view.run} ${asked}`;
}

function draw() {
  loadView();
  const { board, told } = DATA.runs[view.run];
  const [row] = board.rows;
  const facts = [[formatSize(row.billions), row.training].filter(Boolean).join(" · "), ...told].filter(Boolean);
  byId("facts").replaceChildren(...facts.flatMap((fact) => [el("bdi", {}, fact), el("br")]));
  drawScores();
  drawLanguages(byId("languages"), view.codes, "radio", [view.language], (event) => { view.language = event.target.value; saveView(); drawPrompts(); });
  drawPrompts();
}

byId("name").textContent = DATA.name;
byId("compare").href = `${DATA.root}compare.html#${new URLSearchParams([["a", DATA.place]])}`;
byId("controls").addEventListener("submit", (event) => event.preventDefault());
if (DATA.runs.length > 1) {
  byId("run-label").hidden = false;
  byId("run").replaceChildren(...DATA.runs.map(({ board }, at) => el("option", { value: at }, `${benchmarkName(board)}: ${board.judge}${board.method ? `, ${board.method}` : ""}, against ${board.reference}`)));
  byId("run").addEventListener("change", (event) => { writeView([["run", event.target.value]]); draw(); });
}
window.addEventListener("hashchange", () => { draw(); byId("run").value = String(view.run); });
setUpPage("list");
browser = new PromptBrowser({
  view, drawRow, drawItem, save: saveView,
  value: (item) => (item.sides[0].preference === null ? NaN : item.sides[0].preference),
  more: [["outcome", "Judge", OUTCOMES, (item, outcome) => outcomeOf(item.sides[0].preference) === outcome]],
  describe: (shown, all) => [`${languageName(view.language)}: ${shown.toLocaleString("en-US")} of ${all.toLocaleString("en-US")} prompts. `],
});
draw();
byId("run").value = String(view.run);
