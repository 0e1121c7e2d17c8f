//! The description of the API: that it is of the routes that there are and of no others, and that what
//! is really asked and answered is of its schemas.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};
use yaml_rust2::{Yaml, YamlLoader};

use super::client::{APP, Client, exchange, status_and_code};
use super::example::routes;
use super::process::Host;

const TEXT: &str = include_str!("../../../../examples/host/openapi.yaml");

/// The description, as JSON.
fn description() -> Value {
    yaml(TEXT)
}

/// A YAML document, as JSON.
pub fn yaml(text: &str) -> Value {
    let mut documents = YamlLoader::load_from_str(text).unwrap();
    assert_eq!(documents.len(), 1);
    json(documents.remove(0))
}

fn json(yaml: Yaml) -> Value {
    match yaml {
        Yaml::String(text) => text.into(),
        Yaml::Integer(number) => number.into(),
        Yaml::Boolean(truth) => truth.into(),
        Yaml::Null => Value::Null,
        Yaml::Array(elements) => elements.into_iter().map(json).collect(),
        Yaml::Hash(members) => {
            let member = |(name, value): (Yaml, Yaml)| (name.into_string().unwrap(), json(value));
            Value::Object(members.into_iter().map(member).collect())
        }
        other => panic!("{other:?}"),
    }
}

/// An operation: its method and the path as it is described.
type Name = (String, String);

fn members(value: &Value) -> &Map<String, Value> {
    value.as_object().unwrap()
}

fn operations(description: &Value) -> BTreeMap<Name, &Value> {
    let mut operations = BTreeMap::new();
    for (path, item) in members(&description["paths"]) {
        for (method, operation) in members(item) {
            if method != "parameters" {
                operations.insert((method.to_uppercase(), path.clone()), operation);
            }
        }
    }
    operations
}

/// The operations that are described, such as `GET /v1/apps`.
pub fn operations_described() -> BTreeSet<String> {
    let root = description();
    let names = operations(&root).into_keys();
    names
        .map(|(method, path)| format!("{method} {path}"))
        .collect()
}

/// What `$ref` leads to, as far as it goes.
fn resolved<'a>(root: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(to) = value.get("$ref") {
        let to = to.as_str().unwrap().strip_prefix('#').unwrap();
        value = root
            .pointer(to)
            .unwrap_or_else(|| panic!("{to} is not there"));
    }
    value
}

