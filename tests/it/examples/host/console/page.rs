//! The console in a browser: looking up, the drawings, apps and figures, as a person uses them.

use serde_json::{Value, json};

use super::super::client::{APP, Client};
use super::super::door::{KEY, key_file};
use super::super::process::Host;
use super::browser::{Browser, Page};
use super::conflicts;
use crate::layering::source::package;

/// What is in no address.
pub(super) const PERSONAL: [&str; 6] = ["example.com", "38050", "shop-", "Ann", "sesame", "100200"];

/// Texts that are markup or code wherever somebody takes them for that.
pub(super) const ATTACKS: [&str; 4] = [
    "<img src=x onerror=document.title='taken'>",
    "\"><script>document.title='taken'</script>",
    "'><svg onload=document.title='taken'>${document.title='taken'}",
    "javascript:document.title='taken'//</title></style></textarea>--><b>",
];

#[test]
fn a_person_can_do_everything_with_the_console_in_a_browser_and_no_text_becomes_markup() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    with_the_key_by_keyboard_alone(&mut browser);
    the_page_locks_itself_when_it_is_left(&mut browser);
    let host = Host::start_with(&["--console"]);
    let client = host.client();
    fill(&client);
    each_kind_finds_under_either_policy_and_is_drawn(&mut browser, &host);
    attacks_are_shown_as_the_texts_that_they_are(&mut browser, &host);
    the_policy_of_the_page_refuses_markup_and_scripts(&mut browser, &host);
    contacts_are_merged_taken_out_and_split_after_their_previews(&mut browser, &host);
    figures_are_plotted_as_the_store_changes(&mut browser, &host);
    nothing_is_wider_than_320_pixels(&mut browser, &host);
    conflicts::no_text_of_a_conflict_becomes_markup(&mut browser, &host);
    host.stop();
    conflicts::conflicts_are_merged_and_dismissed_by_keyboard_alone(&mut browser);
}

pub(super) fn origin(host: &Host) -> String {
    format!("http://{}/", host.address)
}

pub(super) fn console(host: &Host) -> String {
    format!("{}console", origin(host))
}

/// Two people, of whom Ann has two tokens, and reports about one of these.
fn fill(client: &Client) {
    client.connect_app();
    let tokens = format!("/v1/apps/{APP}/tokens");
    let body = r#"{"tokens": [
        {"token": "100200300", "externalCustomerId": "shop-1", "phone": "+380500000001", "email": "ann@example.com"},
        {"token": "100200301", "phone": "+380500000001"},
        {"token": "100200302", "email": "bob@example.com"},
        {"token": "100200303", "contactId": 9223372036854775807}]}"#;
    assert_eq!(client.post(&tokens, body).status, 200);
    let body = r#"{"dedupeOn": "phone", "contacts": [{"phone": "380500000001", "firstName": "Ann",
        "lastName": "Kovalenko", "languageCode": "uk", "timeZone": "Europe/Kyiv", "fields": {"city": "Kyiv"}}]}"#;
    assert_eq!(client.post("/v1/contacts", body).status, 200);
    let body = r#"{"statuses": [
        {"token": "100200300", "status": "SENT", "messageId": "spring"},
        {"token": "100200300", "status": "CLICKED", "messageId": "spring"}]}"#;
    let reports = format!("/v1/apps/{APP}/statuses");
    assert_eq!(client.post(&reports, body).status, 200);
    let mute = format!("/v1/apps/{APP}/token/mute");
    let body = r#"{"token": "100200301"}"#;
    assert_eq!(client.post(&mute, body).status, 200);
}

/// Looks somebody up in the form, under a policy or that of the host.
#[track_caller]
fn look_up(page: &mut Page<'_>, identifiers: &[(&str, &str)], policy: &str) {
    let given: Vec<Value> = identifiers.iter().map(|pair| json!(pair)).collect();
    page.value(&format!(
        "(() => {{
            const form = document.getElementById('look-up');
            form.reset();
            for (const [kind, value] of {}) document.getElementById(kind).value = value;
            form.elements.policy.value = {};
            form.requestSubmit();
        }})()",
        json!(given),
        json!(policy)
    ));
    page.until("document.querySelector('#card h2, [aria-invalid]')");
    page.until("!document.querySelector('#card')?.innerText.includes('not read')");
}

