//! Delivery reports, and what else takes tokens off cards: R30 to R36, R44, R45.

use contact_store::{
    AddTokens, BatchMode, FailedWithoutReason, GonePhrases, MessageId, MessageTally, RecordReports,
    Report, ReportOutcome, Status, TokenEntry,
};

use crate::support::script::{script, script_with};
use crate::support::{APP, add, assert_sound, at, id, report, store, store_with};

#[test]
fn r30_statuses_are_counted_per_subscriber() {
    script(
        "
        add A : t ext=c1 | u ext=c1 => 1 created added #1 | 1 by ext added #2
        report A : t SENT at=100    => recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 1 failed 0 clicked 0 last SENT@100
        report A : t CLICKED at=200 | t SENT at=300 | #1 FAILED reason=spam at=400
            => recorded | recorded | recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 2 failed 1 clicked 1 last FAILED@400
        subscriber #2 => #2 A:u of 1 registered 1000 sent 0 failed 0 clicked 0 last -
    ",
    );
}

#[test]
fn r30_statuses_are_counted_per_message() {
    script(
        "
        add A : t ext=c1 | u ext=c2 => 1 created added #1 | 2 created added #2
        add B : t ext=c1            => 1 by ext added #2.1
        report A : t SENT msg=m1 at=100 | u SENT msg=m1 at=300 | t CLICKED msg=m1 at=200 | t SENT msg=M1
            => recorded | recorded | recorded | recorded
        report B : t SENT msg=m1 at=50 => recorded
        messages A => M1 sent 1 failed 0 clicked 0 last 1000 | m1 sent 2 failed 0 clicked 1 last 300
        messages B => m1 sent 1 failed 0 clicked 0 last 50
        // The removing report is counted, and a late one, and one that keeps the token.
        report A : t FAILED msg=m2 at=1000 => removed from 1
        report A : u FAILED msg=m2 at=999  => recorded
        report A : u FAILED msg=m2 reason=spam at=1000 => recorded
        messages A after=m1 => m2 sent 0 failed 3 clicked 0 last 1000
        // What is about nobody counts nowhere, and a message of only that is not there (R33).
        report A : t SENT msg=m2 | gone SENT msg=m3 => unknown | unknown
        messages A after=m1 => m2 sent 0 failed 3 clicked 0 last 1000
        messages A after=M1 limit=1 => m1 sent 2 failed 0 clicked 1 last 300
        messages C => error UnknownApp C
    ",
    );
}

#[test]
fn r30_old_tallies_are_forgotten() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        add B : t ext=c1 => 1 by ext added #2.1
        report A : t SENT msg=m1 at=100 | t SENT msg=m2 at=200 | t SENT msg=m3 at=300 | t SENT msg=m1 at=250
            => recorded | recorded | recorded | recorded
        report B : t SENT msg=m1 at=100 => recorded
        // Older than 250 is the last report of m2 alone.
        forget A before=250 => 1
        messages A => m1 sent 2 failed 0 clicked 0 last 250 | m3 sent 1 failed 0 clicked 0 last 300
        forget A before=250 => 0
        forget A before=301 => 2
        messages A =>
        messages B => m1 sent 1 failed 0 clicked 0 last 100
        // The subscriber's own counts stay.
        subscriber #1 => #1 A:t of 1 registered 1000 sent 4 failed 0 clicked 0 last SENT@300
        forget C before=301 => error UnknownApp C
    ",
    );
}

