//! The scripts of the rules, the sequences of the model, the racing histories and the HTTP host over PostgreSQL: this
//! binary runs those tests again, with a server that it starts. Where PostgreSQL is not installed, it says so.

#[allow(dead_code, reason = "the tests of PostgreSQL use all of it")]
#[path = "../postgres/cluster.rs"]
mod cluster;
#[allow(dead_code, reason = "the tests of PostgreSQL use all of it")]
#[path = "../postgres/programs.rs"]
mod programs;
#[path = "../postgres/waiting.rs"]
mod waiting;

use std::collections::BTreeSet;
use std::process::Command;

use crate::support::cases::tell;
use crate::support::place::{DATABASE, SAID};

use cluster::Cluster;

/// The beginnings of the names of the tests that are run again.
const AREAS: &[&str] = &[
    "rules_",
    "sequences::",
    "concurrency::",
    "snapshots::",
    "examples::host::",
];

/// Why tests of the areas are not run again, and the beginnings of their names.
const LEFT_OUT: &[(&str, &[&str])] = &[
    (
        "they hold up, count, copy or break what a disk does",
        &[
            "concurrency::pending::",
            "concurrency::reopening::",
            "examples::host::at_once::sigkill_under_load_loses_nothing_acknowledged",
            "examples::host::failing::",
            "examples::host::large::a_request_whose_answer_finds_no_room_writes_nothing",
            "rules_apps::r11_a_disconnected_app_is_unknown_before_anything_is_swept",
            "rules_apps::r11_a_sweep_that_closing_cut_off_goes_on_after_opening",
            "rules_apps::r11_an_app_that_is_connected_again_is_not_swept",
            "rules_apps::r11_what_a_disconnected_app_left_is_removed_in_bounded_steps",
            "rules_apps::r37_listing_apps_costs_the_same_however_many_subscribers_they_have",
            "rules_changes::r60_a_feed_that_was_off_begins_anew_unless_nothing_changed_meanwhile",
            "rules_changes::r60_r44_erasing_strips_also_while_the_feed_is_off",
            "rules_idempotency::r64_a_lowered_number_is_come_down_to_four_with_each_new_one",
            "rules_idempotency::r64_a_repeated_request_does_nothing_and_has_the_first_outcome_whatever_it_asks",
            "rules_idempotency::r64_a_request_in_steps_is_waited_for_by_the_one_that_repeats_it",
            "rules_idempotency::r64_off_or_never_used_it_costs_no_row_and_no_byte",
            "rules_idempotency::r64_other_options_that_make_other_entries_valid_make_it_another_request",
            "rules_idempotency::r64_r58_merges_and_what_takes_them_apart_are_repeated_too",
            "rules_promises::a_pending_write_can_be_awaited_and_gives_its_answer_once",
            "rules_promises::dropping_a_pending_write_does_not_cancel_it",
            "rules_promises::limits::a_card_over_a_lowered_limit_",
            "rules_promises::limits::one_commit_takes_4096_entries_or_4_mib_of_text_and_at_least_one_request",
            "rules_promises::limits::the_text_of_waiting_requests_is_limited",
            "rules_promises::limits::waiting_requests_are_limited",
            "rules_promises::r46_",
            "rules_promises::r47_",
            "rules_promises::r48_",
            "rules_promises::r49_",
            "rules_promises::times::r54_the_clock_is_read_once_for_a_request_and_for_nothing_else",
            "rules_stale::r62_an_app_that_is_connected_again_between_two_steps_",
            "rules_stale::r62_an_app_that_is_disconnected_between_two_steps_",
            "rules_stale::r62_what_is_registered_or_reported_about_before_its_step_stays",
            "rules_tokens::contact_ids::r19_passing_over_imported_ids_costs_the_same_however_many_there_are",
            "snapshots::r46_an_old_snapshot_answers_as_it_did_whatever_was_removed_added_again_and_folded_since",
            "snapshots::r47_readers_beside_a_writer_that_folds_always_find_what_their_snapshot_has",
        ],
    ),
    (
        "they are about the file, or look into the one that a host left",
        &[
            "examples::host::at_once::one_new_contact_from_64_connections_is_one_card_with_all_tokens",
            "examples::host::at_once::sigterm_under_load_loses_nothing_acknowledged",
            "examples::host::backups::",
            "examples::host::command_line::a_store_or_an_address_that_cannot_be_had_ends_the_host_with_1",
            "examples::host::connections::a_body_that_is_cut_off_writes_nothing",
            "examples::host::connections::at_the_end_requests_under_way_are_answered_and_silent_connections_are_not_",
            "examples::host::connections::requests_on_one_connection_are_answered_in_their_order",
            // It plots the size of the file.
            "examples::host::console::page::",
            "examples::host::endpoints::health_is_reported_and_no_one_may_cache_answers",
            "examples::host::endpoints::r69_",
            "examples::host::log::a_failure_at_the_end_does_not_wait_for_a_full_standard_error_either",
            "examples::host::log::a_signal_ends_the_host_also_when_nobody_reads_its_full_standard_error",
            "examples::host::log::r52_the_most_talkative_filter_says_nothing_personal",
            "examples::host::log::the_filter_is_that_of_the_environment_or_of_its_flag",
            "examples::host::metrics::",
            "rules_conflicts::r61_what_was_listed_stays_when_the_option_is_off_and_a_page_has_a_limit",
            "rules_idempotency::r64_r52_neither_the_key_nor_any_text_of_the_request_is_in_the_file",
            "rules_merging::erased::r44_the_rows_that_lead_to_merged_contacts_are_made_by_merges_",
            "rules_merging::erased::r44_r67_the_text_of_an_erased_identifier_is_in_no_record_of_a_merge",
            "rules_merging::rows::",
            "rules_promises::files::",
            "rules_promises::moved::",
            "rules_suppression::r65_a_store_that_never_suppressed_has_no_table_for_it_and_one_that_did_keeps_no_text",
        ],
    ),
    (
        "they make backups, which a host of a database refuses",
        &[
            "examples::host::openapi::real_requests_and_answers_of_each_endpoint_are_of_its_schemas",
            "examples::host::readme::the_curl_lines_are_answered_in_their_order",
        ],
    ),
    (
        "they open no store that is written to",
        &[
            "examples::host::child_that_hosts",
            "examples::host::command_line::a_database_is_taken_by_a_build_that_has_a_client_for_it_",
            "examples::host::command_line::a_flag_goes_before_the_environment_and_that_before_the_file",
            "examples::host::command_line::a_store_that_cannot_be_opened_is_named_with_what_failed",
            "examples::host::command_line::every_option_limit_and_cache_is_a_flag_and_a_key_of_the_file",
            "examples::host::command_line::what_",
            "examples::host::command_line::without_arguments_all_is_as_the_library_has_it_and_no_store_is_made",
            "examples::host::console::contrast::",
            "examples::host::console::every_file_of_the_folder_is_served_as_it_is",
            "examples::host::console::no_file_refers_to_another_origin_or_makes_markup_or_keeps_anything",
            "examples::host::openapi::the_checker_of_schemas_refuses_what_is_not_of_them",
            "examples::host::readme::the_configuration_file_of_the_guide_is_one_that_is_taken",
            "examples::host::readme::the_curl_lines_show_every_row_of_the_table",
            "examples::host::readme::the_table_has_a_row_for_each_operation_of_the_description",
            "rules_apps::r11_every_text_form_of_a_uuid_is_taken_and_one_given_back",
            "rules_apps::r11_names_and_keys_have_their_bounds",
            "rules_changes::r60_a_feed_keeps_one_change_at_least_and_no_more_than_it_may",
            "rules_idempotency::r64_the_bounds_are_checked_when_the_store_is_opened",
            "rules_promises::limits::a_limit_of_zero_is_refused_by_name",
            "rules_promises::limits::limits_can_be_set_only_so_high",
            "rules_promises::limits::the_defaults_are_those_of_the_rules",
            "rules_reading::r26_an_invalid_identifier_in_a_look_up_is_an_error",
        ],
    ),
];

