//! The requests that the short sequences are made of.

use contact_store::{
    AppId, BatchMode, DedupeOn, IdentifierKind, InvalidIdentifier, MatchPolicy, Ownership, Status,
    UnknownContactId, UpsertMode,
};

use crate::model::{
    Add, Entry, FieldName, Given, Item, Names, Probes, Reports, Request, Said, To, Upserts,
};
use crate::support::{APP, OTHER_APP};

/// When the first request of a short sequence is made; the next come a second later each.
pub const FIRST_AT: u64 = 2_000;

fn add(entries: &[(&str, Given)]) -> Add {
    let entries = entries
        .iter()
        .map(|(token, given)| Entry::new(token, given.clone()));
    Add::new(APP, entries.collect())
}

fn one(token: &str, given: Given) -> Request {
    Request::Add(add(&[(token, given)]))
}

fn given() -> Given {
    Given::default()
}

fn reports(reports: Vec<Said>) -> Request {
    Request::Report(Reports::new(APP, reports))
}

fn said(token: &str, status: Status, message: &str) -> Said {
    Said {
        message: Some(message.to_owned()),
        ..Said::new(token, status)
    }
}

pub fn connect(app: AppId, name: &str) -> Request {
    Request::Connect {
        app,
        name: name.to_owned(),
        key: None,
    }
}

const ANN: &str = "ann@example.com";
const BEN: &str = "ben@example.com";
const PHONE: &str = "380500000001";
const OTHER_PHONE: &str = "380500000002";

/// Requests that add, report on and remove tokens: three of them reach every conflict of
/// identifiers, of tokens and of times.
pub fn tokens() -> Vec<Request> {
    let batch = add(&[
        ("t-1", given().email(ANN)),
        ("t-2", given().phone("12")),
        ("t-1", given().email(BEN)),
    ]);
    // Refused once contact 1 is erased.
    let all_or_nothing = Add {
        mode: BatchMode::AllOrNothing,
        ..add(&[
            ("t-2", given().phone(OTHER_PHONE)),
            ("t-1", given().contact_id(1)),
        ])
    };
    let ignoring = Add {
        invalid_identifier: Some(InvalidIdentifier::Ignore),
        ..add(&[("t-2", given().phone("12").email(BEN))])
    };
    let rejecting = Add {
        unknown_contact_id: Some(UnknownContactId::Reject),
        ..add(&[("t-1", given().contact_id(7).phone(PHONE))])
    };
    // Older than the first request of a sequence, and taking the token from its holders.
    let taking = Add {
        at: Some(FIRST_AT - 500),
        ownership: Some(Ownership::Exclusive),
        ..add(&[("t-1", given().email(ANN))])
    };
    let of_other_app = Add {
        app: OTHER_APP,
        ..add(&[("t-1", given().email(ANN))])
    };
    // As old as the first request of a sequence.
    let late = Said {
        at: Some(FIRST_AT),
        ..said("t-1", Status::Failed, "m-1")
    };
    let of_subscriber = Said {
        token: None,
        subscriber: Some(1 << 40 | 1),
        reason: Some("Bad Request".to_owned()),
        ..Said::new("", Status::Failed)
    };
    let remove = |contact| Request::Remove {
        app: APP,
        token: "t-1".to_owned(),
        contact,
    };
    let rename = |old: &str, new: &str| Request::Rename {
        app: APP,
        old: old.to_owned(),
        new: new.to_owned(),
    };
    vec![
        one("t-1", given().email(ANN)),
        one("t-1", given().email(BEN)),
        one("t-2", given().email(ANN).phone(PHONE)),
        one("t-1", given().email(BEN).phone(PHONE)),
        one("t-1", given().email(ANN).phone(OTHER_PHONE)),
        one("t-2", given().external("crm-1").phone(PHONE)),
        // 1 is the first id that the store assigns, 2 the next.
        one("t-2", given().contact_id(1).email(BEN)),
        one("t-1", given().contact_id(2).phone(OTHER_PHONE)),
        Request::Add(batch),
        Request::Add(all_or_nothing),
        Request::Add(ignoring),
        Request::Add(rejecting),
        Request::Add(taking),
        Request::Add(of_other_app),
        reports(vec![said("t-1", Status::Failed, "m-1")]),
        reports(vec![late]),
        reports(vec![said("t-2", Status::Sent, "m-1"), of_subscriber]),
        remove(None),
        remove(Some(1)),
        rename("t-1", "t-2"),
        rename("t-2", "t-1"),
        Request::Erase { contact: 1 },
        Request::Erase { contact: 2 },
        Request::Disconnect { app: APP },
        connect(APP, "New name"),
        Request::Forget {
            app: APP,
            before: FIRST_AT + 1_500,
        },
        Request::RemoveStale {
            app: APP,
            before: FIRST_AT + 500,
            dry_run: false,
        },
    ]
}