#[track_caller]
pub(super) fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in {text:?}");
    }
}

#[track_caller]
fn with_the_key_by_keyboard_alone(browser: &mut Browser) {
    let (_directory, key) = key_file(KEY, 0o600);
    let host = Host::start_with(&["--console", "--api-key-file", key.to_str().unwrap()]);
    let mut client = host.client();
    let bearer = format!("Bearer {KEY}");
    client.headers.push(("Authorization", bearer));
    fill(&client);
    let mut page = browser.open(&console(&host), 1_280);

    // The key has the focus from the beginning, and keeps it when it is another one.
    page.until("document.activeElement.id === 'key'");
    page.type_in("open-sesame-9876543210");
    page.press("Enter");
    page.until_shown("This is not the key of this host.");
    page.type_in(KEY);
    page.press("Enter");
    page.until("document.activeElement.id === 'look-up-title'");

    // Nothing given.
    page.tab_to("#look-up [type=submit]");
    page.press("Enter");
    page.until_shown("Give at least one identifier.");
    page.until("document.activeElement.id === 'contactId'");
    // Something invalid: it is said at its field, which has the focus.
    page.tab_to("#phone");
    page.type_in("0500000001");
    page.press("Enter");
    page.until("document.activeElement.matches('#phone[aria-invalid]')");
    assert_ne!(page.text("#phone-wrong"), "");
    page.value("document.activeElement.select()");
    page.type_in("+38 050 000-00-01");
    page.tab_to("[name=policy]");
    page.press("ArrowRight");
    assert_eq!(page.value("document.activeElement.value"), "cascade");
    page.tab_to("#look-up [type=submit]");
    page.press("Space");
    page.until("document.activeElement.id === 'card-title'");
    page.until_shown("Ann Kovalenko is found.");
    let card = page.text("#card");
    has(
        &card,
        &[
            "Ann Kovalenko",
            "Found by phone.",
            "shop-1",
            "380500000001",
            "ann@example.com",
            "Europe/Kyiv",
            "city",
            "2 tokens",
            "100200300",
            "1099511627777",
            "CLICKED",
            "1 sent, 0 failed, 1 clicked",
            "no report yet",
            "muted",
        ],
    );
    // On to the other views, and back by the history.
    page.tab_to("#views a[href='#apps']");
    page.press("Enter");
    page.until("document.activeElement.id === 'apps-title'");
    page.until_shown("Messages");
    page.tab_to("#apps-list button");
    page.press("Enter");
    page.until("document.activeElement.id === 'messages-title'");
    has(&page.text("#messages"), &["Messages of Bot", "spring"]);
    page.value("history.back()");
    page.until("document.activeElement.id === 'look-up-title'");
    has(&page.text("#card"), &["Ann Kovalenko"]);

    // Locked, nothing of it is left.
    page.tab_to("#lock");
    page.press("Enter");
    page.until("document.activeElement.id === 'key'");
    page.until_shown("Locked. The key is forgotten.");
    let left = page.value(
        "JSON.stringify([document.body.textContent, document.title, location.href,
            [...document.querySelectorAll('input')].map((input) => input.value),
            localStorage.length + sessionStorage.length, document.cookie])",
    );
    let left = left.as_str().unwrap();
    assert!(left.ends_with(",0,\"\"]"), "{left}");
    for part in PERSONAL {
        assert!(!left.contains(part), "{part} is in {left}");
    }
    // What the lock has to keep out: the page as it asks without the key.
    let asked = page.value("fetch('/v1/apps').then((answer) => answer.status)");
    assert_eq!(asked, 401);
    page.close(&origin(&host), &PERSONAL);
    host.stop();
}

