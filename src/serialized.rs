//! `Serialize` and `Deserialize` for values that may be shown: ids, times, statuses, options and
//! counts.
//!
//! No personal data is among them (R52). The JSON of cards, identifiers and tokens is in `wire`,
//! which a host calls by name.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::model::app::AppId;
use crate::model::change::ChangePosition;
use crate::model::identifier::{ContactId, IdentifierKind, KindSet};
use crate::model::report::Status;
use crate::model::report::StatusCounts;
use crate::model::sequence::SequenceNumber;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::options::{Check, Create, WhenFull};
use crate::rules::{
    BatchMode, DedupeOn, FailedWithoutReason, InvalidIdentifier, MatchPolicy, Ownership,
    UnknownContactId, UpsertMode,
};

/// As the text that a value displays and parses.
macro_rules! as_text {
    ($($type:ty),+ $(,)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;

                impl Visitor<'_> for Text {
                    type Value = $type;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a string")
                    }

                    // The error names the type, never the text (R52).
                    fn visit_str<E: Error>(self, text: &str) -> Result<$type, E> {
                        <$type>::parse(text).map_err(E::custom)
                    }
                }

                deserializer.deserialize_str(Text)
            }
        }
    )+};
}

as_text!(
    AppId,
    BatchMode,
    ChangePosition,
    Check,
    Create,
    DedupeOn,
    FailedWithoutReason,
    IdentifierKind,
    InvalidIdentifier,
    MatchPolicy,
    Ownership,
    Status,
    SubscriberId,
    UnknownContactId,
    UpsertMode,
    WhenFull,
);

/// As the number of the value.
macro_rules! as_number {
    ($($type:ty: $value:expr, $new:expr);+ $(;)?) => {$(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u64($value(*self))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                $new(u64::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    )+};
}

as_number!(
    ContactId: ContactId::value, ContactId::new;
    SequenceNumber: SequenceNumber::value, |number| Ok::<_, &str>(SequenceNumber::new(number));
    Timestamp: Timestamp::as_millis, |millis| Ok::<_, &str>(Timestamp::from_millis(millis));
);

/// A list of the names of its kinds.
impl Serialize for KindSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for KindSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let kinds = Vec::<IdentifierKind>::deserialize(deserializer)?;
        Ok(kinds.into_iter().collect())
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "StatusCounts", deny_unknown_fields)]
struct Counts {
    sent: u64,
    failed: u64,
    clicked: u64,
}

impl Serialize for StatusCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let StatusCounts {
            sent,
            failed,
            clicked,
        } = *self;
        Counts {
            sent,
            failed,
            clicked,
        }
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for StatusCounts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Counts {
            sent,
            failed,
            clicked,
        } = Counts::deserialize(deserializer)?;
        Ok(StatusCounts {
            sent,
            failed,
            clicked,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Debug;

    use serde::de::DeserializeOwned;

    use super::*;

    /// Written as this JSON, and read back.
    #[track_caller]
    fn shown<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, json: &str) {
        let written = serde_json::to_string(&value);
        assert_eq!(written.ok().as_deref(), Some(json));
        let read = serde_json::from_str::<T>(json);
        assert_eq!(read.ok(), Some(value));
    }

    #[test]
    fn values_that_may_be_shown_are_written_and_read() {
        shown(
            AppId::from_u128(10),
            "\"00000000-0000-0000-0000-00000000000a\"",
        );
        shown(SubscriberId::new(u64::MAX), "\"18446744073709551615\"");
        shown(ContactId::new(7).ok(), "7");
        shown(SequenceNumber::new(3), "3");
        shown(ChangePosition::at(SequenceNumber::new(3), 2), "\"3.2\"");
        shown(Timestamp::from_millis(1_000), "1000");
        shown(Status::Failed, "\"FAILED\"");
        shown(MatchPolicy::TopPriority, "\"topPriority\"");
        shown(Ownership::Exclusive, "\"exclusive\"");
        shown(InvalidIdentifier::Ignore, "\"ignore\"");
        shown(UnknownContactId::Reject, "\"reject\"");
        shown(FailedWithoutReason::Keep, "\"keep\"");
        shown(BatchMode::AllOrNothing, "\"allOrNothing\"");
        shown(DedupeOn::PhoneThenEmail, "\"phoneThenEmail\"");
        shown(UpsertMode::UpdateOnly, "\"updateOnly\"");
        shown(Create::Never, "\"never\"");
        shown(Check::IfUnclean, "\"ifUnclean\"");
        shown(WhenFull::Wait, "\"wait\"");
        shown(IdentifierKind::Phone, "\"phone\"");
        shown(
            KindSet::from_iter([IdentifierKind::Email, IdentifierKind::Phone]),
            "[\"phone\",\"email\"]",
        );
        let mut counts = StatusCounts::default();
        counts.count(Status::Sent);
        shown(counts, "{\"sent\":1,\"failed\":0,\"clicked\":0}");
    }

    #[test]
    fn r52_an_error_says_what_was_expected_and_not_the_value() {
        let refused = |json: &str| {
            let error = serde_json::from_str::<AppId>(json).err();
            error.map(|error| error.to_string()).unwrap_or_default()
        };
        let said = refused("\"ann@example.com\"");
        assert!(said.starts_with("appUuid is not a UUID"), "{said}");
        assert!(!said.contains("ann"), "{said}");
        let said = serde_json::from_str::<ContactId>("0").map_err(|error| error.to_string());
        assert!(said.is_err_and(|said| said.starts_with("contactId must be an integer")));
    }
}
