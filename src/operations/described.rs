//! The description of a request: canonical bytes, equal exactly for equal requests (R64).
//!
//! It tells a request that is repeated from another one under the same idempotency key, also across
//! restarts and versions of this crate: what is described, and in which order, stays as it is. The bytes
//! are hashed as they come and kept nowhere. This module does not know what a request means.

use crate::error::{JsonError, JsonFault};
use crate::model::app::{AccessKey, AppId, AppName};
use crate::model::fault::Field;
use crate::model::identifier::{
    ContactId, Email, ExternalCustomerId, GivenIdentifiers, IdentifierKind, Identifiers, KindSet,
    Phone,
};
use crate::model::report::{GonePhrases, Status};
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::rules::{
    BatchMode, DedupeOn, FailedWithoutReason, InvalidIdentifier, MatchPolicy, Ownership,
    UnknownContactId, UpsertMode,
};
use crate::storage::WideHasher;

/// A request, or a part of one, as its caller made it: before it is parsed, without the time of the clock
/// and without the options of the store.
///
/// Each implementation takes its type apart without `..`, so that no new field is forgotten.
pub(crate) trait Described {
    fn describe(&self, to: &mut Description);
}

/// The description of a request, being hashed.
pub(crate) struct Description(WideHasher);

impl Description {
    pub(crate) fn new(hasher: WideHasher) -> Self {
        Description(hasher)
    }

    /// Describes the parts of something, in this order.
    pub(crate) fn parts(&mut self, parts: &[&dyn Described]) {
        parts.iter().for_each(|part| part.describe(self));
    }

    /// The hash of all that was described.
    pub(crate) fn finish(self) -> u128 {
        self.0.finish()
    }
}

// Each part says where it ends: numbers by their width, texts and lists by their length.

impl Described for u8 {
    fn describe(&self, to: &mut Description) {
        to.0.write(&[*self]);
    }
}

impl Described for u32 {
    fn describe(&self, to: &mut Description) {
        to.0.write(&self.to_le_bytes());
    }
}

impl Described for u64 {
    fn describe(&self, to: &mut Description) {
        to.0.write(&self.to_le_bytes());
    }
}

impl Described for i128 {
    fn describe(&self, to: &mut Description) {
        to.0.write(&self.to_le_bytes());
    }
}

impl Described for usize {
    fn describe(&self, to: &mut Description) {
        (*self as u64).describe(to);
    }
}

impl Described for bool {
    fn describe(&self, to: &mut Description) {
        u8::from(*self).describe(to);
    }
}

impl Described for str {
    fn describe(&self, to: &mut Description) {
        self.len().describe(to);
        to.0.write(self.as_bytes());
    }
}

impl Described for String {
    fn describe(&self, to: &mut Description) {
        self.as_str().describe(to);
    }
}

impl<T: Described + ?Sized> Described for &T {
    fn describe(&self, to: &mut Description) {
        (**self).describe(to);
    }
}

impl<T: Described> Described for Option<T> {
    fn describe(&self, to: &mut Description) {
        self.is_some().describe(to);
        if let Some(value) = self {
            value.describe(to);
        }
    }
}

impl<T: Described> Described for [T] {
    fn describe(&self, to: &mut Description) {
        self.len().describe(to);
        self.iter().for_each(|part| part.describe(to));
    }
}

impl<T: Described> Described for Vec<T> {
    fn describe(&self, to: &mut Description) {
        self.as_slice().describe(to);
    }
}

impl<A: Described, B: Described> Described for (A, B) {
    fn describe(&self, to: &mut Description) {
        let (first, second) = self;
        to.parts(&[first, second]);
    }
}

/// Describes values by their published text, which stays.
macro_rules! by_text {
    ($($type:ty => $text:expr),+ $(,)?) => {$(
        impl Described for $type {
            fn describe(&self, to: &mut Description) {
                let text: fn(&Self) -> &str = $text;
                text(self).describe(to);
            }
        }
    )+};
}

by_text! {
    AccessKey => Self::reveal,
    AppName => Self::as_str,
    Token => Self::as_str,
    Field => |field| field.as_str(),
    Status => |status| status.as_str(),
    BatchMode => |mode| mode.as_str(),
    DedupeOn => |kinds| kinds.as_str(),
    FailedWithoutReason => |option| option.as_str(),
    InvalidIdentifier => |option| option.as_str(),
    MatchPolicy => |policy| policy.as_str(),
    Ownership => |ownership| ownership.as_str(),
    UnknownContactId => |option| option.as_str(),
    UpsertMode => |mode| mode.as_str(),
}

impl Described for AppId {
    fn describe(&self, to: &mut Description) {
        to.0.write(&self.as_u128().to_le_bytes());
    }
}

impl Described for ContactId {
    fn describe(&self, to: &mut Description) {
        self.value().describe(to);
    }
}

impl Described for SubscriberId {
    fn describe(&self, to: &mut Description) {
        self.value().describe(to);
    }
}

impl Described for KindSet {
    fn describe(&self, to: &mut Description) {
        for kind in IdentifierKind::ALL {
            self.contains(*kind).describe(to);
        }
    }
}

impl Described for Timestamp {
    fn describe(&self, to: &mut Description) {
        self.as_millis().describe(to);
    }
}

impl Described for GonePhrases {
    fn describe(&self, to: &mut Description) {
        let phrases: Vec<&str> = self.iter().collect();
        phrases.describe(to);
    }
}

impl Described for GivenIdentifiers {
    fn describe(&self, to: &mut Description) {
        let (contact_id, texts) = self.parts();
        to.parts(&[&contact_id, &texts.as_slice()]);
    }
}

