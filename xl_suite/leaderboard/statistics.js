// The paired difference of two models as xl_suite/scoring/compare.py computes it, which a static page cannot ask:
// for every language and their mean, with an interval over prompts and the p-value of a sign-flip test.

const RESAMPLES = 10000;
const BLOCK = 500; // resamples between two looks at what else the page has to do
const POWER_FACTOR = 1.959964 + 0.841621;

// Uniform numbers in [0, 1): the generator sfc32, which starts anew for each comparison.
function makeRandom() {
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 1];
  const next = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let warm = 0; warm < 20; warm += 1) next();
  return next;
}

// The preferences of two models on the prompts and languages that both have; null is missing.
function pairValues(one, other, kind, codes) {
  const places = new Map(other.prompts.map((prompt, at) => [prompt, at]));
  const prompts = one.prompts.map((prompt, at) => [at, places.get(prompt)]).filter(([, at]) => at !== undefined);
  const columns = codes.map((code) => {
    const [a, b] = [one.languages[code][kind], other.languages[code][kind]];
    if (!a || !b) return prompts.map(() => null);
    return prompts.map(([here, there]) => (a[here] === null || b[there] === null || a[here] === undefined || b[there] === undefined ? null : [a[here], b[there]]));
  });
  return { n: prompts.length, columns };
}

function prepare({ n, columns }, averaged) {
  const width = columns.length;
  const differences = new Float64Array(n * width);
  const present = new Float64Array(n * width);
  const counts = new Array(width).fill(0);
  const sums = columns.map(() => [0, 0]);
  columns.forEach((column, c) => column.forEach((pair, at) => {
    if (!pair) return;
    differences[at * width + c] = pair[0] - pair[1];
    present[at * width + c] = 1;
    counts[c] += 1;
    sums[c][0] += pair[0];
    sums[c][1] += pair[1];
  }));
  const rates = sums.map(([a, b], c) => (counts[c] ? [a / counts[c], b / counts[c]] : null));
  return { n, width, differences, present, counts, rates, chosen: averaged.filter((c) => counts[c] > 0) };
}

// The standard error of the mean over columns of their means, clustered on prompts.
function standardError(table, chosen) {
  let [rows, total] = [0, 0];
  const means = table.rates.map((rate) => (rate ? rate[0] - rate[1] : 0));
  for (let at = 0; at < table.n; at += 1) {
    let [influence, any] = [0, false];
    for (const c of chosen) {
      if (!table.present[at * table.width + c]) continue;
      any = true;
      influence += (table.differences[at * table.width + c] - means[c]) / table.counts[c];
    }
    if (!any) continue;
    rows += 1;
    total += (influence / chosen.length) ** 2;
  }
  return { n: rows, error: rows < 2 ? null : Math.sqrt((rows / (rows - 1)) * total) };
}

function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const low = Math.floor(place);
  return sorted[low] + (sorted[Math.min(low + 1, sorted.length - 1)] - sorted[low]) * (place - low);
}

// One number per resample for each column, and for their mean.
function makeDraws(table) {
  const make = () => new Float64Array(RESAMPLES);
  return { low: table.counts.map(make), high: table.counts.map(make), macroLow: make(), macroHigh: make(), extreme: table.counts.map(() => 0), macroExtreme: 0 };
}

function resample(table, draws, at, weights, unseen, signs, observed) {
  const { n, width, differences, present } = table;
  const [sums, masses, flipped] = [new Float64Array(width), new Float64Array(width), new Float64Array(width)];
  for (let row = 0, cell = 0; row < n; row += 1) {
    const [weight, sign] = [weights[row], signs[row]];
    for (let c = 0; c < width; c += 1, cell += 1) {
      const difference = differences[cell];
      sums[c] += weight * difference;
      masses[c] += weight * present[cell];
      flipped[c] += sign * difference;
    }
  }
  let [low, high, flip] = [0, 0, 0];
  for (let c = 0; c < width; c += 1) {
    draws.low[c][at] = (sums[c] - unseen) / (masses[c] + unseen);
    draws.high[c][at] = (sums[c] + unseen) / (masses[c] + unseen);
    if (Math.abs(flipped[c]) >= observed[c]) draws.extreme[c] += 1;
  }
  for (const c of table.chosen) {
    low += draws.low[c][at];
    high += draws.high[c][at];
    flip += flipped[c] / table.counts[c];
  }
  draws.macroLow[at] = low / table.chosen.length;
  draws.macroHigh[at] = high / table.chosen.length;
  if (Math.abs(flip / table.chosen.length) >= observed.macro) draws.macroExtreme += 1;
}

function correctHolm(values) {
  const tested = values.map((p, at) => [p, at]).filter(([p]) => p !== null).sort((a, b) => a[0] - b[0]);
  const corrected = values.map(() => null);
  let largest = 0;
  tested.forEach(([p, at], rank) => {
    largest = Math.max(largest, Math.min(1, p * (tested.length - rank)));
    corrected[at] = largest;
  });
  return corrected;
}

