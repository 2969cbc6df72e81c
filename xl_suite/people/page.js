"use strict";
// Texts of models reach the page as text nodes only.
const DATA = JSON.parse(document.getElementById("data").textContent);
const QUESTIONS = {
  language_a: [["yes", "Yes"], ["partly", "Partly"], ["no", "No"]],
  language_b: [["yes", "Yes"], ["partly", "Partly"], ["no", "No"]],
  preference: [["A", "A"], ["B", "B"], ["tie", "They are equally good"]],
  confidence: [["1", "A guess"], ["2", "Fairly"], ["3", "Sure"]],
};
const STORE = `xl-suite/annotate/${DATA.page}`;
const byId = (id) => document.getElementById(id);
let state = { who: "", labels: {}, place: {}, language: "" };
let kept = true;

function load() {
  try {
    const found = JSON.parse(localStorage.getItem(STORE));
    if (found && typeof found === "object" && found.labels) state = { ...state, ...found };
  } catch {
    kept = false;
  }
}

function save() {
  try {
    localStorage.setItem(STORE, JSON.stringify(state));
    kept = true;
  } catch {
    kept = false;
  }
  tell(kept ? "" : "This browser keeps nothing for this page: save the labels before you close it.");
}

function tell(text) {
  byId("problem").textContent = text;
  byId("problem").hidden = !text;
}

const rowsOf = (language) => DATA.rows.filter((row) => row.language === language);
const isDone = (row) => Object.keys(QUESTIONS).every((name) => (state.labels[row.row] || {})[name]);

function choose(name, value) {
  const row = rowsOf(state.language)[state.place[state.language] || 0];
  state.labels[row.row] = { ...state.labels[row.row], [name]: value, time: new Date().toISOString() };
  save();
  count();
}

function count() {
  const rows = rowsOf(state.language);
  byId("done").textContent = `${rows.filter(isDone).length} of ${rows.length} rows done`;
}

function show() {
  const rows = rowsOf(state.language);
  const place = Math.min(Math.max(state.place[state.language] || 0, 0), rows.length - 1);
  state.place[state.language] = place;
  const row = rows[place];
  const language = DATA.languages[state.language];
  byId("place").textContent = `Row ${place + 1} of ${rows.length}`;
  byId("instruction").textContent = row.instruction;
  for (const name of ["answer_a", "answer_b"]) {
    byId(name).textContent = row[name];
    byId(name).lang = language.tag;
    byId(name).scrollTop = 0;
  }
  for (const node of document.querySelectorAll("legend .name")) node.textContent = language.name;
  for (const input of document.querySelectorAll("fieldset input")) {
    input.checked = (state.labels[row.row] || {})[input.name] === input.value;
  }
  byId("back").disabled = place === 0;
  byId("next").disabled = place === rows.length - 1;
  count();
}

function go(step) {
  state.place[state.language] = (state.place[state.language] || 0) + step;
  save();
  show();
}

function goToOpen() {
  const rows = rowsOf(state.language);
  const from = state.place[state.language] || 0;
  const order = rows.map((_, step) => (from + 1 + step) % rows.length);
  const open = order.find((place) => !isDone(rows[place]));
  if (open === undefined) tell("All rows of this language have their labels. Save them as a file.");
  else go(open - from);
}

const quote = (value) => (/[",\r\n]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value);

function exportLabels() {
  const who = state.who.trim();
  if (!/^[\p{L}\p{N}][\p{L}\p{N}_ .@-]{0,39}$/u.test(who)) {
    tell("Write your name or a pseudonym first: letters, digits, spaces and . _ @ -");
    byId("who").focus();
    return;
  }
  const lines = [DATA.columns.join(",")];
  for (const row of DATA.rows) {
    const label = state.labels[row.row];
    if (!label) continue;
    const values = {
      ...label,
      page: DATA.page,
      seed: DATA.seed,
      row: row.row,
      language: row.language,
      annotator: who,
      probability: row.probability ?? "",
    };
    lines.push(DATA.columns.map((name) => quote(String(values[name] ?? ""))).join(","));
  }
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([lines.join("\n") + "\n"], { type: "text/csv" }));
  link.download = `labels-${DATA.page}-${who.replaceAll(/[^\p{L}\p{N}]+/gu, "-")}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

load();
for (const [name, options] of Object.entries(QUESTIONS)) {
  const place = document.querySelector(`[data-question="${name}"]`);
  for (const [value, text] of options) {
    const input = document.createElement("input");
    Object.assign(input, { type: "radio", name, value });
    input.addEventListener("change", () => choose(name, value));
    const label = document.createElement("label");
    label.append(input, text);
    place.append(label);
  }
}
for (const [code, language] of Object.entries(DATA.languages)) {
  const option = document.createElement("option");
  Object.assign(option, { value: code, textContent: language.name });
  byId("language").append(option);
}
if (!DATA.languages[state.language]) state.language = Object.keys(DATA.languages)[0];
byId("language").value = state.language;
byId("language").addEventListener("change", (event) => {
  state.language = event.target.value;
  save();
  show();
});
byId("who").value = state.who;
byId("who").addEventListener("input", (event) => {
  state.who = event.target.value;
  save();
});
byId("back").addEventListener("click", () => go(-1));
byId("next").addEventListener("click", () => go(1));
byId("open").addEventListener("click", goToOpen);
byId("export").addEventListener("click", exportLabels);
byId("main").hidden = false;
show();
