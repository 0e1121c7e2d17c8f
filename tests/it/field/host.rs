//! The cases that are asked of the host, over a connection.

use std::io::Read as _;
use std::net::Shutdown;
use std::time::Duration;

use serde_json::{Value, json};

use super::{APP, Case};
use crate::examples::host::client::{Client, exchange};
use crate::examples::host::process::Host;

/// The host of the cases: with their app, a token, and the contact of it.
fn host_of_cases() -> (Host, Client) {
    let host = Host::start();
    let client = host.client();
    let app = json!({"name": "Bot", "appUuid": APP});
    assert_eq!(client.post("/v1/apps", app.to_string()).status, 200);
    let add = json!({"tokens": [{"token": "1", "phone": "+380501234567"}]});
    let tokens = format!("/v1/apps/{APP}/tokens");
    assert_eq!(client.post(&tokens, add.to_string()).status, 200);
    (host, client)
}

/// What the request of a case is answered, as it is sent.
fn answered(host: &Host, case: &Case) -> (u16, Value) {
    let mut request = match case.input.get("raw") {
        Some(raw) => raw.as_str().unwrap().to_owned(),
        None => {
            let what = case.input["request"].as_str().unwrap();
            format!("{what} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")
        }
    };
    if case.input.get("raw").is_none() {
        let headers = case.input["headers"].as_object().unwrap();
        for (name, value) in headers {
            request += &format!("{name}: {}\r\n", value.as_str().unwrap());
        }
        if !headers.contains_key("Content-Type") {
            request += "Content-Type: application/json\r\n";
        }
        let body = match &case.input["body"] {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    }
    let answer = exchange(host.connect(), request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

pub fn right(case: &Case) {
    let (host, client) = host_of_cases();
    if case.kind == "K20-file-replaced" {
        return moved(&host, &client);
    }
    let (status, body) = answered(&host, case);
    let error = &body["error"];
    match case.id.as_str() {
        // Its own way to say it.
        "B162" => {
            assert_eq!((status, &error["code"]), (404, &json!("unknownPath")));
            let app = format!("/v1/apps/{APP}/tokens");
            let renamed = client.post(&format!("{app}/rename"), r#"{"token": 1, "newToken": 2}"#);
            assert_eq!(renamed.json()["outcome"], "renamed");
            let removed = client.post(&format!("{app}/remove"), r#"{"token": 2}"#);
            removed.is(200, r#"{"removedFrom": [1]}"#);
        }
        "B164" => assert_eq!((status, body), (200, json!({"disconnected": true}))),
        "B165" => assert_eq!((status, body), (200, json!({"forgotten": 0}))),
        "B155" => {
            assert_eq!((status, &error["code"]), (400, &json!("unknownMember")));
            assert!(error["message"].as_str().unwrap().contains("\"_\""));
            for path in ["/healthz?_=1", "/metrics?_=1"] {
                assert_eq!(client.get(path).status, 200);
            }
        }
        "B159" => {
            assert_eq!(status, 400);
            assert_eq!(error["code"], "localPartWhiteSpace");
            assert!(error["message"].as_str().unwrap().contains("%2B"), "{body}");
        }
        "B170" => {
            assert_eq!(
                (status, body),
                (200, json!({"status": "ok", "engine": "file"}))
            );
            for path in ["/healthz", "/metrics"] {
                let mut stream = host.connect();
                let head = format!("HEAD {path} HTTP/1.0\r\n\r\n");
                std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
                stream.shutdown(Shutdown::Write).unwrap();
                let mut answer = String::new();
                stream.read_to_string(&mut answer).unwrap();
                assert!(answer.starts_with("HTTP/1.0 200"), "{path}: {answer}");
            }
        }
        _ => {
            assert_eq!(status, 200, "{}: {body}", case.id);
            let outcome = &body["results"][0]["token"];
            assert_eq!(outcome, "alreadyHeld", "{}: {body}", case.id);
        }
    }
    host.stop();
}

/// R69.
fn moved(host: &Host, client: &Client) {
    std::fs::rename(&host.path, host.path.with_file_name("old.redb")).unwrap();
    std::thread::sleep(Duration::from_millis(1_050));
    let add = r#"{"tokens": [{"token": "2", "phone": "380501234568"}]}"#;
    let added = client.post(&format!("/v1/apps/{APP}/tokens"), add);
    assert_eq!((added.status, added.code().as_str()), (503, "fileMoved"));
    let health = client.get("/healthz");
    assert_eq!((health.status, health.code().as_str()), (503, "fileMoved"));
}
