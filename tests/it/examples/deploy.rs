//! The files of `examples/deploy`: they are read by what they are for as far as this machine has it, and
//! name only metrics, flags and sections that there are. The restore drill of the runbook is run by
//! `tests/cli`, which has the tool.
#![cfg(unix)]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;

use super::host::example::command_line::Asked;
use super::host::example::options::Arguments as HostArguments;
use super::host::example::place::Place;
use super::host::metrics::stats;
use super::host::openapi::yaml;
use super::host::process::Host;
use crate::support::cases::tell;

const ALERTS: &str = include_str!("../../../examples/deploy/alerts.yaml");
const DASHBOARD: &str = include_str!("../../../examples/deploy/dashboard.json");
const RUNBOOK: &str = include_str!("../../../examples/deploy/runbook.md");
const CONTAINER: &str = include_str!("../../../examples/deploy/Containerfile");
const HOST_UNIT: &str = include_str!("../../../examples/deploy/contact-store-host.service");
const BACKUP_UNIT: &str = include_str!("../../../examples/deploy/contact-store-backup.service");
const BACKUP_TIMER: &str = include_str!("../../../examples/deploy/contact-store-backup.timer");

/// A metric as an expression selects it: its name, and the labels whose values are given.
type Selected = (String, Vec<(String, String)>);

/// The metrics of the store that an expression selects.
fn selected(expression: &str) -> Vec<Selected> {
    const PREFIX: &str = "contact_store_";
    let mut selected = Vec::new();
    let mut rest = expression;
    while let Some(at) = rest.find(PREFIX) {
        rest = &rest[at..];
        let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_'));
        let (name, after) = rest.split_at(end.unwrap_or(rest.len()));
        let mut labels = Vec::new();
        if let Some(inner) = after.strip_prefix('{') {
            let (inner, _) = inner.split_once('}').unwrap();
            for label in inner.split(',') {
                match label.split_once("=~") {
                    // Prometheus adds it.
                    Some((name, _)) => assert_eq!(name.trim(), "instance", "{expression}"),
                    None => {
                        let (name, value) = label.split_once('=').unwrap();
                        let value = value.trim().trim_matches('"').to_owned();
                        labels.push((name.trim().to_owned(), value));
                    }
                }
            }
        }
        selected.push((name.to_owned(), labels));
        rest = after;
    }
    selected
}

/// The expressions of the rules, by the name of the alert.
fn expressions_of_rules() -> BTreeMap<String, String> {
    let rules = rules();
    let expression = |rule: &Value| {
        let text = |member: &str| rule[member].as_str().unwrap().to_owned();
        (text("alert"), text("expr"))
    };
    rules.iter().map(expression).collect()
}

fn rules() -> Vec<Value> {
    let groups = yaml(ALERTS)["groups"].as_array().unwrap().clone();
    let of = |group: &Value| group["rules"].as_array().unwrap().clone();
    groups.iter().flat_map(of).collect()
}

/// The expressions of the dashboard, by the title of the panel.
fn expressions_of_dashboard() -> Vec<(String, String)> {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let mut expressions = Vec::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().unwrap() {
            let expression = target["expr"].as_str().unwrap();
            expressions.push((title.to_owned(), expression.to_owned()));
        }
    }
    expressions
}

/// The series of a running host, such as `contact_store_requests_total{operation="erase",...}`.
fn series() -> BTreeSet<String> {
    let host = Host::start();
    let client = host.client();
    client.connect_app();
    let series = stats(&client).into_keys().collect();
    host.stop();
    series
}

#[test]
fn metrics_are_found_in_expressions() {
    assert_eq!(
        selected(
            "rate(contact_store_a_total{instance=~\"$instance\", outcome=\"made\"}[1m]) / contact_store_b > 0"
        ),
        [
            (
                "contact_store_a_total".to_owned(),
                vec![("outcome".to_owned(), "made".to_owned())]
            ),
            ("contact_store_b".to_owned(), vec![])
        ]
    );
    assert_eq!(selected("up{job=\"contact-store\"} == 0"), []);
}

#[test]
fn every_metric_of_the_alerts_and_the_dashboard_is_one_of_a_running_host() {
    let series = series();
    let rules = expressions_of_rules();
    let all = rules.into_iter().chain(expressions_of_dashboard());
    for (name, expression) in all {
        let selected = selected(&expression);
        assert!(
            !selected.is_empty() || name == "ContactStoreDown",
            "{name} selects nothing"
        );
        for (metric, labels) in selected {
            let is_selected = |series: &&String| {
                let (own, rest) = series.split_once('{').unwrap_or((series, ""));
                let has = |(label, value): &(String, String)| {
                    rest.contains(&format!("{label}=\"{value}\""))
                };
                own == metric && labels.iter().all(has)
            };
            let found = series.iter().any(|it| is_selected(&it));
            assert!(found, "{name}: there is no {metric} with {labels:?}");
        }
    }
}