/// Requests that mute subscribers, among the few that end, move or lose a mute.
pub fn mutes() -> Vec<Request> {
    let mute = |token: &str, until: Option<u64>| Request::Mute {
        app: APP,
        token: token.to_owned(),
        until,
        at: None,
    };
    let rename = |old: &str, new: &str| Request::Rename {
        app: APP,
        old: old.to_owned(),
        new: new.to_owned(),
    };
    let taking = Add {
        ownership: Some(Ownership::Exclusive),
        ..add(&[("t-1", given().email(BEN))])
    };
    vec![
        one("t-1", given().email(ANN).phone(PHONE)),
        one("t-2", given().email(ANN)),
        Request::Add(taking),
        mute("t-1", None),
        mute("t-1", Some(FIRST_AT + 1_500)),
        mute("t-2", Some(FIRST_AT + 5_000)),
        Request::Unmute {
            app: APP,
            token: "t-1".to_owned(),
            at: None,
        },
        rename("t-1", "t-2"),
        rename("t-2", "t-1"),
        reports(vec![said("t-1", Status::Failed, "m-1")]),
        Request::Erase { contact: 1 },
        Request::Disconnect { app: APP },
    ]
}

/// Requests that remove tokens by FAILED and bring them back, among the few that end what is
/// remembered.
pub fn blocks() -> Vec<Request> {
    let failed = |token: &str| reports(vec![said(token, Status::Failed, "m-1")]);
    let back = |token: &str| Request::BringBack {
        app: APP,
        token: token.to_owned(),
        at: None,
    };
    let of_two = add(&[
        ("t-1", given().email(ANN)),
        ("t-1", given().email(BEN)),
        ("t-2", given().email(ANN)),
    ]);
    vec![
        Request::Add(of_two),
        one("t-1", given().email(BEN)),
        failed("t-1"),
        reports(vec![
            said("t-1", Status::Failed, "m-1"),
            said("t-2", Status::Failed, "m-1"),
        ]),
        back("t-1"),
        back("t-2"),
        Request::Rename {
            app: APP,
            old: "t-2".to_owned(),
            new: "t-1".to_owned(),
        },
        Request::Erase { contact: 1 },
        Request::Erase { contact: 2 },
        Request::Disconnect { app: APP },
        connect(APP, "New name"),
    ]
}

/// Requests that suppress identifiers, among the few that name them.
pub fn suppressions() -> Vec<Request> {
    let all_or_nothing = Add {
        mode: BatchMode::AllOrNothing,
        ..add(&[
            ("t-2", given().phone(OTHER_PHONE)),
            ("t-1", given().email(ANN)),
        ])
    };
    let ignoring = Add {
        invalid_identifier: Some(InvalidIdentifier::Ignore),
        ..add(&[("t-2", given().phone(PHONE).email(BEN))])
    };
    vec![
        one("t-1", given().email(ANN).phone(PHONE)),
        one("t-1", given().external("crm-1").email(BEN)),
        Request::Add(all_or_nothing),
        Request::Add(ignoring),
        upsert(
            DedupeOn::PhoneThenEmail,
            &[
                item().phone(OTHER_PHONE).email(ANN),
                item().phone(PHONE).email(BEN),
            ],
        ),
        upsert(DedupeOn::Email, &[item().email(BEN).phone(To::Null)]),
        Request::Suppress { contact: 1 },
        Request::Suppress { contact: 2 },
        Request::Erase { contact: 1 },
        Request::Lift(Names::email(ANN)),
        Request::Lift(Names::phone(380_500_000_001).and(Names::email(BEN))),
    ]
}

