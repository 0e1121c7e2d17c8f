//! What is refused: with its status, and always as `{"error": {"code", "message", ...}}`.

use super::client::{APP, Answer, Client, exchange, status_and_code};
use super::process::Host;

/// Another app, which is not connected.
const UNKNOWN: &str = "00000000-0000-0000-0000-00000000000b";

fn with_app() -> (Host, Client) {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    (host, client)
}

/// The whole answer, whose error has one member more: where it is.
#[track_caller]
fn is_at(answer: &Answer, status: u16, code: &str, message: &str, place: (&str, &str)) {
    let error = serde_json::json!(
        {"error": {"code": code, "message": message, (place.0): place.1}}
    );
    answer.is(status, &error.to_string());
}

#[test]
fn a_malformed_body_is_refused_with_what_is_wrong_and_where() {
    let (host, client) = with_app();
    let tokens = format!("/v1/apps/{APP}/tokens");
    let statuses = format!("/v1/apps/{APP}/statuses");
    let whole = [
        (
            tokens.as_str(),
            "{\"tokens\":",
            "syntax",
            "not JSON at line 1, column 10",
        ),
        (
            &tokens,
            // One is passed over (K13c).
            "\u{feff}\u{feff}{}",
            "byteOrderMark",
            "a byte order mark precedes the text",
        ),
        (
            &tokens,
            "{}",
            "missingMember",
            "member \"tokens\" is required",
        ),
        (&tokens, "[]", "wrongType", "expected object, found array"),
        (
            &tokens,
            "{\"tokens\": [], \"token\": 1}",
            "unknownMember",
            "member \"token\" is not known",
        ),
        (
            &statuses,
            "{\"tokens\": []}",
            "unknownMember",
            "member \"tokens\" is not known",
        ),
        (
            &statuses,
            "{}",
            "missingMember",
            "member \"statuses\" is required",
        ),
        (
            "/v1/apps",
            "{\"appUuid\": null}",
            "missingMember",
            "member \"name\" is required",
        ),
        (
            "/v1/contacts",
            "{\"dedupeOn\": \"email\"}",
            "missingMember",
            "member \"contacts\" is required",
        ),
        (
            "/v1/contacts",
            "{\"contacts\": []}",
            "missingMember",
            "member \"dedupeOn\" is required",
        ),
        (
            "/v1/contacts/find",
            "{}",
            "nothingGiven",
            "no identifier is given, at least one is required",
        ),
        (
            "/v1/contacts/explain",
            "{}",
            "nothingGiven",
            "no identifier is given, at least one is required",
        ),
        (
            "/v1/contacts/explain",
            "{\"policy\": \"cascade\"}",
            "unknownMember",
            "member \"policy\" is not known",
        ),
    ];
    for (path, body, code, message) in whole {
        client.post(path, body).is_error(400, code, message);
    }
    let uuid = "expected a UUID in a text form of RFC 4122";
    let placed = [
        (
            tokens.as_str(),
            "{\"tokens\": {}}",
            "wrongType",
            "tokens: expected array, found object".to_owned(),
            ("path", "tokens"),
        ),
        (
            "/v1/apps",
            "{\"name\": 7}",
            "wrongType",
            "name: expected string, found number".to_owned(),
            ("path", "name"),
        ),
        (
            "/v1/apps",
            "{\"name\": \" \"}",
            "blank",
            "name is empty or only white space".to_owned(),
            ("field", "name"),
        ),
        (
            "/v1/apps",
            "{\"name\": \"Bot\", \"appUuid\": \"bot\"}",
            "notOneOf",
            format!("appUuid: {uuid}"),
            ("path", "appUuid"),
        ),
        (
            "/v1/apps/bot/tokens",
            "{\"tokens\": []}",
            "notOneOf",
            format!("appUuid: {uuid}"),
            ("path", "appUuid"),
        ),
        (
            "/v1/contacts/find",
            "{\"email\": \"ann\"}",
            "noAtSign",
            "email holds no @".to_owned(),
            ("field", "email"),
        ),
        (
            "/v1/contacts/find",
            "{\"email\": \"ann@example.com\", \"policy\": \"first\"}",
            "notOneOf",
            "policy: expected cascade or topPriority".to_owned(),
            ("path", "policy"),
        ),
        (
            "/v1/contacts",
            "{\"contacts\": [], \"dedupeOn\": \"name\"}",
            "notOneOf",
            "dedupeOn: expected contactId, externalCustomerId, phone, email or phoneThenEmail"
                .to_owned(),
            ("path", "dedupeOn"),
        ),
    ];
    for (path, body, code, message, place) in placed {
        is_at(&client.post(path, body), 400, code, &message, place);
    }
    client
        .post(&tokens, b"{\"tokens\": [\"\xff\"]}".to_vec())
        .is_error(400, "notUtf8", "not UTF-8 at byte 13");
    // Nothing was written.
    client.get("/v1/apps").is(
        200,
        &format!(r#"{{"apps": [{{"appUuid": "{APP}", "name": "Bot", "subscribers": 0, "contacts": 0}}]}}"#),
    );
    host.stop();
}

// R11.
#[test]
fn an_unknown_app_is_404_for_every_question_about_it() {
    let (host, client) = with_app();
    let message = format!("app {UNKNOWN} is not connected");
    for (what, body) in [
        ("POST tokens", r#"{"tokens": []}"#),
        (
            "POST tokens",
            r#"{"tokens": [{"token": "t", "email": "ann@example.com"}]}"#,
        ),
        ("POST statuses", r#"{"statuses": []}"#),
        ("GET subscribers", ""),
        ("GET messages", ""),
        ("POST tokens/remove", r#"{"token": "t"}"#),
        ("POST messages/forget", r#"{"before": 1700000000000}"#),
        ("POST stale/remove", r#"{"before": 1700000000000}"#),
        ("POST tokens/bring-back", r#"{"token": "t"}"#),
        ("POST token/mute", r#"{"token": "t"}"#),
        ("POST token/unmute", r#"{"token": "t"}"#),
        ("DELETE ", ""),
    ] {
        let what = what.replace(' ', &format!(" /v1/apps/{UNKNOWN}/"));
        client
            .ask(&what, body)
            .is_error(404, "unknownApp", &message);
    }
    host.stop();
}

#[test]
fn a_query_is_refused_in_the_words_of_the_body_that_it_stands_for() {
    let (host, client) = with_app();
    let rows = [
        (
            "contacts",
            "nothingGiven",
            "no identifier is given, at least one is required",
        ),
        (
            "contacts?",
            "nothingGiven",
            "no identifier is given, at least one is required",
        ),
        (
            "contacts?phone=&email=+",
            "nothingGiven",
            "no identifier is given, at least one is required",
        ),
        (
            "contacts?emial=a",
            "unknownMember",
            "member \"emial\" is not known",
        ),
        (
            "contacts?ann@example.com",
            "unknownMember",
            "a member with a name of 15 bytes is not known",
        ),
        (
            "contacts?phone=1&phone=2",
            "repeatedMember",
            "member \"phone\" is repeated",
        ),
        ("contacts?email=%ff", "notUtf8", "the query is not UTF-8"),
        ("contacts?%c3%28=1", "notUtf8", "the query is not UTF-8"),
        (
            "apps/APP/messages?offset=1",
            "unknownMember",
            "member \"offset\" is not known",
        ),
        (
            "apps/APP/subscribers?after=1&after=2",
            "repeatedMember",
            "member \"after\" is repeated",
        ),
    ];
    for (path, code, message) in rows {
        let path = format!("/v1/{}", path.replace("APP", APP));
        client.get(&path).is_error(400, code, message);
    }
    let limit = "limit: expected an integer from 1 to 1000, or its decimal text";
    let after = "after: expected a subscriber id: decimal digits without a leading 0";
    let rows = [
        (
            "contacts?contactId=x",
            "contactIdOutOfRange",
            "contactId must be an integer from 1 to 9223372036854775807",
            ("field", "contactId"),
        ),
        (
            "contacts?contactId=01",
            "contactIdOutOfRange",
            "contactId must be an integer from 1 to 9223372036854775807",
            ("field", "contactId"),
        ),
        (
            "contacts?phone=0500000001",
            "leadingZero",
            "phone begins with 0, must begin with a country code",
            ("field", "phone"),
        ),
        (
            "contacts?email=a%00@example.com",
            "forbiddenCharacter",
            "email holds a control, line separator or invisible format character",
            ("field", "email"),
        ),
        (
            "contacts?email=a@example.com&policy=topPriority+",
            "notOneOf",
            "policy: expected cascade or topPriority",
            ("path", "policy"),
        ),
        (
            "contacts/0",
            "contactIdOutOfRange",
            "contactId must be an integer from 1 to 9223372036854775807",
            ("field", "contactId"),
        ),
        (
            "contacts/%00",
            "contactIdOutOfRange",
            "contactId must be an integer from 1 to 9223372036854775807",
            ("field", "contactId"),
        ),
        (
            "contacts/%ff",
            "contactIdOutOfRange",
            "contactId must be an integer from 1 to 9223372036854775807",
            ("field", "contactId"),
        ),
        (
            "apps/APP/subscribers?limit=x",
            "notOneOf",
            limit,
            ("path", "limit"),
        ),
        (
            "apps/APP/subscribers?limit=-1",
            "notOneOf",
            limit,
            ("path", "limit"),
        ),
        (
            "apps/APP/messages?limit=%2B5",
            "notOneOf",
            limit,
            ("path", "limit"),
        ),
        (
            "apps/APP/messages?limit=",
            "notOneOf",
            limit,
            ("path", "limit"),
        ),
        (
            "apps/APP/subscribers?after=t1",
            "notOneOf",
            after,
            ("path", "after"),
        ),
        (
            "apps/APP/messages?after=",
            "blank",
            "messageId is empty or only white space",
            ("field", "messageId"),
        ),
    ];
    for (path, code, message, place) in rows {
        let path = format!("/v1/{}", path.replace("APP", APP));
        is_at(&client.get(&path), 400, code, message, place);
    }
    for (rows, actual) in [
        ("0", 0_u64),
        ("1001", 1_001),
        ("99999999999999999999", u64::MAX),
    ] {
        for list in ["subscribers", "messages"] {
            let message = format!("{actual} rows in a page, must be 1 to 1000");
            let error = serde_json::json!({"error": {"code": "limitExceeded", "message": message,
                "limit": "pageRows", "actual": actual, "most": 1_000}});
            client
                .get(&format!("/v1/apps/{APP}/{list}?limit={rows}"))
                .is(400, &error.to_string());
        }
    }
    host.stop();
}

// K13e: one that is overlooked would be taken for one that applies.
#[test]
fn a_parameter_that_is_not_known_is_refused_by_name_wherever_it_stands() {
    let (host, client) = with_app();
    let rows = [
        ("GET /v1/apps", ""),
        ("POST /v1/apps", r#"{"name": "Another"}"#),
        ("DELETE /v1/apps/APP", ""),
        ("POST /v1/apps/APP/tokens", r#"{"tokens": []}"#),
        ("POST /v1/apps/APP/tokens/remove", r#"{"token": "t"}"#),
        ("GET /v1/apps/APP/subscribers", ""),
        (
            "POST /v1/apps/APP/messages/forget",
            r#"{"before": 1700000000000}"#,
        ),
        (
            "POST /v1/apps/APP/stale/remove",
            r#"{"before": 1700000000000}"#,
        ),
        ("POST /v1/apps/APP/tokens/bring-back", r#"{"token": "t"}"#),
        ("POST /v1/apps/APP/token/mute", r#"{"token": "t"}"#),
        ("POST /v1/apps/APP/token/unmute", r#"{"token": "t"}"#),
        ("GET /v1/contacts", ""),
        ("POST /v1/contacts/find", r#"{"email": "ann@example.com"}"#),
        ("GET /v1/contacts/1", ""),
        ("DELETE /v1/contacts/1", ""),
        ("POST /v1/suppressions/lift", r#"{"phone": "380500000001"}"#),
        ("GET /v1/conflicts", ""),
        ("POST /v1/conflicts/dismiss", r#"{"contactIds": [1, 2]}"#),
        ("GET /v1/contacts/1/merged", ""),
        ("POST /v1/contacts/1/merge", r#"{"into": 2}"#),
        ("POST /v1/contacts/1/unmerge", "{}"),
        ("POST /v1/contacts/1/split", r#"{"identifiers": ["phone"]}"#),
        ("POST /v1/recipients/resolve", r#"{"text": "Hello"}"#),
        ("GET /openapi.yaml", ""),
    ];
    for (what, body) in rows {
        let what = what.replace("APP", APP);
        client
            .ask(&format!("{what}?_=1441835249458"), body)
            .is_error(400, "unknownMember", "member \"_\" is not known");
        // A name that may be a value is not shown (R52).
        client.ask(&format!("{what}?380500000001"), body).is_error(
            400,
            "unknownMember",
            "a member with a name of 12 bytes is not known",
        );
    }
    let apps = client.get("/v1/apps?").json();
    assert_eq!(apps["apps"].as_array().unwrap().len(), 1);
    for path in ["/healthz", "/metrics"] {
        let answer = client.get(&format!("{path}?_=1441835249458&%ff"));
        assert_eq!(answer.status, 200);
    }
    host.stop();
}

// K13g.
#[test]
fn an_email_with_a_plus_in_a_query_is_refused_with_how_to_write_it() {
    let (host, client) = with_app();
    client.add("t1", "ann+shop@example.com").unwrap();
    is_at(
        &client.get("/v1/contacts?email=ann+shop@example.com"),
        400,
        "localPartWhiteSpace",
        "email has white space before the last @; in a query a + is a space: write %2B",
        ("field", "email"),
    );
    for query in ["ann%2Bshop@example.com", "ann%2bshop%40example.com"] {
        let found = client.get(&format!("/v1/contacts?email={query}"));
        assert_eq!(found.status, 200, "{query}");
    }
    // Without a plus it is another fault.
    is_at(
        &client.get("/v1/contacts?email=ann%20shop@example.com"),
        400,
        "localPartWhiteSpace",
        "email has white space before the last @",
        ("field", "email"),
    );
    host.stop();
}

// K13d.
#[test]
fn one_slash_at_the_end_is_the_same_path() {
    let (host, client) = with_app();
    let body = r#"{"tokens": [{"token": "1", "email": "ann@example.com"}]}"#;
    let added = client.post(&format!("/v1/apps/{APP}/tokens/"), body);
    assert_eq!(added.status, 200, "{added:?}");
    for path in [
        "/v1/apps/",
        "/v1/contacts/1/",
        "/v1/contacts/?email=ann@example.com",
        &format!("/v1/apps/{APP}/subscribers/?limit=1"),
        "/openapi.yaml/",
    ] {
        assert_eq!(client.get(path).status, 200, "{path}");
    }
    let lines = host.stop().log;
    assert!(lines.contains("path=/v1/contacts/1 status=200"), "{lines}");
}

#[test]
fn an_unknown_path_or_method_is_refused_in_the_published_form() {
    let (host, client) = with_app();
    for path in [
        "/",
        "/v1",
        "/v1/apps//",
        "/v2/apps",
        "/v1/contacts/1/tokens",
        "/%00",
        "//v1/apps",
    ] {
        client
            .get(path)
            .is_error(404, "unknownPath", "there is no such path");
    }
    let rows = [
        ("PUT /v1/apps", "GET,HEAD,POST"),
        ("GET /v1/contacts/find", "POST"),
        ("POST /v1/contacts/1", "GET,HEAD,DELETE"),
        ("OPTIONS /v1/contacts", "GET,HEAD,POST"),
        ("POST /healthz", "GET,HEAD"),
        ("DELETE /metrics", "GET,HEAD"),
    ];
    for (what, allow) in rows {
        let answer = client.ask(what, "");
        answer.is_error(
            405,
            "unknownMethod",
            "the path does not take this method, see Allow",
        );
        // In no order that is promised.
        let allowed = answer.headers["allow"].to_str().unwrap();
        let sorted = |list: &str| {
            let mut sorted: Vec<_> = list.split(',').map(str::to_owned).collect();
            sorted.sort_unstable();
            sorted
        };
        assert_eq!(sorted(allowed), sorted(allow), "{what}");
    }
    host.stop();
}

#[test]
fn a_body_that_does_not_say_that_it_is_json_is_415_and_does_nothing() {
    let (host, client) = with_app();
    let body = r#"{"name": "Another"}"#;
    let post_for = |headers: &str| {
        let head = format!(
            "POST /v1/apps HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {}\r\n",
            body.len()
        );
        exchange(host.connect(), format!("{head}{headers}\r\n{body}"))
    };
    let post = |headers: &str| status_and_code(&post_for(headers));
    let no_type = "one Content-Type is required: application/json";
    let encoded = "Content-Encoding must be identity or left out: the body is read as it stands";
    let charset = |shown: &str| format!("charset {shown} is not taken: JSON is in UTF-8");
    let json = "Content-Type: application/json";
    for (headers, message) in [
        (String::new(), no_type.to_owned()),
        (
            "Content-Type: text/plain\r\n".to_owned(),
            no_type.to_owned(),
        ),
        (
            "Content-Type: application/x-www-form-urlencoded\r\n".to_owned(),
            no_type.to_owned(),
        ),
        (
            "Content-Type: application/jsonp\r\n".to_owned(),
            no_type.to_owned(),
        ),
        (
            "Content-Type: application/+json\r\n".to_owned(),
            no_type.to_owned(),
        ),
        (
            "Content-Type: text/vnd.api+json\r\n".to_owned(),
            no_type.to_owned(),
        ),
        (
            format!("{json}\r\nContent-Type: text/plain\r\n"),
            no_type.to_owned(),
        ),
        ("Content-Type: \u{ff}\r\n".to_owned(), no_type.to_owned()),
        // K13a: named, unless it is no name.
        (format!("{json}; charset=utf-16\r\n"), charset("utf-16")),
        (
            format!("{json};charset=\"ISO-8859-1\"\r\n"),
            charset("ISO-8859-1"),
        ),
        (
            format!("{json}; charset=\r\n"),
            charset("with a name of 0 bytes"),
        ),
        (
            format!("{json}; charset=ann@example.com\r\n"),
            charset("with a name of 15 bytes"),
        ),
        // K13b.
        (
            format!("{json}\r\nContent-Encoding: gzip\r\n"),
            encoded.to_owned(),
        ),
        (
            format!("{json}\r\nContent-Encoding: identity\r\nContent-Encoding: br\r\n"),
            encoded.to_owned(),
        ),
        (
            format!("{json}\r\nContent-Encoding: identity, gzip\r\n"),
            encoded.to_owned(),
        ),
    ] {
        let answer = post_for(&headers);
        assert_eq!(
            status_and_code(&answer),
            (415, Some("notJson".to_owned())),
            "{headers}"
        );
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["error"]["message"], message, "{headers}");
    }
    assert_eq!(
        client.get("/v1/apps").json()["apps"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for (place, headers) in [
        "content-type: application/json\r\n",
        "Content-Type: Application/JSON; Charset=\"UTF-8\"\r\n",
        "Content-Type: application/json;x=y\r\n",
        "Content-Type: application/json; charset=utf8\r\n",
        "Content-Type: application/json; charset=UTF8\r\n",
        "Content-Type: application/vnd.api+json; charset=utf-8\r\n",
        "Content-Type: application/json\r\nContent-Encoding: identity\r\n",
        "Content-Type: application/json\r\nContent-Encoding: Identity\r\n",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(post(headers), (200, None), "{headers}");
        let apps = client.get("/v1/apps").json()["apps"]
            .as_array()
            .unwrap()
            .len();
        assert_eq!(apps, place + 2);
    }
    host.stop();
}

#[test]
fn more_entries_than_a_request_may_have_are_413() {
    let (host, client) = with_app();
    let body = |name: &str, more: &str| {
        format!(r#"{{"{name}": [{}]{more}}}"#, vec!["{}"; 3_001].join(","))
    };
    let error = r#"{"error": {"code": "limitExceeded", "limit": "entriesPerRequest",
        "message": "3001 entries in the request, the most is 3000", "actual": 3001, "most": 3000}}"#;
    client
        .post(&format!("/v1/apps/{APP}/tokens"), body("tokens", ""))
        .is(413, error);
    client
        .post(&format!("/v1/apps/{APP}/statuses"), body("statuses", ""))
        .is(413, error);
    client
        .post("/v1/contacts", body("contacts", r#", "dedupeOn": "email""#))
        .is(413, error);
    host.stop();
}

// hyper refuses these itself, before there is a request to answer: with the status alone.
#[test]
fn a_head_that_is_too_large_or_not_http_is_refused_and_others_are_served() {
    let (host, client) = with_app();
    let get = |path: &str, headers: &str| {
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n")
    };
    let long = |bytes: usize| format!("/v1/contacts?email={}@example.com", "a".repeat(bytes));
    let rows = [
        (get(&long(100_000), ""), 414),
        (get(&long(60_000), ""), 400),
        (get("/v1/apps", &"X: y\r\n".repeat(10_000)), 431),
        (
            get("/v1/apps", &format!("X: {}\r\n", "y".repeat(1 << 20))),
            431,
        ),
        (get("/v1/apps", &"X: y\r\n".repeat(90)), 200),
        (get("/v1/\0apps", ""), 400),
        ("\0\r\n\r\n".to_owned(), 400),
        ("GET /v1/apps HTTP/9.9\r\n\r\n".to_owned(), 400),
        (
            get("/v1/apps", "Content-Length: 1\r\nContent-Length: 2\r\n"),
            400,
        ),
        (get("/v1/apps", "Transfer-Encoding: gzip\r\n"), 400),
    ];
    for (request, status) in rows {
        // It may be refused, and closed, before all of it is sent.
        let mut stream = host.connect();
        drop(std::io::Write::write_all(&mut stream, request.as_bytes()));
        let answered = super::client::read_all(stream);
        let shown = &request[..request.len().min(40)];
        assert_eq!(status_and_code(&answered).0, status, "{shown:?}");
        assert_eq!(client.get("/healthz").status, 200);
    }
    // As they stand in the head of a request, not in their %-form.
    let mut request =
        b"GET /v1/contacts?email=\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    assert_eq!(status_and_code(&exchange(host.connect(), &request)).0, 400);
    request.retain(u8::is_ascii);
    let answer = exchange(host.connect(), &request);
    assert_eq!(
        status_and_code(&answer),
        (400, Some("nothingGiven".to_owned()))
    );
    host.stop();
}
