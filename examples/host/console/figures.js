// Figures of the store as small plots: samples of `/metrics`, taken while the page is open and kept in it.

import { getText, Outdated } from "./api.js";
import { drawn, element, pairs, replace, say, the } from "./dom.js";

const EVERY = 5_000;
/** An hour. */
const MOST = 720;
const WIDTH = 240;
const HEIGHT = 56;

const COUNT = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });

const count = (value) => COUNT.format(value);
const rate = (value) => `${FINE.format(value)} /s`;
const millis = (value) => `${FINE.format(value)} ms`;
const bytes = (value) =>
  value < 1_048_576 ? `${FINE.format(value / 1_024)} KiB` : `${FINE.format(value / 1_048_576)} MiB`;

/** What is plotted: a name, how a value is shown, and the value of a sample, with the one before it. */
const PLOTS = [
  ["Contacts", count, (now) => now.of("contacts")],
  ["Subscribers", count, (now) => now.of("subscribers")],
  ["Accepted requests", rate, (now, last) => perSecond(now, last, (it) => it.requests("accepted"))],
  ["Refused requests", rate, (now, last) => perSecond(now, last, (it) => it.requests("refused"))],
  ["Commits", rate, (now, last) => perSecond(now, last, (it) => it.of("commits_total"))],
  ["Time of a commit", millis, commitTime],
  ["Waiting requests", count, (now) => now.of("waiting_requests")],
  ["Length of the file", bytes, (now) => now.of("file_bytes")],
];

let samples = [];
let paused = false;
let timer = null;
let open = false;

export function start() {
  the("sample").addEventListener("click", async () => {
    if (await sample()) say(`${samples.length} samples.`);
  });
  the("pause").addEventListener("click", () => {
    paused = !paused;
    the("pause").setAttribute("aria-pressed", String(paused));
    show();
    schedule();
  });
  document.addEventListener("visibilitychange", schedule);
}

/** Begins to sample: the page is unlocked. */
export async function begin() {
  open = true;
  await sample();
  schedule();
}

/** Drops what is known, for a page that is locked. */
export function forget() {
  open = false;
  samples = [];
  clearTimeout(timer);
  replace(the("plots"));
  replace(the("state"));
}

/** Nobody looks at a hidden page. */
function schedule() {
  clearTimeout(timer);
  if (!open || paused || document.hidden) return;
  timer = setTimeout(async () => {
    await sample();
    schedule();
  }, EVERY);
}

async function sample() {
  try {
    samples.push(new Sample(await getText("/metrics")));
    samples = samples.slice(-MOST);
    show();
    return true;
  } catch (error) {
    if (!(error instanceof Outdated)) the("sampled").textContent = `The last sample failed: ${error.message}.`;
    return false;
  }
}

/** The figures at one time. */
class Sample {
  constructor(text) {
    this.at = performance.now() / 1_000;
    this.values = new Map();
    for (const line of text.split("\n")) {
      const parts = /^contact_store_(\w+(?:\{[^}]*\})?) (\S+)$/.exec(line);
      if (parts) this.values.set(parts[1], Number(parts[2]));
    }
  }

  /** A figure by its name without the prefix; nothing in a host that does not have it. */
  of(name) {
    return this.values.get(name) ?? 0;
  }

  requests(outcome) {
    let sum = 0;
    for (const [name, value] of this.values) {
      if (name.startsWith("requests_total{") && name.endsWith(`outcome="${outcome}"}`)) sum += value;
    }
    return sum;
  }
}

/** How fast a counter grows. A host that was started again counts from 0. */
function perSecond(now, last, of) {
  if (last === undefined || now.at <= last.at) return null;
  return Math.max(of(now) - of(last), 0) / (now.at - last.at);
}

/** The mean of the commits since the last sample. */
function commitTime(now, last) {
  if (last === undefined) return null;
  const commits = now.of("commit_seconds_count") - last.of("commit_seconds_count");
  if (commits <= 0) return null;
  return ((now.of("commit_seconds_sum") - last.of("commit_seconds_sum")) * 1_000) / commits;
}

function show() {
  if (samples.length === 0) return;
  const now = samples[samples.length - 1];
  const seconds = Math.round(now.at - samples[0].at);
  const often = paused ? "paused" : `one every ${EVERY / 1_000} seconds`;
  the("sampled").textContent = `${samples.length} samples over ${span(seconds)}, ${often}.`;
  const yes = (name, good, bad) => (now.of(name) === 0 ? good : element("b", { class: "wrong" }, bad));
  replace(
    the("state"),
    pairs([
      ["Writes", yes("needs_reopen", "taken", "refused until the store is reopened")],
      ["File", yes("file_moved", "at its path", "gone from its path")],
      ["Index", yes("index_damaged", "sound", "damaged")],
      ["Failed commits", yes("failed_commits_total", "none", count(now.of("failed_commits_total")))],
    ]),
  );
  replace(the("plots"), PLOTS.map(plot));
}

const span = (seconds) => (seconds < 120 ? `${seconds} seconds` : `${Math.round(seconds / 60)} minutes`);

function plot([name, shown, valueOf]) {
  const points = samples
    .map((sample, place) => ({ at: sample.at, value: valueOf(sample, samples[place - 1]) }))
    .filter(({ value }) => value !== null);
  const values = points.map(({ value }) => value);
  const last = values.length === 0 ? "–" : shown(values[values.length - 1]);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const range = rangeOf(values, shown);
  return element(
    "figure",
    { class: "sheet plot" },
    element("figcaption", null, name),
    element("p", { class: "now" }, last),
    drawn(
      "svg",
      {
        role: "img",
        viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
        preserveAspectRatio: "none",
        "aria-label": `${name}: ${last} now; ${range} since the page was opened`,
      },
      lines(points, low, high),
    ),
    element("p", { class: "faint" }, range),
  );
}

function rangeOf(values, shown) {
  if (values.length === 0) return "no value yet";
  const [low, high] = [shown(Math.min(...values)), shown(Math.max(...values))];
  return low === high ? "unchanged" : `${low} to ${high}`;
}

function lines(points, low, high) {
  const base = drawn("path", { class: "base", d: `M0 ${HEIGHT - 1}H${WIDTH}` });
  if (points.length === 0) return [base];
  const begin = points[0].at;
  const length = points[points.length - 1].at - begin;
  // A value that never changes is a line in the middle.
  const y = (value) => (high === low ? HEIGHT / 2 : 4 + ((high - value) / (high - low)) * (HEIGHT - 8));
  const x = (at) => (length === 0 ? WIDTH : ((at - begin) / length) * WIDTH);
  const path = points.map(({ at, value }) => `${x(at).toFixed(1)} ${y(value).toFixed(1)}`);
  if (points.length === 1) path.unshift(`0 ${y(points[0].value).toFixed(1)}`);
  return [
    base,
    drawn("path", { class: "area", d: `M${path[0].split(" ")[0]} ${HEIGHT}L${path.join("L")}L${WIDTH} ${HEIGHT}Z` }),
    drawn("path", { class: "line", d: `M${path.join("L")}`, "vector-effect": "non-scaling-stroke" }),
  ];
}