/// Refuses a value that is not of its schema, and a schema with a keyword that is not known here.
fn check(root: &Value, schema: &Value, value: &Value, at: &str) -> Result<(), String> {
    if schema == &Value::Bool(true) {
        return Ok(());
    }
    let wrong = |what: &str| Err(format!("{at}: {what}: {value}"));
    // A keyword says nothing of a value of another type: that is for `type` to say.
    let text = value.as_str();
    for (keyword, asked) in members(schema) {
        let number = || asked.as_u64().unwrap();
        match keyword.as_str() {
            "description" | "default" => {}
            "$ref" => check(root, resolved(root, schema), value, at)?,
            "type" => {
                let types = asked
                    .as_array()
                    .cloned()
                    .unwrap_or_else(|| vec![asked.clone()]);
                if !types
                    .iter()
                    .any(|name| is_of_type(value, name.as_str().unwrap()))
                {
                    return wrong("type");
                }
            }
            "enum" => {
                if !asked.as_array().unwrap().contains(value) {
                    return wrong("enum");
                }
            }
            "format" if asked == "uuid" => {
                let id = text.map(contact_store::wire::parse_app_id);
                let id = id.map(|id| id.map(|id| id.to_string()).unwrap_or_default());
                if id.as_deref() != text {
                    return wrong("uuid");
                }
            }
            "format" => assert_eq!(asked, "int64", "{at}"),
            "pattern" => {
                let of_pattern: fn(char) -> bool = match asked.as_str().unwrap() {
                    "^[0-9]+$" => |c| c.is_ascii_digit(),
                    "^[0-9.]+$" => |c| c.is_ascii_digit() || c == '.',
                    "^[a-zA-Z0-9]+$" => |c| c.is_ascii_alphanumeric(),
                    other => panic!("pattern {other}"),
                };
                if text.is_some_and(|text| text.is_empty() || !text.chars().all(of_pattern)) {
                    return wrong("pattern");
                }
            }
            "minimum" => {
                if value.as_f64().is_some_and(|it| it < number() as f64) {
                    return wrong("minimum");
                }
            }
            "maximum" => {
                if value.as_u64().is_some_and(|it| it > number()) {
                    return wrong("maximum");
                }
            }
            "minLength" => {
                if text.is_some_and(|text| (text.len() as u64) < number()) {
                    return wrong("minLength");
                }
            }
            "maxLength" => {
                if text.is_some_and(|text| text.len() as u64 > number()) {
                    return wrong("maxLength");
                }
            }
            "maxItems" => {
                if value
                    .as_array()
                    .is_some_and(|it| it.len() as u64 > number())
                {
                    return wrong("maxItems");
                }
            }
            "items" => {
                for (place, element) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, asked, element, &format!("{at}[{place}]"))?;
                }
            }
            "oneOf" => {
                let of = asked.as_array().unwrap().iter();
                let of: Vec<_> = of.map(|schema| check(root, schema, value, at)).collect();
                if of.iter().filter(|checked| checked.is_ok()).count() != 1 {
                    return Err(format!("{at}: oneOf: {of:?}"));
                }
            }
            "required" => {
                for name in asked.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        return wrong(&format!("{name} is missing"));
                    }
                }
            }
            "properties" => {
                for (name, schema) in members(asked) {
                    if let Some(member) = value.get(name) {
                        check(root, schema, member, &format!("{at}.{name}"))?;
                    }
                }
            }
            "additionalProperties" => {
                let known = schema.get("properties").map(members);
                for (name, member) in value.as_object().into_iter().flatten() {
                    if known.is_some_and(|known| known.contains_key(name)) {
                        continue;
                    }
                    if asked == &Value::Bool(false) {
                        return wrong(&format!("{name} is not described"));
                    }
                    check(root, asked, member, &format!("{at}.{name}"))?;
                }
            }
            other => panic!("{at}: keyword {other}"),
        }
    }
    Ok(())
}

fn is_of_type(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "null" => value.is_null(),
        other => panic!("type {other}"),
    }
}

