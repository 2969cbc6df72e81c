// A model's page: its scores by language, and its worst and best prompts with both answers, line by line.

const KINDS = [["worst", "worst"], ["best", "best"]];
const view = {};

function loadView() {
  const given = readView();
  const run = Number(given.get("run"));
  view.run = DATA.runs[run] ? run : 0;
  const codes = Object.keys(DATA.runs[view.run].cases);
  const order = DATA.runs[view.run].board.languages;
  view.codes = [...order.filter((code) => codes.includes(code)), ...codes.filter((code) => !order.includes(code))];
  view.language = view.codes.includes(given.get("language")) ? given.get("language") : view.codes[0];
  view.kind = given.get("show") === "best" ? "best" : "worst";
}

function saveView() {
  writeView([
    ["run", view.run ? String(view.run) : ""],
    ["language", view.language === view.codes[0] ? "" : view.language],
    ["show", view.kind === "best" ? "best" : ""],
  ]);
}

function drawScores() {
  const { board } = DATA.runs[view.run];
  const row = board.rows[0];
  const metrics = DATA.metrics.filter((metric) => row.cells[metric.key] && metric.key !== "win_rate");
  const codes = board.languages.length ? board.languages : [""];
  let most = 0;
  for (const key of ["win_rate", "gated"]) for (const cell of Object.values(row.cells[key] || {})) most = Math.max(most, cell.length > 1 ? cell[2] : cell[0]);
  const end = roundUp(most);
  const gated = row.cells.gated || {};
  const body = el("tbody", {});
  let previous = null;
  for (const code of [...codes, ...(codes.length > 1 ? [AVERAGE] : [])]) {
    const group = (DATA.languages[code] || {}).class;
    const rate = row.cells.win_rate[code];
    const line = el("tr", { class: [code === AVERAGE ? "average" : "", group !== previous && previous !== null ? "first" : ""].filter(Boolean).join(" ") || null },
      el("th", { scope: "row", class: "model" }, languageName(code), group && group !== previous ? el("small", {}, CLASSES[group] || group) : null),
      el("td", { class: "number" }, formatNumber(rate && rate[0], metricOf("win_rate")), rate && rate.length > 1 ? el("small", {}, ` ${rate[1].toFixed(0)}–${rate[2].toFixed(0)}`) : null),
      el("td", { class: "plot" }, drawStrip(rate, end, { height: 22, ghost: gated[code] })));
    for (const metric of metrics) line.append(el("td", {}, formatNumber((row.cells[metric.key][code] || [null])[0], metric)));
    previous = group;
    body.append(line);
  }
  const head = el("tr", {}, el("th", { scope: "col", class: "model" }, "Language"), el("th", { scope: "col" }, "Win rate"),
    el("th", { scope: "col", class: "plot" }, el("span", { class: "hidden" }, "Win rate as a dot, gated as a ring"), drawAxis(end, " %", { sparse: true })),
    ...metrics.map((metric) => el("th", { scope: "col" }, el("abbr", { title: metric.says }, metric.label))));
  const table = el("table", { class: "scores", "aria-labelledby": "scores-title", "aria-describedby": "origin" }, el("thead", {}, head), body);
  byId("origin").replaceChildren(el("span", {}, `${benchmarkName(board)}. `), ...describeOrigin(board));
  byId("scores").replaceChildren(
    ...row.warnings.map((warning) => el("p", { class: "note warning" }, el("bdi", {}, `⚠ ${warning}`))),
    el("div", { class: "scroller", tabindex: 0, role: "region", "aria-labelledby": "scores-title" }, table),
    el("p", { class: "scale" }, "Dot: win rate with its 95 % interval. Ring: gated, where an answer in the wrong language loses."));
}

const VERDICTS = { right: "right language", wrong: "wrong language", mixed: "mixed languages", undetermined: "language not to be told" };

function drawVerdict(verdict) {
  if (!verdict) return el("span", { class: "verdict" }, "language not looked at");
  return el("span", { class: `verdict ${VERDICTS[verdict.verdict] ? verdict.verdict : ""}` }, VERDICTS[verdict.verdict] || "", verdict.note ? el("bdi", {}, ` (${verdict.note})`) : null);
}

