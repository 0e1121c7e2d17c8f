// How identifiers match, drawn: for either policy, which identifier leads where, and which one decides.

import { KIND_NAMES, KINDS, kindsInWords } from "./card.js";
import { button, drawn, element, replace } from "./dom.js";

const ROW = 56;
const BOX = 44;
const TITLE = "how-title";

/** The drawings that are shown, to be drawn again when there is more or less room. */
let shown = [];

const resized = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const drawing = shown.find(({ place }) => place === target);
    if (drawing && drawing.width !== widthOf(target)) draw(drawing);
  }
});

/** Shows what the host explains. `open` shows the card of a contact. */
export function showExplanation(place, identifiers, explanation, open) {
  resized.disconnect();
  shown = [];
  const kinds = KINDS.filter((kind) => kind in identifiers);
  const policies = [
    ["cascade", "Cascade", "The first identifier that names a contact decides."],
    ["topPriority", "Top priority", "Only the identifier of the highest priority is tried."],
  ];
  const figures = policies.map(([name, title, rule]) => {
    const reading = read(kinds, explanation.named, explanation[name], name === "cascade");
    const drawing = { place: element("div", { class: "drawing" }), title, identifiers, reading };
    shown.push(drawing);
    return element(
      "figure",
      { class: "sheet" },
      element("h3", null, title),
      element("p", { class: "faint" }, rule),
      drawing.place,
      element("figcaption", null, ...captionOf(reading, open)),
    );
  });
  replace(
    place,
    element("h2", { id: TITLE }, "How the identifiers match"),
    element("p", { class: "faint" }, "What adding a token with them would do. Nothing was written."),
    element("div", { class: "pair", role: "group", "aria-labelledby": TITLE }, figures),
  );
  shown.forEach((drawing) => {
    draw(drawing);
    resized.observe(drawing.place);
  });
}

/**
 * What a decision means for each identifier: its `role`, the contact that it leads to, and why.
 *
 * Roles: `decides`; `tried`, but it names nobody; `attached` to a contact that is created; `left` alone.
 */
function read(kinds, named, decision, cascade) {
  const decider = decision.decision === "append" ? decision.matchedBy : null;
  const attached = decision.decision === "create" ? decision.identifiers : [];
  let over = false;
  const steps = kinds.map((kind, place) => {
    const owner = named[kind] ?? null;
    const names = owner === null ? "names nobody" : `names contact ${owner}`;
    if (kind === decider) {
      over = true;
      return { kind, role: "decides", to: owner, why: `tried, ${names}: it decides` };
    }
    if (decision.decision === "refuse") {
      return { kind, role: "left", to: owner, why: names };
    }
    const tried = cascade ? !over : place === 0;
    if (attached.includes(kind)) {
      const why = `${tried ? "tried, " : ""}${names}: it goes to the new contact`;
      return { kind, role: "attached", to: "new", why };
    }
    if (tried) return { kind, role: "tried", to: owner, why: `tried, ${names}` };
    const result = decider === null ? "it stays there" : "it is not looked at";
    return { kind, role: "left", to: owner, why: `${names}: ${result}` };
  });
  return { steps, decision };
}

function captionOf({ steps, decision }, open) {
  const reasons = element(
    "ul",
    { class: "reasons" },
    steps.map(({ kind, role, why }) =>
      element("li", { class: role }, element("b", null, KIND_NAMES[kind]), ` ${why}.`)),
  );
  if (decision.decision === "append") {
    const text = `The token goes to contact ${decision.contactId}.`;
    return [
      element("p", { class: "decision" }, text),
      reasons,
      button(`Open contact ${decision.contactId}`, () => open(decision.contactId), { class: "quiet" }),
    ];
  }
  if (decision.decision === "create") {
    const text = `Contact ${decision.contactId} would be created, with ${kindsInWords(decision.identifiers)}.`;
    return [element("p", { class: "decision" }, text), reasons];
  }
  return [element("p", { class: "decision wrong" }, `It would be refused: ${decision.error.message}.`), reasons];
}

const widthOf = (place) => Math.floor(place.clientWidth);

/** Draws one policy as wide as there is room: identifiers on the left, contacts on the right. */
function draw(drawing) {
  const { place, title, identifiers, reading } = drawing;
  const { steps, decision } = reading;
  drawing.width = widthOf(place);
  const width = Math.max(drawing.width, 200);
  const ends = endsOf(steps, decision);
  const height = Math.max(steps.length, ends.length) * ROW;
  const left = Math.min(190, width * 0.42);
  const right = Math.min(150, width * 0.42);
  const middle = (place, count) => (place + 0.5) * (height / count);
  const at = (end) => middle(ends.findIndex(({ to }) => to === end), ends.length);

  const edges = steps.map(({ role, to }, place) => {
    const [x1, y1, x2, y2] = [left, middle(place, steps.length), width - right - 8, at(to)];
    const bend = (x2 - x1) / 2;
    const path = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    return drawn("g", { class: `edge ${role}` },
      drawn("path", { d: path }),
      drawn("path", { class: "head", d: `M${x2 - 1} ${y2 - 5}l8 5l-8 5z` }));
  });
  // What decides is drawn last, above the others.
  edges.sort((one, other) => one.classList.contains("decides") - other.classList.contains("decides"));
  const boxes = steps.map(({ kind, role }, place) =>
    box(0, middle(place, steps.length), left, KIND_NAMES[kind], String(identifiers[kind]).trim(), role));
  const contacts = ends.map(({ text, more, role }, place) =>
    box(width - right, middle(place, ends.length), right, text, more, role));

  const said = steps.map(({ kind, why }) => `${KIND_NAMES[kind]}: ${why}.`).join(" ");
  replace(
    place,
    drawn(
      "svg",
      { role: "img", width, height, viewBox: `0 0 ${width} ${height}`, "aria-label": `${title}. ${said}` },
      edges, boxes, contacts,
    ),
  );
}

/** What the identifiers lead to, each once. */
function endsOf(steps, decision) {
  const ends = [];
  for (const { to, role } of steps) {
    const known = ends.find((end) => end.to === to);
    if (known) {
      if (role === "decides") known.role = role;
      continue;
    }
    if (to === null) ends.push({ to, text: "Nobody", more: "", role: "nobody" });
    else if (to === "new") ends.push({ to, text: "New contact", more: String(decision.contactId), role: "decides" });
    else ends.push({ to, text: "Contact", more: String(to), role });
  }
  return ends;
}

function box(x, middle, width, title, more, role) {
  const y = middle - BOX / 2;
  const room = Math.floor((width - 16) / 7.4);
  const lines = more === "" ? [[title, "title", 5]] : [[title, "title", -4], [more, "value", 13]];
  return drawn(
    "g",
    { class: `box ${role}` },
    drawn("rect", { x: x + 1, y, width: width - 2, height: BOX, rx: 8 }),
    lines.map(([text, name, below]) =>
      drawn("text", { class: name, x: x + 9, y: middle + below }, cut(text, room))),
  );
}

/** A text that fits. Characters of more than one code unit stay whole. */
function cut(text, room) {
  const characters = [...text];
  return characters.length <= room ? text : `${characters.slice(0, Math.max(room - 1, 1)).join("")}…`;
}