fn upsert(dedupe_on: DedupeOn, items: &[Item]) -> Request {
    Request::Upsert(Upserts::new(dedupe_on, items.to_vec()))
}

fn item() -> Item {
    Item::default()
}

/// Requests that create and change contacts, among the few that most depend on them: three of them
/// reach every conflict, and every way in which a token is found under another identifier.
pub fn contacts() -> Vec<Request> {
    let city = || FieldName::Custom("city".to_owned());
    let swap = Upserts {
        mode: BatchMode::AllOrNothing,
        ..Upserts::new(
            DedupeOn::Phone,
            vec![
                item().phone(PHONE).email(BEN),
                item().phone(OTHER_PHONE).email(ANN),
            ],
        )
    };
    let rejecting = Upserts {
        unknown_contact_id: Some(UnknownContactId::Reject),
        at: Some(FIRST_AT - 500),
        ..Upserts::new(
            DedupeOn::ContactId,
            vec![item().contact_id(2).email(To::Null).external("crm-2")],
        )
    };
    vec![
        one("t-1", given().email(ANN)),
        one("t-2", given().email(BEN).phone(PHONE)),
        one("t-1", given().external("crm-1").phone(OTHER_PHONE)),
        reports(vec![said("t-1", Status::Failed, "m-1")]),
        Request::Erase { contact: 1 },
        upsert(
            DedupeOn::Email,
            &[item()
                .email(ANN)
                .phone(PHONE)
                .field(FieldName::FirstName, "Ann")],
        ),
        upsert(DedupeOn::Phone, &[item().phone(PHONE).email(BEN)]),
        upsert(
            DedupeOn::PhoneThenEmail,
            &[item().phone(OTHER_PHONE).email(ANN)],
        ),
        // Takes the phone off, and finds by a null.
        upsert(
            DedupeOn::Email,
            &[
                item().email(BEN).phone(To::Null).field(city(), "Kyiv"),
                item().email(To::Null).phone(PHONE),
            ],
        ),
        upsert(
            DedupeOn::ContactId,
            &[item()
                .contact_id(1)
                .external("crm-1")
                .field(city(), To::Null)],
        ),
        upsert(
            DedupeOn::ExternalCustomerId,
            &[item().external("crm-1").email(ANN).contact_id(2)],
        ),
        upsert(DedupeOn::Email, &[item().email(BEN).external("crm-2")]),
        // One item frees what the next takes, and one is refused between them.
        upsert(
            DedupeOn::Email,
            &[
                item().email(ANN).phone(To::Null),
                item().email(ANN).phone("12"),
                item().email(BEN).phone(PHONE),
            ],
        ),
        Request::Upsert(swap),
        Request::Upsert(Upserts {
            upsert_mode: UpsertMode::UpdateOnly,
            ..Upserts::new(DedupeOn::Email, vec![item().email(BEN).phone(OTHER_PHONE)])
        }),
        Request::Upsert(Upserts {
            upsert_mode: UpsertMode::CreateOnly,
            ..Upserts::new(DedupeOn::Phone, vec![item().phone(PHONE).email(ANN)])
        }),
        Request::Upsert(rejecting),
    ]
}

/// Three contacts that share a token, for the requests of [`merging`] to begin with.
pub fn to_merge() -> Vec<Request> {
    vec![
        one("t-2", given().email(ANN)),
        one("t-1", given().email(ANN)),
        one("t-1", given().email(BEN).phone(PHONE)),
        one("t-1", given().external("crm-1")),
        upsert(
            DedupeOn::Email,
            &[
                item().email(ANN).field(FieldName::FirstName, "Ann"),
                item().email(BEN).field(FieldName::LastName, "Lee"),
            ],
        ),
    ]
}