// Compares two models' values (of values.js) by each kind, raw and gated. codes: the languages of both. Resolves to
// {raw: {languages: {code: difference}, overall}, gated: ...}; percent points. `busy` is asked whether to go on.
async function compareModels(one, other, kinds, codes, goOn = () => true) {
  const averaged = codes.map((code, at) => [code, at]).filter(([code]) => code !== "eng").map(([, at]) => at);
  const tables = kinds.map((kind) => prepare(pairValues(one, other, kind, codes), averaged));
  const observed = tables.map((table) => {
    const sums = table.counts.map((count, c) => (count ? Math.abs(table.rates[c][0] - table.rates[c][1]) * count - 1e-9 : Infinity));
    sums.macro = Math.abs(table.chosen.reduce((sum, c) => sum + table.rates[c][0] - table.rates[c][1], 0) / table.chosen.length) - 1e-12;
    return sums;
  });
  const draws = tables.map(makeDraws);
  const random = makeRandom();
  const n = tables.length ? tables[0].n : 0;
  const [weights, signs] = [new Float64Array(n), new Float64Array(n)];
  for (let start = 0; start < RESAMPLES; start += BLOCK) {
    for (let at = start; at < Math.min(start + BLOCK, RESAMPLES); at += 1) {
      for (let row = 0; row < n; row += 1) {
        weights[row] = -Math.log(1 - random());
        signs[row] = random() < 0.5 ? -1 : 1;
      }
      const unseen = -Math.log(1 - random());
      tables.forEach((table, place) => resample(table, draws[place], at, weights, unseen, signs, observed[place]));
    }
    await new Promise((resolve) => setTimeout(resolve));
    if (!goOn()) return null;
  }
  return Object.fromEntries(kinds.map((kind, place) => [kind, summarizeDraws(tables[place], draws[place], codes)]));
}

function summarizeDraws(table, draws, codes) {
  const tell = (chosen, low, high, extreme) => {
    const { n, error } = standardError(table, chosen);
    if (!chosen.length || n < 2) return { n, win_rate_a: null, win_rate_b: null, difference: null, ci_low: null, ci_high: null, p_value: null, p_holm: null, smallest_detectable: null };
    const mean = (side) => (100 * chosen.reduce((sum, c) => sum + table.rates[c][side], 0)) / chosen.length;
    const difference = mean(0) - mean(1);
    return {
      n, win_rate_a: mean(0), win_rate_b: mean(1), difference,
      ci_low: Math.max(-100, Math.min(100 * quantile(low, 0.025), difference)), ci_high: Math.min(100, Math.max(100 * quantile(high, 0.975), difference)),
      p_value: (extreme + 1) / (RESAMPLES + 1), p_holm: null, smallest_detectable: error === null ? null : 100 * POWER_FACTOR * error,
    };
  };
  const found = codes.map((code, c) => tell(table.counts[c] ? [c] : [], draws.low[c], draws.high[c], draws.extreme[c]));
  correctHolm(found.map((one) => one.p_value)).forEach((p, at) => { found[at].p_holm = p; });
  return { languages: Object.fromEntries(codes.map((code, at) => [code, found[at]])), overall: codes.length > 1 ? tell(table.chosen, draws.macroLow, draws.macroHigh, draws.macroExtreme) : null };
}

const MOST_CELLS = 4e6; // of the table that finds what two texts share

// Two texts as lists of [text, whether the other lacks it]; null where they are too long to compare.
function markDifferences(one, other, tag) {
  const split = (text) => {
    try {
      return [...new Intl.Segmenter(tag || "en", { granularity: "word" }).segment(text)].map((part) => part.segment);
    } catch {
      return text.match(/\s+|[^\s]+/g) || [];
    }
  };
  const [a, b] = [split(one), split(other)];
  let [start, endA, endB] = [0, a.length, b.length];
  while (start < endA && start < endB && a[start] === b[start]) start += 1;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) [endA, endB] = [endA - 1, endB - 1];
  const [rows, columns] = [endA - start, endB - start];
  if (rows * columns > MOST_CELLS) return null;
  const width = columns + 1;
  const lengths = new Uint16Array((rows + 1) * width);
  for (let row = rows - 1; row >= 0; row -= 1)
    for (let column = columns - 1; column >= 0; column -= 1) {
      const at = row * width + column;
      lengths[at] = a[start + row] === b[start + column] ? lengths[at + width + 1] + 1 : Math.max(lengths[at + width], lengths[at + 1]);
    }
  const [left, right] = [a.map((_, at) => at >= start && at < endA), b.map((_, at) => at >= start && at < endB)];
  for (let row = 0, column = 0; row < rows && column < columns; ) {
    if (a[start + row] === b[start + column]) {
      left[start + row] = right[start + column] = false;
      row += 1;
      column += 1;
    } else if (lengths[(row + 1) * width + column] >= lengths[row * width + column + 1]) row += 1;
    else column += 1;
  }
  const join = (parts, marks) => {
    const joined = [];
    parts.forEach((part, at) => {
      const last = joined[joined.length - 1];
      if (last && last[1] === marks[at]) last[0] += part;
      else joined.push([part, marks[at]]);
    });
    return joined;
  };
  return [join(a, left), join(b, right)];
}
