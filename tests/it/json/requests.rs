//! What requests may look like.

use contact_store::{
    AppId, ContactId, EntryError, Error, GivenIdentifiers, InvalidIdentifier, JsonError, JsonFault,
    Limits, Placeholders, wire,
};

use super::{add_body, at_most_3000_are_read, becomes_of, report_body, said, said_form, text};
use crate::support::{APP, find, store, store_with};

const PHONE: &str = "+380 50 000 00 07";

#[track_caller]
fn each_entry(rows: &[(&str, &str)]) {
    for (entry, expected) in rows {
        assert_eq!(becomes_of(entry, |_| {}), *expected, "{entry}");
    }
}

#[test]
fn r55_what_is_wrong_with_the_form_of_an_entry_refuses_it_alone() {
    each_entry(&[
        (r#"null"#, "wrongType of tokens[1]"),
        (r#"true"#, "wrongType of tokens[1]"),
        (r#"1"#, "wrongType of tokens[1]"),
        (r#""t""#, "wrongType of tokens[1]"),
        (r#"[]"#, "wrongType of tokens[1]"),
        (
            r#"[{"token": "t", "phone": "380500000007"}]"#,
            "wrongType of tokens[1]",
        ),
        (
            r#"{"token": "t", "contactId": 7, "name": 1}"#,
            "unknownMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "contactId": 7, "Phone": null}"#,
            "unknownMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "contactId": 7, "at": 5}"#,
            "unknownMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "contactId": 7, "": 5}"#,
            "unknownMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "contactId": 7, "\udc00": 5}"#,
            "unknownMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "contactId": 7, "contactId": 7}"#,
            "repeatedMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "token": "t", "contactId": 7}"#,
            "repeatedMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "phone": null, "phone": null, "contactId": 7}"#,
            "repeatedMember of tokens[1]",
        ),
        (
            r#"{"token": "t", "em\u0061il": null, "email": null, "contactId": 7}"#,
            "repeatedMember of tokens[1]",
        ),
    ]);
}

#[test]
fn r55_a_value_of_a_wrong_type_refuses_its_entry_alone() {
    let wrong = [
        "true",
        "false",
        "[]",
        "{}",
        r#"["x"]"#,
        r#"{"x": 1}"#,
        r#""\ud800""#,
        r#""a\udfff""#,
    ];
    let values = wrong.map(|value| {
        (
            value,
            ["token", "contactId", "externalCustomerId", "phone", "email"].as_slice(),
        )
    });
    // Only `email` takes no integer, and none takes any other number.
    let numbers = ["1.5", "1.0", "1e3", "-0.0", "0E0"].map(|value| (value, values[0].1));
    let integers = ["7", "-7", "0"].map(|value| (value, ["email"].as_slice()));
    // -2^63 - 1 and 2^64.
    let large = [
        "-9223372036854775809",
        "18446744073709551616",
        "123456789012345678901234567890123456789012345",
    ]
    .map(|value| {
        (
            value,
            ["token", "externalCustomerId", "phone", "email"].as_slice(),
        )
    });
    for (value, members) in values
        .into_iter()
        .chain(numbers)
        .chain(integers)
        .chain(large)
    {
        for member in members {
            let entry = match *member {
                "token" => format!(r#"{{"token": {value}, "contactId": 7}}"#),
                member => format!(r#"{{"token": "t", "{member}": {value}}}"#),
            };
            let code = if value.starts_with('"') {
                "loneSurrogate"
            } else {
                "wrongType"
            };
            let expected = format!("{code} of tokens[1].{member}");
            assert_eq!(becomes_of(&entry, |_| {}), expected, "{entry}");
        }
    }
}

#[test]
fn r1_null_and_blank_count_as_not_given() {
    each_entry(&[
        (r#"{"token": "t"}"#, "noIdentifier"),
        (
            r#"{"token": "t", "contactId": null, "externalCustomerId": null, "phone": null, "email": null}"#,
            "noIdentifier",
        ),
        (
            r#"{"token": "t", "contactId": "", "externalCustomerId": "", "phone": "", "email": ""}"#,
            "noIdentifier",
        ),
        (
            r#"{"token": "t", "contactId": " \t", "externalCustomerId": "\u3000", "phone": "\u00a0", "email": "\r\n"}"#,
            "noIdentifier",
        ),
        (
            r#"{"token": "t", "contactId": null, "externalCustomerId": " ", "phone": "380500000007", "email": ""}"#,
            "created 1",
        ),
        // Not white space, though nobody sees it.
        (
            r#"{"token": "t", "externalCustomerId": "\u200b", "phone": "380500000007"}"#,
            "forbiddenCharacter of externalCustomerId",
        ),
        (
            r#"{"token": "t", "contactId": "\u200b", "phone": "380500000007"}"#,
            "contactIdOutOfRange of contactId",
        ),
    ]);
}

#[test]
fn r13_a_missing_token_comes_first_and_is_told_from_a_blank_one() {
    each_entry(&[
        (r#"{}"#, "missingMember of tokens[1]"),
        (
            r#"{"token": null, "contactId": 0}"#,
            "missingMember of tokens[1]",
        ),
        (r#"{"contactId": true}"#, "missingMember of tokens[1]"),
        (r#"{"token": "", "contactId": 0}"#, "blank of token"),
        (
            r#"{"token": " \u2003", "contactId": true}"#,
            "blank of token",
        ),
        (
            r#"{"token": "a\u0000", "phone": "1"}"#,
            "forbiddenCharacter of token",
        ),
    ]);
}

// R13: token, then the identifiers in priority order, then whether there is one. Wrong types and
// invalid values stand in one order.
#[test]
fn r13_the_first_fault_in_order_of_priority_is_the_entrys_error() {
    let parts = [
        (
            "token",
            r#""t""#,
            [
                (r#""""#, "blank of token"),
                ("[]", "wrongType of tokens[1].token"),
            ],
        ),
        (
            "contactId",
            "7",
            [
                ("0", "contactIdOutOfRange of contactId"),
                ("[]", "wrongType of tokens[1].contactId"),
            ],
        ),
        (
            "externalCustomerId",
            r#""x""#,
            [
                (r#""\u0000""#, "forbiddenCharacter of externalCustomerId"),
                ("[]", "wrongType of tokens[1].externalCustomerId"),
            ],
        ),
        (
            "phone",
            r#""380500000007""#,
            [
                (r#""0500000007""#, "leadingZero of phone"),
                ("[]", "wrongType of tokens[1].phone"),
            ],
        ),
        (
            "email",
            r#""x@example.com""#,
            [
                (r#""x""#, "noAtSign of email"),
                ("[]", "wrongType of tokens[1].email"),
            ],
        ),
    ];
    // Each member is sound, invalid or of a wrong type; the members stand last first in the text.
    for choice in 0..3_usize.pow(5) {
        let chosen: Vec<usize> = (0..5)
            .map(|place| choice / 3_usize.pow(place) % 3)
            .collect();
        let members: Vec<String> = parts
            .iter()
            .zip(&chosen)
            .rev()
            .map(|((name, sound, wrong), state)| {
                let value = if *state == 0 {
                    sound
                } else {
                    wrong[state - 1].0
                };
                format!(r#""{name}": {value}"#)
            })
            .collect();
        let entry = format!("{{{}}}", members.join(", "));
        let first = parts.iter().zip(&chosen).find(|(_, state)| **state > 0);
        let expected = first.map_or("created 7", |((.., wrong), state)| wrong[state - 1].1);
        assert_eq!(becomes_of(&entry, |_| {}), expected, "{entry}");
    }
}

#[test]
fn r13_ignore_takes_invalid_identifiers_as_not_given_but_no_wrong_types() {
    let rows = [
        (
            r#"{"token": "t", "contactId": 0, "email": "x@example.com"}"#,
            "created 1",
        ),
        (
            r#"{"token": "t", "contactId": "seven", "phone": "1", "email": "x@example.com"}"#,
            "created 1",
        ),
        (
            r#"{"token": "t", "contactId": 0}"#,
            "contactIdOutOfRange of contactId",
        ),
        (
            r#"{"token": "t", "phone": "1", "email": "x"}"#,
            "digitCount of phone",
        ),
        (
            r#"{"token": "t", "contactId": true, "email": "x@example.com"}"#,
            "wrongType of tokens[1].contactId",
        ),
        (
            r#"{"token": "t", "contactId": 0, "phone": 1.5, "email": "x@example.com"}"#,
            "wrongType of tokens[1].phone",
        ),
        (
            r#"{"token": "t", "phone": "\ud800", "email": "x@example.com"}"#,
            "loneSurrogate of tokens[1].phone",
        ),
        (
            r#"{"token": "t", "email": "x@example.com", "name": "X"}"#,
            "unknownMember of tokens[1]",
        ),
        (
            r#"{"token": "", "contactId": 0, "email": "x@example.com"}"#,
            "blank of token",
        ),
    ];
    for (entry, expected) in rows {
        let ignore = |options: &mut contact_store::Options| {
            options.invalid_identifier = InvalidIdentifier::Ignore;
        };
        assert_eq!(becomes_of(entry, ignore), expected, "{entry}");
    }
}

#[test]
fn r13_the_answer_names_what_was_ignored() {
    let (store, _) = store_with(|options| options.invalid_identifier = InvalidIdentifier::Ignore);
    let body =
        br#"{"tokens": [{"token": "t", "contactId": -1, "phone": "1", "email": "x@example.com"}]}"#;
    let request = wire::parse_add_tokens(APP, body, &Limits::default()).unwrap();
    let added = store.add_tokens(request).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::tokens_added(&added)),
        r#"{"results":[{"contactId":1,"contact":"created","token":"added","subscriberId":"1099511627777","ignored":["contactId","phone"]}]}"#
    );
}

#[test]
fn r2_r55_a_contact_id_is_an_integer_or_a_decimal_string() {
    each_entry(&[
        (r#"{"token": "t", "contactId": 7}"#, "created 7"),
        (r#"{"token": "t", "contactId": "7"}"#, "created 7"),
        (
            r#"{"token": "t", "contactId": 9223372036854775807}"#,
            "created 9223372036854775807",
        ),
        (
            r#"{"token": "t", "contactId": "9223372036854775807"}"#,
            "created 9223372036854775807",
        ),
        (r#"{"token": "t", "contactId": 101}"#, "found 101"),
        (r#"{"token": "t", "contactId": "101"}"#, "found 101"),
    ]);
    let out_of_range = [
        "0",
        "-0",
        "-1",
        "9223372036854775808",
        "18446744073709551617",
        "-170141183460469231731687303715884105729",
        "340282366920938463463374607431768211463",
        r#""0""#,
        r#""-7""#,
        r#""+7""#,
        r#""07""#,
        r#""7 ""#,
        r#""7.0""#,
        r#""7e0""#,
        r#""x""#,
        r#""9223372036854775808""#,
    ];
    for value in out_of_range {
        let entry = format!(r#"{{"token": "t", "contactId": {value}}}"#);
        assert_eq!(
            becomes_of(&entry, |_| {}),
            "contactIdOutOfRange of contactId",
            "{entry}"
        );
    }
}

#[test]
fn r55_integers_count_as_their_decimal_text() {
    for (number, expected) in [
        ("7", "7"),
        ("-100200300", "-100200300"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
    ] {
        let (store, _) = store();
        let body =
            format!(r#"{{"tokens": [{{"token": {number}, "externalCustomerId": {number}}}]}}"#);
        assert_eq!(
            add_body(&store, body.as_bytes()).unwrap()[0]["contactId"],
            1,
            "{number}"
        );
        let given = GivenIdentifiers::new().external_customer_id(expected);
        let card = find(&store, given).unwrap().unwrap().card;
        assert_eq!(card.tokens[0].token.as_str(), expected);
    }
    // 0 is what programs write where they have none (R3), and `-0` is 0.
    for number in ["0", "-0"] {
        let (store, _) = store_with(|options| options.placeholders = Placeholders::none());
        let body =
            format!(r#"{{"tokens": [{{"token": {number}, "externalCustomerId": {number}}}]}}"#);
        assert_eq!(
            add_body(&store, body.as_bytes()).unwrap()[0]["contactId"],
            1
        );
        let zero = GivenIdentifiers::new().external_customer_id("0");
        let card = find(&store, zero).unwrap().unwrap().card;
        assert_eq!(card.tokens[0].token.as_str(), "0");
        let entry = format!(r#"{{"token": "t", "externalCustomerId": {number}}}"#);
        assert_eq!(
            becomes_of(&entry, |_| {}),
            "placeholder of externalCustomerId"
        );
    }
    let (store, _) = store();
    let body = br#"{"tokens": [{"token": "t", "phone": 380500000007}, {"token": "t", "phone": -380500000007}]}"#;
    let results = add_body(&store, body).unwrap();
    assert_eq!(results[0]["contactId"], 1);
    // The sign is a dash like any other that stands in phones (R4).
    assert_eq!(results[1]["token"], "alreadyHeld");
}

#[test]
fn r55_what_stands_outside_the_entries_refuses_the_request() {
    let sound = r#"{"token": "t", "phone": "380500000007"}"#;
    let rows = [
        (String::new(), "syntax"),
        (" ".to_owned(), "syntax"),
        ("null".to_owned(), "wrongType"),
        ("[]".to_owned(), "wrongType"),
        (r#""tokens""#.to_owned(), "wrongType"),
        ("{}".to_owned(), "missingMember"),
        (r#"{"token": []}"#.to_owned(), "unknownMember"),
        (r#"{"tokens": null}"#.to_owned(), "wrongType of tokens"),
        (r#"{"tokens": {}}"#.to_owned(), "wrongType of tokens"),
        (format!(r#"{{"tokens": {sound}}}"#), "wrongType of tokens"),
        (
            format!(r#"{{"tokens": [{sound}], "at": 5}}"#),
            "unknownMember",
        ),
        (
            format!(r#"{{"tokens": [{sound}], "380500000007": 5}}"#),
            "unknownMember",
        ),
        (
            format!(r#"{{"tokens": [{sound}], "tokens": []}}"#),
            "repeatedMember",
        ),
        (format!(r#"{{"tokens": [{sound},]}}"#), "syntax"),
        (format!(r#"{{"tokens": [{sound}]}} {{}}"#), "syntax"),
        (format!(r#"{{"tokens": [{sound}]"#), "syntax"),
        (format!(r#"{{'tokens': [{sound}]}}"#), "syntax"),
        // An entry that is not JSON leaves nothing to go on with.
        (
            format!(r#"{{"tokens": [{sound}, {{"token": 01}}]}}"#),
            "syntax",
        ),
        (
            format!(r#"{{"tokens": [{sound}, {{"token": NaN}}]}}"#),
            "syntax",
        ),
        (
            format!(r#"{{"tokens": [{sound}, {{"token": "a{}b"}}]}}"#, '\n'),
            "syntax",
        ),
        (
            format!(r#"{{"tokens": [{sound}, {{"token": "\x"}}]}}"#),
            "syntax",
        ),
        (
            format!("\u{FEFF}\u{FEFF}{{\"tokens\": [{sound}]}}"),
            "byteOrderMark",
        ),
        (format!(" \u{FEFF}{{\"tokens\": [{sound}]}}"), "syntax"),
        (format!("{{\"tokens\": [{sound}]}}\u{FEFF}"), "syntax"),
    ];
    for (body, expected) in rows {
        let (store, _) = store();
        assert_eq!(
            add_body(&store, body.as_bytes()),
            Err(expected.to_owned()),
            "{body}"
        );
        assert_eq!(store.stats().unwrap().contacts, 0, "{body}");
    }
}

#[test]
fn a_byte_order_mark_before_a_body_is_passed_over() {
    let (store, _) = store();
    let body = "\u{FEFF}{\"tokens\": [{\"token\": \"t\", \"phone\": \"380500000007\"}]}";
    assert_eq!(
        add_body(&store, body.as_bytes()).unwrap()[0]["token"],
        "added"
    );
    let body = "\u{FEFF}{\"statuses\": [{\"token\": \"t\", \"status\": \"SENT\"}]}";
    assert_eq!(
        report_body(&store, body.as_bytes()).unwrap()[0]["outcome"],
        "recorded"
    );
}

#[test]
fn a_text_that_is_not_utf8_is_refused_with_the_place() {
    for (bytes, byte) in [
        (b"\xff{\"tokens\": []}".as_slice(), 0),
        (b"{\"tokens\": [{\"token\": \"\xc3\"}]}", 23),
        // Half a surrogate pair, written as if it were a character.
        (b"{\"tokens\": [{\"token\": \"\xed\xa0\x80\"}]}", 23),
        (b"{\"tokens\": []}\x80", 14),
    ] {
        let refused = wire::parse_add_tokens(APP, bytes, &Limits::default());
        match refused {
            Err(Error::Json(error)) => {
                assert_eq!(error.fault, JsonFault::NotUtf8 { byte });
                assert_eq!(error.path, "");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_syntax_error_says_where() {
    let refused = wire::parse_add_tokens(
        APP,
        b"{\"tokens\": [\n  {\"token\": tru}\n]}",
        &Limits::default(),
    );
    match refused {
        Err(Error::Json(JsonError {
            path,
            fault: JsonFault::Syntax { line, column },
            ..
        })) => {
            assert_eq!((path.as_str(), line, column), ("", 2, 16));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_entry_with_any_depth_of_nesting_is_refused_alone() {
    for (open, close) in [("[", "]"), (r#"{"a": "#, "}")] {
        let deep = format!("{}1{}", open.repeat(500_000), close.repeat(500_000));
        let code = if open == "[" {
            "wrongType"
        } else {
            "unknownMember"
        };
        assert_eq!(becomes_of(&deep, |_| {}), format!("{code} of tokens[1]"));
        for member in ["phone", "contactId", "email"] {
            let entry = format!(r#"{{"token": "t", "{member}": {deep}}}"#);
            assert_eq!(
                becomes_of(&entry, |_| {}),
                format!("wrongType of tokens[1].{member}")
            );
        }
    }
}

#[test]
fn an_entry_with_a_million_members_is_refused_at_the_first_wrong_one() {
    let entry = format!(r#"{{"token": "t"{}}}"#, r#","x":1"#.repeat(1_000_000));
    assert_eq!(becomes_of(&entry, |_| {}), "unknownMember of tokens[1]");
}

#[test]
fn too_many_entries_are_counted_and_not_kept() {
    at_most_3000_are_read(
        |entries| format!(r#"{{"tokens": [{entries}]}}"#),
        |body, limits| wire::parse_add_tokens(APP, body, limits).map(drop),
    );
    at_most_3000_are_read(
        |reports| format!(r#"{{"statuses": [{reports}]}}"#),
        |body, limits| wire::parse_reports(APP, body, limits).map(drop),
    );
}

#[test]
fn a_request_of_too_much_text_is_refused_before_it_is_read() {
    let mut limits = Limits::default();
    limits.request_text_bytes = 20;
    let fits = br#"{"tokens": [      ]}"#;
    assert_eq!(fits.len(), 20);
    assert!(wire::parse_add_tokens(APP, fits, &limits).is_ok());
    // Not even JSON, and that is not what is said.
    let exceeded = |bytes: &[u8]| {
        let refused = [
            wire::parse_add_tokens(APP, bytes, &limits).map(drop),
            wire::parse_reports(APP, bytes, &limits).map(drop),
            wire::parse_identifiers(bytes, &limits).map(drop),
            wire::Line::parse(bytes, &limits).map(drop),
            wire::check_request_size(bytes.len() as u64, &limits).map_err(Error::from),
        ];
        refused.map(|refused| said(&refused.unwrap_err()))
    };
    assert_eq!(
        exceeded(&[b'{'; 21]),
        ["limitExceeded of requestTextBytes"; 5]
    );
}

#[test]
fn r26_identifiers_of_a_look_up_are_read_alike() {
    let rows = [
        ("{}", Ok("none")),
        (
            r#"{"contactId": "7", "phone": 380500000007}"#,
            Ok("contactId phone"),
        ),
        (
            r#"{"contactId": null, "externalCustomerId": " x ", "email": ""}"#,
            Ok("externalCustomerId"),
        ),
        ("[]", Err("wrongType")),
        ("", Err("syntax")),
        (r#"{"token": "t"}"#, Err("unknownMember")),
        (r#"{"phone": null, "phone": null}"#, Err("repeatedMember")),
        (
            r#"{"email": [], "phone": "1", "contactId": 1}"#,
            Err("digitCount of phone"),
        ),
        (
            r#"{"email": "x", "phone": [], "contactId": 1}"#,
            Err("wrongType of phone"),
        ),
        (
            r#"{"email": "x", "phone": [], "contactId": 0}"#,
            Err("contactIdOutOfRange of contactId"),
        ),
    ];
    for (body, expected) in rows {
        let read = wire::parse_identifiers(body.as_bytes(), &Limits::default());
        let shown = read.map(|identifiers| {
            let kinds: Vec<&str> = identifiers
                .kinds()
                .iter()
                .map(|kind| kind.as_str())
                .collect();
            if kinds.is_empty() {
                "none".to_owned()
            } else {
                kinds.join(" ")
            }
        });
        let expected = expected.map(str::to_owned).map_err(str::to_owned);
        assert_eq!(shown.map_err(|error| said(&error)), expected, "{body}");
    }
}

#[test]
fn r36_reports_in_json() {
    let rows = [
        (r#"{"token": "t", "status": "SENT"}"#, "recorded"),
        (r#"{"token": "7", "status": "SENT"}"#, "recorded"),
        (r#"{"token": 7, "status": "SENT"}"#, "recorded"),
        (
            r#"{"subscriberId": "1099511627777", "status": "CLICKED", "token": null}"#,
            "recorded",
        ),
        (
            r#"{"token": "t", "status": "FAILED", "reason": "Timeout", "messageId": "m", "at": 100000000000}"#,
            "recorded",
        ),
        (
            r#"{"token": "t", "status": "SENT", "reason": null, "messageId": null, "at": null}"#,
            "recorded",
        ),
        (
            r#"{"token": "t", "status": "SENT", "at": 18446744073709551615}"#,
            "recorded",
        ),
        // R55: a reason may be an integer.
        (
            r#"{"token": "7", "status": "FAILED", "reason": 403}"#,
            "removed",
        ),
        (
            r#"{"token": "7", "status": "FAILED", "reason": 429}"#,
            "recorded",
        ),
        (
            r#"{"token": "7", "status": "FAILED", "reason": -403}"#,
            "recorded",
        ),
        (
            r#"{"token": "7", "status": "FAILED", "reason": 403.0}"#,
            "wrongType of statuses[1].reason",
        ),
        (
            r#"{"token": "7", "status": "FAILED", "reason": ["Forbidden"]}"#,
            "wrongType of statuses[1].reason",
        ),
        (
            r#"{"token": "nobody", "status": "FAILED"}"#,
            "unknownSubscriber",
        ),
        (
            r#"{"subscriberId": "18446744073709551615", "status": "FAILED"}"#,
            "unknownSubscriber",
        ),
        (r#"null"#, "wrongType of statuses[1]"),
        (r#"{}"#, "missingMember of statuses[1]"),
        (r#"{"status": "SENT"}"#, "oneOfTokenAndSubscriber"),
        (
            r#"{"status": "SENT", "token": null, "subscriberId": null}"#,
            "oneOfTokenAndSubscriber",
        ),
        (
            r#"{"token": "t", "subscriberId": "1", "status": "SENT"}"#,
            "oneOfTokenAndSubscriber",
        ),
        (r#"{"token": "", "status": "SENT"}"#, "blank of token"),
        (
            r#"{"token": 1.5, "status": "SENT"}"#,
            "wrongType of statuses[1].token",
        ),
        (
            r#"{"subscriberId": 1, "status": "SENT"}"#,
            "wrongType of statuses[1].subscriberId",
        ),
        (
            r#"{"subscriberId": "", "status": "SENT"}"#,
            "notOneOf of statuses[1].subscriberId",
        ),
        (
            r#"{"subscriberId": "01", "status": "SENT"}"#,
            "notOneOf of statuses[1].subscriberId",
        ),
        (
            r#"{"subscriberId": "-1", "status": "SENT"}"#,
            "notOneOf of statuses[1].subscriberId",
        ),
        (
            r#"{"subscriberId": "x", "status": "SENT"}"#,
            "notOneOf of statuses[1].subscriberId",
        ),
        (r#"{"token": "t"}"#, "missingMember of statuses[1]"),
        (
            r#"{"token": "t", "status": null}"#,
            "missingMember of statuses[1]",
        ),
        (
            r#"{"token": "t", "status": 1}"#,
            "wrongType of statuses[1].status",
        ),
        (
            r#"{"token": "t", "status": "sent"}"#,
            "notOneOf of statuses[1].status",
        ),
        (
            r#"{"token": "t", "status": "DELIVERED"}"#,
            "notOneOf of statuses[1].status",
        ),
        (
            r#"{"token": "t", "status": "FAILED", "reason": true}"#,
            "wrongType of statuses[1].reason",
        ),
        (
            r#"{"token": "t", "status": "SENT", "messageId": 5}"#,
            "wrongType of statuses[1].messageId",
        ),
        (
            r#"{"token": "t", "status": "SENT", "messageId": " "}"#,
            "blank of messageId",
        ),
        (
            r#"{"token": "t", "status": "SENT", "at": -1}"#,
            "wrongType of statuses[1].at",
        ),
        (
            r#"{"token": "t", "status": "SENT", "at": "5"}"#,
            "wrongType of statuses[1].at",
        ),
        (
            r#"{"token": "t", "status": "SENT", "at": 99999999999}"#,
            "secondsNotMilliseconds of statuses[1].at",
        ),
        (
            r#"{"token": "t", "status": "SENT", "at": 5.0}"#,
            "wrongType of statuses[1].at",
        ),
        (
            r#"{"token": "t", "status": "SENT", "at": 18446744073709551616}"#,
            "wrongType of statuses[1].at",
        ),
        (
            r#"{"token": "t", "status": "SENT", "chat": 5}"#,
            "unknownMember of statuses[1]",
        ),
        (
            r#"{"token": "t", "status": "SENT", "status": "FAILED"}"#,
            "repeatedMember of statuses[1]",
        ),
    ];
    for (report, expected) in rows {
        let (store, _) = store();
        let body =
            br#"{"tokens": [{"token": "t", "contactId": 1}, {"token": "7", "contactId": 2}]}"#;
        add_body(&store, body).unwrap();
        let neighbour = r#"{"token": "t", "status": "SENT"}"#;
        let body = format!(r#"{{"statuses": [{neighbour}, {report}, {neighbour}]}}"#);
        let results = report_body(&store, body.as_bytes()).unwrap();
        assert_eq!(results[0]["outcome"], "recorded", "{report}");
        assert_eq!(results[2]["outcome"], "recorded", "{report}");
        let shown = match results[1]["outcome"].as_str() {
            Some(outcome) => outcome.to_owned(),
            None => said_form(&results[1]),
        };
        assert_eq!(shown, expected, "{report}");
    }
}

#[test]
fn r36_what_stands_outside_the_reports_refuses_the_request() {
    for (body, expected) in [
        ("{}", "missingMember"),
        (r#"{"statuses": null}"#, "wrongType of statuses"),
        (r#"{"statuses": [], "at": 5}"#, "unknownMember"),
        (r#"{"statuses": [], "statuses": []}"#, "repeatedMember"),
        (r#"{"tokens": []}"#, "unknownMember"),
    ] {
        let (store, _) = store();
        assert_eq!(
            report_body(&store, body.as_bytes()),
            Err(expected.to_owned()),
            "{body}"
        );
    }
    let (store, _) = store();
    assert_eq!(report_body(&store, br#"{"statuses": []}"#), Ok(Vec::new()));
    assert_eq!(add_body(&store, br#"{"tokens": []}"#), Ok(Vec::new()));
}

// The format of the guides (000, 001, 002, 004), filled in.
#[test]
fn the_published_request_is_taken_as_it_is_published() {
    let (store, _) = store();
    let body = format!(
        r#"{{
"tokens": [{{
"token": "700000007",
"contactId": 7,
"externalCustomerId": "shop-7",
"phone": "{PHONE}",
"email": "ann@example.com"
}}]
}}"#
    );
    let results = add_body(&store, body.as_bytes()).unwrap();
    assert_eq!(
        serde_json::to_string(&results).unwrap(),
        r#"[{"contact":"created","contactId":7,"subscriberId":"1099511627777","token":"added"}]"#
    );
    let card = find(&store, GivenIdentifiers::new().email("ann@example.com"))
        .unwrap()
        .unwrap()
        .card;
    assert_eq!(card.identifiers.contact_id(), ContactId::new(7).ok());
    assert_eq!(card.identifiers.phone().unwrap().digits(), "380500000007");
    assert_eq!(
        card.identifiers.external_customer_id().unwrap().as_str(),
        "shop-7"
    );
}

// "If two requests with the same email address contain two different tokens, both will be written to
// the contact card" (all guides).
#[test]
fn r20_the_published_example_of_two_tokens() {
    let (store, _) = store();
    for token in ["700000001", "700000002"] {
        let body = format!(r#"{{"tokens": [{{"token": "{token}", "email": "ann@example.com"}}]}}"#);
        assert_eq!(
            add_body(&store, body.as_bytes()).unwrap()[0]["token"],
            "added"
        );
    }
    let card = find(&store, GivenIdentifiers::new().email("ann@example.com"))
        .unwrap()
        .unwrap()
        .card;
    let tokens: Vec<&str> = card.tokens.iter().map(|held| held.token.as_str()).collect();
    assert_eq!(tokens, ["700000001", "700000002"]);
}

// The template of the guides is not JSON: a host that sends it as it stands learns where.
#[test]
fn the_published_template_itself_is_refused() {
    let template = "{\n\"tokens\": [Token]\n}";
    let refused = wire::parse_add_tokens(APP, template.as_bytes(), &Limits::default());
    assert_eq!(
        refused.map(drop).unwrap_err().to_string(),
        "not JSON at line 2, column 12"
    );
}

#[test]
fn r23_all_or_nothing_says_which_entry_and_why_in_json() {
    use contact_store::BatchMode::AllOrNothing;
    let (store, _) = store();
    let body = br#"{"tokens": [{"token": "t", "contactId": 7}, {"token": "t", "phone": []}]}"#;
    let request = wire::parse_add_tokens(APP, body, &Limits::default()).unwrap();
    let refused = store
        .add_tokens(request.mode(AllOrNothing))
        .wait()
        .unwrap_err();
    match &refused {
        Error::EntryRefused {
            index: 1,
            error: EntryError::Json(error),
        } => assert_eq!(error.path, "tokens[1].phone"),
        other => panic!("{other:?}"),
    }
    assert_eq!(
        text(&wire::error(&refused)),
        r#"{"error":{"code":"entryRefused","message":"entry 1 is refused","entry":1,"cause":{"code":"wrongType","message":"tokens[1].phone: expected string or integer from -2^63 to 2^64-1, found array","path":"tokens[1].phone"}}}"#
    );
    assert_eq!(store.stats().unwrap().contacts, 0);
}

#[test]
fn r11_a_request_in_json_for_an_unknown_app_is_refused_whole() {
    let (store, _) = store();
    let app = AppId::from_u128(0xc);
    let request = wire::parse_add_tokens(app, br#"{"tokens": []}"#, &Limits::default()).unwrap();
    let refused = store.add_tokens(request).wait().unwrap_err();
    assert_eq!(
        text(&wire::error(&refused)),
        r#"{"error":{"code":"unknownApp","message":"app 00000000-0000-0000-0000-00000000000c is not connected"}}"#
    );
}
