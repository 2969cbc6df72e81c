// The paired difference of two models as xl_suite/scoring/compare.py computes it, which a static page cannot ask:
// for every language and their mean, with an interval over prompts and the p-value of the same distribution.

const UNSEEN = 2; // prompts that are added to those seen: half a win for each model (or less, see guessSquare), the rest draws
const POWER = 0.841621; // standard errors beyond the edge of significance, to be found in 80 %

// Lanczos' approximation of the logarithm of the gamma function, for x > 0.
function logGamma(x) {
  const terms = [676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7];
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const sum = terms.reduce((total, term, at) => total + term / (x + at), 0.99999999999980993);
  const t = x + 6.5;
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum);
}

// The regularised incomplete beta function by its continued fraction (DLMF 8.17.22, Lentz's method).
function incompleteBeta(a, b, x) {
  if (x <= 0 || x >= 1) return x >= 1 ? 1 : 0;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(b, a, 1 - x);
  const away = (value) => (Math.abs(value) > 1e-300 ? value : 1e-300);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x));
  let numerator = 1;
  let denominator = 1 / away(1 - ((a + b) * x) / (a + 1));
  let value = denominator;
  for (let m = 1; m < 1000; m += 1) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    for (const term of [even, odd]) {
      denominator = 1 / away(1 + term * denominator);
      numerator = away(1 + term / numerator);
      value *= denominator * numerator;
    }
    if (Math.abs(denominator * numerator - 1) < 1e-15) break;
  }
  return (front * value) / a;
}

// Student's t: the two-sided p-value of a value, and how many standard errors a 95 % interval reaches to each side.
const beyond = (t, degrees) => incompleteBeta(degrees / 2, 0.5, degrees / (degrees + t * t));
function findT(degrees) {
  let [low, high] = [0, 2];
  while (beyond(high, degrees) > 0.05) high *= 2;
  for (let step = 0; step < 80; step += 1) {
    const middle = (low + high) / 2;
    if (beyond(middle, degrees) > 0.05) low = middle;
    else high = middle;
  }
  return high;
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

// The square of the difference that a prompt has which nobody saw: the mean of the squares of the prompts' mean
// differences, each weighted by itself, and one of 1.
function guessSquare(table, chosen) {
  let [above, below] = [1, 1];
  for (let at = 0; at < table.n; at += 1) {
    const own = chosen.filter((c) => table.present[at * table.width + c]);
    if (!own.length) continue;
    const square = (own.reduce((sum, c) => sum + table.differences[at * table.width + c], 0) / own.length) ** 2;
    above += square ** 2;
    below += square;
  }
  return above / below;
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

// Compares two models' values (of values.js) by each kind, raw and gated. codes: the languages of both. Gives
// {raw: {languages: {code: difference}, overall}, gated: ...} in percent points.
function compareModels(one, other, kinds, codes) {
  const averaged = codes.map((code, at) => [code, at]).filter(([code]) => code !== "eng").map(([, at]) => at);
  return Object.fromEntries(kinds.map((kind) => {
    const table = prepare(pairValues(one, other, kind, codes), averaged);
    const found = codes.map((code, at) => tellDifference(table, table.counts[at] ? [at] : []));
    correctHolm(found.map((difference) => difference.p_value)).forEach((p, at) => { found[at].p_holm = p; });
    return [kind, { languages: Object.fromEntries(codes.map((code, at) => [code, found[at]])), overall: codes.length > 1 ? tellDifference(table, table.chosen) : null }];
  }));
}

function tellDifference(table, chosen) {
  const { n, error } = standardError(table, chosen);
  if (!chosen.length || n < 2) return { n, win_rate_a: null, win_rate_b: null, difference: null, ci_low: null, ci_high: null, p_value: null, p_holm: null, smallest_detectable: null };
  const rate = (side) => chosen.reduce((sum, c) => sum + table.rates[c][side], 0) / chosen.length;
  const mean = rate(0) - rate(1);
  const more = n + UNSEEN;
  const center = (n * mean) / more;
  const squares = n * (n - 1) * error ** 2 + n * mean ** 2 + (UNSEEN / 2) * guessSquare(table, chosen);
  const spread = Math.sqrt(Math.max(squares - more * center ** 2, 0) / (more * (more - 1)));
  const t = findT(more - 1);
  const detectable = (t + POWER) * spread;
  return {
    n, win_rate_a: 100 * rate(0), win_rate_b: 100 * rate(1), difference: 100 * mean,
    ci_low: 100 * Math.max(-1, Math.min(center - t * spread, mean)), ci_high: 100 * Math.min(1, Math.max(center + t * spread, mean)),
    p_value: spread ? beyond(center / spread, more - 1) : Number(center === 0), p_holm: null,
    smallest_detectable: detectable <= 1 ? 100 * detectable : null,
  };
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
