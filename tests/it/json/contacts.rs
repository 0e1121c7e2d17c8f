//! The request to create or update contacts: R41 to R43 at the edge.

use contact_store::{BatchMode, GivenIdentifiers, Limits, Options, wire};
use serde_json::{Value, json};

use super::{at_most_3000_are_read, results, said, said_form, text};
use crate::support::{assert_sound, find, id, store, store_with};

/// Upserts the contacts of a body in a store; gives the answer's `results`, or the whole error.
fn upsert_body(store: &contact_store::ContactStore, body: &[u8]) -> Result<Vec<Value>, String> {
    let answer = wire::parse_upsert(body, &Limits::default())
        .and_then(|request| store.upsert(request).wait());
    results(answer.map(|upserted| text(&wire::contacts_upserted(&upserted.outcome))))
}

/// One item between two sound ones, found by phone: its outcome, in short.
///
/// What is wrong with it never touches its neighbours (R55).
#[track_caller]
fn becomes_of(item: &str, set: impl FnOnce(&mut Options)) -> String {
    let (store, _) = store_with(set);
    let body = format!(
        r#"{{"contacts": [{{"externalCustomerId": "before"}}, {item}, {{"externalCustomerId": "after"}}], "dedupeOn": "phone"}}"#
    );
    let results = match upsert_body(&store, body.as_bytes()) {
        Ok(results) => results,
        Err(refused) => return format!("all: {refused}"),
    };
    assert_eq!(results.len(), 3);
    for place in [0, 2] {
        assert_eq!(results[place]["contact"], "created", "{item}");
    }
    assert_sound(&store);
    match results[1].get("error") {
        Some(_) => said_form(&results[1]),
        None => results[1]["contact"].as_str().unwrap().to_owned(),
    }
}

#[track_caller]
fn each_item(rows: &[(&str, &str)]) {
    for (item, expected) in rows {
        assert_eq!(becomes_of(item, |_| {}), *expected, "{item}");
    }
}

#[test]
fn r41_to_r43_an_item_as_it_is_published_and_the_card_it_makes() {
    let (store, _) = store();
    let item = json!({
        "contactId": 7, "externalCustomerId": "shop-7", "phone": "+380 50 000 00 07",
        "email": "Ann@Example.com", "firstName": "Ann", "lastName": "", "languageCode": "uk",
        "timeZone": "Europe/Kyiv", "fields": {"city": "Kyiv", "shop \"1\"": "їжак\n", "a": ""},
    });
    let body = |item: &Value| json!({"contacts": [item], "dedupeOn": "email"}).to_string();
    let upsert = |item: &Value| {
        let request = wire::parse_upsert(body(item).as_bytes(), &Limits::default()).unwrap();
        text(&wire::contacts_upserted(
            &store.upsert(request).wait().unwrap().outcome,
        ))
    };
    let card = || {
        let card = store.snapshot().unwrap().contact(id(7)).unwrap().unwrap();
        text(&wire::card(&card))
    };
    assert_eq!(
        upsert(&item),
        r#"{"results":[{"contactId":7,"contact":"created"}]}"#
    );
    assert_eq!(
        card(),
        r#"{"contactId":7,"externalCustomerId":"shop-7","phone":"380500000007","email":"ann@example.com","firstName":"Ann","lastName":"","languageCode":"uk","timeZone":"Europe/Kyiv","fields":{"a":"","city":"Kyiv","shop \"1\"":"їжак\n"},"createdAt":1000,"tokens":[]}"#
    );
    assert_eq!(
        upsert(&item),
        r#"{"results":[{"contactId":7,"contact":"unchanged","matchedBy":"externalCustomerId"}]}"#
    );
    // What is null goes; `contactId` and `fields` that are null are as good as not there.
    let nulls = json!({
        "contactId": null, "externalCustomerId": null, "phone": null, "email": "ann@example.com",
        "firstName": null, "lastName": null, "languageCode": null, "timeZone": null, "fields": null,
    });
    assert_eq!(
        upsert(&nulls),
        r#"{"results":[{"contactId":7,"contact":"updated","matchedBy":"email"}]}"#
    );
    assert_eq!(
        card(),
        r#"{"contactId":7,"email":"ann@example.com","fields":{"a":"","city":"Kyiv","shop \"1\"":"їжак\n"},"createdAt":1000,"tokens":[]}"#
    );
    // Of `fields`, what is not named stays.
    let fields = json!({"city": null, "a": "b", "none": null});
    let some = json!({"email": "ann@example.com", "fields": fields});
    upsert(&some);
    assert_eq!(
        card(),
        r#"{"contactId":7,"email":"ann@example.com","fields":{"a":"b","shop \"1\"":"їжак\n"},"createdAt":1000,"tokens":[]}"#
    );
}

