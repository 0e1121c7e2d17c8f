//! The ways to turn text into a type: `FromStr` and `TryFrom` beside `parse`.
//!
//! This module does not know what is valid. Each type's own `parse` does.

/// Defines the names of an enum of options: `ALL`, `as_str`, `parse` and the matching traits.
macro_rules! named {
    ($type:ident, $field:ident, $expected:literal, { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All values, in a fixed order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns its name in JSON and in options.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// Reads the name.
            ///
            /// # Errors
            ///
            #[doc = concat!("[`Fault::NotOneOf`](crate::Fault::NotOneOf) when it is not ", $expected, ".")]
            pub fn parse(name: &str) -> Result<Self, $crate::model::fault::FieldError> {
                let all = Self::ALL.iter().copied();
                let mut named = all.filter(|one| one.as_str() == name);
                named.next().ok_or($crate::model::fault::FieldError::new(
                    $crate::model::fault::Field::$field,
                    $crate::model::fault::Fault::NotOneOf { expected: $expected },
                ))
            }
        }

        impl ::std::fmt::Display for $type {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        $crate::model::names::from_text!($type);
    };
}

/// Implements `FromStr` and `TryFrom` for text with the type's own `parse`.
macro_rules! from_text {
    ($($type:ty),+ $(,)?) => {$(
        impl ::std::str::FromStr for $type {
            type Err = $crate::model::fault::FieldError;

            fn from_str(text: &str) -> Result<Self, $crate::model::fault::FieldError> {
                <$type>::parse(text)
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $crate::model::fault::FieldError;

            fn try_from(text: &str) -> Result<Self, $crate::model::fault::FieldError> {
                <$type>::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::model::fault::FieldError;

            fn try_from(text: String) -> Result<Self, $crate::model::fault::FieldError> {
                <$type>::parse(&text)
            }
        }
    )+};
}

pub(crate) use {from_text, named};

from_text!(
    crate::model::app::AccessKey,
    crate::model::app::AppId,
    crate::model::app::AppName,
    crate::model::change::ChangePosition,
    crate::model::identifier::ContactId,
    crate::model::identifier::Email,
    crate::model::identifier::ExternalCustomerId,
    crate::model::identifier::IdentifierKind,
    crate::model::identifier::Phone,
    crate::model::report::MessageId,
    crate::model::subscriber::SubscriberId,
    crate::model::token::Token,
);

#[cfg(test)]
mod tests {
    use std::fmt::Debug;
    use std::str::FromStr;

    use crate::model::app::{AccessKey, AppId, AppName};
    use crate::model::change::ChangePosition;
    use crate::model::fault::{Fault, Field, FieldError};
    use crate::model::identifier::{ContactId, Email, ExternalCustomerId, IdentifierKind, Phone};
    use crate::model::report::{MessageId, Status};
    use crate::model::subscriber::SubscriberId;
    use crate::model::token::Token;
    use crate::options::{Check, Create, WhenFull};
    use crate::rules::{
        BatchMode, DedupeOn, FailedWithoutReason, InvalidIdentifier, MatchPolicy, Ownership,
        UnknownContactId, UpsertMode,
    };

    /// All ways of reading text agree.
    #[track_caller]
    fn read<T>(text: &str) -> Result<T, FieldError>
    where
        T: FromStr<Err = FieldError> + PartialEq + Debug,
        T: for<'t> TryFrom<&'t str, Error = FieldError> + TryFrom<String, Error = FieldError>,
    {
        let parsed = text.parse::<T>();
        assert_eq!(T::try_from(text), parsed);
        assert_eq!(T::try_from(text.to_owned()), parsed);
        parsed
    }

    #[track_caller]
    fn names<T>(field: Field, as_str: fn(T) -> &'static str, named: &[(T, &str)], all: &[T])
    where
        T: FromStr<Err = FieldError> + Copy + PartialEq + Debug + ToString,
        T: for<'t> TryFrom<&'t str, Error = FieldError> + TryFrom<String, Error = FieldError>,
    {
        let in_order: Vec<T> = named.iter().map(|(value, _)| *value).collect();
        assert_eq!(in_order, all);
        for (value, name) in named {
            assert_eq!(as_str(*value), *name);
            assert_eq!(value.to_string(), *name);
            assert_eq!(read::<T>(name), Ok(*value));
            for other in ["".to_owned(), name.to_uppercase() + "x", format!("{name} ")] {
                let refused = read::<T>(&other).map_err(|error| {
                    let is = matches!(error.fault(), Fault::NotOneOf { .. });
                    assert!(is, "{error}");
                    error.field()
                });
                assert_eq!(refused, Err(field), "{other}");
            }
        }
    }

    #[test]
    fn every_option_has_a_name_and_is_read_by_it() {
        names(
            Field::Policy,
            MatchPolicy::as_str,
            &[
                (MatchPolicy::Cascade, "cascade"),
                (MatchPolicy::TopPriority, "topPriority"),
            ],
            MatchPolicy::ALL,
        );
        names(
            Field::Ownership,
            Ownership::as_str,
            &[
                (Ownership::Shared, "shared"),
                (Ownership::Exclusive, "exclusive"),
            ],
            Ownership::ALL,
        );
        names(
            Field::InvalidIdentifier,
            InvalidIdentifier::as_str,
            &[
                (InvalidIdentifier::Refuse, "refuse"),
                (InvalidIdentifier::Ignore, "ignore"),
            ],
            InvalidIdentifier::ALL,
        );
        names(
            Field::UnknownContactId,
            UnknownContactId::as_str,
            &[
                (UnknownContactId::Adopt, "adopt"),
                (UnknownContactId::Reject, "reject"),
            ],
            UnknownContactId::ALL,
        );
        names(
            Field::FailedWithoutReason,
            FailedWithoutReason::as_str,
            &[
                (FailedWithoutReason::Remove, "remove"),
                (FailedWithoutReason::Keep, "keep"),
            ],
            FailedWithoutReason::ALL,
        );
        names(
            Field::BatchMode,
            BatchMode::as_str,
            &[
                (BatchMode::PerEntry, "perEntry"),
                (BatchMode::AllOrNothing, "allOrNothing"),
            ],
            BatchMode::ALL,
        );
        names(
            Field::DedupeOn,
            DedupeOn::as_str,
            &[
                (DedupeOn::ContactId, "contactId"),
                (DedupeOn::ExternalCustomerId, "externalCustomerId"),
                (DedupeOn::Phone, "phone"),
                (DedupeOn::Email, "email"),
                (DedupeOn::PhoneThenEmail, "phoneThenEmail"),
            ],
            DedupeOn::ALL,
        );
        names(
            Field::UpsertMode,
            UpsertMode::as_str,
            &[
                (UpsertMode::CreateOrUpdate, "createOrUpdate"),
                (UpsertMode::UpdateOnly, "updateOnly"),
                (UpsertMode::CreateOnly, "createOnly"),
            ],
            UpsertMode::ALL,
        );
        names(
            Field::Create,
            Create::as_str,
            &[
                (Create::IfMissing, "ifMissing"),
                (Create::Never, "never"),
                (Create::Always, "always"),
            ],
            Create::ALL,
        );
        names(
            Field::Check,
            Check::as_str,
            &[(Check::Always, "always"), (Check::IfUnclean, "ifUnclean")],
            Check::ALL,
        );
        names(
            Field::WhenFull,
            WhenFull::as_str,
            &[(WhenFull::Busy, "busy"), (WhenFull::Wait, "wait")],
            WhenFull::ALL,
        );
        names(
            Field::Status,
            Status::as_str,
            &[
                (Status::Sent, "SENT"),
                (Status::Failed, "FAILED"),
                (Status::Clicked, "CLICKED"),
            ],
            Status::ALL,
        );
        names(
            Field::IdentifierKind,
            IdentifierKind::as_str,
            &[
                (IdentifierKind::ContactId, "contactId"),
                (IdentifierKind::ExternalCustomerId, "externalCustomerId"),
                (IdentifierKind::Phone, "phone"),
                (IdentifierKind::Email, "email"),
            ],
            IdentifierKind::ALL,
        );
    }

    #[test]
    fn every_parsed_type_is_read_in_every_way_with_the_same_error() {
        #[track_caller]
        fn refused<T>(text: &str, field: Field, fault: Fault)
        where
            T: FromStr<Err = FieldError> + PartialEq + Debug,
            T: for<'t> TryFrom<&'t str, Error = FieldError> + TryFrom<String, Error = FieldError>,
        {
            assert_eq!(read::<T>(text), Err(FieldError::new(field, fault)));
        }
        assert_eq!(read::<ContactId>("7"), ContactId::new(7));
        assert_eq!(
            read::<ExternalCustomerId>("crm-1"),
            ExternalCustomerId::parse("crm-1")
        );
        assert_eq!(
            read::<Phone>("+380 50 000 00 01"),
            Phone::parse("380500000001")
        );
        assert_eq!(
            read::<Email>("Ann@Example.com"),
            Email::parse("ann@example.com")
        );
        assert_eq!(read::<Token>("t"), Token::parse("t"));
        assert_eq!(read::<MessageId>("m"), MessageId::parse("m"));
        assert_eq!(read::<AppName>("Shop"), AppName::parse("Shop"));
        assert_eq!(read::<AccessKey>("key"), AccessKey::parse("key"));
        assert_eq!(read::<SubscriberId>("12"), Ok(SubscriberId::new(12)));
        assert_eq!(
            read::<AppId>("00000000-0000-0000-0000-00000000000A"),
            Ok(AppId::from_u128(10))
        );
        refused::<ContactId>("0", Field::ContactId, Fault::ContactIdOutOfRange);
        refused::<ExternalCustomerId>("a\0", Field::ExternalCustomerId, Fault::ForbiddenCharacter);
        refused::<Phone>("12", Field::Phone, Fault::DigitCount { digits: 2 });
        refused::<Email>("ann", Field::Email, Fault::NoAtSign);
        refused::<Token>("", Field::Token, Fault::Blank);
        refused::<MessageId>(" ", Field::MessageId, Fault::Blank);
        refused::<AppName>("", Field::AppName, Fault::Blank);
        refused::<AccessKey>("", Field::AccessKey, Fault::Blank);
        for text in ["", "+1", "01", "1 ", "18446744073709551616"] {
            refused::<SubscriberId>(text, Field::SubscriberId, Fault::NotASubscriberId);
        }
        refused::<AppId>("shop", Field::AppId, Fault::NotAUuid);
        refused::<ChangePosition>("1.0", Field::ChangePosition, Fault::NotAChangePosition);
    }
}
