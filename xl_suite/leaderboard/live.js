// What goes on, on the index: progress of runs and newest answers, loaded every few seconds while `--watch` builds.

const VERDICTS = { right: "right language", wrong: "wrong language", mixed: "mixed", empty: "empty", undetermined: "not to be told", withheld: "withheld" };

function drawRun(run) {
  const codes = Object.keys(run.languages);
  const row = (code) => {
    const { done, total, verdicts } = run.languages[code];
    const told = Object.entries(VERDICTS).filter(([key]) => verdicts[key]).map(([key, label]) => `${verdicts[key].toLocaleString("en-US")} ${label}`);
    return el("tr", {}, el("th", { scope: "row", class: "model" }, languageName(code)),
      el("td", {}, el("progress", { max: Math.max(total, done), value: done, "aria-label": `${languageName(code)}, answered` })),
      el("td", {}, `${done.toLocaleString("en-US")} of ${total.toLocaleString("en-US")}`), el("td", { class: "told" }, told.join(", ")));
  };
  const others = run.others ? `${run.others.toLocaleString("en-US")} answers to other prompts, such as a judge’s verdicts or drafts. ` : "";
  return el("div", { class: "run" },
    el("h3", {}, el("bdi", { class: "name" }, run.model), el("small", {}, ` ${run.journal}, newest answer ${tellTime(run.newest)}`)),
    codes.length ? el("div", { class: "scroller", tabindex: 0, role: "group", "aria-label": `Progress of ${run.model}` }, el("table", {},
      el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "model" }, "Language"), el("th", { scope: "col" }, "Progress"), el("th", { scope: "col" }, "Answers"), el("th", { scope: "col", class: "told" }, "In the"))),
      el("tbody", {}, ...codes.map(row)))) : null,
    others || run.behind ? el("p", { class: "scale" }, others, run.behind ? "Earlier answers are still being read." : "") : null);
}

function drawNewest(one) {
  return el("li", {}, el("p", { class: "scale" }, `${tellTime(one.time)} · `, el("bdi", { class: "name" }, one.model), ` · ${languageName(one.language)}, prompt ${one.id} · `,
    el("span", { class: `verdict ${VERDICTS[one.verdict] ? one.verdict : ""}` }, VERDICTS[one.verdict] || "", one.note ? el("bdi", {}, ` (${one.note})`) : null)),
  el("p", { class: "line", dir: "auto", lang: languageTag(one.language) }, one.output + (one.cut ? " …" : "") || "Empty."));
}

const tellTime = (seconds) => new Date(seconds * 1000).toLocaleTimeString("en-GB");

// Whether a person is in the middle of something that a page loaded anew would take away.
function isBusy() {
  const active = document.activeElement;
  return Boolean(active && active.matches("input, select")) || Boolean(document.querySelector("details.columns[open]")) || !getSelection().isCollapsed;
}

function startLive() {
  const holder = byId("live");
  let turn = 0;
  let shown = "";
  const look = async () => {
    turn += 1;
    try {
      const news = await load(`live.js?${Date.now()}.${turn}`);
      loads.clear();
      if (news.build !== DATA.live.build && !isBusy()) return location.reload();
      const text = JSON.stringify(news);
      if (text !== shown) drawLive(holder, news);
      shown = text;
    } catch {
      byId("live-state").textContent = "The watch has ended; load the page anew.";
      return undefined;
    }
    return setTimeout(look, DATA.live.seconds * 1000);
  };
  holder.hidden = false;
  look();
}

function drawLive(holder, news) {
  const newer = news.build !== DATA.live.build;
  byId("live-state").replaceChildren(`As of ${tellTime(news.at)}. `, newer ? el("button", { type: "button", class: "quiet", on: { click: () => location.reload() } }, "There are new results: show them") : "");
  byId("runs").replaceChildren(...news.runs.map(drawRun), news.runs.length ? "" : el("p", { class: "note" }, "No run has a journal in these results yet."));
  byId("newest").replaceChildren(...(news.newest.length ? [el("h3", {}, "Newest answers"), el("ol", {}, ...news.newest.map(drawNewest))] : []));
  holder.dataset.at = news.at;
}