#[test]
fn r30_forgetting_goes_in_steps_of_a_commit_each() {
    const MESSAGES: u64 = 10_000;
    let (store, clock) = store_with(|options| options.limits.entries_per_request = usize::MAX);
    clock.set(at(MESSAGES));
    add(&store, TokenEntry::new("t").contact_id(1));
    let reports = (0..MESSAGES).map(|n| {
        let report = Report::new(Status::Sent).token("t");
        report.message(format!("m{n:05}")).at(at(n))
    });
    let request = RecordReports::new(APP).reports(reports);
    let before = store.record_reports(request).wait().unwrap().sequence;

    let forgotten = store.forget_messages(APP, at(9_000)).wait().unwrap();
    assert_eq!(forgotten.outcome.messages, 9_000);
    let steps = forgotten.sequence.value() - before.value();
    assert_eq!(steps, 3, "10,000 tallies, 4,096 a step");
    assert_eq!(store.snapshot().unwrap().sequence(), forgotten.sequence);
    let left = store.snapshot().unwrap().messages(APP, None, 1_000);
    let left: Vec<String> = left
        .unwrap()
        .into_iter()
        .map(|tally: MessageTally| tally.id.as_str().to_owned())
        .collect();
    let expected: Vec<String> = (9_000..MESSAGES).map(|n| format!("m{n:05}")).collect();
    assert_eq!(left, expected);
    assert_sound(&store);
}

