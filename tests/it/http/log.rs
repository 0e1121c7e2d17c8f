//! The log: a line for each request, with nothing in it that a client chose freely (R52).

use super::client::{APP, exchange};
use super::host::Host;

#[test]
fn a_line_says_method_route_ids_and_status_and_nothing_else_of_the_request() {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    client.add("t1", "ann@example.com").unwrap();
    for what in [
        "GET /v1/contacts?email=ann@example.com",
        "GET /v1/contacts/1",
        // A phone that somebody took for a contact id is no id of the store.
        "GET /v1/contacts/380500000001",
        "DELETE /v1/contacts/380500000001",
        "GET /v1/contacts/ann@example.com",
        "DELETE /v1/contacts/1",
        "GET /v1/apps/ann@example.com/messages",
        "GET /v1/apps/0000000000000000000000000000000B/messages",
        "GET /380500000001?380500000001",
        "PUT /v1/apps",
        "GET /healthz",
    ] {
        client.ask(what, "");
    }
    let request = "SHOP-380500000001 /v1/apps HTTP/1.1\r\nHost: localhost\r\n\r\n";
    exchange(host.connect(), request);
    let request = "GET /v1/apps HTTP/1.1\r\nHost: example.com\r\n\r\n";
    exchange(host.connect(), request);
    let log = host.stop().log;
    let lines: Vec<_> = log
        .lines()
        .map(|line| {
            let (line, millis) = line.strip_suffix(" ms").unwrap().rsplit_once(' ').unwrap();
            assert!(millis.parse::<f64>().unwrap() < 60_000.0, "{millis}");
            line
        })
        .collect();
    assert_eq!(
        lines,
        [
            "POST /v1/apps 200",
            &format!("POST /v1/apps/{APP}/tokens 200"),
            "GET /v1/contacts 200",
            "GET /v1/contacts/1 200",
            "GET /v1/contacts/{contactId} 404",
            "DELETE /v1/contacts/{contactId} 200",
            "GET /v1/contacts/{contactId} 400",
            "DELETE /v1/contacts/1 200",
            "GET /v1/apps/{app_uuid}/messages 400",
            "GET /v1/apps/00000000-0000-0000-0000-00000000000b/messages 404",
            "GET (unknown path) 404",
            "PUT /v1/apps 405",
            "GET /healthz 200",
            "(unknown method) /v1/apps 405",
            "GET /v1/apps 421",
        ]
    );
}

#[test]
fn quiet_logs_no_request() {
    let host = Host::start_with(&["--quiet"]);
    let client = host.client();
    client.connect_app();
    client.get("/nowhere");
    assert_eq!(host.stop().log, "");
}
