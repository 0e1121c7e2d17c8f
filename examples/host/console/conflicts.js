// The list of conflicts: pairs of contacts that requests named as if they were one, to be merged or dismissed.

import { get, MOST_ROWS, Outdated, post } from "./api.js";
import { kindsInWords } from "./card.js";
import { offerMerge } from "./change.js";
import { button, counted, element, replace, say, sentence, table, the, time } from "./dom.js";
import { open } from "./look_up.js";

/** Conflicts that are read without being asked for: each has four controls on the way of the Tab key. */
const AT_ONCE = 25;

let asked = 0;
let listed = [];
let more = false;

export function start() {
  the("conflicts-again").addEventListener("click", show);
}

export function forget() {
  asked += 1;
  listed = [];
  replace(the("conflicts-list"));
  replace(the("conflicts-change"));
}

/** Shows as many as before, for a person that comes back from a card. */
export async function show() {
  if (await read([], howMany())) say(`${inWords()}.`);
}

const howMany = () => Math.min(Math.max(listed.length, AT_ONCE), MOST_ROWS - 1);

const inWords = () => counted(listed.length, "conflict") + (more ? ", and there are more" : "");

/** The conflicts after those that are listed. */
async function showMore() {
  const shown = listed.length;
  if (!(await read(listed, AT_ONCE))) return;
  focusRow(shown);
  say(`${inWords()}.`);
}

/** Reads a number of conflicts, and lists them after those before. Says what goes wrong, after `done`. */
async function read(before, count, done = "") {
  asked += 1;
  const now = asked;
  try {
    const after = before.length === 0 ? "" : `&after=${encodeURIComponent(before[before.length - 1].pair)}`;
    // One more than is shown says whether there are more.
    const { conflicts } = await get(`/v1/conflicts?limit=${count + 1}${after}`);
    if (now !== asked) return false;
    more = conflicts.length > count;
    listed = [...before, ...conflicts.slice(0, count)];
    list();
    return true;
  } catch (error) {
    if (error instanceof Outdated || now !== asked) return false;
    say(`${done} ${sentence(error.message)}`.trim(), true);
    return false;
  }
}

function list() {
  replace(the("conflicts-change"));
  replace(
    the("conflicts-list"),
    listed.length === 0
      ? element("p", { class: "faint" }, "No conflict is listed. A host without --conflicts lists no new ones.")
      : table(inWords(), ["Contacts", "Times", "First", "Last", "Actions"], listed.map(row)),
    more ? element("div", { class: "actions" }, button("More conflicts", showMore, { class: "quiet" })) : null,
  );
}

function row(conflict, place) {
  const [one, other] = conflict.contacts.map(({ contactId }) => contactId);
  const merge = () =>
    // The one created later goes into the earlier one, unless they are swapped.
    offerMerge(the("conflicts-change"), other, one, (_, said) => changed(place, ...said));
  const dismiss = () => offerDismissal(place, one, other);
  return [
    element("span", { class: "lines" }, conflict.contacts.map(side)),
    conflict.count,
    time(conflict.firstAt),
    time(conflict.lastAt),
    element(
      "span",
      { class: "actions" },
      button("Merge…", merge, { class: "quiet", "aria-label": `Merge… contacts ${one} and ${other}` }),
      button("Dismiss…", dismiss, { class: "quiet", "aria-label": `Dismiss… contacts ${one} and ${other}` }),
    ),
  ];
}

/** A contact of a conflict, with a link to its card. The address has no id. */
function side({ contactId, namedBy }) {
  const link = element("a", { href: "#look-up" }, `Contact ${contactId}`);
  link.addEventListener("click", () => open(contactId));
  return element("span", null, link, ` by ${kindsInWords(namedBy)}`);
}

/** Asks whether a conflict is to be dismissed. */
function offerDismissal(place, one, other) {
  const opener = document.activeElement;
  const close = () => {
    replace(the("conflicts-change"));
    opener?.focus();
  };
  const title = `Dismiss the conflict of contacts ${one} and ${other}`;
  const heading = element("h2", { tabindex: "-1" }, title);
  const act = async () => {
    // Gone first: it is not done twice.
    close();
    try {
      const { outcome } = await post("/v1/conflicts/dismiss", { contactIds: [one, other] });
      const what = outcome === "dismissed" ? "is dismissed" : "was not listed any more";
      await changed(place, `The conflict of contacts ${one} and ${other} ${what}.`);
    } catch (error) {
      if (!(error instanceof Outdated)) say(sentence(error.message), true);
    }
  };
  replace(
    the("conflicts-change"),
    element(
      "div",
      { class: "sheet", role: "group", "aria-label": title },
      heading,
      element("p", { class: "faint" }, "Both contacts stay as they are. A later request that names both lists it again."),
      element("div", { class: "actions" }, button("Dismiss", act), button("Cancel", close, { class: "quiet" })),
    ),
  );
  heading.focus();
}

/** Says what was done with the conflict at a place, and reads the list again: a merge also changes others. */
async function changed(place, said, wrong) {
  say(said, wrong);
  if (await read([], howMany(), said)) focusRow(place);
}

/** The conflict that is now at a place has the focus, or the last one, or the title of an empty list. */
function focusRow(place) {
  const links = [...the("conflicts-list").querySelectorAll("tbody tr")].map((it) => it.querySelector("a"));
  (links[Math.min(place, links.length - 1)] ?? the("conflicts-title")).focus();
}
