//! The tests are proved: each fault that the engine can be given is found by a test that is named
//! here. The test is run in a process of its own, which has the fault.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use contact_store::testing::SeededFault;

use crate::support::cases::Cases;
use crate::support::process::arguments;

/// A fault that makes a test hang is not found by it.
const HANG: Duration = Duration::from_secs(60);

/// Which test finds which fault.
const FOUND_BY: &[(SeededFault, &str)] = &[
    (
        SeededFault::SkipSync,
        "power_cuts::exhaustive::r46_every_short_sequence_survives_a_power_cut_at_every_step",
    ),
    (
        SeededFault::AcknowledgeBeforeCommit,
        "concurrency::pending::r46_r47_nobody_is_answered_and_nobody_reads_before_the_state_is_durable",
    ),
    (
        SeededFault::OnePhaseCommit,
        "failing_disk::failed_sync::a_sync_that_fails_and_forgets_loses_nothing_acknowledged_before_or_after_it",
    ),
    (
        SeededFault::FailedCommitIsFine,
        "failing_disk::every_call::a_call_that_fails_under_traffic_loses_nothing_acknowledged",
    ),
    (
        SeededFault::SkipDirectorySync,
        "files::creating::r46_the_directory_is_synced_once_a_new_store_has_its_name_in_it",
    ),
    (
        SeededFault::SkipPageCheck,
        "damage::a_flipped_bit_in_a_text_is_refused_at_opening_where_the_text_is_in_use",
    ),
    (
        SeededFault::SkipWitness,
        "damage::unnoticed::what_is_damaged_while_the_store_is_open_is_never_shown",
    ),
    (
        SeededFault::SkipChecksum,
        "privacy::r52_a_damaged_row_is_named_without_what_it_holds",
    ),
    (
        SeededFault::ForgetIndexDelete,
        "rules_contacts::replacing::r42_given_identifiers_replace_those_on_the_card",
    ),
    (
        SeededFault::TrustTheHash,
        "sequences::short::all_short_sequences_agree_when_all_of_a_kind_share_one_index_row",
    ),
    (
        SeededFault::KeepRefusedEntry,
        "rules_promises::limits::tokens_per_contact_are_limited",
    ),
    (
        SeededFault::CommitHalfABatch,
        "rules_tokens::batches::r23_all_or_nothing_refuses_the_request_with_its_first_fault",
    ),
    (
        SeededFault::CounterNotUpdated,
        "rules_reports::r44_erasing_frees_the_identifiers_and_takes_the_tokens_along",
    ),
    (
        SeededFault::ReuseOfAnId,
        "rules_tokens::contact_ids::r19_the_id_of_an_erased_contact_is_never_assigned",
    ),
    (
        SeededFault::OffByOneLimit,
        "rules_promises::limits::tokens_per_contact_are_limited",
    ),
    (
        SeededFault::NonIdempotentCanonicalForm,
        "rules_tokens::identifiers::r7_a_canonical_form_is_its_own_canonical_form",
    ),
    (
        SeededFault::RemoveOnAnyFailed,
        "rules_reports::r32_which_reasons_mean_forbidden",
    ),
    (
        SeededFault::LostWakeUp,
        "concurrency::pending::r49_an_idle_writer_is_woken_by_every_write",
    ),
    (
        SeededFault::StaleSnapshot,
        "rules_promises::r46_what_a_reader_sees_is_durable",
    ),
    (
        SeededFault::LyingSequenceNumber,
        "concurrency::pending::writes_that_wait_together_share_one_commit",
    ),
    (
        SeededFault::LobbyForgottenOnClose,
        "concurrency::pending::r49_closing_answers_everyone_and_then_every_clone_and_snapshot_is_closed",
    ),
];

/// What a test made of a fault.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Found,
    NotFound,
    Hung,
    /// It did not run, or the process ended otherwise than by a failing test.
    Strange(String),
}

/// Runs a test in a process that has a fault.
fn verdict(fault: SeededFault, test: &str) -> Verdict {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(arguments(test))
        .env("CONTACT_STORE_SEEDED_FAULT", format!("{fault:?}"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    if !ends(&mut child) {
        child.kill().unwrap();
        child.wait().unwrap();
        return Verdict::Hung;
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    match output.status.code() {
        Some(0) if said.contains("1 passed; 0 failed") => Verdict::NotFound,
        Some(101) if said.contains("0 passed; 1 failed") => Verdict::Found,
        _ => Verdict::Strange(said),
    }
}

fn ends(child: &mut Child) -> bool {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > HANG {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    true
}

#[test]
fn every_seeded_fault_is_found_by_the_test_that_is_named_for_it() {
    for fault in SeededFault::ALL {
        let named = FOUND_BY.iter().filter(|(found, _)| found == fault).count();
        assert_eq!(named, 1, "{fault:?}");
    }
    let cases = Cases::new();
    let mut not_found = Vec::new();
    for (fault, test) in FOUND_BY {
        let name = format!("{fault:?}");
        if !cases.wants(&name) {
            continue;
        }
        match verdict(*fault, test) {
            Verdict::Found => cases.count("faults found", 1),
            verdict => not_found.push((verdict, cases.repeat(&name))),
        }
    }
    assert!(not_found.is_empty(), "{not_found:#?}");
    cases.finish(&[("faults found", 14)]);
}