#[test]
fn r41_r42_refused_items_carry_the_parts_that_a_program_needs() {
    let (store, _) = store();
    let body = json!({"dedupeOn": "phone", "contacts": [
        {"phone": "380500000001", "email": "ann@example.com"},
        {"phone": "380500000002", "email": "ann@example.com"},
        {"phone": "380500000001", "contactId": 9},
        {"email": "ann@example.com"},
        {"phone": "12"},
    ]});
    let request = wire::parse_upsert(body.to_string().as_bytes(), &Limits::default()).unwrap();
    let upserted = store.upsert(request.clone()).wait().unwrap().outcome;
    assert_eq!(
        text(&wire::contacts_upserted(&upserted)),
        r#"{"results":[{"contactId":1,"contact":"created"},{"error":{"code":"conflict","message":"email conflicts with contact 1","kind":"email","contactId":1}},{"error":{"code":"conflict","message":"contactId conflicts with contact 1","kind":"contactId","contactId":1}},{"error":{"code":"nothingToFindBy","message":"neither externalCustomerId nor an identifier that dedupeOn names is given"}},{"error":{"code":"digitCount","message":"phone of 2 digits, must be 7 to 15","field":"phone"}}]}"#
    );
    let refused = store.upsert(request.mode(BatchMode::AllOrNothing)).wait();
    assert_eq!(
        text(&wire::error(&refused.unwrap_err())),
        r#"{"error":{"code":"entryRefused","message":"entry 1 is refused","entry":1,"cause":{"code":"conflict","message":"email conflicts with contact 1","kind":"email","contactId":1}}}"#
    );
}

