// The card of a contact, with what was delivered to each of its tokens.

import { get, Outdated } from "./api.js";
import { button, counted, element, pairs, replace, sentence, table, time } from "./dom.js";

/** Subscribers that are read without being asked for: each is a request. */
const AT_ONCE = 25;

export const KINDS = ["contactId", "externalCustomerId", "phone", "email"];

/** The kinds of identifiers in words. */
export const KIND_NAMES = {
  contactId: "Contact id",
  externalCustomerId: "Customer id",
  phone: "Phone",
  email: "Email",
};

/** Kinds in a sentence. */
export function kindsInWords(kinds) {
  const words = kinds.map((kind) => (KIND_NAMES[kind] ?? kind).toLowerCase());
  const last = words.pop();
  return words.length === 0 ? last : `${words.join(", ")} and ${last}`;
}

/** The name of a contact, for a heading. */
export function titleOf(card) {
  const name = [card.firstName, card.lastName].filter(Boolean).join(" ");
  return name === "" ? `Contact ${card.contactId}` : name;
}

/**
 * Shows a card. `note` says how it was found; `actions` are below it; `isWanted` says whether the card still is,
 * after an answer was waited for. What was delivered is read after the card is shown.
 */
export async function showCard(place, card, { note, actions, isWanted }) {
  const names = await appNames();
  if (!isWanted()) return;
  const appOf = (id) => names.get(id) ?? id;
  const fields = Object.entries(card.fields ?? {});
  const cells = [];
  const rows = card.tokens.map((held) => {
    const delivery = element("span", null, "not read");
    cells.push({ held, delivery });
    return [appOf(held.appUuid), held.token, held.subscriberId, time(held.addedAt), delivery];
  });
  const more = element("div", { class: "actions" });
  replace(
    place,
    element(
      "article",
      { class: "sheet card", "aria-labelledby": "card-title" },
      element("h2", { id: "card-title", tabindex: "-1" }, titleOf(card)),
      element("p", { class: "faint" }, note),
      cardAsPairs(card, appOf),
      fields.length > 0
        ? table("Fields", ["Name", "Value"], fields)
        : element("p", { class: "faint" }, "No custom fields."),
      rows.length > 0
        ? table(counted(rows.length, "token"), ["App", "Token", "Subscriber", "Added", "Delivery"], rows)
        : element("p", { class: "faint" }, "No tokens: nothing can be sent to this contact."),
      more,
      actions,
    ),
  );
  showDeliveries(cells, more, isWanted);
}

/** What is on a card besides its tokens and custom fields. */
export function cardAsPairs(card, appOf = (id) => id) {
  return pairs([
    ["Contact id", card.contactId],
    ["Customer id", card.externalCustomerId],
    ["Phone", card.phone],
    ["Email", card.email],
    ["First name", card.firstName],
    ["Last name", card.lastName],
    ["Language", card.languageCode],
    ["Time zone", card.timeZone],
    ["Created", time(card.createdAt)],
    ["Created through", card.createdThroughAppUuid && appOf(card.createdThroughAppUuid)],
  ]);
}

/** Reads and shows the delivery state of the first tokens, and offers the others. */
async function showDeliveries(cells, more, isWanted) {
  replace(more);
  const now = cells.slice(0, AT_ONCE);
  const later = cells.slice(AT_ONCE);
  for (const cell of now) {
    try {
      const found = await subscriber(cell.held);
      if (!isWanted()) return;
      replace(cell.delivery, deliveryOf(found));
    } catch (error) {
      if (error instanceof Outdated || !isWanted()) return;
      replace(cell.delivery, sentence(error.message));
    }
  }
  if (later.length > 0) {
    const text = `Read the delivery of ${counted(Math.min(later.length, AT_ONCE), "more token")}`;
    replace(more, button(text, () => showDeliveries(later, more, isWanted), { class: "quiet" }));
  }
}

/** A subscriber by its id: the first one after the id before it. */
async function subscriber({ appUuid, subscriberId }) {
  const before = BigInt(subscriberId) - 1n;
  const path = `/v1/apps/${encodeURIComponent(appUuid)}/subscribers?after=${before}&limit=1`;
  const { subscribers } = await get(path);
  return subscribers.find((found) => found.subscriberId === subscriberId);
}

function deliveryOf(found) {
  if (found === undefined) return "removed since";
  const { sent, failed, clicked } = found.counts;
  const others = found.contactIds.length - 1;
  return element(
    "span",
    { class: "delivery" },
    found.lastStatus === undefined
      ? "no report yet"
      : element("span", null, element("b", { class: "status" }, found.lastStatus), " ", time(found.lastStatusAt)),
    element("span", { class: "faint" }, `${sent} sent, ${failed} failed, ${clicked} clicked`),
    muteOf(found),
    others > 0 ? element("span", { class: "faint" }, `held by ${counted(others, "other contact")}`) : null,
  );
}

/** The mute of a subscriber, unless it has ended. */
function muteOf({ muted }) {
  if (muted === undefined || Number(muted.until) <= Date.now()) return null;
  const end = muted.until === undefined ? null : [" until ", time(muted.until)];
  return element("span", { class: "status" }, "muted", end);
}

/** The names of the apps by their ids. */
export async function appNames() {
  const { apps } = await get("/v1/apps");
  return new Map(apps.map((app) => [app.appUuid, app.name]));
}
