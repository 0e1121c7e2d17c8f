// Looking a contact up by its identifiers: the card, and how the identifiers match.

import { Outdated, post } from "./api.js";
import { KIND_NAMES, KINDS, showCard, titleOf } from "./card.js";
import { element, replace, say, sentence, the } from "./dom.js";
import { showExplanation } from "./explanation.js";

// Counts look-ups: an answer to an earlier one is not shown.
let asked = 0;

export function start() {
  the("look-up").addEventListener("submit", (event) => {
    event.preventDefault();
    lookUp();
  });
  the("look-up").addEventListener("reset", clear);
}

/** Empties the view, for a page that is locked. */
export function forget() {
  the("look-up").reset();
}

/** Shows the contact with an id. */
export async function open(contactId) {
  the("look-up").reset();
  the("contactId").value = contactId;
  await lookUp();
}

function clear() {
  asked += 1;
  replace(the("card"));
  replace(the("explanation"));
  KINDS.forEach((kind) => mark(kind, ""));
}

function given() {
  const values = KINDS.map((kind) => [kind, the(kind).value]);
  return Object.fromEntries(values.filter(([, value]) => value.trim() !== ""));
}

async function lookUp() {
  clear();
  const now = asked;
  const identifiers = given();
  const policy = new FormData(the("look-up")).get("policy");
  const named = Object.keys(identifiers);
  if (named.length === 0) {
    mark("contactId", "Give at least one identifier.");
    the("contactId").focus();
    say("Give at least one identifier.", true);
    return;
  }
  try {
    const explanation = await post("/v1/contacts/explain", identifiers);
    if (now !== asked) return;
    showExplanation(the("explanation"), identifiers, explanation, open);
    const found = await find(policy === "" ? identifiers : { ...identifiers, policy });
    if (now !== asked) return;
    if (found === null) {
      replace(the("card"), nobody());
      say("No contact is found.");
      return;
    }
    const note = `Found by ${KIND_NAMES[found.matchedBy].toLowerCase()}.`;
    await showCard(the("card"), found.contact, note, () => now === asked);
    if (now !== asked) return;
    say(`${titleOf(found.contact)} is found.`);
    the("card-title")?.focus();
  } catch (error) {
    if (error instanceof Outdated || now !== asked) return;
    refused(error);
  }
}

/** The contact, or nothing: no match is no failure. */
async function find(question) {
  try {
    return await post("/v1/contacts/find", question);
  } catch (error) {
    if (error.code === "unknownContact") return null;
    throw error;
  }
}

function nobody() {
  return element(
    "div",
    { class: "sheet" },
    element("h2", { id: "card-title", tabindex: "-1" }, "No contact is found"),
    element("p", null, "No identifier that was tried names a contact. Nothing was written."),
  );
}

function refused(error) {
  if (KINDS.includes(error.field)) {
    mark(error.field, sentence(error.message));
    the(error.field).focus();
  }
  say(sentence(error.message), true);
}

function mark(kind, text) {
  the(`${kind}-wrong`).textContent = text;
  if (text === "") the(kind).removeAttribute("aria-invalid");
  else the(kind).setAttribute("aria-invalid", "true");
}
