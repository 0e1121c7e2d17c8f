// Looking a contact up by its identifiers: the card, and how the identifiers match.

import { Outdated, post } from "./api.js";
import { KIND_NAMES, KINDS, showCard, titleOf } from "./card.js";
import { offerMerge, offerSplit, offerUnmerge, showMerged } from "./change.js";
import { button, element, replace, say, sentence, the } from "./dom.js";
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

/** Shows the contact with an id. `said`, if given, is said instead of that it is found. */
export async function open(contactId, said) {
  the("look-up").reset();
  the("contactId").value = contactId;
  await lookUp(said);
}

function clear() {
  asked += 1;
  replace(the("card"));
  replace(the("change"));
  replace(the("explanation"));
  KINDS.forEach((kind) => mark(kind, ""));
}

function given() {
  const values = KINDS.map((kind) => [kind, the(kind).value]);
  return Object.fromEntries(values.filter(([, value]) => value.trim() !== ""));
}

async function lookUp(said) {
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
    showExplanation(the("explanation"), identifiers, explanation, (contactId) => open(contactId));
    const found = await find(policy === "" ? identifiers : { ...identifiers, policy });
    if (now !== asked) return;
    if (found === null) {
      replace(the("card"), nobody());
      say("No contact is found.");
      return;
    }
    await show(found, () => now === asked);
    if (now !== asked) return;
    say(...(said ?? [`${titleOf(found.contact)} is found.`]));
    the("card-title")?.focus();
  } catch (error) {
    if (error instanceof Outdated || now !== asked) return;
    refused(error);
  }
}

async function show({ contact, matchedBy }, isWanted) {
  const change = the("change");
  const merged = element("div", { class: "merged" });
  const actions = element(
    "div",
    { class: "actions" },
    button("Merge…", () => offerMerge(change, contact.contactId, "", open), { class: "quiet" }),
    button("Split…", () => act(() => offerSplit(change, contact, open), isWanted), { class: "quiet" }),
  );
  const note = `Found by ${KIND_NAMES[matchedBy].toLowerCase()}.`;
  await showCard(the("card"), contact, { note, actions: [merged, actions], isWanted });
  const take = (contactId) => offerUnmerge(change, contactId, open);
  act(() => showMerged(merged, contact.contactId, isWanted, take), isWanted);
}

/** Does something for the card that is shown, and says what goes wrong while it is. */
async function act(what, isWanted) {
  try {
    await what();
  } catch (error) {
    if (isWanted() && !(error instanceof Outdated)) refused(error);
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