#[test]
fn the_dashboard_shows_every_metric_of_the_host() {
    let shown = expressions_of_dashboard();
    let shown = shown
        .iter()
        .flat_map(|(_, expression)| selected(expression));
    let shown: BTreeSet<String> = shown.map(|(name, _)| name).collect();
    let all = series();
    let all = all.iter().map(|series| series.split('{').next().unwrap());
    let all: BTreeSet<String> = all.map(str::to_owned).collect();
    assert_eq!(shown, all);
}

#[test]
fn panels_of_the_dashboard_have_ids_places_and_descriptions_of_their_own() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut covered = BTreeSet::new();
    for panel in panels {
        assert!(ids.insert(panel["id"].as_u64().unwrap()));
        assert!(!panel["description"].as_str().unwrap().is_empty());
        let of = |member: &str| panel["gridPos"][member].as_u64().unwrap();
        let (x, y) = (of("x"), of("y"));
        assert!(x + of("w") <= 24, "{}", panel["title"]);
        for x in x..x + of("w") {
            for y in y..y + of("h") {
                assert!(covered.insert((x, y)), "{} is over another", panel["title"]);
            }
        }
    }
}

/// The anchors of the headings, as they are made for Markdown.
fn anchors() -> BTreeSet<String> {
    let mut in_code = false;
    let mut anchors = BTreeSet::new();
    for line in RUNBOOK.lines() {
        in_code ^= line.starts_with("```");
        let heading = line.trim_start_matches('#');
        if in_code || heading.len() == line.len() {
            continue;
        }
        let kept = heading.trim().to_lowercase().replace(' ', "-");
        let kept = kept.chars().filter(|c| c.is_alphanumeric() || *c == '-');
        let anchor: String = kept.collect();
        assert!(anchors.insert(anchor), "{line} stands there twice");
    }
    anchors
}

#[test]
fn each_alert_has_its_section_in_the_runbook() {
    let anchors = anchors();
    let rules = rules();
    assert!(rules.len() >= 10);
    for rule in rules {
        let alert = rule["alert"].as_str().unwrap();
        let annotations = &rule["annotations"];
        let runbook = annotations["runbook"].as_str().unwrap();
        let anchor = runbook.strip_prefix("runbook.md#").unwrap();
        assert!(anchors.contains(anchor), "{alert}: no section {anchor}");
        assert!(annotations["summary"].as_str().unwrap().ends_with('.'));
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["page", "ticket"].contains(&severity), "{alert}");
        assert!(RUNBOOK.contains(&format!("`{alert}`")), "{alert}");
    }
    // And links within it lead somewhere.
    for link in RUNBOOK.split("](#").skip(1) {
        let anchor = link.split(')').next().unwrap();
        assert!(anchors.contains(anchor), "{anchor}");
    }
}

#[test]
fn prometheus_takes_the_alerts() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../examples/deploy/alerts.yaml"
    );
    match Command::new("promtool")
        .args(["check", "rules", path])
        .output()
    {
        Ok(checked) => assert!(checked.status.success(), "{checked:?}"),
        Err(_) => tell("deploy: the alerts are not checked, there is no promtool"),
    }
}

/// The words of a command that goes on after a backslash, from the one after `program`.
fn arguments_after(text: &str, program: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().filter(|line| !line.starts_with('#'));
    let mut commands = lines.filter_map(|line| line.split_once(&format!("{program} ")));
    let (_, arguments) = commands.next().unwrap_or_else(|| panic!("no {program}"));
    arguments.split_whitespace().map(str::to_owned).collect()
}

/// The arguments are such as the host takes.
#[track_caller]
fn taken(arguments: &[String]) -> HostArguments {
    match HostArguments::read(arguments.iter().map(OsString::from)) {
        Ok(Asked::Run(arguments)) => arguments,
        other => panic!("{arguments:?}: {other:?}"),
    }
}

#[test]
fn the_unit_starts_the_host_with_flags_that_there_are_and_creates_no_store() {
    let arguments = arguments_after(HOST_UNIT, "ExecStart=/usr/local/bin/contact-store-host");
    let host = taken(&arguments);
    assert_eq!(
        host.store,
        Place::File("/var/lib/contact-store/contacts.redb".into())
    );
    assert!(host.listen.ip().is_loopback());
    assert!(host.api_key_file.is_some() && host.backup_directory.is_some());
    assert_eq!(
        host.options.options().create,
        contact_store::Create::Never,
        "a disk that is not mounted must not become an empty store"
    );
    for line in [
        "User=contact-store",
        "ProtectSystem=strict",
        "StateDirectory=contact-store",
        "LoadCredential=api-key:/etc/contact-store/api-key",
        "Restart=on-failure",
        "NoNewPrivileges=yes",
    ] {
        assert!(HOST_UNIT.lines().any(|it| it == line), "{line}");
    }
    assert!(HOST_UNIT.contains("\nMemoryMax="));
}

