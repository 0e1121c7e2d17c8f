// Elements made of names, attributes and texts. Nothing here, or elsewhere in the console, parses markup: what
// a store holds becomes a text node or the value of an attribute that runs nothing.

const SVG = "http://www.w3.org/2000/svg";

/** An element of the page, for its id. */
export const the = (id) => document.getElementById(id);

/** A new element. A child that is no node becomes a text; `null` and `undefined` are left out. */
export function element(name, attributes, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same, in a drawing. */
export function drawn(name, attributes, ...children) {
  return filled(document.createElementNS(SVG, name), attributes, children);
}

function filled(made, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined && value !== null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child !== undefined && child !== null));
  return made;
}

/** A button that does something. */
export function button(text, act, attributes) {
  const made = element("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", act);
  return made;
}

/** Puts these children in the place of all that an element has. */
export function replace(parent, ...children) {
  parent.replaceChildren(...children.flat().filter((child) => child !== undefined && child !== null));
}

/**
 * A table. A row is an array of cells: texts or nodes. On a narrow page each row becomes a block of lines, with
 * the heading before each value; the roles keep it a table for screen readers then.
 */
export function table(caption, headings, rows) {
  const cell = (content, place) =>
    element("td", { role: "cell", "data-heading": headings[place] }, element("span", null, content));
  const heading = (text) => element("th", { role: "columnheader", scope: "col" }, text);
  const row = (cells) => element("tr", { role: "row" }, cells);
  return element(
    "table",
    { role: "table" },
    element("caption", null, caption),
    element("thead", { role: "rowgroup" }, row(headings.map(heading))),
    element("tbody", { role: "rowgroup" }, rows.map((cells) => row(cells.map(cell)))),
  );
}

/** A list of names and values, or of long ones. Pairs without a value are left out. */
export function pairs(list, wide = false) {
  const given = list.filter(([, value]) => value !== undefined && value !== null);
  return element(
    "dl",
    { class: wide ? "pairs wide" : "pairs" },
    given.map(([name, value]) =>
      element("div", null, element("dt", null, name), element("dd", null, value))),
  );
}

/** A list; each entry is an array of texts and nodes. */
export function listOf(entries) {
  return element("ul", { class: "list" }, entries.map((entry) => element("li", null, entry)));
}

const DATE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

/** A time of a store: milliseconds since 1970. Far ones are beyond what a browser can show. */
export function time(millis) {
  if (millis === undefined || millis === null) return null;
  const date = new Date(Number(millis));
  if (Number.isNaN(date.getTime())) return `${millis} ms since 1970`;
  return element("time", { datetime: date.toISOString() }, DATE.format(date));
}

/** A number and the word for it, such as `1 token` and `2 tokens`. */
export function counted(number, one, many = `${one}s`) {
  return `${number} ${Number(number) === 1 ? one : many}`;
}

/** A message of the host, which begins in lower case and has no full stop, as a sentence. */
export const sentence = (text) => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;

/** How long an outcome covers a line at the foot of the page. What went wrong stays. */
const SEEN = 10_000;

let timers = [];

/** Says an outcome where screen readers hear it. */
export function say(text, wrong = false) {
  const outcome = the("outcome");
  const put = (now) => {
    outcome.textContent = now;
  };
  timers.forEach(clearTimeout);
  outcome.classList.toggle("wrong", wrong);
  // The same text twice would be heard once.
  put("");
  timers = [setTimeout(put, 50, text)];
  if (!wrong) timers.push(setTimeout(put, SEEN, ""));
}