#[track_caller]
fn the_page_locks_itself_when_it_is_left(browser: &mut Browser) {
    let (_directory, key) = key_file(KEY, 0o600);
    let host = Host::start_with(&["--console", "--api-key-file", key.to_str().unwrap()]);
    // A quarter of an hour passes in a second and a half.
    let hurry = "const wait = setTimeout; \
        window.setTimeout = (act, time, ...more) => wait(act, time === 900000 ? 1500 : time, ...more)";
    let mut page = browser.open_after(hurry, &console(&host), 1_280);
    let unlock = |page: &mut Page<'_>| {
        page.until("document.activeElement.id === 'key'");
        page.type_in(KEY);
        page.press("Enter");
        page.until("document.activeElement.id === 'look-up-title'");
        page.value("document.getElementById('phone').value = '380500000001'");
    };
    let is_locked = |page: &mut Page<'_>| {
        page.until("document.activeElement.id === 'key'");
        let left = page.value(
            "[...document.querySelectorAll('input:not([type=radio])')].map((it) => it.value).join('')",
        );
        assert_eq!(left, "");
        assert_eq!(
            page.value("fetch('/v1/apps').then(({ status }) => status)"),
            401
        );
    };
    unlock(&mut page);
    page.until_shown("Locked: the page was not used for 15 minutes.");
    is_locked(&mut page);
    unlock(&mut page);
    page.value("dispatchEvent(new Event('pagehide'))");
    is_locked(&mut page);
    page.close(&origin(&host), &PERSONAL);
    host.stop();
}

#[track_caller]
fn each_kind_finds_under_either_policy_and_is_drawn(browser: &mut Browser, host: &Host) {
    let mut page = browser.open(&console(host), 1_280);
    page.until("!document.getElementById('view-look-up').hidden");
    // Nobody needs a key here.
    assert_eq!(page.value("document.getElementById('lock').hidden"), true);
    for policy in ["", "cascade", "topPriority"] {
        for (kind, value, found) in [
            ("contactId", "1", "Found by contact id."),
            ("externalCustomerId", "shop-1", "Found by customer id."),
            ("phone", "+380500000001", "Found by phone."),
            ("email", "Ann@Example.com", "Found by email."),
        ] {
            look_up(&mut page, &[(kind, value)], policy);
            has(&page.text("#card"), &["Ann Kovalenko", found]);
        }
    }
    // A number of 19 digits, which JavaScript would round.
    let largest = "9223372036854775807";
    look_up(&mut page, &[("contactId", largest)], "");
    has(&page.text("#card"), &[&format!("Contact {largest}")]);
    has(
        &page.text("#explanation"),
        &[&format!("Open contact {largest}")],
    );

    let three = [
        ("externalCustomerId", "shop-2"),
        ("phone", "380500000001"),
        ("email", "bob@example.com"),
    ];
    look_up(&mut page, &three, "cascade");
    has(&page.text("#card"), &["Ann Kovalenko", "Found by phone."]);
    let figures = page.value(
        "[...document.querySelectorAll('#explanation figure')].map((figure) => [
            figure.querySelector('h3').innerText,
            figure.querySelector('.decision').innerText,
            figure.querySelector('svg').getAttribute('aria-label'),
            [...figure.querySelectorAll('svg .edge')].map((edge) => edge.getAttribute('class')),
            [...figure.querySelectorAll('svg text')].map((text) => text.textContent),
        ])",
    );
    let boxes = [
        "Customer id",
        "shop-2",
        "Phone",
        "380500000001",
        "Email",
        "bob@example.com",
    ];
    let cascade = [&boxes[..], &["Nobody", "Contact", "1", "Contact", "2"]].concat();
    let top = [
        &boxes[..],
        &["New contact", "3", "Contact", "1", "Contact", "2"],
    ]
    .concat();
    let expected = json!([
        [
            "Cascade",
            "The token goes to contact 1.",
            "Cascade. Customer id: tried, names nobody. Phone: tried, names contact 1: it decides. \
             Email: names contact 2: it is not looked at.",
            ["edge tried", "edge left", "edge decides"],
            cascade,
        ],
        [
            "Top priority",
            "Contact 3 would be created, with customer id.",
            "Top priority. Customer id: tried, names nobody: it goes to the new contact. \
             Phone: names contact 1: it stays there. Email: names contact 2: it stays there.",
            ["edge attached", "edge left", "edge left"],
            top,
        ],
    ]);
    assert_eq!(figures, expected);
    // Under the other policy nobody is found.
    look_up(&mut page, &three, "topPriority");
    has(&page.text("#card"), &["No contact is found"]);
    if std::env::var_os("CONTACT_STORE_WRITE_PICTURE").is_some_and(|value| value == "1") {
        look_up(&mut page, &three, "cascade");
        page.until_shown("Ann Kovalenko is found.");
        // As wide as a document shows it.
        page.set_width(1_040, 0.8);
        page.until("document.getElementById('outcome').innerText === ''");
        page.value("new Promise(requestAnimationFrame)");
        page.write_picture(&package().join("examples/host/console/console.png"));
    }
    page.close(&origin(host), &PERSONAL);
}

