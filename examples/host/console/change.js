// Merging two contacts, taking a merged one out again, and splitting one in two. Each is shown first, as the
// host says that it would be, and is done only after that.

import { get, Outdated, post } from "./api.js";
import { appNames, cardAsPairs, KIND_NAMES, KINDS, kindsInWords, titleOf } from "./card.js";
import { button, counted, element, listOf, pairs, replace, say, sentence } from "./dom.js";

const FIELD_NAMES = {
  firstName: "First name",
  lastName: "Last name",
  languageCode: "Language",
  timeZone: "Time zone",
};

/** Where a change is offered. */
let offered = null;

const path = (contactId, what = "") => `/v1/contacts/${encodeURIComponent(contactId)}${what}`;

/**
 * Offers to merge one contact into another, in `place`. `done` is called with the contact that is left,
 * and what is to be said. Either id may be empty.
 */
export function offerMerge(place, from, into, done) {
  const field = (id, label, value) => {
    const input = element("input", { id, inputmode: "numeric", spellcheck: "false", autocomplete: "off" });
    input.value = value;
    return [input, element("div", { class: "field" }, element("label", { for: id }, label), input)];
  };
  const [fromInput, fromField] = field("merge-from", "This contact id", from);
  const [intoInput, intoField] = field("merge-into", "goes into this one", into);
  const swap = button(
    "Swap",
    () => {
      [fromInput.value, intoInput.value] = [intoInput.value, fromInput.value];
      change.outdate();
      say("Swapped.");
    },
    { class: "quiet" },
  );
  const change = offer(place, {
    title: "Merge two contacts",
    about: "Both are one person. Everything of the first goes into the second, and its id leads there.",
    fields: [element("div", { class: "grid" }, fromField, intoField)],
    more: [swap],
    ask: (preview) =>
      post(path(fromInput.value.trim(), "/merge"), { into: intoInput.value.trim(), preview }),
    check: () =>
      fromInput.value.trim() === "" || intoInput.value.trim() === "" ? "Give both contact ids." : null,
    describe: describeMerge,
    confirm: (outcome) => `Merge contact ${outcome.from} into contact ${outcome.into}`,
    result: (outcome) => `Contact ${outcome.from} is merged into contact ${outcome.into}.`,
    done: (outcome, said) => done(outcome.into, said),
  });
  (from === "" ? fromInput : into === "" ? intoInput : change.preview).focus();
}

/** Offers to take a merged contact out again. `done` is called as that of a merge. */
export function offerUnmerge(place, contactId, done) {
  const change = offer(place, {
    title: `Take contact ${contactId} out again`,
    about: "It gets back what it had, except what somebody else has by now.",
    fields: [],
    more: [],
    ask: (preview) => post(path(contactId, "/unmerge"), { preview }),
    check: () => null,
    describe: describeUnmerge,
    confirm: (outcome) => `Take contact ${outcome.contactId} out of contact ${outcome.from}`,
    result: (outcome) => `Contact ${outcome.contactId} is taken out of contact ${outcome.from}.`,
    done: (outcome, said) => done(outcome.contactId, said),
  });
  change.preview.focus();
}