/// How many tests run at a time. They wait for the server most of the time.
const THREADS: usize = 6;

fn this_binary() -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env_remove(DATABASE);
    command
}

/// The names of all tests of this binary.
fn all_tests() -> Vec<String> {
    let listed = this_binary().args(["--list", "--format=terse"]).output();
    let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
    let names = listed
        .lines()
        .filter_map(|line| line.strip_suffix(": test"));
    names.map(str::to_owned).collect()
}

/// The beginnings of the names of the tests that are left out.
fn left_out() -> impl Iterator<Item = &'static str> {
    LEFT_OUT.iter().flat_map(|(_, names)| names.iter().copied())
}

/// Those of the areas that are not left out.
fn chosen() -> Vec<String> {
    let mut all = all_tests();
    all.retain(|name| AREAS.iter().any(|area| name.starts_with(area)));
    for beginning in left_out() {
        let names_any = all.iter().any(|name| name.starts_with(beginning));
        assert!(names_any, "there is no test to leave out by {beginning}");
    }
    all.retain(|name| !left_out().any(|left| name.starts_with(left)));
    all
}

/// The tests that said that they were played in the database.
fn played(said: &str) -> BTreeSet<&str> {
    let mut of = "";
    let mut played = BTreeSet::new();
    for line in said.lines() {
        let header = line.strip_prefix("---- ");
        match header.and_then(|line| line.strip_suffix(" stdout ----")) {
            Some(test) => of = test,
            None if line == SAID => drop(played.insert(of)),
            None => {}
        }
    }
    played
}

#[test]
fn the_rules_hold_over_postgresql() {
    let chosen = chosen();
    let Some(cluster) = Cluster::start() else {
        return;
    };
    // No test here pulls a plug, and many make their tables.
    for setting in ["fsync", "full_page_writes", "autovacuum"] {
        cluster.set(setting, "off");
    }
    let mut command = this_binary();
    command
        .args(["--exact", "--show-output"])
        .arg(format!("--test-threads={THREADS}"))
        .args(&chosen)
        .env(DATABASE, cluster.place("postgres").url);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    let played = played(&said);
    let elsewhere = chosen.iter().filter(|name| !played.contains(name.as_str()));
    let elsewhere: Vec<&String> = elsewhere.collect();
    assert!(
        elsewhere.is_empty(),
        "played elsewhere, and not left out: {elsewhere:#?}"
    );
    let result = said.lines().find(|line| line.starts_with("test result: "));
    tell(&format!("over PostgreSQL: {}", result.unwrap()));
}