#[test]
fn systemd_takes_the_units() {
    let directory = tempfile::tempdir().unwrap();
    // It looks whether the programs are there.
    let installed = |unit: &str| {
        unit.replace("/usr/local/bin/contact-store-host", "/bin/sh")
            .replace("/usr/local/bin/contact-store-backup", "/bin/sh")
    };
    let mut verify = Command::new("systemd-analyze");
    verify.arg("verify");
    for (name, unit) in [
        ("contact-store-host.service", HOST_UNIT),
        ("contact-store-backup.service", BACKUP_UNIT),
        ("contact-store-backup.timer", BACKUP_TIMER),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, installed(unit)).unwrap();
        verify.arg(path);
    }
    let Ok(verified) = verify.output() else {
        tell("deploy: the units are not verified, there is no systemd-analyze");
        return;
    };
    assert!(verified.status.success(), "{verified:?}");
    let said = String::from_utf8(verified.stderr).unwrap();
    assert!(!said.contains("contact-store"), "{said}");
    // In tenths: 1.5 of 10.
    let mut security = Command::new("systemd-analyze");
    security.args(["security", "--offline=yes", "--threshold=15", "--no-pager"]);
    let checked = security.arg(directory.path().join("contact-store-host.service"));
    let checked = checked.output().unwrap();
    if String::from_utf8_lossy(&checked.stderr).contains("unrecognized option") {
        tell("deploy: the exposure of the unit is not measured, this systemd-analyze cannot");
        return;
    }
    assert!(checked.status.success(), "{checked:?}");
}

/// The instructions of the container file, each on one line.
fn instructions() -> Vec<(String, String)> {
    let joined = CONTAINER.replace("\\\n", " ");
    let lines = joined
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty());
    let instruction = |line: &str| {
        let (name, rest) = line.split_once(' ').unwrap();
        (name.to_owned(), rest.trim().to_owned())
    };
    lines.map(instruction).collect()
}

#[test]
fn the_container_runs_the_host_with_flags_that_there_are_as_a_user_without_rights() {
    let instructions = instructions();
    let of = |name: &str| -> Vec<String> {
        let own = instructions.iter().filter(|(own, _)| own == name);
        own.map(|(_, rest)| rest.clone()).collect()
    };
    let [entry] = of("ENTRYPOINT").try_into().unwrap();
    assert_eq!(entry, r#"["/usr/local/bin/contact-store-host"]"#);
    let [arguments] = of("CMD").try_into().unwrap();
    let host = taken(&serde_json::from_str::<Vec<String>>(&arguments).unwrap());
    assert_eq!(host.options.options().create, contact_store::Create::Never);
    assert!(host.api_key_file.is_some());
    // The store and the backups are on volumes, so that the root can be read-only.
    let [volumes] = of("VOLUME").try_into().unwrap();
    let volumes: Vec<String> = serde_json::from_str(&volumes).unwrap();
    let within = |path: &std::path::Path| volumes.iter().any(|volume| path.starts_with(volume));
    let store = std::path::PathBuf::from("/var/lib/contact-store/contacts.redb");
    assert_eq!(host.store, Place::File(store.clone()));
    assert!(within(&store) && within(&host.backup_directory.unwrap()));
    assert!(RUNBOOK.contains("--read-only"));
    // What builds it is not in it, and nothing runs as root.
    assert_eq!(of("FROM").len(), 2);
    let last = instructions.iter().rposition(|(name, _)| name == "FROM");
    let last = &instructions[last.unwrap()..];
    assert!(last.iter().all(|(name, _)| name != "RUN"));
    let [user] = of("USER").try_into().unwrap();
    assert!(
        !user.starts_with('0') && !user.starts_with("root"),
        "{user}"
    );
    // Nothing that might be a secret: no whole directory of the build, no variable.
    assert_eq!(of("ENV").len() + of("ARG").len() + of("ADD").len(), 0);
    for copied in of("COPY") {
        assert!(
            !copied.starts_with(". ") && !copied.contains("target ."),
            "{copied}"
        );
    }
}

#[test]
fn programs_flags_and_files_that_the_runbook_names_are_there() {
    let Ok(Asked::Help(help)) = HostArguments::read(["--help".into()]) else {
        panic!("no help");
    };
    let joined = RUNBOOK.replace("\\\n", " ");
    let started = joined.split("contact-store-host --store ").skip(1);
    let lines: Vec<&str> = started.map(|it| it.lines().next().unwrap()).collect();
    assert_eq!(lines.len(), 2);
    for word in lines.iter().flat_map(|line| line.split(' ')) {
        assert!(!word.starts_with("--") || help.contains(word), "{word}");
    }
    // Of the others, those of podman have a value with them.
    let flags = RUNBOOK.split("`--").skip(1);
    let flags = flags.map(|it| it.split('`').next().unwrap());
    for flag in flags.filter(|flag| !flag.contains(' ')) {
        assert!(help.contains(&format!("--{flag}")), "--{flag}");
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/deploy");
    let names = crate::support::names_in(folder.as_ref());
    let readme = include_str!("../../../examples/README.md");
    for name in names.iter().filter(|name| *name != "runbook.md") {
        assert!(RUNBOOK.contains(name.as_str()), "{name}");
    }
    assert!(readme.contains("deploy/runbook.md"));
}
