// The apps, and the tallies of the messages of one.

import { get, MOST_ROWS, Outdated } from "./api.js";
import { button, counted, element, replace, say, sentence, table, the, time } from "./dom.js";

let asked = 0;

export function start() {
  the("apps-again").addEventListener("click", show);
}

export function forget() {
  asked += 1;
  replace(the("apps-list"));
  replace(the("messages"));
}

export async function show() {
  forget();
  const now = asked;
  try {
    const { apps } = await get("/v1/apps");
    if (now !== asked) return;
    const rows = apps.map((app) => [
      app.name,
      app.appUuid,
      app.subscribers,
      app.contacts,
      button("Messages", () => showMessages(app), { class: "quiet", "aria-label": `Messages of ${app.name}` }),
    ]);
    replace(
      the("apps-list"),
      apps.length === 0
        ? element("p", { class: "faint" }, "No app is connected.")
        : table(counted(apps.length, "app"), ["Name", "Id", "Subscribers", "Contacts", "Messages"], rows),
    );
    say(`${counted(apps.length, "app")}.`);
  } catch (error) {
    failed(error, now);
  }
}

async function showMessages(app) {
  asked += 1;
  const now = asked;
  try {
    const { messages } = await get(`/v1/apps/${encodeURIComponent(app.appUuid)}/messages?limit=${MOST_ROWS}`);
    if (now !== asked) return;
    const rows = messages.map(({ messageId, counts, lastAt }) => [
      messageId,
      counts.sent,
      counts.failed,
      counts.clicked,
      time(lastAt),
    ]);
    const title = element("h2", { id: "messages-title", tabindex: "-1" }, `Messages of ${app.name}`);
    replace(
      the("messages"),
      title,
      // The next page would begin after a message id, and that does not belong into an address.
      messages.length === MOST_ROWS ? element("p", { class: "faint" }, `The first ${MOST_ROWS} of them.`) : null,
      messages.length === 0
        ? element("p", { class: "faint" }, "No report named a message.")
        : table(counted(messages.length, "message"), ["Message", "Sent", "Failed", "Clicked", "Last report"], rows),
    );
    title.focus();
    say(`${counted(messages.length, "message")}.`);
  } catch (error) {
    failed(error, now);
  }
}

function failed(error, now) {
  if (error instanceof Outdated || now !== asked) return;
  say(sentence(error.message), true);
}