#[test]
fn r31_failed_with_forbidden_removes_the_subscriber_from_every_card() {
    script(
        "
        add A : t phone=380500000001 | t phone=380500000002 | u phone=380500000002
            => 1 created added #1 | 2 created added #1 also=1 | 2 by phone added #2
        add B : t phone=380500000001 => 1 by phone added #2.1
        report A : t FAILED reason=Forbidden => removed from 1,2
        // Only that app's token; the contacts stay with the rest, even with nothing.
        card 1 => 1 phone=380500000001 created 1000 via A [B:t#2.1@1000]
        card 2 => 2 phone=380500000002 created 1000 via A [A:u#2@1000]
        subscriber A t => none
        subscriber #1  => none
        subscribers A  => #2 A:u of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        report B : #2.1 FAILED => removed from 1
        card 1 => 1 phone=380500000001 created 1000 via A []
        find phone=380500000001 => 1 by phone
        apps => A \"First bot\" since 1000 subscribers 1 contacts 1 failed 1 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 1 host 0
        // SENT and CLICKED remove nothing, whatever their reason.
        report A : u SENT reason=403 | u CLICKED reason=Forbidden => recorded | recorded
    ",
    );
}

#[test]
fn r31_a_report_from_before_the_last_registering_does_not_remove() {
    script(
        "
        add A at=500 : t ext=c1 => 1 created added #1
        report A : t FAILED at=499 => recorded
        subscriber #1 => #1 A:t of 1 registered 500 sent 0 failed 1 clicked 0 last FAILED@499
        // The person comes back: the same token again.
        add A at=700 : t ext=c1 => 1 by ext held #1
        report A : t FAILED at=600 => recorded
        report A : t FAILED at=699 => recorded
        // Equal times remove.
        report A : t FAILED at=700 => removed from 1
        // Any accepted entry that names the token counts, on whichever card.
        add A at=700 : t ext=c1 => 1 by ext added #2
        add A at=800 : t ext=c2 => 2 created added #2 also=1
        report A : t FAILED at=750 => recorded
        // A refused one does not.
        add A at=900 : t => refused NoIdentifier
        report A : t FAILED at=850 => removed from 1,2
    ",
    );
}

#[test]
fn r32_which_reasons_mean_forbidden() {
    // What removes, and what is only counted.
    let rows = [
        (Some("Forbidden"), true),
        (Some("Forbidden: bot was blocked by the user"), true),
        (Some("forbidden"), true),
        (Some("FORBIDDEN: whatever"), true),
        (Some("FORBIDDEN_BY_USER"), false),
        (Some("CHAT_WRITE_FORBIDDEN"), false),
        (Some("Forbidden403"), false),
        (Some("  forbidden \t"), true),
        (Some("\u{A0}Forbidden\u{3000}"), true),
        (Some("403"), true),
        (Some(" 403\n"), true),
        (Some("Forbiddenly"), false),
        (Some("forbiddenё"), false),
        (Some("forbidde"), false),
        (Some("Forbıdden"), false),
        (Some("is forbidden"), true),
        (Some("4030"), false),
        (Some("403 Forbidden"), true),
        (Some("403: Forbidden: bot was blocked by the user"), true),
        (Some("[403] Forbidden"), true),
        (
            Some("ETELEGRAM: 403 Forbidden: the group chat was deleted"),
            true,
        ),
        (Some("403 whatever"), true),
        (Some("error 403"), false),
        (Some("retry after 403"), false),
        // The gone phrases, as they start.
        (Some("api error: Bot was blocked by the user (401)"), true),
        (Some("user is deactivated"), true),
        (Some("bot was kicked from the group chat"), true),
        (Some("Bad Request: USER_IS_BLOCKED"), true),
        (Some("INPUT_USER_DEACTIVATED"), true),
        (Some("USER_IS_BLOCKED_TODAY"), false),
        (Some("NotRegistered"), false),
        (Some("Bad Request: chat not found"), false),
        (Some("429"), false),
        (Some("-"), false),
        // The published status means just that.
        (None, true),
        (Some(""), true),
        (Some(" \t\u{2003}"), true),
    ];
    for (reason, removes) in rows {
        let (store, _) = store();
        let contact = add(&store, TokenEntry::new("t").contact_id(1)).contact;
        let failed = Report::new(Status::Failed).token("t");
        let failed = match reason {
            Some(reason) => failed.reason(reason),
            None => failed,
        };
        let expected = if removes {
            ReportOutcome::Removed {
                from: vec![contact],
            }
        } else {
            ReportOutcome::Recorded
        };
        assert_eq!(report(&store, failed), expected, "{reason:?}");
    }
}

#[test]
fn r32_the_host_names_the_gone_phrases_for_the_store_or_for_a_request() {
    let gone = GonePhrases::none().phrase("NotRegistered").phrase("410");
    let failed = |reason: &str| Report::new(Status::Failed).token("t").reason(reason);
    let rows = [
        ("NotRegistered", true),
        ("Error 410 (Gone)", true),
        ("4100", false),
        ("USER_IS_BLOCKED", false),
        ("Forbidden", true),
    ];
    for (reason, removes) in rows {
        // As the store was opened.
        let (store, _) = store_with(|options| options.gone_phrases = gone.clone());
        add(&store, TokenEntry::new("t").contact_id(1));
        let removed = ReportOutcome::Removed { from: vec![id(1)] };
        let expected = if removes {
            removed
        } else {
            ReportOutcome::Recorded
        };
        assert_eq!(report(&store, failed(reason)), expected, "{reason}");
        // As the request says.
        let (store, _) = store_with(|_| {});
        add(&store, TokenEntry::new("t").contact_id(1));
        let request = RecordReports::new(APP)
            .report(failed(reason))
            .gone_phrases(gone.clone());
        let outcome = store.record_reports(request).wait().unwrap().outcome;
        assert_eq!(outcome, [Ok(expected)], "{reason}");
    }
}

#[test]
fn r32_without_a_reason_the_option_decides() {
    script_with(
        |options| options.failed_without_reason = FailedWithoutReason::Keep,
        r#"
        add A : t ext=c1 => 1 created added #1
        report A : t FAILED | t FAILED reason= | t FAILED reason="  " => recorded | recorded | recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 0 failed 3 clicked 0 last FAILED@1000
        // With one, it does not; and a request may say otherwise.
        report A : t FAILED reason=403 => removed from 1
        add A : t ext=c1 => 1 by ext added #2
        report A without_reason=remove : t FAILED => removed from 1
    "#,
    );
    script(
        "
        add A : t ext=c1 => 1 created added #1
        report A without_reason=keep : t FAILED => recorded
        report A : t FAILED => removed from 1
    ",
    );
}

#[test]
fn r33_a_report_about_an_unknown_subscriber_is_no_error_and_counts_nowhere() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        report A : u SENT msg=m | #9 SENT msg=m | #0 FAILED => unknown | unknown | unknown
        report A : t FAILED                 => removed from 1
        report A : t FAILED | #1 SENT       => unknown | unknown
        messages A                          =>
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 1 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        report C : t SENT => error UnknownApp C
    ",
    );
}