#[test]
fn the_checker_of_schemas_refuses_what_is_not_of_them() {
    let root = description();
    let of = |schema: &str, value: &str| {
        let schema = &root["components"]["schemas"][schema];
        check(&root, schema, &serde_json::from_str(value).unwrap(), "it")
    };
    for (schema, value) in [
        ("Health", r#"{"status": "ok", "engine": "file"}"#),
        ("SubscriberId", r#""12""#),
        ("ContactId", "1"),
        (
            "Decision",
            r#"{"decision": "append", "contactId": 1, "matchedBy": "email"}"#,
        ),
        (
            "Explanation",
            r#"{"named": {"email": null}, "cascade":
            {"decision": "refuse", "error": {"code": "a", "message": "b"}}, "topPriority":
            {"decision": "create", "contactId": 1, "identifiers": ["email"]}}"#,
        ),
    ] {
        assert_eq!(of(schema, value), Ok(()), "{value}");
    }
    for (schema, value) in [
        ("Health", "{}"),
        ("Health", "[]"),
        ("Health", r#"{"status": "ill", "engine": "file"}"#),
        ("Health", r#"{"status": "ok", "engine": "file", "more": 1}"#),
        ("SubscriberId", "12"),
        ("SubscriberId", r#""""#),
        ("ContactId", "0"),
        ("ContactId", "1.5"),
        ("AppUuid", r#""00000000-0000-0000-0000-00000000000A""#),
        ("Decision", r#"{"decision": "append", "contactId": 1}"#),
        ("Apps", r#"{"apps": [{"name": "Bot"}]}"#),
        (
            "Message",
            r#"{"messageId": "", "counts": {"sent": 0, "failed": 0, "clicked": 0}, "lastAt": 1}"#,
        ),
        (
            "Card",
            r#"{"contactId": 1, "createdAt": 1, "tokens": [], "fields": {"city": 1}}"#,
        ),
    ] {
        assert!(of(schema, value).is_err(), "{schema} {value}");
    }
}

/// A path as it is asked for, with something for each parameter.
fn filled(path: &str) -> String {
    let path = path.replace("{app_uuid}", APP);
    let path = path.replace("{contactId}", "1");
    path.replace("{file}", "console.js")
}

#[test]
fn it_describes_each_route_and_method_that_there_is_and_nothing_else() {
    let host = Host::start_with(&["--console"]);
    let client = host.client();
    let mut there_are = BTreeSet::new();
    for route in routes::table() {
        let path = filled(route.path);
        let answer = client.ask(&format!("PATCH {path}"), "");
        assert_eq!(answer.status, 405, "{path}");
        let allowed = answer.headers["allow"].to_str().unwrap().to_owned();
        for method in allowed.split(',').filter(|method| *method != "HEAD") {
            there_are.insert((method.to_owned(), route.path.to_owned()));
        }
    }
    let root = description();
    let described: BTreeSet<_> = operations(&root).into_keys().collect();
    assert_eq!(described, there_are);
    host.stop();
}

#[test]
fn it_is_served_and_whole() {
    let host = Host::start();
    let answer = host.client().get("/openapi.yaml");
    assert_eq!((answer.status, answer.body.as_str()), (200, TEXT));
    assert_eq!(answer.headers["content-type"], "application/yaml");
    host.stop();

    let root = description();
    assert_eq!(root["openapi"], "3.1.0");
    let operations = operations(&root);
    let ids: BTreeSet<_> = operations
        .values()
        .map(|it| it["operationId"].to_string())
        .collect();
    assert_eq!(ids.len(), operations.len());
    // Every reference leads somewhere, and every component is referred to.
    let mut referred = BTreeSet::new();
    refer(&root, &root, &mut referred);
    for kind in ["schemas", "responses", "parameters"] {
        for name in members(&root["components"][kind]).keys() {
            let to = format!("#/components/{kind}/{name}");
            assert!(referred.contains(&to), "nothing refers to {to}");
        }
    }
    for ((_, path), operation) in operations {
        let own = operation.get("parameters").into_iter();
        let of_path = root["paths"][&path].get("parameters").into_iter();
        let parameters = own.chain(of_path).flat_map(|list| list.as_array().unwrap());
        let in_path = parameters
            .map(|parameter| resolved(&root, parameter))
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()));
        let named: Vec<_> = in_path.collect();
        assert_eq!(named.len(), path.matches('{').count(), "{path}");
        assert!(named.iter().all(|name| path.contains(name)), "{path}");
    }
}

fn refer(root: &Value, value: &Value, referred: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            if let Some(Value::String(to)) = members.get("$ref") {
                resolved(root, value);
                referred.insert(to.clone());
            }
            members
                .values()
                .for_each(|member| refer(root, member, referred));
        }
        Value::Array(elements) => elements.iter().for_each(|it| refer(root, it, referred)),
        _ => {}
    }
}

/// What is asked, in this order, on a host with `APP` connected.
const ASKED: &[(&str, &str)] = &[
    ("GET /v1/changes?limit=2&wait=0", ""),
    (
        "POST /v1/apps",
        r#"{"name": "Shop bot", "appUuid": "b0000000-0000-0000-0000-00000000000b", "key": "open sesame"}"#,
    ),
    ("POST /v1/apps", r#"{"name": ""}"#),
    ("GET /v1/apps", ""),
    ("GET /v1/apps?limit=1", ""),
    (
        "POST /v1/apps/{APP}/tokens",
        r#"{"tokens": [
        {"token": "t1", "externalCustomerId": "shop-1", "phone": "+380500000001", "email": "ann@example.com"},
        {"token": 500001, "contactId": 7, "email": "bob@example.com"},
        {"token": "t1", "email": "bob@example.com"},
        {"token": "t1", "phone": 380500000001, "email": null},
        {"token": "t2", "phone": "0500000001"},
        {"token": "t2"}]}"#,
    ),
    ("POST /v1/apps/{APP}/tokens", "[]"),
    ("POST /v1/apps/{NONE}/tokens", r#"{"tokens": []}"#),
    (
        "POST /v1/apps/{APP}/statuses",
        r#"{"statuses": [
        {"token": "t1", "status": "SENT", "messageId": "m1", "at": 1700000000000},
        {"subscriberId": "1099511627778", "status": "FAILED", "reason": "Forbidden"},
        {"token": "nobody", "status": "CLICKED"},
        {"token": "t1", "subscriberId": "1099511627777", "status": "SENT"}]}"#,
    ),
    ("POST /v1/apps/{APP}/statuses", "{"),
    ("POST /v1/apps/{NONE}/statuses", r#"{"statuses": []}"#),
    ("GET /v1/apps/{APP}/subscribers?limit=10&after=0", ""),
    ("GET /v1/apps/{APP}/subscribers?limit=0", ""),
    ("GET /v1/apps/{NONE}/subscribers", ""),
    ("GET /v1/apps/{APP}/messages", ""),
    ("GET /v1/apps/{APP}/messages?after=", ""),
    ("GET /v1/apps/{NONE}/messages", ""),
    (
        "POST /v1/contacts",
        r#"{"dedupeOn": "email", "contacts": [
        {"email": "ann@example.com", "firstName": "Ann", "lastName": "A", "languageCode": "uk",
            "timeZone": "Europe/Kyiv", "fields": {"city": "Kyiv", "vip": true, "orders": 3}},
        {"email": "carl@example.com"},
        {"email": "bob@example.com"},
        {"email": "bob@example.com", "externalCustomerId": "shop-1"},
        {"phone": "+380500000003"}]}"#,
    ),
    (
        "POST /v1/contacts",
        r#"{"dedupeOn": "name", "contacts": []}"#,
    ),
    (
        "POST /v1/contacts",
        r#"{"dedupeOn": "email", "upsertMode": "createOnly", "contacts": [{"email": "ann@example.com"}]}"#,
    ),
    (
        "POST /v1/contacts",
        r#"{"dedupeOn": "email", "upsertMode": "updateOnly", "contacts": [{"email": "nobody@example.com"}]}"#,
    ),
    (
        "GET /v1/contacts?email=ann@example.com&policy=topPriority",
        "",
    ),
    ("GET /v1/contacts?phone=%2B380500000001", ""),
    ("GET /v1/contacts?contactId=7", ""),
    ("GET /v1/contacts?externalCustomerId=nobody", ""),
    ("GET /v1/contacts?email=a+b@example.com", ""),
    ("GET /v1/contacts", ""),
    (
        "POST /v1/contacts/find",
        r#"{"email": "ann@example.com", "policy": "cascade"}"#,
    ),
    ("POST /v1/contacts/find", r#"{"email": "dora@example.com"}"#),
    ("POST /v1/contacts/find", "{}"),
    (
        "POST /v1/contacts/explain",
        r#"{"phone": "+380500000002", "email": "ann@example.com"}"#,
    ),
    (
        "POST /v1/contacts/explain",
        r#"{"contactId": 99, "email": "ann@example.com"}"#,
    ),
    ("POST /v1/contacts/explain", r#"{"contactId": "x"}"#),
    ("GET /v1/contacts/1", ""),
    ("GET /v1/contacts/99", ""),
    ("GET /v1/contacts/x", ""),
    (
        "POST /v1/recipients/resolve",
        r#"{"botId": "{APP}", "number": "380500000001", "text": "Hello",
        "buttons": [{"text": "Shop", "url": "https://example.com/"}], "auth": {"user": "u", "pass": "open sesame"}}"#,
    ),
    (
        "POST /v1/recipients/resolve",
        r#"{"subscriberId": "99", "text": "Hello"}"#,
    ),
    (
        "POST /v1/recipients/resolve",
        r#"{"botId": "{APP}", "number": "380500000009", "text": "Hello"}"#,
    ),
    ("POST /v1/recipients/resolve", r#"{"text": "Hello"}"#),
    (
        "POST /v1/apps/{APP}/tokens/remove",
        r#"{"token": "t1", "contactId": 7}"#,
    ),
    ("POST /v1/apps/{APP}/tokens/remove", r#"{"token": ""}"#),
    (
        "POST /v1/apps/{APP}/tokens/rename",
        r#"{"token": "t1", "newToken": -1001}"#,
    ),
    (
        "POST /v1/apps/{APP}/tokens",
        r#"{"tokens": [{"token": "t1", "email": "ann@example.com"}]}"#,
    ),
    (
        "POST /v1/apps/{APP}/tokens/rename",
        r#"{"token": "t1", "newToken": "-1001"}"#,
    ),
    (
        "POST /v1/apps/{APP}/tokens/rename",
        r#"{"token": "nobody", "newToken": "t1"}"#,
    ),
    ("POST /v1/apps/{APP}/tokens/rename", r#"{"token": "t1"}"#),
    (
        "POST /v1/apps/{NONE}/tokens/rename",
        r#"{"token": "t1", "newToken": "t2"}"#,
    ),
    ("GET /v1/apps/{APP}/contacts?limit=1", ""),
    ("GET /v1/apps/{APP}/contacts?after=7", ""),
    ("GET /v1/apps/{APP}/contacts?after=x", ""),
    ("GET /v1/apps/{NONE}/contacts", ""),
    ("GET /v1/contacts/list?limit=2&after=1", ""),
    ("GET /v1/contacts/list?limit=1001", ""),
    ("POST /v1/apps/{NONE}/tokens/remove", r#"{"token": "t1"}"#),
    (
        "POST /v1/apps/{APP}/messages/forget",
        r#"{"before": 1800000000000}"#,
    ),
    ("POST /v1/apps/{APP}/messages/forget", "{}"),
    (
        "POST /v1/apps/{NONE}/messages/forget",
        r#"{"before": 1800000000000}"#,
    ),
    (
        "POST /v1/apps/{APP}/tokens/bring-back",
        r#"{"token": "100200300"}"#,
    ),
    ("POST /v1/apps/{APP}/tokens/bring-back", "{}"),
    (
        "POST /v1/apps/{NONE}/tokens/bring-back",
        r#"{"token": "t"}"#,
    ),
    (
        "POST /v1/apps/{APP}/token/mute",
        r#"{"token": "100200300", "duration": 3600}"#,
    ),
    ("GET /v1/apps/{APP}/subscribers", ""),
    (
        "POST /v1/recipients/resolve",
        r#"{"botId": "{APP}", "number": "380500000001", "text": "x", "includeMuted": false}"#,
    ),
    (
        "POST /v1/apps/{APP}/token/mute",
        r#"{"token": "nobody", "duration": null}"#,
    ),
    ("POST /v1/apps/{NONE}/token/mute", r#"{"token": "t"}"#),
    (
        "POST /v1/apps/{APP}/token/unmute",
        r#"{"token": "100200300"}"#,
    ),
    ("POST /v1/apps/{APP}/token/unmute", r#"{"token": ""}"#),
    ("POST /v1/apps/{NONE}/token/unmute", r#"{"token": "t"}"#),
    (
        "POST /v1/apps/{APP}/stale/remove",
        r#"{"before": 1700000000000, "dryRun": true}"#,
    ),
    (
        "POST /v1/apps/{APP}/stale/remove",
        r#"{"before": 1700000000000, "dryRun": null}"#,
    ),
    ("POST /v1/apps/{APP}/stale/remove", r#"{"before": "x"}"#),
    (
        "POST /v1/apps/{NONE}/stale/remove",
        r#"{"before": 1700000000000}"#,
    ),
    (
        "POST /v1/contacts/7/merge",
        r#"{"into": 1, "preview": true}"#,
    ),
    (
        "POST /v1/contacts/7/merge",
        r#"{"into": "1", "preview": null}"#,
    ),
    ("POST /v1/contacts/7/merge", r#"{"into": 1}"#),
    ("POST /v1/contacts/7/merge", "{}"),
    ("POST /v1/contacts/99/merge", r#"{"into": 1}"#),
    ("GET /v1/contacts/1/merged", ""),
    ("GET /v1/contacts/99/merged", ""),
    ("GET /v1/contacts/x/merged", ""),
    ("POST /v1/contacts/7/unmerge", r#"{"preview": true}"#),
    ("POST /v1/contacts/7/unmerge", "{}"),
    ("POST /v1/contacts/7/unmerge", "{}"),
    ("POST /v1/contacts/99/unmerge", "{}"),
    (
        "POST /v1/contacts/1/split",
        r#"{"identifiers": ["phone"], "preview": true}"#,
    ),
    (
        "POST /v1/contacts/1/split",
        r#"{"identifiers": ["phone"], "subscriberIds": null}"#,
    ),
    (
        "POST /v1/contacts/1/split",
        r#"{"identifiers": ["contactId"]}"#,
    ),
    ("POST /v1/contacts/1/split", r#"{"identifiers": ["phone"]}"#),
    ("POST /v1/contacts/1/split", r#"{"identifiers": []}"#),
    (
        "POST /v1/contacts/99/split",
        r#"{"identifiers": ["phone"]}"#,
    ),
    ("DELETE /v1/contacts/7?suppress=maybe", ""),
    ("DELETE /v1/contacts/7?suppress=true", ""),
    ("DELETE /v1/contacts/7", ""),
    // By now it keeps only the last.
    ("GET /v1/changes", ""),
    ("GET /v1/changes?after=4294967296.7", ""),
    ("GET /v1/changes?after=x", ""),
    ("GET /v1/changes?wait=61", ""),
    (
        "POST /v1/apps/{APP}/tokens",
        r#"{"tokens": [{"token": "t", "phone": "380500000001"}]}"#,
    ),
    (
        "POST /v1/suppressions/lift",
        r#"{"phone": "380500000001", "email": "nobody@example.com"}"#,
    ),
    ("POST /v1/suppressions/lift", "{}"),
    ("GET /v1/conflicts", ""),
    ("GET /v1/conflicts?after=3-7&limit=5", ""),
    ("GET /v1/conflicts?after=7", ""),
    ("POST /v1/conflicts/dismiss", r#"{"contactIds": [1, "7"]}"#),
    ("POST /v1/conflicts/dismiss", r#"{"contactIds": [1]}"#),
    ("POST /v1/contacts/explain", r#"{"contactId": 7}"#),
    ("POST /v1/admin/backup", "{}"),
    ("POST /v1/admin/backup", r#"{"name": "contacts.redb"}"#),
    ("DELETE /v1/apps/{APP}", ""),
    ("DELETE /v1/apps/{NONE}", ""),
    ("GET /healthz", ""),
    ("GET /metrics", ""),
    ("GET /console", ""),
    ("GET /console/console.css", ""),
    ("GET /console/console.js", ""),
    ("GET /console/icon.svg", ""),
    ("GET /console/nothing", ""),
];

/// Whether a path that is asked for is the one described.
fn is_path(described: &str, asked: &str) -> bool {
    let asked = asked.split('?').next().unwrap();
    let (mut asked, mut described) = (asked.split('/'), described.split('/'));
    loop {
        match (asked.next(), described.next()) {
            (None, None) => return true,
            (Some(asked), Some(described)) if asked == described => {}
            (Some(_), Some(described)) if described.starts_with('{') => {}
            _ => return false,
        }
    }
}

/// The schema of an answer of a type, and under which key of the operation it stands.
#[track_caller]
fn schema_of<'a>(
    root: &'a Value,
    operation: &'a Value,
    status: u16,
    kind: &str,
) -> (String, &'a Value) {
    let responses = members(&operation["responses"]);
    let key = status.to_string();
    let key = if responses.contains_key(&key) {
        key
    } else {
        "default".to_owned()
    };
    let response = resolved(root, &responses[&key]);
    let content = members(&response["content"]).get(kind);
    let content = content.unwrap_or_else(|| panic!("{kind} is not described"));
    (key, &content["schema"])
}

#[track_caller]
fn asked_and_answered(root: &Value, client: &Client, what: &str, body: &str) -> (Name, String) {
    let (method, path) = what.split_once(' ').unwrap();
    let operations = operations(root);
    // `find` is a path of its own and not a contact.
    let mut of: Vec<_> = operations
        .into_iter()
        .filter(|((named, described), _)| named == method && is_path(described, path))
        .collect();
    of.sort_by_key(|((_, described), _)| described.contains('{'));
    let (name, operation) = of.into_iter().next().unwrap_or_else(|| panic!("{what}"));
    let answer = client.ask(what, body);
    let kind = answer.headers["content-type"].to_str().unwrap();
    let kind = kind.split(';').next().unwrap();
    let (key, schema) = schema_of(root, operation, answer.status, kind);
    let value = match kind {
        "application/json" => answer.json(),
        _ => Value::String(answer.body.clone()),
    };
    let checked = check(root, schema, &value, what);
    assert_eq!(checked, Ok(()), "{}", answer.body);
    if answer.status == 200 && !body.is_empty() {
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        let body = serde_json::from_str(body).unwrap();
        assert_eq!(check(root, schema, &body, what), Ok(()));
    }
    (name, key)
}

#[test]
fn real_requests_and_answers_of_each_endpoint_are_of_its_schemas() {
    let root = description();
    let backups = tempfile::tempdir().unwrap();
    let backups = backups.path().to_str().unwrap();
    let keep = ["--keep-changes", "3"];
    let host =
        Host::start_with(&[&["--console", "--backup-directory", backups], &keep[..]].concat());
    let client = host.client();
    client.connect_app();
    let mut seen = BTreeSet::new();
    for &(what, body) in ASKED {
        let none = "00000000-0000-0000-0000-0000000000ff";
        let filled = |text: &str| text.replace("{APP}", APP).replace("{NONE}", none);
        let (name, key) = asked_and_answered(&root, &client, &filled(what), &filled(body));
        seen.insert((name, key));
    }
    for (name, operation) in operations(&root) {
        // Whatever is asked of whichever path: the door is the same.
        let (method, path) = &name;
        let path = filled(path);
        let request =
            format!("{method} {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n");
        let answer = exchange(host.connect(), request);
        assert_eq!(status_and_code(&answer).0, 421);
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        let body: Value = serde_json::from_str(body).unwrap();
        let (key, schema) = schema_of(&root, operation, 421, "application/json");
        assert_eq!(check(&root, schema, &body, &path), Ok(()));
        seen.insert((name.clone(), key));
        // It is served as a whole.
        if path == "/openapi.yaml" {
            seen.insert((name, "200".to_owned()));
        }
    }
    let described: BTreeSet<_> = operations(&root)
        .into_iter()
        .flat_map(|(name, operation)| {
            let keys = members(&operation["responses"]).keys();
            keys.map(move |key| (name.clone(), key.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(seen, described);
    host.stop();
}
