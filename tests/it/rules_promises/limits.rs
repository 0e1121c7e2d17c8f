//! The limits of section 11: at the bound, and one over it.

use contact_store::limits::{BLOCKED_TOKENS_REMEMBERED, CONFLICTS_LISTED, LimitTooHigh};
use contact_store::{
    AddTokens, ContactStore, ContactUpdate, DedupeOn, EntryError, Error, Limit, LimitExceeded,
    Limits, OpenError, Options, RecordReports, Report, Status, TokenEntry, Upsert, ValueChange,
    WhenFull,
};

use super::{is_pending, number_and_contact, request, watched};
use crate::support::script::{script, script_with};
use crate::support::{APP, add, assert_sound, id, options, store, store_with};

/// The request was refused for this limit, and nothing was written.
#[track_caller]
fn refused(store: &ContactStore, answer: Result<(), Error>, limit: Limit, actual: u64, most: u64) {
    match answer {
        Err(Error::LimitExceeded(exceeded)) => {
            let LimitExceeded {
                limit: of,
                actual: was,
                most: may,
                ..
            } = exceeded;
            assert_eq!((of, was, may), (limit, actual, most));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(store.snapshot().unwrap().sequence().value(), 2);
}

#[test]
fn tokens_per_contact_are_limited() {
    script_with(
        |options| options.limits.tokens_per_contact = 2,
        "
        add A : t1 ext=c1 => 1 created added #1
        add B : t2 ext=c1 => 1 by ext added #2.1
        add A : t3 ext=c1 | t3 ext=c2 => refused TokensPerContact 3 of 2 | 2 created added #2
        add A mode=all : t4 ext=c3 | t4 ext=c1 => error EntryRefused 1: TokensPerContact 3 of 2
        // What it holds already is no new one.
        add A : t1 ext=c1 => 1 by ext held #1
        // A move onto a full card is refused, and takes the token from nobody.
        add A ownership=exclusive : t3 ext=c1 => refused TokensPerContact 3 of 2
        subscriber A t3 => #2 A:t3 of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        // A move of a token that the card holds is not.
        add A : t1 ext=c2 => 2 by ext added #1 also=1
        add A ownership=exclusive : t1 ext=c1 => 1 by ext moved from 2 #1
        // There is room again when one goes, with a report, an order, or its app.
        report B : t2 FAILED => removed from 1
        add A : t5 ext=c1 => 1 by ext added #3
        remove A t5       => from 1
        add B : t6 ext=c1 => 1 by ext added #2.2
        disconnect B      => done
        add A : t7 ext=c1 => 1 by ext added #4
    ",
    );
}

#[test]
fn contacts_per_shared_token_are_limited() {
    script_with(
        |options| options.limits.contacts_per_token = 2,
        "
        add A : t ext=c1 | t ext=c2 => 1 created added #1 | 2 created added #1 also=1
        add A : t ext=c3            => refused ContactsPerToken 3 of 2
        // No id was used up, and the same token in another app is another.
        add B : t ext=c3            => 3 created added #2.1
        add A : t ext=c1            => 1 by ext held #1 also=2
        // A move ends the sharing.
        add A ownership=exclusive : t ext=c3 => 3 by ext moved from 1,2 #1
        add A : t ext=c1            => 1 by ext added #1 also=3
    ",
    );
}

#[test]
fn the_text_of_a_card_is_limited() {
    // ext 2, phone 12, email 15, token 1: 30 bytes.
    let request = "t ext=c1 phone=+380-50-000-00-01 email=ann@example.com";
    let run = |most: usize, answer: &str| {
        script_with(
            |options| options.limits.card_text_bytes = most,
            &format!(
                "add A : {request} => {answer}\n contacts => {}",
                u8::from(most == 30)
            ),
        );
    };
    run(30, "1 created added #1");
    run(29, "refused CardTextBytes 30 of 29");
    script_with(
        |options| options.limits.card_text_bytes = 10,
        "
        add A : t1 ext=c1       => 1 created added #1
        add B : tokenX ext=c1   => 1 by ext added #2.1
        add A : u ext=c1        => refused CardTextBytes 11 of 10
        // Bytes, not letters; an id counts nothing.
        add A : \"їїїї\" id=100000 => 100000 created added #2
        add A : \"їїї\" id=100000  => refused CardTextBytes 14 of 10
        // A refused creation takes no id.
        add A : tok phone=12345678 => refused CardTextBytes 11 of 10
        add A : to phone=12345678  => 2 created added #3
        // Tokens of an app that is gone do not count.
        disconnect B            => done
        add A : token6 ext=c1   => 1 by ext added #4
    ",
    );
}

#[test]
fn the_defaults_are_those_of_the_rules() {
    let limits = Options::default().limits;
    assert_eq!(limits.tokens_per_contact, 1_024);
    assert_eq!(limits.contacts_per_token, 1_024);
    assert_eq!(limits.entries_per_request, 3_000);
    assert_eq!(limits.request_text_bytes, 8 * 1_024 * 1_024);
    assert_eq!(limits.custom_fields_per_contact, 256);
    assert_eq!(limits.card_text_bytes, 256 * 1_024);
    assert_eq!(limits.waiting_requests, 1_024);
    assert_eq!(limits.waiting_text_bytes, 32 * 1_024 * 1_024);
    use contact_store::limits::*;
    assert_eq!(
        [
            TOKEN_BYTES,
            EXTERNAL_CUSTOMER_ID_BYTES,
            APP_NAME_BYTES,
            MESSAGE_ID_BYTES,
            PAGE_ROWS
        ],
        [4_096, 1_024, 256, 256, 1_000]
    );
    assert_eq!(
        (COMMIT_ENTRIES, COMMIT_TEXT_BYTES),
        (4_096, 4 * 1_024 * 1_024)
    );
    assert_eq!(ACCESS_KEY_BYTES, 4_096);
    assert_eq!((FIELD_NAME_BYTES, FIELD_VALUE_BYTES), (128, 4_096));
}

#[test]
fn the_default_limits_of_a_card_hold_at_their_bounds() {
    let (store, _) = store();
    let tokens = |count: usize| (0..count).map(|n| TokenEntry::new(format!("t{n}")).contact_id(1));
    let holders = |count: u64| (1..=count).map(|n| TokenEntry::new("shared").contact_id(10 + n));
    let over = |entries: Vec<TokenEntry>, limit| {
        let request = AddTokens::new(APP).entries(entries);
        let outcome = store.add_tokens(request).wait().unwrap().outcome;
        let refused: Vec<_> = outcome
            .entries
            .iter()
            .filter_map(|it| it.as_ref().err())
            .collect();
        match refused[..] {
            [EntryError::LimitExceeded(exceeded)] => {
                let found = (exceeded.limit, exceeded.actual, exceeded.most);
                assert_eq!(found, (limit, 1_025, 1_024));
            }
            _ => panic!("{refused:?}"),
        }
        assert!(outcome.entries.last().unwrap().is_err());
    };
    over(tokens(1_025).collect(), Limit::TokensPerContact);
    over(holders(1_025).collect(), Limit::ContactsPerToken);
    let now = store.snapshot().unwrap();
    assert_eq!(now.contact(id(1)).unwrap().unwrap().tokens.len(), 1_024);
    assert_eq!(now.contact_count(), 1 + 1_024);

    // 256 KiB of text: 64 of the longest tokens, less the one letter that names the contact.
    let token = |n: usize, bytes: usize| format!("{n:02}{}", "x".repeat(bytes - 2));
    let entry = |n, bytes| TokenEntry::new(token(n, bytes)).external_customer_id("c");
    let mut entries: Vec<_> = (0..63).map(|n| entry(n, 4_096)).collect();
    entries.extend([entry(63, 4_096), entry(63, 4_095), entry(64, 2)]);
    let request = AddTokens::new(APP).entries(entries);
    let outcome = store.add_tokens(request).wait().unwrap().outcome.entries;
    let refused: Vec<_> = (0..66).filter(|n| outcome[*n].is_err()).collect();
    assert_eq!(refused, [63, 65]);
    assert_eq!(
        outcome[63].as_ref().unwrap_err().to_string(),
        "262145 bytes of text on the card, the most is 262144"
    );
    assert_sound(&store);
}

#[test]
fn entries_per_request_are_limited() {
    let (store, _) = store();
    let entries = |count: usize| std::iter::repeat_n(TokenEntry::new("t").contact_id(1), count);
    let reports = |count: usize| std::iter::repeat_n(Report::new(Status::Sent).token("t"), count);
    let added = store.add_tokens(AddTokens::new(APP).entries(entries(3_001)));
    let limit = Limit::EntriesPerRequest;
    refused(&store, added.wait().map(drop), limit, 3_001, 3_000);
    let recorded = store.record_reports(RecordReports::new(APP).reports(reports(3_001)));
    refused(&store, recorded.wait().map(drop), limit, 3_001, 3_000);

    let added = store.add_tokens(AddTokens::new(APP).entries(entries(3_000)));
    let added = added.wait().unwrap().outcome;
    assert_eq!(added.entries.iter().flatten().count(), 3_000);
    let recorded = store.record_reports(RecordReports::new(APP).reports(reports(3_000)));
    let recorded = recorded.wait().unwrap().outcome;
    assert_eq!(recorded.iter().flatten().count(), 3_000);
}

#[test]
fn the_text_of_a_request_is_limited() {
    let (store, _) = store_with(|options| options.limits.request_text_bytes = 20);
    let limit = Limit::RequestTextBytes;
    // As it was given: blank and invalid text is text too; a contact id is not.
    let entries = |email: &str| {
        let first = TokenEntry::new("token")
            .contact_id(1)
            .phone("  ")
            .email(email);
        let request = AddTokens::new(APP).entry(first);
        request.entry(TokenEntry::new("t").external_customer_id("ї"))
    };
    let added = store.add_tokens(entries("12345678901"));
    refused(&store, added.wait().map(drop), limit, 21, 20);
    let reports = |reason: &str| {
        let first = Report::new(Status::Sent).token("token").message("mm");
        let request = RecordReports::new(APP).report(first);
        request.report(Report::new(Status::Failed).token("t").reason(reason))
    };
    let recorded = store.record_reports(reports("1234567890123"));
    refused(&store, recorded.wait().map(drop), limit, 21, 20);

    let added = store.add_tokens(entries("1234567890")).wait().unwrap();
    assert_eq!(added.outcome.entries.len(), 2);
    let recorded = store.record_reports(reports("123456789012")).wait();
    assert_eq!(recorded.unwrap().outcome.len(), 2);
}

#[test]
fn the_default_text_of_a_request_is_8_mib() {
    let (store, _) = store();
    let entries = |last: usize| {
        let most = TokenEntry::new("t".repeat(4_096)).contact_id(1);
        let request = AddTokens::new(APP).entries(std::iter::repeat_n(most, 2_047));
        request.entry(TokenEntry::new("t".repeat(last)).contact_id(1))
    };
    let added = store.add_tokens(entries(4_097));
    let limit = Limit::RequestTextBytes;
    refused(
        &store,
        added.wait().map(drop),
        limit,
        (8 << 20) + 1,
        8 << 20,
    );
    let added = store.add_tokens(entries(4_096)).wait().unwrap().outcome;
    assert_eq!(added.entries.iter().flatten().count(), 2_048);
}

#[test]
fn limits_can_be_set_only_so_high() {
    type Set = fn(&mut Options, usize);
    let rows: [(&str, usize, Set); 6] = [
        ("tokens_per_contact", 65_536, |options, most| {
            options.limits.tokens_per_contact = most;
        }),
        ("contacts_per_token", 65_536, |options, most| {
            options.limits.contacts_per_token = most;
        }),
        ("custom_fields_per_contact", 65_536, |options, most| {
            options.limits.custom_fields_per_contact = most;
        }),
        ("card_text_bytes", 8 << 20, |options, most| {
            options.limits.card_text_bytes = most;
        }),
        // R61 and R63.
        ("conflicts", CONFLICTS_LISTED, |options, most| {
            options.conflicts = most;
        }),
        (
            "remember_blocked",
            BLOCKED_TOKENS_REMEMBERED,
            |options, most| {
                options.remember_blocked = most;
            },
        ),
    ];
    for (field, highest, set) in rows {
        let open = |limit: usize| {
            let (mut options, _) = options();
            set(&mut options, limit);
            ContactStore::open_in_memory(options)
        };
        let store = open(highest).unwrap();
        let stats = store.stats().unwrap();
        match field {
            "conflicts" => assert_eq!(stats.most_conflicts, highest as u64),
            "remember_blocked" => assert_eq!(stats.most_blocked, highest as u64),
            _ => {}
        }
        match open(highest + 1) {
            Err(Error::Open(OpenError::LimitTooHigh(LimitTooHigh {
                name, set, most, ..
            }))) => {
                assert_eq!((name, set, most), (field, highest + 1, highest));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_limit_of_zero_is_refused_by_name() {
    type Set = fn(&mut Limits) -> &mut usize;
    let limits: [(&str, Set); 8] = [
        ("tokens_per_contact", |limits| {
            &mut limits.tokens_per_contact
        }),
        ("contacts_per_token", |limits| {
            &mut limits.contacts_per_token
        }),
        ("entries_per_request", |limits| {
            &mut limits.entries_per_request
        }),
        ("request_text_bytes", |limits| {
            &mut limits.request_text_bytes
        }),
        ("custom_fields_per_contact", |limits| {
            &mut limits.custom_fields_per_contact
        }),
        ("card_text_bytes", |limits| &mut limits.card_text_bytes),
        ("waiting_requests", |limits| &mut limits.waiting_requests),
        ("waiting_text_bytes", |limits| {
            &mut limits.waiting_text_bytes
        }),
    ];
    for (name, set) in limits {
        let mut limits = Limits::default();
        *set(&mut limits) = 0;
        let open = || ContactStore::open_in_memory(Options::default().limits(limits));
        match open() {
            Err(Error::Open(OpenError::LimitZero(zero))) => assert_eq!(zero.name, name),
            other => panic!("{name}: {other:?}"),
        }
        *set(&mut limits) = 1;
        let open = ContactStore::open_in_memory(Options::default().limits(limits));
        assert!(open.is_ok(), "{name}: {open:?}");
    }
}

#[test]
fn a_card_over_a_lowered_limit_can_be_read_and_not_added_to() {
    let (disk, store) = watched(|_| {});
    for token in ["t1", "t2", "t3"] {
        add(&store, TokenEntry::new(token).contact_id(7));
    }
    store.close().unwrap();
    let (mut options, _) = options();
    options.limits.tokens_per_contact = 2;
    let store = disk.open(&options);
    let read = || store.snapshot().unwrap().contact(id(7)).unwrap().unwrap();
    assert_eq!(read().tokens.len(), 3);
    let request = AddTokens::new(APP).entry(TokenEntry::new("t4").contact_id(7));
    let outcome = store.add_tokens(request).wait().unwrap().outcome;
    assert_eq!(
        outcome.entries[0].as_ref().unwrap_err().to_string(),
        "4 tokens on the card, the most is 2"
    );
    add(&store, TokenEntry::new("t1").contact_id(7));
    assert_eq!(read().tokens.len(), 3);
}

/// One item, found by the contact id 7: the contact, or the words of why it is refused.
fn upsert_7(store: &ContactStore, item: ContactUpdate) -> String {
    let request = Upsert::new(DedupeOn::ContactId).contact(item.contact_id(7));
    match store
        .upsert(request)
        .wait()
        .unwrap()
        .outcome
        .into_vec()
        .remove(0)
    {
        Ok(upserted) => format!("{:?}", upserted.card),
        Err(refused) => refused.to_string(),
    }
}

#[test]
fn a_card_over_a_lowered_limit_may_shrink_or_change_within_its_size() {
    let (disk, store) = watched(|_| {});
    add(&store, TokenEntry::new("token-1").contact_id(7));
    let item = || ContactUpdate::new();
    let filled = item()
        .first_name("0123456789")
        .field("a", "0123456789")
        .field("b", "");
    assert_eq!(upsert_7(&store, filled), "Updated");
    store.close().unwrap();
    // On the card are 7 bytes of a token, 10 of a name, 11 and 1 of fields.
    let lowered = |store: ContactStore, set: fn(&mut Options)| {
        store.close().unwrap();
        let (mut options, _) = options();
        set(&mut options);
        disk.open(&options)
    };

    let store = disk.open(&options().0);
    let store = lowered(store, |options| options.limits.card_text_bytes = 20);
    assert_eq!(upsert_7(&store, item().first_name("9876543210")), "Updated");
    assert_eq!(upsert_7(&store, item().first_name("987654321")), "Updated");
    assert_eq!(
        upsert_7(&store, item().last_name(ValueChange::Remove)),
        "Unchanged"
    );
    let over = "29 bytes of text on the card, the most is 20";
    assert_eq!(upsert_7(&store, item().first_name("9876543210")), over);
    assert_eq!(upsert_7(&store, item().external_customer_id("c")), over);
    // An add-tokens only ever adds.
    let request = AddTokens::new(APP).entry(TokenEntry::new("t").contact_id(7));
    let refused = store
        .add_tokens(request)
        .wait()
        .unwrap()
        .outcome
        .entries
        .into_vec()
        .remove(0);
    assert_eq!(refused.unwrap_err().to_string(), over);
    // One more field of fewer bytes in all is more fields, and so is checked.
    let swap = item().first_name(ValueChange::Remove).field("c", "");
    assert_eq!(upsert_7(&store, swap), "Updated");
    let store = lowered(store, |options| options.limits.card_text_bytes = 18);
    let swap = item().field("a", "01234567").field("d", "");
    assert_eq!(
        upsert_7(&store, swap),
        "19 bytes of text on the card, the most is 18"
    );

    let store = lowered(store, |options| {
        options.limits.custom_fields_per_contact = 1
    });
    let over = "3 custom fields on the card, the most is 1";
    assert_eq!(upsert_7(&store, item().field("b", "1")), over);
    assert_eq!(upsert_7(&store, item().first_name("A")), over);
    assert_eq!(upsert_7(&store, item().field("a", "9876543210")), "Updated");
    assert_eq!(
        upsert_7(&store, item().field("a", ValueChange::Remove)),
        "Updated"
    );
    assert_eq!(
        upsert_7(&store, item().field("b", ValueChange::Remove)),
        "Updated"
    );
    assert_eq!(upsert_7(&store, item().field("c", "1")), "Updated");
    assert_sound(&store);
}

#[test]
fn waiting_requests_are_limited() {
    let (disk, store) = watched(|options| options.limits.waiting_requests = 2);
    let hold = disk.held();
    let held = store.add_tokens(request("t0", "c0"));
    disk.wait_until_held();
    let queued = ["1", "2"].map(|n| store.add_tokens(request(n, n)));
    match store.add_tokens(request("3", "3")).wait() {
        Err(Error::Busy {
            waiting_requests,
            waiting_text_bytes,
        }) => assert_eq!((waiting_requests, waiting_text_bytes), (2, 4)),
        other => panic!("{other:?}"),
    }
    // Who asked to wait, waits inside the pending write, and may give up there.
    let waiting = store.when_full(WhenFull::Wait);
    let mut third = waiting.add_tokens(request("4", "4"));
    let given_up = waiting.add_tokens(request("5", "5"));
    let fourth = waiting.add_tokens(request("6", "6"));
    assert!(is_pending(&mut third));
    drop(given_up);
    hold.let_go();
    let (number, _) = number_and_contact(held);
    let answers: Vec<(u64, u64)> = queued
        .into_iter()
        .chain([third, fourth])
        .map(number_and_contact)
        .collect();
    // In the order in which they came.
    let expected: Vec<(u64, u64)> = (1..=4).map(|n| (number + n, 1 + n)).collect();
    assert_eq!(answers, expected);
    assert_eq!(store.snapshot().unwrap().contact_count(), 1 + 5);
}

#[test]
fn the_text_of_waiting_requests_is_limited() {
    let (disk, store) = watched(|options| options.limits.waiting_text_bytes = 10);
    let hold = disk.held();
    // A queue that is empty takes any one request.
    let held = store.add_tokens(request("123456789", "12"));
    disk.wait_until_held();
    let first = store.add_tokens(request("12345", "1234"));
    let exactly_full = store.erase(id(9));
    match store.add_tokens(request("t", "c")).wait() {
        Err(Error::Busy {
            waiting_requests,
            waiting_text_bytes,
        }) => assert_eq!((waiting_requests, waiting_text_bytes), (2, 9)),
        other => panic!("{other:?}"),
    }
    hold.let_go();
    number_and_contact(held);
    number_and_contact(first);
    exactly_full.wait().unwrap();
}

#[test]
fn one_commit_takes_4096_entries_or_4_mib_of_text_and_at_least_one_request() {
    const MIB: usize = 1 << 20;
    let (disk, store) = watched(|options| options.limits.entries_per_request = 10_000);
    let number = || store.snapshot().unwrap().sequence().value();
    // Requests that wait together, as entries and bytes of text of each; then how many share each commit.
    let check = |requests: &[(usize, usize)], commits: &[u64]| {
        let hold = disk.held();
        let round = disk.syncs().to_string();
        let held = store.add_tokens(request("held", &round));
        disk.wait_until_held();
        let before = number();
        let queued: Vec<_> = requests
            .iter()
            .enumerate()
            .map(|(place, (entries, text))| {
                // A token of its own, so that each changes something; blank text fills it up.
                let token = format!("{round}/{place}");
                let blank = " ".repeat(text.saturating_sub(token.len()));
                let first = TokenEntry::new(token).contact_id(1_000_000).phone(blank);
                let rest = TokenEntry::new("t").contact_id(1_000_000);
                let rest = std::iter::repeat_n(rest, entries - 1);
                store.add_tokens(AddTokens::new(APP).entry(first).entries(rest))
            })
            .collect();
        let mut done = before + 1;
        let before_commits = store.stats().unwrap().commits;
        for commit in commits {
            disk.let_through_until(|| number() >= done);
            assert_eq!(number(), done, "{requests:?}");
            done += commit;
        }
        hold.let_go();
        held.wait().unwrap();
        for pending in queued {
            pending.wait().unwrap();
        }
        assert_eq!(number(), done, "{requests:?}");
        let made = store.stats().unwrap().commits - before_commits;
        assert_eq!(made, commits.len() as u64 + 1, "the last is one commit");
    };
    check(&[(4_000, 0), (96, 0), (1, 0)], &[2, 1]);
    check(&[(4_000, 0), (97, 0), (1, 0)], &[1, 2]);
    check(&[(5_000, 0), (1, 0), (4_096, 0), (1, 0)], &[1, 1, 1, 1]);
    check(&[(1, 3 * MIB), (1, MIB), (1, 20)], &[2, 1]);
    check(&[(1, 3 * MIB), (1, MIB + 1), (1, 20)], &[1, 2]);
    check(&[(1, 5 * MIB), (1, 20)], &[1, 1]);
}

#[test]
fn a_page_has_1_to_1000_rows() {
    script(
        "
        add A : t ext=c1         => 1 created added #1
        subscribers A limit=0    => error PageRows 0 of 1000
        subscribers A limit=1001 => error PageRows 1001 of 1000
        messages A limit=0       => error PageRows 0 of 1000
        messages A limit=1001    => error PageRows 1001 of 1000
    ",
    );
}
