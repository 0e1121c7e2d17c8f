// Requests to the host. The key is in a variable of this module and nowhere else.

let key = null;
// Counts lockings: what was asked for before one must not be shown after it.
let locked = 0;
let onUnauthorized = () => {};

/** The most rows of a page of the host. */
export const MOST_ROWS = 1_000;

/** How long an answer may take. */
const PATIENCE = 30_000;

/** What the host says when it refuses, or that there was no answer. */
export class Refused extends Error {
  constructor(status, error) {
    super(error.message);
    this.status = status;
    this.code = error.code;
    this.field = error.field;
  }
}

/** The page was locked, or asked for something else, before the answer came. Nobody waits for it. */
export class Outdated extends Error {}

export function useKey(text) {
  key = text;
}

export function forgetKey() {
  key = null;
  locked += 1;
}

/** What is done when the host asks for a key. */
export function whenUnauthorized(act) {
  onUnauthorized = act;
}

/** The JSON that a path answers. */
export async function get(path) {
  return parse(await ask(path, { method: "GET" }));
}

/** The JSON that a path answers to JSON. */
export async function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return parse(await ask(path, { method: "POST", headers, body: JSON.stringify(body) }));
}

/** The text that a path answers. */
export async function getText(path) {
  return ask(path, { method: "GET" });
}

async function ask(path, request) {
  const asked = locked;
  const headers = new Headers(request.headers);
  if (key !== null) headers.set("Authorization", `Bearer ${key}`);
  let answer, text;
  try {
    answer = await fetch(path, {
      ...request,
      headers,
      mode: "same-origin",
      credentials: "omit",
      cache: "no-store",
      redirect: "error",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(PATIENCE),
    });
    text = await answer.text();
  } catch {
    if (asked !== locked) throw new Outdated();
    throw new Refused(0, { code: "noAnswer", message: "the host does not answer" });
  }
  if (asked !== locked) throw new Outdated();
  if (answer.ok) return text;
  const refused = new Refused(answer.status, errorOf(answer.status, text));
  if (answer.status === 401) onUnauthorized(refused);
  throw refused;
}

function errorOf(status, text) {
  try {
    const { error } = parse(text);
    if (typeof error.message === "string") return error;
  } catch {
    // It is no JSON: a proxy answered.
  }
  return { code: "unknown", message: `the answer has status ${status} and no reason` };
}

/**
 * Parses JSON, with integers that a number of JavaScript would round as texts: a contact id has up to 19
 * digits, and a rounded one is the id of somebody else.
 */
export function parse(text) {
  const tokens = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;
  const kept = text.replace(tokens, (token) => {
    const rounded = /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
    return rounded ? `"${token}"` : token;
  });
  return JSON.parse(kept);
}