#[track_caller]
fn attacks_are_shown_as_the_texts_that_they_are(browser: &mut Browser, host: &Host) {
    let client = host.client();
    let [one, two, three, four] = ATTACKS;
    let other = "0000000a-0000-0000-0000-00000000000b";
    let app = json!({"name": one, "appUuid": other}).to_string();
    assert_eq!(client.post("/v1/apps", app).status, 200);
    let email = "'onload='title=1@example.com";
    let tokens = json!({"tokens": [
        {"token": one, "externalCustomerId": two, "email": email},
        {"token": four, "externalCustomerId": two},
    ]});
    let added = client.post(&format!("/v1/apps/{other}/tokens"), tokens.to_string());
    assert_eq!((added.status, added.body.contains("error")), (200, false));
    let card = json!({"dedupeOn": "externalCustomerId", "contacts": [{
        "externalCustomerId": two, "firstName": one, "lastName": two, "languageCode": three,
        "timeZone": four, "fields": {(one): two, (two): three, "__proto__": four},
    }]});
    let upserted = client.post("/v1/contacts", card.to_string());
    assert_eq!(
        (upserted.status, upserted.body.contains("error")),
        (200, false)
    );
    let report = json!({"statuses": [
        {"token": one, "status": "FAILED", "reason": "later", "messageId": three}]});
    let recorded = client.post(&format!("/v1/apps/{other}/statuses"), report.to_string());
    assert_eq!(
        (recorded.status, recorded.body.contains("error")),
        (200, false)
    );

    // Also as a view that is none.
    let mut page = browser.open(&format!("{}#{one}", console(host)), 1_280);
    page.until("!document.getElementById('view-look-up').hidden");
    look_up(
        &mut page,
        &[("externalCustomerId", two), ("email", email)],
        "",
    );
    let card = page.text("#card");
    has(
        &card,
        &[
            one,
            two,
            three,
            four,
            email,
            "__proto__",
            "2 tokens",
            "FAILED",
        ],
    );
    page.value("document.querySelector('.card .actions button').click()");
    preview_merge_into(&mut page, "1");
    has(
        &page.text(".preview"),
        &[one, two, four, "__proto__", email],
    );
    page.value("[...document.querySelectorAll('#change .quiet')].at(-1).click()");
    page.value("document.querySelector('.card .actions button:last-child').click()");
    page.until("document.querySelector('[name=identifier]')");
    has(&page.text("#change"), &[one, two, email]);
    page.value("location.hash = 'apps'");
    let button = "document.querySelector('#apps-list tr:last-child button')";
    page.until(&format!(
        "{button}?.getAttribute('aria-label').includes('<img')"
    ));
    has(&page.text("#apps-list"), &[one]);
    page.value(&format!("{button}.click()"));
    page.until("document.getElementById('messages-title')");
    has(&page.text("#messages"), &[one, three]);
    let made = page.value(
        "[document.title.includes('taken'),
            document.querySelectorAll('main :is(img, script, iframe, b:not(.status, .reasons b), style, textarea)').length,
            [...document.querySelectorAll('*')].flatMap((it) => [...it.attributes])
                .filter(({ name }) => name.startsWith('on') || name === 'src' || name === 'href')
                .map(({ value }) => value).sort()]",
    );
    let own = json!([
        "#apps",
        "#conflicts",
        "#figures",
        "#look-up",
        "#main",
        "/console/console.css",
        "/console/console.js",
        "/console/icon.svg",
        "/console/icon.svg"
    ]);
    assert_eq!(made, json!([false, 0, own]));
    page.close(&origin(host), &PERSONAL);
}

/// Shows what the merge that is offered would do.
#[track_caller]
fn preview_merge_into(page: &mut Page<'_>, into: &str) {
    let set = "document.getElementById('merge-into').value";
    page.value(&format!("{set} = {}", json!(into)));
    page.value("document.querySelector('#change form').requestSubmit()");
    page.until("document.querySelector('.preview h3')");
}

/// Presses Enter on a button, and waits until something has the focus.
#[track_caller]
pub(super) fn enter(page: &mut Page<'_>, button: &str, focused: &str) {
    page.tab_to(button);
    page.press("Enter");
    page.until(&format!(
        "document.activeElement.matches({})",
        json!(focused)
    ));
}

