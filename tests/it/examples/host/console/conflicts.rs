//! The list of conflicts in a browser: read in pages, merged and dismissed.

use serde_json::json;

use super::super::client::{APP, Client};
use super::super::process::Host;
use super::browser::{Browser, Page};
use super::page::{ATTACKS, PERSONAL, PREVIEW, console, enter, fits, has, origin};

/// More than a page.
const CONFLICTS: u64 = 28;

const CHANGE: &str = "#conflicts-change";
const MERGE: &str = "#conflicts-list tr:first-child button:first-child";
const DISMISS: &str = "#conflicts-list tr:first-child button:last-child";
const LINK: &str = "#conflicts-list a";

/// Contacts 1 and 2, 3 and 4 and so on, each pair named by one entry.
fn fill(client: &Client) {
    client.connect_app();
    let entries = (0..CONFLICTS).flat_map(|at| {
        let phone = format!("{}", 380_500_000_000 + at);
        let email = format!("p{at}@example.com");
        [
            json!({"token": format!("a{at}"), "phone": phone}),
            json!({"token": format!("b{at}"), "email": email}),
            json!({"token": format!("b{at}"), "phone": phone, "email": email}),
        ]
    });
    let body = json!({"tokens": entries.collect::<Vec<_>>()}).to_string();
    let added = client.post(&format!("/v1/apps/{APP}/tokens"), body);
    assert_eq!((added.status, added.body.contains("error")), (200, false));
}

/// The pairs that the host lists.
fn pairs(client: &Client) -> Vec<String> {
    let listed = client.get("/v1/conflicts?limit=100").json();
    let listed = listed["conflicts"].as_array().unwrap().iter();
    listed
        .map(|conflict| conflict["pair"].as_str().unwrap().to_owned())
        .collect()
}

/// The pairs that the page shows.
#[track_caller]
fn shown(page: &mut Page<'_>) -> Vec<String> {
    let pairs = page.value(
        "[...document.querySelectorAll('#conflicts-list tbody tr')].map((row) =>
            [...row.querySelectorAll('a')].map((link) => link.innerText.replace('Contact ', '')).join('-'))",
    );
    serde_json::from_value(pairs).unwrap()
}

/// Waits until the link of a contact in the list has the focus.
#[track_caller]
fn until_at(page: &mut Page<'_>, contact: u64) {
    let text = format!("Contact {contact}");
    page.until(&format!(
        "document.activeElement.matches('{LINK}') && document.activeElement.innerText === {}",
        json!(text)
    ));
}

#[track_caller]
fn dismiss(page: &mut Page<'_>, button: &str) {
    enter(page, button, "#conflicts-change h2");
    page.tab_to("#conflicts-change button");
    assert_eq!(page.text(":focus"), "Dismiss");
    page.press("Enter");
}

// R61.
#[track_caller]
pub fn conflicts_are_merged_and_dismissed_by_keyboard_alone(browser: &mut Browser) {
    let host = Host::start_with(&["--console", "--conflicts", "100"]);
    let client = host.client();
    fill(&client);
    let mut page = browser.open(&console(&host), 1_280);
    page.until("!document.getElementById('view-look-up').hidden");
    enter(&mut page, "#views a[href='#conflicts']", "#conflicts-title");
    the_list_is_read_in_pages_and_leads_to_the_cards(&mut page, &client);
    pairs_are_merged_in_either_direction(&mut page, &client);
    pairs_are_dismissed_after_one_question(&mut page, &client);
    the_last_one_leaves_an_empty_list(&mut page, &client);
    let origin = origin(&host);
    host.stop();
    page.tab_to("#conflicts-again");
    page.press("Enter");
    page.until(
        "document.querySelector('#outcome.wrong')?.innerText === 'The host does not answer.'",
    );
    page.close(&origin, &PERSONAL);
}

