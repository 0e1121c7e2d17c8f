//! contact-store, as a user builds it. All use of its API is here.

use std::collections::VecDeque;
use std::hint::black_box;
use std::path::Path;

use contact_store::{
    AddTokens, AppId, AppName, Check, ConnectApp, ContactId, ContactStore, Email,
    ExternalCustomerId, Identifiers, MatchPolicy, Options, Phone, RecordReports, Report,
    ReportOutcome, Status, SubscriberId, Token, TokenEntry, TokensAdded,
};

use super::{Counts, Kind, Memory, Opening, Reader, Side};
use crate::people::{Entry, Given, Known};

/// The name of the side whose figures the goals are about.
pub const OURS: &str = "contact-store";

const APP: AppId = AppId::from_u128(0xa);

/// contact-store with other options, on the same files.
struct Variant {
    name: &'static str,
    /// The memory it may take for each contact, beside the cache.
    index_bytes: u64,
    /// What it changes of the default options.
    change: fn(Options) -> Options,
}

const VARIANTS: [Variant; 3] = {
    const fn variant(
        name: &'static str,
        index_bytes: u64,
        change: fn(Options) -> Options,
    ) -> Variant {
        Variant {
            name,
            index_bytes,
            change,
        }
    }
    [
        variant(OURS, 56, |options| options),
        variant("contact-store (64 MiB)", 56, |options| {
            options.cache_bytes(64 << 20)
        }),
        variant("contact-store (no index)", 0, |options| {
            options.index_memory(0)
        }),
    ]
};

impl Variant {
    fn options(&self) -> Options {
        (self.change)(Options::default())
    }
}

/// contact-store by itself, and its variants.
pub fn kinds() -> impl Iterator<Item = Kind> {
    VARIANTS.iter().map(|variant| Kind {
        name: variant.name,
        files_of: OURS,
        open: Box::new(|path, opening| Box::new(Store::open(path, variant.options(), opening))),
        durable: true,
        verifies: true,
        memory: Some(Memory {
            cache_bytes: variant.options().cache_bytes as u64,
            index_bytes: variant.index_bytes,
        }),
    })
}

struct Store(ContactStore);

impl Store {
    fn open(directory: &Path, options: Options, opening: Opening) -> Self {
        let options = match opening {
            Opening::Verified => options.check(Check::Always),
            Opening::Trusting => options.check(Check::IfUnclean),
            Opening::Default => options,
        };
        let store = ContactStore::open(directory.join("contacts.redb"), options).unwrap();
        if store.snapshot().unwrap().apps().unwrap().is_empty() {
            let app = ConnectApp::new(AppName::parse("Bot").unwrap()).id(APP);
            store.connect_app(app).wait().unwrap();
        }
        Store(store)
    }
}

fn request(entries: Vec<Entry>) -> AddTokens {
    let entry = |entry: Entry| {
        TokenEntry::new(entry.token)
            .external_customer_id(entry.external_id)
            .phone(entry.phone)
            .email(entry.email)
    };
    AddTokens::new(APP).entries(entries.into_iter().map(entry))
}

fn assert_accepted(added: &TokensAdded) {
    assert!(added.entries.iter().all(Result::is_ok));
}

impl Side for Store {
    fn add(&self, entries: Vec<Entry>) {
        let added = self.0.add_tokens(request(entries)).wait().unwrap();
        assert_accepted(&added.outcome);
    }

    fn load(&self, requests: Vec<Vec<Entry>>) {
        let mut under_way = VecDeque::new();
        for entries in requests {
            if under_way.len() == 2 {
                let oldest: contact_store::Pending<_> = under_way.pop_front().unwrap();
                assert_accepted(&oldest.wait().unwrap().outcome);
            }
            under_way.push_back(self.0.add_tokens(request(entries)));
        }
        for pending in under_way {
            assert_accepted(&pending.wait().unwrap().outcome);
        }
    }

    fn failed(&self, tokens: Vec<String>) -> usize {
        let report = |token| Report::new(Status::Failed).token(token);
        let reports = RecordReports::new(APP).reports(tokens.into_iter().map(report));
        let outcomes = self.0.record_reports(reports).wait().unwrap().outcome;
        let removed = |outcome: &&Result<ReportOutcome, _>| {
            matches!(outcome, Ok(ReportOutcome::Removed { .. }))
        };
        outcomes.iter().filter(removed).count()
    }

    fn read(&self, work: &mut dyn FnMut(&mut dyn Reader)) {
        work(&mut StoreReader(&self.0));
    }

    fn close(self: Box<Self>) {
        self.0.close().unwrap();
    }
}

struct StoreReader<'a>(&'a ContactStore);

/// Text in canonical form, which is part of the work of a look-up.
fn identifiers(given: &Given) -> Identifiers {
    let mut identifiers = Identifiers::new();
    if let Some(id) = &given.external_id {
        identifiers = identifiers.with_external_customer_id(ExternalCustomerId::parse(id).unwrap());
    }
    if let Some(phone) = &given.phone {
        identifiers = identifiers.with_phone(Phone::parse(phone).unwrap());
    }
    if let Some(email) = &given.email {
        identifiers = identifiers.with_email(Email::parse(email).unwrap());
    }
    identifiers
}

impl StoreReader<'_> {
    fn card(&self, given: &Given) -> Option<contact_store::Card> {
        let now = self.0.snapshot().unwrap();
        let found = now.find(&identifiers(given), MatchPolicy::Cascade);
        Some(found.unwrap()?.card)
    }
}

impl Reader for StoreReader<'_> {
    fn find(&mut self, given: &Given) -> Option<u64> {
        let card = black_box(self.card(given)?);
        Some(card.id.value())
    }

    fn contact(&mut self, id: u64) -> Option<u64> {
        let now = self.0.snapshot().unwrap();
        let card = now.contact(ContactId::new(id).unwrap()).unwrap();
        let card = black_box(card?);
        Some(card.id.value())
    }

    fn subscriber(&mut self, token: &str) -> Option<u64> {
        let now = self.0.snapshot().unwrap();
        let token = Token::parse(token).unwrap();
        let subscriber = now.subscriber_by_token(APP, &token).unwrap();
        let subscriber = black_box(subscriber?);
        Some(subscriber.id.value())
    }

    fn page(&mut self, after: Option<u64>, limit: usize, see: &mut dyn FnMut(u64, &str)) {
        let now = self.0.snapshot().unwrap();
        let page = now.subscribers(APP, after.map(SubscriberId::new), limit);
        for subscriber in black_box(page.unwrap()) {
            see(subscriber.id.value(), subscriber.token.as_str());
        }
    }

    fn known(&mut self, given: &Given) -> Option<Known> {
        let card = self.card(given)?;
        let identifiers = &card.identifiers;
        Some(Known {
            external_id: identifiers
                .external_customer_id()
                .map(|id| id.as_str().to_owned()),
            phone: identifiers.phone().map(Phone::digits),
            email: identifiers.email().map(|email| email.as_str().to_owned()),
            tokens: card
                .tokens
                .iter()
                .map(|held| held.token.as_str().to_owned())
                .collect(),
        })
    }

    fn counts(&mut self) -> Counts {
        let apps = self.0.snapshot().unwrap().apps().unwrap();
        let app = apps.iter().find(|app| app.id == APP).unwrap();
        Counts {
            subscribers: app.subscribers,
            contacts: app.contacts,
            removed_by_failed: app.removed_by_failed,
        }
    }
}