/// Requests that merge contacts and take them apart, and those that come between and matter: three of
/// them reach chains, circles, and everything that cannot be given back.
pub fn merging() -> Vec<Request> {
    let merge = |from, into| Request::Merge { from, into };
    let unmerge = |contact| Request::Unmerge { contact };
    let split = |kind: IdentifierKind, subscribers: &[u64]| Request::Split {
        contact: 1,
        identifiers: kind.into(),
        subscribers: subscribers.to_vec(),
        at: Some(FIRST_AT - 700),
    };
    vec![
        merge(1, 2),
        merge(2, 3),
        merge(3, 1),
        unmerge(1),
        unmerge(2),
        unmerge(3),
        split(IdentifierKind::Email, &[1 << 40 | 1]),
        split(IdentifierKind::Phone, &[]),
        one("t-2", given().contact_id(2)),
        one("t-1", given().email(BEN)),
        reports(vec![said("t-1", Status::Failed, "m-1")]),
        Request::Remove {
            app: APP,
            token: "t-1".to_owned(),
            contact: Some(1),
        },
        Request::Erase { contact: 1 },
        // That which is split off.
        Request::Erase { contact: 4 },
        upsert(
            DedupeOn::ContactId,
            &[item()
                .contact_id(2)
                .email(To::Null)
                .phone(OTHER_PHONE)
                .field(FieldName::FirstName, To::Null)],
        ),
        upsert(DedupeOn::Email, &[item().email(ANN), item().email(BEN)]),
    ]
}

/// Requests that leave conflicts and end them: three of them reach a full list, pairs that move with a
/// merge, and pairs that are joined by one.
pub fn conflicts() -> Vec<Request> {
    let merge = |from, into| Request::Merge { from, into };
    let top = |entry: (&str, Given)| {
        Request::Add(Add {
            policy: Some(MatchPolicy::TopPriority),
            at: Some(FIRST_AT - 700),
            ..add(&[entry])
        })
    };
    let all_or_nothing = Upserts {
        mode: BatchMode::AllOrNothing,
        ..Upserts::new(DedupeOn::Email, vec![item().email(ANN).phone(PHONE)])
    };
    vec![
        one("t-1", given().phone(PHONE).email(ANN)),
        one("t-1", given().external("crm-1").phone(PHONE).email(ANN)),
        top(("t-2", given().external("crm-2").phone(PHONE).email(BEN))),
        upsert(
            DedupeOn::Email,
            &[
                item().email(ANN).phone(PHONE),
                item().email(BEN).phone(PHONE),
            ],
        ),
        Request::Upsert(all_or_nothing),
        merge(2, 1),
        merge(1, 3),
        Request::Unmerge { contact: 2 },
        Request::Erase { contact: 2 },
        Request::Dismiss { one: 3, other: 1 },
        Request::Dismiss { one: 2, other: 4 },
    ]
}

/// The contacts that [`conflicts`] are about, each with one identifier.
pub fn to_conflict() -> Vec<Request> {
    vec![
        one("t-1", given().email(ANN)),
        one("t-2", given().phone(PHONE)),
        one("t-1", given().external("crm-1")),
        one("t-2", given().email(BEN)),
    ]
}

pub fn probes() -> Probes {
    let emails = [ANN, BEN].map(Names::email);
    let phones = [380_500_000_001, 380_500_000_002].map(Names::phone);
    let externals = ["crm-1", "crm-2"].map(Names::external);
    let names = vec![
        Names::id(1).and(emails[1].clone()),
        Names::id(2).and(phones[1].clone()),
        phones[0].clone().and(emails[1].clone()),
        phones[1].clone().and(emails[0].clone()),
        externals[0].clone().and(phones[0].clone()),
    ];
    Probes {
        ids: (1..=4).chain([7]).collect(),
        names: names
            .into_iter()
            .chain(emails)
            .chain(phones)
            .chain(externals)
            .collect(),
        apps: vec![APP, OTHER_APP],
        tokens: vec!["t-1".to_owned(), "t-2".to_owned()],
        page: 2,
    }
}