const LONGEST_EXCERPT = 120; // characters; longer passages come cut

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
function drawText(text, verdict, tag) {
  const marks = new Map();
  for (const [line, code, probability, excerpt] of (verdict && verdict.lines) || []) {
    if (!marks.has(line)) marks.set(line, []);
    const foreign = verdict.verdict === "wrong" || (verdict.verdict === "mixed" && code !== view.language);
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

function drawPreference(preference) {
  const share = Math.round(preference * 100);
  const words = share === 50 ? "The judge sees no difference" : share > 50 ? `The judge prefers the model, ${share} %` : `The judge prefers the reference, ${100 - share} %`;
  const drawing = svg("svg", { class: "scale-strip", width: 120, height: 16, "aria-hidden": "true", focusable: "false" },
    svg("line", { class: "base", x1: 6, x2: 114, y1: 8, y2: 8 }), svg("line", { class: "parity", x1: 60, x2: 60, y1: 2, y2: 14 }),
    svg("line", { class: "interval", x1: 60, x2: 6 + 108 * preference, y1: 8, y2: 8 }), svg("circle", { class: "dot", cx: 6 + 108 * preference, cy: 8, r: 4 }));
  return el("span", { class: "preference" }, drawing, words);
}

function drawAnswer(title, name, item, key, verdict, reason) {
  const tag = languageTag(view.language);
  const cut = (item.cut || {})[key];
  return el("div", { class: "answer" },
    el("h4", {}, el("span", { class: "role" }, title), el("bdi", { class: "name" }, name), drawVerdict(verdict),
      reason === "length" ? el("span", { class: "verdict mixed" }, "cut off by the token limit") : null),
    item[key].trim() ? drawText(item[key], verdict, tag) : el("p", { class: "none" }, "Empty."),
    cut ? el("p", { class: "scale" }, `Shown to ${item[key].length.toLocaleString("en-US")} of ${cut.toLocaleString("en-US")} characters.`) : null);
}

function drawCase(item, board) {
  const label = item.id === null ? "Prompt" : `Prompt ${item.id}`;
  return el("article", { class: "case", "aria-label": label },
    el("h3", {}, label, item.run ? ` · run ${item.run + 1}` : "", drawPreference(item.preference)),
    el("div", { class: "prompt" }, ...item.instruction.split("\n").map((line) => el("p", { dir: "auto" }, line || "\u200b"))),
    el("div", { class: "pair" },
      drawAnswer("Model", DATA.name, item, "output", item.verdict, item.finish_reason),
      drawAnswer("Reference", board.reference, item, "reference", item.reference_verdict, item.reference_finish_reason)));
}

function drawCases() {
  const { cases, board } = DATA.runs[view.run];
  const own = cases[view.language];
  const shown = own[view.kind];
  const file = `${board.answers}${encodeURIComponent(view.language || "all")}.json`;
  byId("status").replaceChildren(
    `${languageName(view.language)}: the ${shown.length} ${view.kind} of ${own.n.toLocaleString("en-US")} prompts, by the judge’s preference. `,
    el("a", { href: file }, `All ${own.n.toLocaleString("en-US")} answers in ${languageName(view.language)} (JSON)`));
  byId("cases").replaceChildren(...shown.map((item) => drawCase(item, board)));
  saveView();
}

function drawControls() {
  drawSegments(byId("kinds"), "kind", KINDS, view.kind, (value) => { view.kind = value; drawCases(); });
  drawLanguages(byId("languages"), view.codes, "radio", [view.language], (event) => { view.language = event.target.value; drawCases(); });
}

function draw() {
  loadView();
  const row = DATA.runs[view.run].board.rows[0];
  byId("facts").replaceChildren(el("bdi", {}, [formatSize(row.billions), row.training].filter(Boolean).join(" · ")));
  drawScores();
  drawControls();
  drawCases();
}

byId("name").textContent = DATA.name;
byId("controls").addEventListener("submit", (event) => event.preventDefault());
if (DATA.runs.length > 1) {
  byId("run-label").hidden = false;
  byId("run").replaceChildren(...DATA.runs.map(({ board }, at) => el("option", { value: at }, `${benchmarkName(board)}: ${board.judge}${board.method ? `, ${board.method}` : ""}, against ${board.reference}`)));
  byId("run").addEventListener("change", (event) => { writeView([["run", event.target.value]]); draw(); });
}
window.addEventListener("hashchange", () => { draw(); byId("run").value = String(view.run); });
setUpPage("cases");
draw();
byId("run").value = String(view.run);