#[test]
fn r34_late_reports_count_and_the_last_status_follows_their_own_times() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        report A : t CLICKED at=300 => recorded
        report A : t SENT at=200    => recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 1 failed 0 clicked 1 last CLICKED@300
        // Of equal times the one that comes later counts.
        report A : t SENT at=300 => recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 2 failed 0 clicked 1 last SENT@300
        report A : t CLICKED at=400 | t SENT at=100 | t FAILED reason=spam at=400
            => recorded | recorded | recorded
        subscriber #1 => #1 A:t of 1 registered 1000 sent 3 failed 1 clicked 2 last FAILED@400
    ",
    );
}

#[test]
fn r35_a_removed_token_that_comes_back_is_a_new_subscriber() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        report A : t SENT | t FAILED => recorded | removed from 1
        clock 2000
        add A : t ext=c1 => 1 by ext added #2
        card 1 => 1 ext=c1 created 1000 via A [A:t#2@2000]
        // Nothing of the old one is left, and the old id stays unknown.
        subscriber A t => #2 A:t of 1 registered 2000 sent 0 failed 0 clicked 0 last -
        subscriber #1  => none
        report A : #1 SENT => unknown
        remove A t     => from 1
        add A : t ext=c1 => 1 by ext added #3
        erase 1          => true
        add A : t ext=c1 => 2 created added #4
        disconnect A     => done
        connect A        => A
        add A : t ext=c1 => 2 by ext added #3.1
    ",
    );
}

#[test]
fn r36_reports_come_in_batches() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        add B : x ext=c1 => 1 by ext added #2.1
        // In order, each seeing the ones before it.
        report A : t SENT | t FAILED | t SENT | SENT | t #1 SENT | #2.1 SENT | \"\" SENT | t SENT msg=
            => recorded
             | removed from 1
             | unknown
             | refused OneOfTokenAndSubscriber
             | refused OneOfTokenAndSubscriber
             | unknown
             | refused token Blank
             | refused messageId Blank
        subscriber #2.1 => #2.1 B:x of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        // All or nothing.
        add A : t ext=c1 => 1 by ext added #2
        report A mode=all : t SENT msg=m | t FAILED | SENT => error EntryRefused 2: OneOfTokenAndSubscriber
        report A mode=all : t SENT | #9 SENT               => recorded | unknown
        // Repeating counts again.
        report A : t SENT msg=m => recorded
        report A : t SENT msg=m => recorded
        messages A => m sent 2 failed 0 clicked 0 last 1000
        subscriber #2 => #2 A:t of 1 registered 1000 sent 3 failed 0 clicked 0 last SENT@1000
    ",
    );
}