/** Offers to split a contact in two. `done` is called as that of a merge. */
export async function offerSplit(place, card, done) {
  const names = await appNames();
  const choice = (name, value, text) =>
    element("label", null, element("input", { type: "checkbox", name, value }), element("span", null, text));
  const kinds = KINDS.filter((kind) => kind !== "contactId" && card[kind] !== undefined);
  const identifiers = element(
    "fieldset",
    { class: "choice column" },
    element("legend", null, "Identifiers that go"),
    kinds.map((kind) => choice("identifier", kind, `${KIND_NAMES[kind]}: ${card[kind]}`)),
  );
  const tokens = element(
    "fieldset",
    { class: "choice column" },
    element("legend", null, "Tokens that go"),
    card.tokens.map((held) => choice("subscriber", held.subscriberId, tokenText(held, names))),
  );
  const chosen = (fieldset) => [...fieldset.querySelectorAll(":checked")].map(({ value }) => value);
  const change = offer(place, {
    title: `Split contact ${card.contactId}`,
    about: "It is two people. What is chosen goes to a new contact; the rest, and the fields, stay.",
    fields: [identifiers, card.tokens.length > 0 ? tokens : null],
    more: [],
    ask: (preview) =>
      post(path(card.contactId, "/split"), {
        identifiers: chosen(identifiers),
        subscriberIds: chosen(tokens),
        preview,
      }),
    check: () => (chosen(identifiers).length === 0 ? "Choose at least one identifier that goes." : null),
    describe: describeSplit,
    confirm: (outcome) => `Split contact ${outcome.from}`,
    result: (outcome) => `Contact ${outcome.contactId} is split off contact ${outcome.from}.`,
    done: (outcome, said) => done(outcome.contactId, said),
  });
  (identifiers.querySelector("input") ?? change.preview).focus();
}

/** Lists the contacts that were merged into one, each with a way out. */
export async function showMerged(place, contactId, isWanted, take) {
  const { merged } = await get(path(contactId, "/merged"));
  if (!isWanted() || merged.length === 0) return;
  replace(
    place,
    element("h3", null, "Merged into this contact"),
    listOf(
      merged.map((one) => [
        `Contact ${one.contactId}`,
        one.identifiers ? ` with ${kindsInWords(one.identifiers)} ` : " ",
        button("Take out", () => take(one.contactId), {
          class: "quiet",
          "aria-label": `Take contact ${one.contactId} out`,
        }),
      ]),
    ),
  );
}

/**
 * A form, its preview, and the button that does what the preview says. A change of the form takes the preview
 * away, so that nothing is done that was not shown.
 */
function offer(place, what) {
  let asked = 0;
  const shown = element("div", { class: "preview" });
  const preview = element("button", { type: "submit" }, "Preview");
  const outdate = () => {
    asked += 1;
    replace(shown);
  };
  const opener = document.activeElement;
  const close = () => {
    outdate();
    replace(place);
    opener?.focus();
  };
  const form = element(
    "form",
    { method: "post", autocomplete: "off", novalidate: "", "aria-labelledby": "change-title" },
    element("h2", { id: "change-title", tabindex: "-1" }, what.title),
    element("p", { class: "faint" }, what.about),
    what.fields,
    element("div", { class: "actions" }, preview, what.more, button("Cancel", close, { class: "quiet" })),
  );
  form.addEventListener("input", outdate);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const missing = what.check();
    if (missing === null) attempt(showPreview);
    else say(missing, true);
  });
  // One at a time, also in another view: its ids are on the page once.
  if (offered !== null && offered !== place) replace(offered);
  offered = place;
  replace(place, form, shown);

  async function attempt(act) {
    outdate();
    const now = asked;
    try {
      await act(() => now === asked);
    } catch (error) {
      if (error instanceof Outdated || now !== asked) return;
      preview.focus();
      say(sentence(error.message), true);
    }
  }

  async function showPreview(isWanted) {
    const outcome = await what.ask(true);
    const description = await what.describe(outcome);
    if (!isWanted() || !form.isConnected) return;
    const title = element("h3", { tabindex: "-1" }, "What it would do");
    replace(
      shown,
      element(
        "div",
        { class: "sheet" },
        title,
        element("p", { class: "faint" }, "Nothing is written yet."),
        description,
        element(
          "div",
          { class: "actions" },
          button(what.confirm(outcome), () => attempt((wanted) => carryOut(outcome, wanted))),
        ),
      ),
    );
    title.focus();
    say("The preview is below.");
  }

  async function carryOut(promised, isWanted) {
    const outcome = await what.ask(false);
    if (!isWanted()) return;
    replace(place);
    const other = JSON.stringify(outcome) !== JSON.stringify(promised);
    const note = other ? " The store had changed since the preview: look at what was done." : "";
    what.done(outcome, [what.result(outcome) + note, other]);
  }

  return { preview, outdate };
}