pub(super) const PREVIEW: &str = ".preview h3";

// R58. By keyboard alone.
#[track_caller]
fn contacts_are_merged_taken_out_and_split_after_their_previews(
    browser: &mut Browser,
    host: &Host,
) {
    let client = host.client();
    let id_of = |contact: &str| {
        let answer = client.get(&format!("/v1/contacts/{contact}"));
        (answer.status, answer.json()["contactId"].clone())
    };
    let mut page = browser.open(&console(host), 1_280);
    page.until("!document.getElementById('view-look-up').hidden");
    look_up(&mut page, &[("contactId", "2")], "");
    page.until("document.activeElement.id === 'card-title'");

    // Into itself: refused, and said.
    enter(&mut page, ".card .actions button", "#merge-into");
    page.type_in("2");
    page.press("Enter");
    page.until("document.querySelector('#outcome.wrong')?.innerText.includes('itself')");
    page.tab_to("#merge-into");
    page.value("document.activeElement.select()");
    page.type_in("1");
    page.press("Enter");
    page.until(&format!(
        "document.activeElement.matches({})",
        json!(PREVIEW)
    ));
    let parts = [
        "Nothing is written yet.",
        "From: Contact 2",
        "Into: Ann Kovalenko",
        "Token 100200302 of Bot",
        "Stays out, for the other has its own\nEmail",
    ];
    has(&page.text(".preview"), &parts);
    assert_eq!(id_of("2"), (200, json!(2)));
    // What is changed after the preview is shown again before it is done.
    page.value("document.querySelector('#change form').dispatchEvent(new Event('input'))");
    assert_eq!(page.text(".preview"), "");
    enter(&mut page, "#change [type=submit]", PREVIEW);
    page.tab_to(".preview button");
    assert_eq!(page.text(":focus"), "Merge contact 2 into contact 1");
    page.press("Enter");
    page.until_shown("Contact 2 is merged into contact 1.");
    assert_eq!(id_of("2"), (200, json!(1)));
    has(&page.text("#card"), &["Ann Kovalenko", "3 tokens"]);

    // It was a mistake.
    page.until_shown("Contact 2 with email");
    enter(&mut page, ".merged button", "#change [type=submit]");
    enter(&mut page, "#change [type=submit]", PREVIEW);
    let back = "Gets back\nEmail\nToken 100200302 of Bot";
    has(
        &page.text(".preview"),
        &[back, "Does not get back\nNothing"],
    );
    page.tab_to(".preview button");
    page.press("Enter");
    page.until_shown("Contact 2 is taken out of contact 1.");
    assert_eq!(id_of("2"), (200, json!(2)));
    has(
        &page.text("#card"),
        &["Contact 2", "bob@example.com", "1 token"],
    );

    // Two people on one card.
    look_up(&mut page, &[("contactId", "1")], "");
    page.until("document.activeElement.id === 'card-title'");
    enter(
        &mut page,
        ".card .actions button:last-child",
        "[name=identifier]",
    );
    page.tab_to("#change [type=submit]");
    page.press("Enter");
    page.until_shown("Choose at least one identifier that goes.");
    page.value("document.querySelector('[name=identifier][value=email]').focus()");
    page.press("Space");
    page.tab_to("[name=subscriber]");
    page.press("Tab");
    page.press("Space");
    enter(&mut page, "#change [type=submit]", PREVIEW);
    let shown = page.text(".preview");
    has(
        &shown,
        &["\nEmail\nToken 100200301 of Bot\n", "Stays with contact 1"],
    );
    page.tab_to(".preview button");
    assert_eq!(page.text(":focus"), "Split contact 1");
    page.press("Enter");
    page.until_shown(" is split off contact 1.");
    has(
        &page.text("#card"),
        &["ann@example.com", "100200301", "1 token"],
    );
    assert_eq!(client.get("/v1/contacts/1").json().get("email"), None);
    page.close(&origin(host), &PERSONAL);
}