#[track_caller]
fn the_list_is_read_in_pages_and_leads_to_the_cards(page: &mut Page<'_>, client: &Client) {
    page.until_shown("25 conflicts, and there are more.");
    let row = page.value(
        "[...document.querySelectorAll('#conflicts-list tbody tr:first-child td')].map((cell) =>
            cell.querySelector('time')?.dateTime ?? cell.innerText)",
    );
    let listed = client.get("/v1/conflicts?limit=1").json();
    let at = |name: &str| listed["conflicts"][0][name].to_string();
    let [first, last] = ["firstAt", "lastAt"]
        .map(|name| page.value(&format!("new Date({}).toISOString()", at(name))));
    let contacts = "Contact 1 by phone\nContact 2 by email";
    assert_eq!(row, json!([contacts, "1", first, last, "Merge…\nDismiss…"]));
    assert_eq!(shown(page), pairs(client)[..25]);

    page.value("document.querySelector('#conflicts-list tbody tr:last-child button').focus()");
    enter(page, "#conflicts-list > .actions button", LINK);
    until_at(page, 51);
    page.until_shown("28 conflicts.");
    assert_eq!(shown(page), pairs(client));
    let no_more = "document.querySelector('#conflicts-list > .actions') === null";
    assert_eq!(page.value(no_more), true);

    // To a card, which offers to split it, and back.
    page.value("document.getElementById('conflicts-again').focus()");
    enter(page, LINK, "#card-title");
    has(&page.text("#card"), &["Contact 1", "380500000000"]);
    assert_eq!(page.value("location.hash + location.search"), "#look-up");
    enter(
        page,
        ".card .actions button:last-child",
        "[name=identifier]",
    );
    has(&page.text("#change"), &["Split contact 1"]);
    page.value("history.back()");
    page.until("document.activeElement.id === 'conflicts-title'");
    page.until_shown("28 conflicts.");
    assert_eq!(shown(page), pairs(client));
}

// R58.
#[track_caller]
fn pairs_are_merged_in_either_direction(page: &mut Page<'_>, client: &Client) {
    let id_of =
        |contact: u64| client.get(&format!("/v1/contacts/{contact}")).json()["contactId"].clone();
    let submit = "#conflicts-change [type=submit]";
    // Not meant: back to where it was asked for.
    enter(page, MERGE, submit);
    // The split that was offered for a card is not any more.
    let titles = page.value("document.querySelectorAll('#change-title').length");
    assert_eq!(titles, 1);
    enter(page, "#conflicts-change .quiet:last-child", MERGE);
    assert_eq!(page.text(CHANGE), "");

    enter(page, MERGE, submit);
    enter(page, submit, PREVIEW);
    has(
        &page.text(CHANGE),
        &[
            "Nothing is written yet.",
            "From: Contact 2",
            "Into: Contact 1",
        ],
    );
    page.set_width(320, 1.0);
    fits(page);
    page.set_width(1_280, 1.0);
    assert_eq!(id_of(2), 2);
    page.tab_to(".preview button");
    page.press("Enter");
    page.until_shown("Contact 2 is merged into contact 1.");
    until_at(page, 3);
    assert_eq!(id_of(2), 1);
    assert_eq!(pairs(client).first().unwrap(), "3-4");
    assert_eq!(shown(page), pairs(client));

    enter(page, MERGE, submit);
    page.tab_to("#conflicts-change .quiet");
    page.press("Enter");
    page.until_shown("Swapped.");
    page.value("document.getElementById('merge-from').focus()");
    enter(page, submit, PREVIEW);
    page.tab_to(".preview button");
    assert_eq!(page.text(":focus"), "Merge contact 3 into contact 4");
    page.press("Enter");
    page.until_shown("Contact 3 is merged into contact 4.");
    until_at(page, 5);
    assert_eq!(id_of(3), 4);
    assert_eq!(shown(page), pairs(client));
}

#[track_caller]
fn pairs_are_dismissed_after_one_question(page: &mut Page<'_>, client: &Client) {
    enter(page, DISMISS, "#conflicts-change h2");
    has(
        &page.text(CHANGE),
        &[
            "Dismiss the conflict of contacts 5 and 6",
            "stay as they are",
        ],
    );
    enter(page, "#conflicts-change .quiet", DISMISS);
    assert_eq!(page.text(CHANGE), "");
    assert_eq!(pairs(client).first().unwrap(), "5-6");

    dismiss(page, DISMISS);
    page.until_shown("The conflict of contacts 5 and 6 is dismissed.");
    until_at(page, 7);
    assert_eq!(pairs(client).first().unwrap(), "7-8");
    assert_eq!(shown(page), pairs(client));
    assert_eq!(client.get("/v1/contacts/5").json()["contactId"], 5);

    // Somebody else was faster.
    dismiss_at_the_host(client, "7-8");
    dismiss(page, DISMISS);
    page.until_shown("The conflict of contacts 7 and 8 was not listed any more.");
    until_at(page, 9);

    // After the last one the one before it has the focus.
    let last = "#conflicts-list tr:last-child button:last-child";
    page.value(&format!("document.querySelector('{last}').focus()"));
    dismiss(page, last);
    page.until_shown("The conflict of contacts 55 and 56 is dismissed.");
    until_at(page, 53);
    assert_eq!(shown(page), pairs(client));
}

