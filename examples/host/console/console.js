// The page from its opening to its locking: the key, and which view is shown.

import { forgetKey, get, Outdated, useKey, whenUnauthorized } from "./api.js";
import * as apps from "./apps.js";
import * as conflicts from "./conflicts.js";
import { say, sentence, the } from "./dom.js";
import * as figures from "./figures.js";
import * as lookUp from "./look_up.js";

/** The views by their names in the address, with what is done when one is opened. */
const VIEWS = { "look-up": () => {}, conflicts: conflicts.show, apps: apps.show, figures: () => {} };

/** Without a touch of the page for this long, it locks itself: somebody may have walked away. */
const IDLE = 15 * 60 * 1_000;

let unlocked = false;
let needsKey = false;
let idle = null;
let shown = null;

[lookUp, conflicts, apps, figures].forEach((view) => view.start());
the("unlock").addEventListener("submit", (event) => {
  event.preventDefault();
  unlock();
});
the("lock").addEventListener("click", () => lock("Locked. The key is forgotten."));
addEventListener("hashchange", () => route(true));
// A page that is kept for the way back must not keep the key.
addEventListener("pagehide", () => {
  if (needsKey) lock("");
});
["keydown", "pointerdown"].forEach((touch) => addEventListener(touch, stayAwake, { passive: true }));
whenUnauthorized((refused) => {
  needsKey = true;
  if (unlocked) lock(`Locked: ${refused.message}.`);
});
enter();

/** Opens the page where no key is needed, or asks for the key. */
async function enter() {
  try {
    await get("/v1/apps");
  } catch (error) {
    if (error instanceof Outdated) return;
    if (error.status === 401) {
      showUnlock();
      return;
    }
    // The views say what is wrong, and may find the host well later.
    say(sentence(error.message), true);
  }
  opened();
}

async function unlock() {
  const text = the("key").value.trim();
  const wrong = (message) => {
    the("key-wrong").textContent = message;
    the("key").setAttribute("aria-invalid", "true");
    the("key").focus();
    the("key").select();
    say(message, true);
  };
  // Anything else cannot be sent as a header, and is no key of a host.
  if (!/^[\x21-\x7e]+$/.test(text)) {
    wrong("A key is one line of visible ASCII characters.");
    return;
  }
  useKey(text);
  try {
    await get("/v1/apps");
  } catch (error) {
    if (error instanceof Outdated) return;
    forgetKey();
    wrong(error.status === 401 ? "This is not the key of this host." : sentence(error.message));
    return;
  }
  needsKey = true;
  clearKeyField();
  say("Unlocked.");
  opened();
}

function clearKeyField() {
  the("key").value = "";
  the("key").removeAttribute("aria-invalid");
  the("key-wrong").textContent = "";
}

function opened() {
  unlocked = true;
  the("view-unlock").hidden = true;
  the("views").hidden = false;
  the("lock").hidden = !needsKey;
  stayAwake();
  figures.begin();
  route(needsKey);
}

function lock(why) {
  forgetKey();
  unlocked = false;
  clearTimeout(idle);
  [lookUp, conflicts, apps, figures].forEach((view) => view.forget());
  showUnlock();
  say(why);
}

function showUnlock() {
  clearKeyField();
  the("views").hidden = true;
  the("lock").hidden = true;
  Object.keys(VIEWS).forEach((name) => {
    the(`view-${name}`).hidden = true;
  });
  the("no-tls").hidden = isSecureContext;
  the("view-unlock").hidden = false;
  the("key").focus();
}

function stayAwake() {
  clearTimeout(idle);
  if (unlocked && needsKey) {
    idle = setTimeout(() => lock("Locked: the page was not used for 15 minutes."), IDLE);
  }
}

/** Shows the view that the address names. */
function route(focus) {
  if (!unlocked) return;
  const named = location.hash.slice(1);
  // The link past the header names the content, which is no view.
  if (named === "main" && shown !== null) return;
  const chosen = Object.hasOwn(VIEWS, named) ? named : "look-up";
  shown = chosen;
  for (const name of Object.keys(VIEWS)) {
    the(`view-${name}`).hidden = name !== chosen;
  }
  for (const link of the("views").querySelectorAll("a")) {
    if (link.hash === `#${chosen}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  const title = the(`${chosen}-title`);
  document.title = `${title.textContent} – Contact store`;
  if (focus) title.focus();
  VIEWS[chosen]();
}