#[track_caller]
fn the_policy_of_the_page_refuses_markup_and_scripts(browser: &mut Browser, host: &Host) {
    let mut page = browser.open(&console(host), 1_280);
    let tried = page.value(
        "(async () => {
            const tried = [];
            try {
                document.createElement('p').innerHTML = '<b>x</b>';
                tried.push('markup');
            } catch {
                // As it should be.
            }
            const script = document.createElement('script');
            try {
                script.textContent = 'window.ran = true';
                document.body.append(script);
            } catch {
                // As it should be.
            }
            if (window.ran) tried.push('script');
            await fetch('http://127.0.0.1:9/').then(() => tried.push('fetch'), () => {});
            return tried;
        })()",
    );
    assert_eq!(tried, json!([]));
    // The browser tells of each in its log, which is what `close` looks for.
}

#[track_caller]
fn figures_are_plotted_as_the_store_changes(browser: &mut Browser, host: &Host) {
    let mut page = browser.open(&format!("{}#figures", console(host)), 1_280);
    page.until_shown("1 samples over");
    let contacts = page.text(".plot .now").parse::<u64>().unwrap();
    host.client().add("t9", "dora@example.com").unwrap();
    page.value("document.getElementById('sample').click()");
    page.until_shown("2 samples over");
    let plots = page.value(
        "[...document.querySelectorAll('.plot')].map((plot) =>
            [plot.querySelector('figcaption').innerText, plot.querySelector('.now').innerText])",
    );
    assert_eq!(plots[0], json!(["Contacts", (contacts + 1).to_string()]));
    let names: Vec<_> = plots.as_array().unwrap().iter().map(|it| &it[0]).collect();
    let expected = json!([
        "Contacts",
        "Subscribers",
        "Accepted requests",
        "Refused requests",
        "Commits",
        "Time of a commit",
        "Waiting requests",
        "Length of the file"
    ]);
    assert_eq!(json!(names), expected);
    for (place, ending) in [(2, " /s"), (4, " /s"), (5, " ms"), (7, "iB")] {
        let now = plots[place][1].as_str().unwrap();
        assert!(now.ends_with(ending) && !now.starts_with("0 "), "{now}");
    }
    let label = page.value("document.querySelector('.plot svg').getAttribute('aria-label')");
    let before = format!("Contacts: {0} now; {contacts} to {0} ", contacts + 1);
    assert!(label.as_str().unwrap().starts_with(&before), "{label}");
    has(
        &page.text("#state"),
        &["taken", "at its path", "sound", "none"],
    );
    // No more of them while it is paused.
    page.tab_to("#pause");
    page.press("Space");
    page.until_shown("paused.");
    page.close(&origin(host), &PERSONAL);
}

#[track_caller]
fn nothing_is_wider_than_320_pixels(browser: &mut Browser, host: &Host) {
    let mut page = browser.open(&console(host), 320);
    page.until("!document.getElementById('view-look-up').hidden");
    look_up(
        &mut page,
        &[
            ("contactId", "1"),
            ("externalCustomerId", ATTACKS[1]),
            ("phone", "380500000009"),
            ("email", "bob@example.com"),
        ],
        "",
    );
    fits(&mut page);
    look_up(&mut page, &[("externalCustomerId", ATTACKS[1])], "");
    page.value("document.querySelector('.card .actions button').click()");
    preview_merge_into(&mut page, "1");
    fits(&mut page);
    page.value("location.hash = 'apps'");
    page.until("document.querySelector('#apps-list tr:last-child button')");
    page.value("document.querySelector('#apps-list tr:last-child button').click()");
    page.until("document.getElementById('messages-title')");
    fits(&mut page);
    page.value("location.hash = 'figures'");
    page.until("document.querySelector('.plot')");
    fits(&mut page);
    page.close(&origin(host), &PERSONAL);
}

/// Nothing that is seen goes beyond the sides of the page, and no drawn text beyond its drawing.
#[track_caller]
pub(super) fn fits(page: &mut Page<'_>) {
    let wide = page.value(
        "[document.documentElement.scrollWidth > innerWidth ? ['the page'] : [],
            ...[...document.querySelectorAll('body *')]
                .filter((it) => !it.closest('thead, .skip') && it.checkVisibility())
                .filter((it) => {
                    const { left, right, width } = it.getBoundingClientRect();
                    return width > 0 && (left < -0.5 || right > innerWidth + 0.5);
                })
                .map((it) => [it.outerHTML.slice(0, 200)])].flat()",
    );
    assert_eq!(wide, json!([]));
}