#[track_caller]
fn the_last_one_leaves_an_empty_list(page: &mut Page<'_>, client: &Client) {
    pairs(client)[1..]
        .iter()
        .for_each(|pair| dismiss_at_the_host(client, pair));
    page.value("document.getElementById('conflicts-again').focus()");
    page.press("Enter");
    page.until("document.querySelectorAll('#conflicts-list tbody tr').length === 1");
    page.until_shown("1 conflict.");
    dismiss(page, DISMISS);
    page.until_shown("The conflict of contacts 9 and 10 is dismissed.");
    page.until("document.activeElement.id === 'conflicts-title'");
    let none = "No conflict is listed. A host without --conflicts lists no new ones.";
    assert_eq!(page.text("#conflicts-list"), none);
}

#[track_caller]
fn dismiss_at_the_host(client: &Client, pair: &str) {
    let (one, other) = pair.split_once('-').unwrap();
    let body = json!({"contactIds": [one, other]}).to_string();
    let done = client.post("/v1/conflicts/dismiss", body);
    done.is(200, r#"{"outcome": "dismissed"}"#);
}

/// The host answers none of this: somebody else answers in its place.
#[track_caller]
pub fn no_text_of_a_conflict_becomes_markup(browser: &mut Browser, host: &Host) {
    let [one, two, three, four] = ATTACKS;
    let conflict = json!({
        "pair": one,
        "contacts": [{"contactId": one, "namedBy": [one, "phone"]}, {"contactId": two, "namedBy": [one]}],
        "count": three, "firstAt": four, "lastAt": two,
    });
    let page_of = json!({"conflicts": vec![conflict; 26]});
    let refused = json!({"error": {"code": one, "message": one}});
    let forged = format!(
        "const real = fetch;
        const forged = (body, status) => Promise.resolve(new Response(JSON.stringify(body), {{ status }}));
        window.fetch = (path, request) => {{
            if (!path.startsWith('/v1/conflicts')) return real(path, request);
            window.asked = path;
            return request.method === 'GET' ? forged({page_of}, 200) : forged({refused}, 503);
        }}"
    );
    let url = format!("{}#conflicts", console(host));
    let mut page = browser.open_after(&forged, &url, 320);
    page.until_shown("25 conflicts, and there are more.");
    let list = page.text("#conflicts-list");
    has(&list, &[one, two, three, four, " and phone"]);
    fits(&mut page);
    page.value("document.querySelector('#conflicts-list > .actions button').click()");
    page.until_shown("50 conflicts, and there are more.");
    let asked = page.value("window.asked");
    let after = "/v1/conflicts?limit=26&after=%3Cimg%20src%3Dx%20";
    assert!(asked.as_str().unwrap().starts_with(after), "{asked}");

    page.value("document.getElementById('conflicts-again').focus()");
    dismiss(&mut page, DISMISS);
    page.until("document.querySelector('#outcome.wrong')?.innerText.startsWith('<img src=x')");
    // It can be tried again.
    let at = format!("document.activeElement.matches('{DISMISS}')");
    assert_eq!(page.value(&at), true);
    page.press("Enter");
    page.until("document.activeElement.matches('#conflicts-change h2')");
    has(&page.text(CHANGE), &[one, two]);
    fits(&mut page);
    page.value(&format!("document.querySelector('{MERGE}').click()"));
    page.until("document.activeElement.matches('#conflicts-change [type=submit]')");
    fits(&mut page);
    let made = page.value(
        "[document.title.includes('taken'),
            document.querySelectorAll('main :is(img, script, iframe, b, style, textarea)').length,
            [...new Set([...document.querySelectorAll('main *')].flatMap((it) => [...it.attributes])
                .filter(({ name }) => name.startsWith('on') || name === 'src' || name === 'href')
                .map(({ value }) => value))]]",
    );
    assert_eq!(made, json!([false, 0, ["#look-up"]]));
    page.close(&origin(host), &PERSONAL);
}