const tokenText = (held, names) => `${held.token} of ${names.get(held.appUuid) ?? held.appUuid}`;

/** The cards of contacts, the names of apps, and the tokens in words, by subscriber id. */
async function read(...ids) {
  const names = await appNames();
  const cards = await Promise.all(ids.map((id) => get(path(id))));
  const tokens = new Map(
    cards.flatMap((card) => card.tokens.map((held) => [held.subscriberId, tokenText(held, names)])),
  );
  return { cards, names, tokens };
}

/** What goes or stays, in words; `null` when it is nothing. */
function parts(of, tokens) {
  const lines = [
    ...(of.identifiers ?? []).map((kind) => KIND_NAMES[kind]),
    ...(of.fields ?? []).map((name) => FIELD_NAMES[name]),
    ...(of.customFields ?? []).map((name) => `Field “${name}”`),
    ...(of.subscriberIds ?? []).map((id) => `Token ${tokens.get(id) ?? `of subscriber ${id}`}`),
    ...(of.mergedIds ?? []).map((id) => `Contact ${id}, merged earlier`),
  ];
  return lines.length === 0 ? null : listOf(lines.map((line) => [line]));
}

async function describeMerge(outcome) {
  const { cards, names, tokens } = await read(outcome.from, outcome.into);
  const [from, into] = cards;
  return [
    element(
      "div",
      { class: "pair" },
      [from, into].map((card, place) =>
        element(
          "section",
          { class: "side", "aria-label": `Contact ${card.contactId}` },
          element("h4", null, `${place === 0 ? "From" : "Into"}: ${titleOf(card)}`),
          cardAsPairs(card, (id) => names.get(id) ?? id),
          element("p", { class: "faint" }, counted(card.tokens.length, "token")),
        )),
    ),
    pairs([
      ["Goes over", parts(outcome, tokens) ?? "Nothing"],
      ["Stays out, for the other has its own", outcome.kept && parts(outcome.kept, tokens)],
      ["Both hold", parts({ subscriberIds: outcome.sharedSubscriberIds }, tokens)],
    ], true),
  ];
}

async function describeUnmerge(outcome) {
  const { tokens } = await read(outcome.from);
  const lost = outcome.notGivenBack;
  const taken = (lost?.identifiers ?? []).map(({ kind, contactId }) => [
    `${KIND_NAMES[kind]}, which contact ${contactId} has`,
  ]);
  const erased = (lost?.erased ?? []).map((kind) => [`${KIND_NAMES[kind]}, which was erased with another contact`]);
  const gone = (lost?.subscriberIds ?? []).map((id) => [`Token of subscriber ${id}, which was removed`]);
  return [
    pairs([
      ["Gets back", parts(outcome, tokens) ?? "Nothing"],
      ["Does not get back", taken.length + erased.length + gone.length > 0 ? listOf([...taken, ...erased, ...gone]) : "Nothing"],
    ], true),
  ];
}

async function describeSplit(outcome) {
  const { cards, tokens } = await read(outcome.from);
  const [card] = cards;
  const goes = (kind) => (outcome.identifiers ?? []).includes(kind);
  const gone = outcome.subscriberIds ?? [];
  const stays = {
    identifiers: KINDS.filter((kind) => card[kind] !== undefined && !goes(kind)),
    subscriberIds: card.tokens.map((held) => held.subscriberId).filter((id) => !gone.includes(id)),
  };
  return [
    pairs([
      [`Goes to the new contact ${outcome.contactId}`, parts(outcome, tokens)],
      [`Stays with contact ${outcome.from}`, parts(stays, tokens)],
    ], true),
  ];
}