impl Described for Identifiers {
    fn describe(&self, to: &mut Description) {
        let external_id = self.external_customer_id().map(ExternalCustomerId::as_str);
        let email = self.email().map(Email::as_str);
        let phone = self.phone().map(Phone::as_u64);
        to.parts(&[&self.contact_id(), &external_id, &phone, &email]);
    }
}

impl Described for JsonError {
    fn describe(&self, to: &mut Description) {
        let JsonError { path, fault } = self;
        to.parts(&[path, fault]);
    }
}

impl Described for JsonFault {
    fn describe(&self, to: &mut Description) {
        match self {
            JsonFault::Syntax { line, column } => to.parts(&[&1_u8, line, column]),
            JsonFault::NotUtf8 { byte } => to.parts(&[&2_u8, byte]),
            JsonFault::ByteOrderMark => to.parts(&[&3_u8]),
            JsonFault::LoneSurrogate => to.parts(&[&4_u8]),
            JsonFault::WrongType { expected, found } => to.parts(&[&5_u8, expected, found]),
            JsonFault::Missing(member) => to.parts(&[&6_u8, member]),
            JsonFault::Repeated(member) => to.parts(&[&7_u8, member]),
            JsonFault::RepeatedUnnamed { bytes } => to.parts(&[&8_u8, bytes]),
            JsonFault::Unknown(member) => to.parts(&[&9_u8, member]),
            JsonFault::UnknownUnnamed { bytes } => to.parts(&[&10_u8, bytes]),
            JsonFault::SecondsNotMilliseconds => to.parts(&[&11_u8]),
            JsonFault::NotOneOf { expected } => to.parts(&[&12_u8, expected]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::add_tokens::{AddTokens, TokenEntry};
    use crate::operations::record_reports::{RecordReports, Report};
    use crate::operations::upsert::{ContactUpdate, Upsert, ValueChange};
    use crate::storage::RequestHasher;

    fn hash(request: &dyn Described) -> u128 {
        let mut description = Description::new(RequestHasher::of_key(7).request());
        request.describe(&mut description);
        description.finish()
    }

    #[test]
    fn r64_whatever_a_request_says_makes_it_another_one() {
        let app = AppId::from_u128(1);
        let add = || AddTokens::new(app);
        let entry = || TokenEntry::new("t");
        let report = || Report::new(Status::Failed);
        let reports = || RecordReports::new(app);
        let upsert = || Upsert::new(DedupeOn::Email);
        let update = ContactUpdate::new;
        let at = Timestamp::from_millis(5);
        let requests: Vec<Box<dyn Described>> = vec![
            Box::new(add()),
            Box::new(AddTokens::new(AppId::from_u128(2))),
            Box::new(add().at(at)),
            Box::new(add().ownership(Ownership::Shared)),
            Box::new(add().ownership(Ownership::Exclusive)),
            Box::new(add().entry(entry())),
            Box::new(add().entry(entry()).entry(entry())),
            Box::new(add().entry(TokenEntry::new("u"))),
            Box::new(add().entry(TokenEntry::without_token())),
            // The same text, as different kinds.
            Box::new(add().entry(entry().external_customer_id("a"))),
            Box::new(add().entry(entry().phone("a"))),
            Box::new(add().entry(entry().email("a"))),
            Box::new(add().entry(entry().email(""))),
            Box::new(add().entry(entry().contact_id(1))),
            Box::new(reports().report(report())),
            Box::new(reports().report(Report::new(Status::Sent))),
            Box::new(reports().report(report().token("t"))),
            Box::new(reports().report(report().reason("t"))),
            Box::new(reports().report(report().message("t"))),
            Box::new(reports().report(report().at(at))),
            Box::new(reports().report(report()).at(at)),
            Box::new(reports().report(report().subscriber(SubscriberId::new(7)))),
            Box::new(reports().gone_phrases(GonePhrases::none())),
            Box::new(reports().gone_phrases(GonePhrases::none().phrase("gone"))),
            Box::new(upsert()),
            Box::new(Upsert::new(DedupeOn::Phone)),
            Box::new(upsert().contact(update())),
            Box::new(upsert().contact(update().field("ab", "c"))),
            Box::new(upsert().contact(update().field("a", "bc"))),
            Box::new(upsert().contact(update().field("a", ValueChange::Remove))),
            Box::new(upsert().contact(update().field("a", "").field("b", ""))),
            Box::new(upsert().contact(update().first_name("a"))),
            Box::new(upsert().contact(update().last_name("a"))),
            Box::new(upsert().contact(update().first_name(ValueChange::Remove))),
        ];
        let mut hashes: Vec<u128> = requests.iter().map(|request| hash(&**request)).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), requests.len());
        assert_eq!(hash(&add().entry(entry())), hash(&add().entry(entry())));
    }

    #[test]
    fn r64_the_description_of_a_request_stays_that_of_every_version() {
        let entry = TokenEntry::new("t").phone("1").contact_id(-1);
        let request = AddTokens::new(AppId::from_u128(1))
            .at(Timestamp::from_millis(5))
            .ownership(Ownership::Exclusive)
            .entry(entry);
        assert_eq!(hash(&request), GOLDEN);
        let error = JsonError {
            path: "tokens[0].phone".to_owned(),
            fault: JsonFault::WrongType {
                expected: "a string",
                found: "a list",
            },
        };
        assert_eq!(hash(&error), GOLDEN_ERROR);
    }

    const GOLDEN: u128 = 96_522_434_561_071_767_184_709_563_467_559_804_309;
    const GOLDEN_ERROR: u128 = 82_710_112_931_625_447_402_600_858_751_990_314_175;
}