#[test]
fn r55_what_is_wrong_with_the_form_of_an_item_refuses_it_alone() {
    each_item(&[
        ("null", "wrongType of contacts[1]"),
        ("true", "wrongType of contacts[1]"),
        ("1", "wrongType of contacts[1]"),
        (r#""380500000007""#, "wrongType of contacts[1]"),
        ("[]", "wrongType of contacts[1]"),
        (r#"[{"phone": "380500000007"}]"#, "wrongType of contacts[1]"),
        (
            r#"{"phone": "380500000007", "token": "t"}"#,
            "unknownMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "Phone": null}"#,
            "unknownMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "city": "Kyiv"}"#,
            "unknownMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "": 5}"#,
            "unknownMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "\udc00": 5}"#,
            "unknownMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "phone": null}"#,
            "repeatedMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "fields": {}, "fields": {}}"#,
            "repeatedMember of contacts[1]",
        ),
        (
            r#"{"phone": "380500000007", "em\u0061il": null, "email": null}"#,
            "repeatedMember of contacts[1]",
        ),
    ]);
}

#[test]
fn r55_a_value_of_a_wrong_type_refuses_its_item_alone() {
    let texts = ["email", "firstName", "lastName", "languageCode", "timeZone"];
    let integers_too = ["externalCustomerId", "phone"];
    let wrong = [
        "true",
        "false",
        "[]",
        "{}",
        r#"["x"]"#,
        r#"{"x": 1}"#,
        "1.5",
        "1e3",
        "-0.0",
    ];
    let mut rows: Vec<(&str, &str, &str)> = Vec::new();
    // A custom field may be a boolean or an integer too (R43).
    rows.extend(
        wrong
            .into_iter()
            .skip(2)
            .map(|value| ("fields.city", value, "wrongType")),
    );
    rows.extend([r#""\ud800""#, "18446744073709551616"].map(|value| {
        let code = if value.starts_with('"') {
            "loneSurrogate"
        } else {
            "wrongType"
        };
        ("fields.city", value, code)
    }));
    for member in texts.into_iter().chain(integers_too).chain(["contactId"]) {
        rows.extend(wrong.map(|value| (member, value, "wrongType")));
        rows.extend([r#""\ud800""#, r#""a\udfff""#].map(|value| (member, value, "loneSurrogate")));
    }
    for member in texts {
        rows.extend(["7", "-7", "0"].map(|value| (member, value, "wrongType")));
    }
    for member in texts.into_iter().chain(integers_too) {
        // -2^63 - 1 and 2^64.
        let large = ["-9223372036854775809", "18446744073709551616"];
        rows.extend(large.map(|value| (member, value, "wrongType")));
    }
    for value in ["true", "7", "1.5", r#""x""#, "[]", r#"[{"city": "Kyiv"}]"#] {
        rows.push(("fields", value, "wrongType"));
    }
    for (member, value, code) in rows {
        let given = match member.split_once('.') {
            Some((outer, inner)) => format!(r#""{outer}": {{"{inner}": {value}}}"#),
            None => format!(r#""{member}": {value}"#),
        };
        let item = match member {
            "phone" => format!("{{{given}}}"),
            _ => format!(r#"{{"phone": "380500000007", {given}}}"#),
        };
        let expected = format!("{code} of contacts[1].{member}");
        assert_eq!(becomes_of(&item, |_| {}), expected, "{item}");
    }
}

#[test]
fn r2_r55_integers_stand_for_texts_where_they_may() {
    each_item(&[
        (r#"{"phone": 380500000007}"#, "created"),
        (r#"{"externalCustomerId": 7}"#, "created"),
        (r#"{"externalCustomerId": -9223372036854775808}"#, "created"),
        (r#"{"phone": "380500000007", "contactId": 7}"#, "created"),
        (r#"{"phone": "380500000007", "contactId": "7"}"#, "created"),
        (
            r#"{"phone": "380500000007", "contactId": "07"}"#,
            "contactIdOutOfRange of contactId",
        ),
        (
            r#"{"phone": "380500000007", "contactId": "x"}"#,
            "contactIdOutOfRange of contactId",
        ),
        (
            r#"{"phone": "380500000007", "contactId": 0}"#,
            "contactIdOutOfRange of contactId",
        ),
        // Blank is not given (R1).
        (r#"{"phone": "380500000007", "contactId": ""}"#, "created"),
        (
            r#"{"phone": "380500000007", "contactId": " \t"}"#,
            "created",
        ),
        (r#"{"phone": "380500000007", "email": " "}"#, "created"),
        (
            r#"{"phone": "380500000007", "externalCustomerId": ""}"#,
            "created",
        ),
        (r#"{"phone": ""}"#, "nothingToFindBy"),
        (r#"{"contactId": null}"#, "nothingToFindBy"),
        (
            r#"{"phone": null, "email": "ann@example.com"}"#,
            "nothingToFindBy",
        ),
        ("{}", "nothingToFindBy"),
    ]);
}

#[test]
fn r43_booleans_and_integers_in_custom_fields_count_as_their_text() {
    let (store, _) = store();
    let body = br#"{"dedupeOn": "email", "contacts": [{"email": "ann@example.com", "fields": {
        "developer": false, "staff": true, "source": -50, "zero": -0, "large": 18446744073709551615,
        "text": "007"
    }}]}"#;
    let request = wire::parse_upsert(body, &Limits::default()).unwrap();
    store.upsert(request).wait().unwrap().outcome[0]
        .as_ref()
        .unwrap();
    let found = find(&store, GivenIdentifiers::new().email("ann@example.com"));
    let fields = found.unwrap().unwrap().card.fields.custom;
    let fields: Vec<(&str, &str)> = fields
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(
        fields,
        [
            ("developer", "false"),
            ("large", "18446744073709551615"),
            ("source", "-50"),
            ("staff", "true"),
            ("text", "007"),
            ("zero", "0"),
        ]
    );
}

#[test]
fn r43_r52_custom_fields_are_named_in_errors_only_where_they_may_be_shown() {
    let long = "a".repeat(65);
    let rows = [
        (
            r#"{"city": {}}"#.to_owned(),
            "wrongType of contacts[1].fields.city",
        ),
        (
            r#"{"a": "", "city_2": []}"#.to_owned(),
            "wrongType of contacts[1].fields.city_2",
        ),
        (
            r#"{"ann@example.com": {}}"#.to_owned(),
            "wrongType of contacts[1].fields",
        ),
        (
            r#"{"380500000007": {}}"#.to_owned(),
            "wrongType of contacts[1].fields",
        ),
        (
            r#"{"їжак": {}}"#.to_owned(),
            "wrongType of contacts[1].fields",
        ),
        (
            r#"{"a.b": {}}"#.to_owned(),
            "wrongType of contacts[1].fields",
        ),
        (r#"{"": {}}"#.to_owned(), "wrongType of contacts[1].fields"),
        (
            format!(r#"{{"{long}": {{}}}}"#),
            "wrongType of contacts[1].fields",
        ),
        (
            r#"{"city": "a", "city": "b"}"#.to_owned(),
            "repeatedMember of contacts[1].fields",
        ),
        (
            r#"{"city": null, "c\u0069ty": null}"#.to_owned(),
            "repeatedMember of contacts[1].fields",
        ),
        (
            r#"{"ann@example.com": "", "ann@example.com": ""}"#.to_owned(),
            "repeatedMember of contacts[1].fields",
        ),
        (
            r#"{"\ud800": "x"}"#.to_owned(),
            "loneSurrogate of contacts[1].fields",
        ),
        (r#"{"": "x"}"#.to_owned(), "blank of fieldName"),
        (r#"{" ": null}"#.to_owned(), "blank of fieldName"),
        (
            r#"{"a\u0000": "x"}"#.to_owned(),
            "forbiddenCharacter of fieldName",
        ),
        (
            format!(r#"{{"{}": "x"}}"#, "a".repeat(129)),
            "tooLong of fieldName",
        ),
        (
            format!(r#"{{"a": "{}"}}"#, "x".repeat(4_097)),
            "tooLong of fieldValue",
        ),
        // These are fields like any other.
        (
            r#"{"phone": "x", "firstName": "y", "contactId": "z"}"#.to_owned(),
            "created",
        ),
        ("{}".to_owned(), "created"),
        ("null".to_owned(), "created"),
    ];
    for (fields, expected) in rows {
        let item = format!(r#"{{"phone": "380500000007", "fields": {fields}}}"#);
        assert_eq!(becomes_of(&item, |_| {}), expected, "{item}");
    }
}

#[test]
fn r41_what_stands_outside_the_items_refuses_the_request() {
    let rows = [
        ("", "syntax"),
        ("[]", "wrongType"),
        ("{}", "missingMember"),
        (r#"{"dedupeOn": "phone"}"#, "missingMember"),
        (r#"{"contacts": []}"#, "missingMember"),
        (r#"{"contacts": [], "dedupeOn": null}"#, "missingMember"),
        (
            r#"{"contacts": null, "dedupeOn": "phone"}"#,
            "wrongType of contacts",
        ),
        (
            r#"{"contacts": {}, "dedupeOn": "phone"}"#,
            "wrongType of contacts",
        ),
        (
            r#"{"contacts": [], "dedupeOn": 5}"#,
            "wrongType of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": ["phone"]}"#,
            "wrongType of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": ""}"#,
            "notOneOf of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "Phone"}"#,
            "notOneOf of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": " phone"}"#,
            "notOneOf of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "emailThenPhone"}"#,
            "notOneOf of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "\ud800"}"#,
            "loneSurrogate of dedupeOn",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "at": 5}"#,
            "unknownMember",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "tokens": []}"#,
            "unknownMember",
        ),
        (
            r#"{"contacts": [], "dedupeOn": "phone", "dedupeOn": "phone"}"#,
            "repeatedMember",
        ),
        (
            r#"{"contacts": [{"phone": 01}], "dedupeOn": "phone"}"#,
            "syntax",
        ),
    ];
    for (body, expected) in rows {
        let (store, _) = store();
        let refused = upsert_body(&store, body.as_bytes());
        assert_eq!(refused, Err(expected.to_owned()), "{body}");
    }
    for dedupe_on in [
        "contactId",
        "externalCustomerId",
        "phone",
        "email",
        "phoneThenEmail",
    ] {
        let (store, _) = store();
        let body = format!(r#"{{"dedupeOn": "{dedupe_on}", "contacts": []}}"#);
        assert_eq!(upsert_body(&store, body.as_bytes()), Ok(Vec::new()));
    }
}

#[test]
fn an_item_with_any_depth_of_nesting_is_refused_alone() {
    for (open, close) in [("[", "]"), (r#"{"a": "#, "}")] {
        let deep = format!("{}1{}", open.repeat(500_000), close.repeat(500_000));
        for (item, expected) in [
            (
                format!(r#"{{"phone": {deep}}}"#),
                "wrongType of contacts[1].phone",
            ),
            (
                format!(r#"{{"firstName": {deep}}}"#),
                "wrongType of contacts[1].firstName",
            ),
            (
                format!(r#"{{"fields": {{"b": {deep}}}}}"#),
                "wrongType of contacts[1].fields.b",
            ),
        ] {
            assert_eq!(becomes_of(&item, |_| {}), expected);
        }
    }
    // An object is what `fields` wants, and its one member is of a wrong type.
    let deep = format!("{}1{}", r#"{"a": "#.repeat(500_000), "}".repeat(500_000));
    let item = format!(r#"{{"fields": {deep}}}"#);
    assert_eq!(
        becomes_of(&item, |_| {}),
        "wrongType of contacts[1].fields.a"
    );
}

#[test]
fn an_item_with_hundreds_of_thousands_of_fields_is_refused_alone() {
    let fields: Vec<String> = (0..300_000).map(|n| format!(r#""{n:x}z":"v""#)).collect();
    let item = |fields: &[String]| {
        format!(
            r#"{{"phone": "380500000007", "fields": {{{}}}}}"#,
            fields.join(",")
        )
    };
    let over = "limitExceeded of customFieldsPerContact";
    assert_eq!(becomes_of(&item(&fields), |_| {}), over);
    assert_eq!(becomes_of(&item(&fields[..257]), |_| {}), over);
    assert_eq!(becomes_of(&item(&fields[..256]), |_| {}), "created");
    // Also with the card's text as the bound.
    let few = |options: &mut Options| options.limits.card_text_bytes = 100;
    assert_eq!(
        becomes_of(&item(&fields[..256]), few),
        "limitExceeded of cardTextBytes"
    );
}

#[test]
fn too_many_items_and_too_long_bodies_are_refused_whole() {
    at_most_3000_are_read(
        |items| format!(r#"{{"contacts": [{items}], "dedupeOn": "phone"}}"#),
        |body, limits| wire::parse_upsert(body, limits).map(drop),
    );
    let mut short = Limits::default();
    short.request_text_bytes = 20;
    let refused = wire::parse_upsert(&[b'{'; 21], &short).map(drop);
    assert_eq!(
        said(&refused.unwrap_err()),
        "limitExceeded of requestTextBytes"
    );
    let refused = wire::parse_send_request(&[b'{'; 21], &short).map(drop);
    assert_eq!(
        said(&refused.unwrap_err()),
        "limitExceeded of requestTextBytes"
    );
}
