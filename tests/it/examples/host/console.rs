//! The console: its files as they are served, and the page as a person uses it in a browser.

mod browser;
mod conflicts;
mod contrast;
mod page;

use std::collections::BTreeSet;

use super::client::exchange;
use super::door::{KEY, key_file};
use super::example::console::{FILES, PAGE, has};
use super::process::Host;
use crate::layering::source::package;

/// The page and everything that it loads.
fn paths() -> Vec<String> {
    let files = FILES.iter().map(|file| format!("{PAGE}/{}", file.name));
    std::iter::once(PAGE.to_owned()).chain(files).collect()
}

/// The sources of the console, by their names.
fn sources() -> Vec<(String, String)> {
    let folder = package().join("examples/host/console");
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let sources = names.filter(|name| !name.ends_with(".png"));
    sources
        .map(|name| {
            let path = package().join("examples/host/console").join(&name);
            (name, std::fs::read_to_string(path).unwrap())
        })
        .collect()
}

#[test]
fn without_the_flag_there_is_no_console() {
    let host = Host::start();
    for path in paths() {
        host.client()
            .get(&path)
            .is_error(404, "unknownPath", "there is no such path");
    }
    host.stop();
    let (_directory, key) = key_file(KEY, 0o600);
    let host = Host::start_with(&["--api-key-file", key.to_str().unwrap()]);
    for path in paths() {
        assert_eq!(host.client().get(&path).status, 401, "{path}");
    }
    host.stop();
}

#[test]
fn every_file_has_its_type_and_lets_the_page_load_nothing_from_elsewhere() {
    let host = Host::start_with(&["--console"]);
    let client = host.client();
    let policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
        connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
        require-trusted-types-for 'script'; trusted-types 'none'";
    for path in paths() {
        let answer = client.get(&path);
        assert_eq!(answer.status, 200, "{path}");
        let kind = match path.rsplit_once('.') {
            None => "text/html; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            Some(other) => panic!("{other:?}"),
        };
        let expected = [
            ("content-type", kind),
            ("content-security-policy", policy),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ];
        for (name, value) in expected {
            assert_eq!(answer.headers[name], value, "{path}: {name}");
        }
    }
    assert_eq!(client.get("/console/").status, 200);
    for path in ["/console/index.html", "/console/console.png", "/console/x"] {
        client
            .get(path)
            .is_error(404, "unknownPath", "there is no such path");
    }
    assert_eq!(client.post(PAGE, "{}").status, 405);
    // What is in an address is in histories and logs: the page takes nothing from there.
    assert_eq!(client.get("/console?phone=380500000001").status, 400);
    host.stop();
}

#[test]
fn the_page_needs_no_key_and_everything_that_it_shows_does() {
    let (_directory, key) = key_file(KEY, 0o600);
    let host = Host::start_with(&["--console", "--api-key-file", key.to_str().unwrap()]);
    let client = host.client();
    for path in paths() {
        assert_eq!(client.get(&path).status, 200, "{path}");
    }
    for path in [
        "/console/index.html",
        "/console/nothing",
        "/console/console.js/x",
        "/console//console.js",
        "/consoles",
        "/v1/apps",
        "/metrics",
        "/openapi.yaml",
    ] {
        assert_eq!(client.get(path).status, 401, "{path}");
        assert!(!has(path), "{path}");
    }
    host.stop();
}

#[test]
fn a_page_of_another_name_gets_no_file_of_it() {
    let host = Host::start_with(&["--console"]);
    for path in paths() {
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
        let answer = exchange(host.connect(), request);
        assert!(answer.starts_with("HTTP/1.1 421 "), "{path}: {answer}");
    }
    host.stop();
}

#[test]
fn every_file_of_the_folder_is_served_as_it_is() {
    let served: BTreeSet<_> = FILES
        .iter()
        .map(|file| (file.name.to_owned(), file.text.to_owned()))
        .collect();
    let mut there_are: BTreeSet<_> = sources().into_iter().collect();
    there_are.retain(|(name, _)| name != "index.html");
    assert_eq!(served, there_are);
}

#[test]
fn no_file_refers_to_another_origin_or_makes_markup_or_keeps_anything() {
    for (name, text) in sources() {
        let text = text.replace("http://www.w3.org/2000/svg", "");
        let references = [
            "://", "\"//", "'//", "(//", "url(", "@import", "data:", "blob:",
        ];
        // What parses markup or code, and what outlives the page.
        let calls = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "setHTML",
            "srcdoc",
            "document.write",
            "DOMParser",
            "createContextualFragment",
            "eval(",
            "Function(",
            "localStorage",
            "sessionStorage",
            "indexedDB",
            "cookie",
            "history.",
            "serviceWorker",
            "importScripts",
            "postMessage",
            "window.open",
            "XMLHttpRequest",
            "WebSocket",
            "sendBeacon",
        ];
        for word in references.iter().chain(&calls) {
            assert!(!text.contains(word), "{word} is in {name}");
        }
        assert_eq!(
            text.matches("fetch(").count(),
            usize::from(name == "api.js"),
            "{name}"
        );
        if name == "index.html" {
            // Neither would run, under the policy.
            let inline = [
                " on",
                " style=",
                "<style",
                "javascript:",
                "<base",
                "http-equiv",
            ];
            for word in inline {
                let found = text.match_indices(word);
                let in_tags = found
                    .filter(|(at, _)| text[..*at].rfind('<') > text[..*at].rfind('>'))
                    .count();
                assert_eq!(in_tags, 0, "{word}");
            }
            assert_eq!(text.matches("<script").count(), 1);
        }
    }
}