#[test]
fn r31_r36_many_tokens_fail_in_one_request_and_so_does_one_of_many_contacts() {
    const MANY: usize = 200;
    let (store, _) = store();
    let of_many =
        (0..MANY).map(|n| TokenEntry::new("of-many").external_customer_id(format!("c{n}")));
    let of_one =
        (0..MANY).map(|n| TokenEntry::new(format!("t{n}")).external_customer_id(format!("c{n}")));
    let added = AddTokens::new(APP).entries(of_many.chain(of_one));
    let added = store.add_tokens(added).wait().unwrap().outcome;
    assert!(added.entries.iter().all(Result::is_ok));
    let failed = |token: &str| Report::new(Status::Failed).token(token);
    let tokens = (0..MANY).map(|n| format!("t{n}"));
    let request = RecordReports::new(APP)
        .mode(BatchMode::AllOrNothing)
        .report(failed("of-many"))
        .reports(tokens.map(|token| failed(&token)));
    let outcome = store.record_reports(request).wait().unwrap().outcome;
    let removed: Vec<usize> = outcome
        .into_iter()
        .map(|report| match report.unwrap() {
            ReportOutcome::Removed { from } => from.len(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(removed, [[MANY].as_slice(), &[1; MANY]].concat());
    assert_eq!(store.snapshot().unwrap().apps().unwrap()[0].subscribers, 0);
    assert_sound(&store);
}

#[test]
fn r36_a_message_id_has_1_to_256_bytes() {
    let (store, _) = store();
    add(&store, TokenEntry::new("t").contact_id(1));
    let sent = |message: String| Report::new(Status::Sent).token("t").message(message);
    let longest = "ї".repeat(128);
    assert_eq!(
        report(&store, sent(longest.clone())),
        ReportOutcome::Recorded
    );
    let before = store.snapshot().unwrap();
    let request = RecordReports::new(APP).report(sent(longest.clone() + "a"));
    let answer = store.record_reports(request).wait().unwrap();
    match &answer.outcome[..] {
        [Err(contact_store::EntryError::Field(error))] => {
            assert_eq!(error.field(), contact_store::Field::MessageId);
            let fault = contact_store::Fault::TooLong {
                bytes: 257,
                limit: 256,
            };
            assert_eq!(error.fault(), &fault);
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(answer.sequence, before.sequence());
    let tallies = store.snapshot().unwrap().messages(APP, None, 10).unwrap();
    let ids: Vec<&str> = tallies.iter().map(|tally| tally.id.as_str()).collect();
    assert_eq!(ids, [longest.as_str()]);
    // A longest id can be gone on from.
    let after = MessageId::parse(longest).unwrap();
    let page = store.snapshot().unwrap().messages(APP, Some(&after), 10);
    assert_eq!(page.unwrap(), []);
}

#[test]
fn r44_erasing_frees_the_identifiers_and_takes_the_tokens_along() {
    script(
        "
        add A : t ext=c1 phone=380500000001 email=e1@example.com => 1 created added #1
        add A : t phone=380500000002 | u ext=c1 => 2 created added #1 also=1 | 1 by ext added #2
        add B : x ext=c1 => 1 by ext added #2.1
        erase 1 => true
        card 1  => none
        // A subscriber that another contact holds stays, without this one.
        subscriber A t => #1 A:t of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        subscriber A u => none
        subscriber B x => none
        card 2 => 2 phone=380500000002 created 1000 via A [A:t#1@1000]
        apps => A \"First bot\" since 1000 subscribers 1 contacts 1 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        find ext=c1 phone=380500000001 email=e1@example.com => none
        // The values name somebody else from now on.
        add A : v ext=c1 => 3 created added #3
        add A : w phone=380500000001 => 4 created added #4
        // Unknown, erased and never seen: no error.
        erase 1 => false
        erase 77 => false
        contacts => 3
        erase 3 => true
        contacts => 2
    ",
    );
}

#[test]
fn r45_the_host_takes_a_token_off_one_card_or_all() {
    script(
        "
        add A : t ext=c1 | t ext=c2 | t ext=c3 => 1 created added #1
             | 2 created added #1 also=1 | 3 created added #1 also=1,2
        add B : t ext=c1   => 1 by ext added #2.1
        remove A t of=2    => from 2
        subscriber A t     => #1 A:t of 1,3 registered 1000 sent 0 failed 0 clicked 0 last -
        card 2             => 2 ext=c2 created 1000 via A []
        // Not a subscriber the less, so not counted.
        apps => A \"First bot\" since 1000 subscribers 1 contacts 2 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 1 contacts 1 failed 0 host 0
        remove A t of=2    => from -
        remove A t of=9    => from -
        remove A u         => from -
        remove C t         => error UnknownApp C
        remove A t         => from 1,3
        subscriber A t     => none
        card 1             => 1 ext=c1 created 1000 via A [B:t#2.1@1000]
        // Counted apart from FAILED.
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 0 host 1
              | B \"Second bot\" since 1000 subscribers 1 contacts 1 failed 0 host 0
        remove B t of=1    => from 1
        apps => A \"First bot\" since 1000 subscribers 0 contacts 0 failed 0 host 1
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 1
        // R35 applies.
        add A : t ext=c1   => 1 by ext added #2
    ",
    );
}
