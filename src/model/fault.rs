//! Why one value is refused: the field it was given for and what is wrong with it.
//!
//! Nothing here holds the value or any part of it, because these texts end up in logs (R52). The
//! operations decide whether a fault refuses an entry or a request.

use std::fmt;

use crate::limits::GREATEST_CONTACT_ID;

/// The field that a value was given for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// A token, which addresses a person inside one app ([R9](crate::rulebook#r9)).
    Token,
    /// The contact's id ([R2](crate::rulebook#r2)).
    ContactId,
    /// The host's own id of a person ([R3](crate::rulebook#r3)).
    ExternalCustomerId,
    /// A phone number in international form ([R4](crate::rulebook#r4)).
    Phone,
    /// An email address ([R5](crate::rulebook#r5)).
    Email,
    /// The name of an app ([R11](crate::rulebook#r11)).
    AppName,
    /// The access key of an app, a secret ([R12](crate::rulebook#r12)).
    AccessKey,
    /// The id of the message that a delivery report is about ([R30](crate::rulebook#r30)).
    MessageId,
    /// The id of a subscriber ([R36](crate::rulebook#r36)).
    SubscriberId,
    /// A position in the change feed ([R60](crate::rulebook#r60)).
    ChangePosition,
    /// The key under which a request is repeated, a secret ([R64](crate::rulebook#r64)).
    IdempotencyKey,
    /// The reason that a delivery report gives ([R32](crate::rulebook#r32)).
    Reason,
    /// A contact's first name ([R43](crate::rulebook#r43)).
    FirstName,
    /// A contact's last name ([R43](crate::rulebook#r43)).
    LastName,
    /// A contact's language ([R43](crate::rulebook#r43)).
    LanguageCode,
    /// A contact's time zone ([R43](crate::rulebook#r43)).
    TimeZone,
    /// The name of a custom field ([R43](crate::rulebook#r43)).
    CustomFieldName,
    /// The value of a custom field ([R43](crate::rulebook#r43)).
    CustomFieldValue,
    /// The phone of a recipient ([R39](crate::rulebook#r39)).
    RecipientNumber,
    /// The text of a message to send ([R40](crate::rulebook#r40)).
    Text,
    /// The text on a button of a message to send ([R40](crate::rulebook#r40)).
    ButtonText,
    /// The URL of a button of a message to send ([R40](crate::rulebook#r40)).
    ButtonUrl,
    /// The user in the send request's `auth` ([R40](crate::rulebook#r40)).
    AuthUser,
    /// The password in the send request's `auth`, a secret ([R40](crate::rulebook#r40)).
    AuthPassword,
    /// The id of an app ([R11](crate::rulebook#r11)).
    AppId,
    /// The outcome of a message ([R30](crate::rulebook#r30)).
    Status,
    /// A kind of identifier.
    IdentifierKind,
    /// [`MatchPolicy`](crate::MatchPolicy).
    Policy,
    /// [`Ownership`](crate::Ownership).
    Ownership,
    /// [`InvalidIdentifier`](crate::InvalidIdentifier).
    InvalidIdentifier,
    /// [`UnknownContactId`](crate::UnknownContactId).
    UnknownContactId,
    /// [`FailedWithoutReason`](crate::FailedWithoutReason).
    FailedWithoutReason,
    /// [`BatchMode`](crate::BatchMode).
    BatchMode,
    /// [`DedupeOn`](crate::DedupeOn).
    DedupeOn,
    /// [`UpsertMode`](crate::UpsertMode).
    UpsertMode,
    /// [`Create`](crate::Create).
    Create,
    /// [`Check`](crate::Check).
    Check,
    /// [`WhenFull`](crate::WhenFull).
    WhenFull,
}

impl Field {
    /// Returns the name of the field in the published JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ContactId => "contactId",
            Self::ExternalCustomerId => "externalCustomerId",
            Self::Phone => "phone",
            Self::Email => "email",
            Self::AppName => "name",
            Self::AccessKey => "key",
            Self::MessageId => "messageId",
            Self::SubscriberId => "subscriberId",
            Self::ChangePosition => "changePosition",
            Self::IdempotencyKey => "idempotencyKey",
            Self::Reason => "reason",
            Self::FirstName => "firstName",
            Self::LastName => "lastName",
            Self::LanguageCode => "languageCode",
            Self::TimeZone => "timeZone",
            Self::CustomFieldName => "fieldName",
            Self::CustomFieldValue => "fieldValue",
            Self::RecipientNumber => "number",
            Self::Text => "text",
            Self::ButtonText => "buttonText",
            Self::ButtonUrl => "buttonUrl",
            Self::AuthUser => "authUser",
            Self::AuthPassword => "authPass",
            Self::AppId => "appUuid",
            Self::Status => "status",
            Self::IdentifierKind => "kind",
            Self::Policy => "policy",
            Self::Ownership => "ownership",
            Self::InvalidIdentifier => "invalidIdentifier",
            Self::UnknownContactId => "unknownContactId",
            Self::FailedWithoutReason => "failedWithoutReason",
            Self::BatchMode => "mode",
            Self::DedupeOn => "dedupeOn",
            Self::UpsertMode => "upsertMode",
            Self::Create => "create",
            Self::Check => "check",
            Self::WhenFull => "whenFull",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What is wrong with one value.
///
/// The text of a fault follows the name of a field, as in [`FieldError`]: "email" and "of 300
/// bytes, the longest is 254".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// Empty or only white space.
    #[error("is empty or only white space")]
    Blank,
    /// Longer than its limit.
    #[error("of {bytes} bytes, the longest is {limit}")]
    TooLong {
        /// The length of the value in bytes of UTF-8. For an email, the length of its canonical
        /// form.
        bytes: usize,
        /// The greatest length allowed.
        limit: usize,
    },
    /// Not a contact id ([R2](crate::rulebook#r2)): not an integer, or out of range.
    #[error("must be an integer from 1 to {GREATEST_CONTACT_ID}")]
    ContactIdOutOfRange,
    /// An invisible character, which would make two different values look the same
    /// ([R6](crate::rulebook#r6)).
    #[error("holds a control, line separator or invisible format character")]
    ForbiddenCharacter,
    /// A placeholder that programs write for a missing value ([R3](crate::rulebook#r3)). As an
    /// identifier it would join strangers on one card.
    #[error("is a placeholder for a missing value")]
    Placeholder,
    /// A phone with a character other than digits, separators and one leading `+`
    /// ([R4](crate::rulebook#r4)).
    #[error("holds a character other than digits, separators and one leading +")]
    NotADigit,
    /// A phone with a second `+`, or one that is not first ([R4](crate::rulebook#r4)).
    #[error("holds a second +, or one that is not first")]
    MisplacedPlus,
    /// A phone with too few or too many digits ([R4](crate::rulebook#r4)).
    #[error("of {digits} digits, must be 7 to 15")]
    DigitCount {
        /// The number of digits, after the prefix `+` or `00`.
        digits: usize,
    },
    /// A phone without a country code, since no country code begins with 0
    /// ([R4](crate::rulebook#r4)).
    #[error("begins with 0, must begin with a country code")]
    LeadingZero,
    /// A phone with `(0)`, where it is unclear whether that 0 belongs to the number
    /// ([R4](crate::rulebook#r4)).
    #[error("holds (0), which may or may not belong to the number")]
    AmbiguousZero,
    /// A phone with a mark that may end the number: what follows may be another number, or not part
    /// of a number ([R4](crate::rulebook#r4)).
    #[error("holds {mark}, and what follows it may not belong to the number")]
    AmbiguousMark {
        /// The kind of mark.
        mark: PhoneMark,
    },
    /// An email without `@` ([R5](crate::rulebook#r5)).
    #[error("holds no @")]
    NoAtSign,
    /// An email whose part before the last `@` is empty or too long ([R5](crate::rulebook#r5)).
    #[error("has {bytes} bytes before the last @, must be 1 to 64")]
    LocalPartLength {
        /// The length of the local part in bytes.
        bytes: usize,
    },
    /// An email with white space before its last `@` ([R5](crate::rulebook#r5)).
    #[error("has white space before the last @")]
    LocalPartWhiteSpace,
    /// An email with a character before its last `@` that a single address cannot have there. It is
    /// several addresses, an address with a display name, or a link ([R5](crate::rulebook#r5)).
    #[error(
        "has one of @ , ; : < > ( ) [ ] \\ \" before the last @, so it is not one plain address"
    )]
    NotOneAddress,
    /// An email whose part after the last `@` is empty or too long ([R5](crate::rulebook#r5)).
    #[error("has a domain of {bytes} bytes, must be 1 to 253")]
    DomainLength {
        /// The length of the domain in bytes, without a final dot.
        bytes: usize,
    },
    /// An email with an invalid domain label ([R5](crate::rulebook#r5)).
    #[error("has a domain label that is not 1 to 63 letters, digits and inner hyphens")]
    DomainLabel,
    /// An email with a non-ASCII domain, which this build does not support
    /// ([R5](crate::rulebook#r5)).
    #[error("has a non-ASCII domain, which only a build with the feature idn takes")]
    NonAsciiDomain,
    /// An email with a non-ASCII domain that IDNA refuses ([R5](crate::rulebook#r5)).
    #[error("has a non-ASCII domain that IDNA refuses")]
    Idna,
    /// Not the id of an app ([R11](crate::rulebook#r11)).
    #[error("is not a UUID in a text form of RFC 4122")]
    NotAUuid,
    /// Not the text form of a subscriber id ([R36](crate::rulebook#r36)).
    #[error("must be decimal digits without a leading 0, at most 18446744073709551615")]
    NotASubscriberId,
    /// Not the text form of a position in the change feed ([R60](crate::rulebook#r60)).
    #[error("must be the number of a request, or it and a place such as 17.3")]
    NotAChangePosition,
    /// Not one of the known names.
    #[error("must be {expected}")]
    NotOneOf {
        /// The known names.
        expected: &'static str,
    },
}

/// A kind of mark that separates the digits of a phone ([R4](crate::rulebook#r4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PhoneMark {
    /// `/`.
    Slash,
    /// `.`.
    Dot,
    /// `-`, another dash, or a minus sign.
    Hyphen,
    /// White space.
    WhiteSpace,
    /// `(` or `)`.
    Parenthesis,
}

impl PhoneMark {
    /// Every kind.
    pub const ALL: &'static [Self] = &[
        Self::Slash,
        Self::Dot,
        Self::Hyphen,
        Self::WhiteSpace,
        Self::Parenthesis,
    ];
}

impl fmt::Display for PhoneMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Slash => "a /",
            Self::Dot => "a .",
            Self::Hyphen => "a -",
            Self::WhiteSpace => "white space",
            Self::Parenthesis => "a parenthesis",
        })
    }
}

/// The error for a refused value: its field, and what is wrong with it.
///
/// Neither its text nor its fields hold the value ([R52](crate::rulebook#r52)).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} {fault}")]
pub struct FieldError {
    field: Field,
    fault: Fault,
}

impl FieldError {
    pub(crate) const fn new(field: Field, fault: Fault) -> Self {
        Self { field, fault }
    }

    /// Returns the field that the value was given for.
    #[must_use]
    pub const fn field(&self) -> Field {
        self.field
    }

    /// Returns what is wrong with the value.
    #[must_use]
    pub const fn fault(&self) -> &Fault {
        &self.fault
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;

    use super::{Fault, Field, FieldError, PhoneMark};

    #[track_caller]
    fn says(field: Field, fault: Fault, text: &str) {
        assert_eq!(FieldError::new(field, fault).to_string(), text);
    }

    #[test]
    fn errors_name_the_field_and_the_bound() {
        says(
            Field::Token,
            Fault::Blank,
            "token is empty or only white space",
        );
        says(
            Field::Email,
            Fault::TooLong {
                bytes: 300,
                limit: 254,
            },
            "email of 300 bytes, the longest is 254",
        );
        says(
            Field::ContactId,
            Fault::ContactIdOutOfRange,
            "contactId must be an integer from 1 to 9223372036854775807",
        );
        says(
            Field::MessageId,
            Fault::ForbiddenCharacter,
            "messageId holds a control, line separator or invisible format character",
        );
        says(
            Field::Phone,
            Fault::NotADigit,
            "phone holds a character other than digits, separators and one leading +",
        );
        says(
            Field::Phone,
            Fault::MisplacedPlus,
            "phone holds a second +, or one that is not first",
        );
        for (mark, text) in [
            (PhoneMark::Slash, "a /"),
            (PhoneMark::Dot, "a ."),
            (PhoneMark::Hyphen, "a -"),
            (PhoneMark::WhiteSpace, "white space"),
            (PhoneMark::Parenthesis, "a parenthesis"),
        ] {
            says(
                Field::Phone,
                Fault::AmbiguousMark { mark },
                &format!("phone holds {text}, and what follows it may not belong to the number"),
            );
        }
        says(
            Field::ExternalCustomerId,
            Fault::Placeholder,
            "externalCustomerId is a placeholder for a missing value",
        );
        says(
            Field::Email,
            Fault::NotOneAddress,
            "email has one of @ , ; : < > ( ) [ ] \\ \" before the last @, so it is not one plain address",
        );
        says(
            Field::Phone,
            Fault::DigitCount { digits: 5 },
            "phone of 5 digits, must be 7 to 15",
        );
        says(
            Field::Phone,
            Fault::LeadingZero,
            "phone begins with 0, must begin with a country code",
        );
        says(
            Field::Phone,
            Fault::AmbiguousZero,
            "phone holds (0), which may or may not belong to the number",
        );
        says(Field::Email, Fault::NoAtSign, "email holds no @");
        says(
            Field::Email,
            Fault::LocalPartLength { bytes: 65 },
            "email has 65 bytes before the last @, must be 1 to 64",
        );
        says(
            Field::Email,
            Fault::LocalPartWhiteSpace,
            "email has white space before the last @",
        );
        says(
            Field::Email,
            Fault::DomainLength { bytes: 0 },
            "email has a domain of 0 bytes, must be 1 to 253",
        );
        says(
            Field::Email,
            Fault::DomainLabel,
            "email has a domain label that is not 1 to 63 letters, digits and inner hyphens",
        );
        says(
            Field::Email,
            Fault::NonAsciiDomain,
            "email has a non-ASCII domain, which only a build with the feature idn takes",
        );
        says(
            Field::Email,
            Fault::Idna,
            "email has a non-ASCII domain that IDNA refuses",
        );
        says(
            Field::AppId,
            Fault::NotAUuid,
            "appUuid is not a UUID in a text form of RFC 4122",
        );
        says(
            Field::SubscriberId,
            Fault::NotASubscriberId,
            "subscriberId must be decimal digits without a leading 0, at most 18446744073709551615",
        );
        says(
            Field::ChangePosition,
            Fault::NotAChangePosition,
            "changePosition must be the number of a request, or it and a place such as 17.3",
        );
        says(
            Field::Ownership,
            Fault::NotOneOf {
                expected: "shared or exclusive",
            },
            "ownership must be shared or exclusive",
        );
    }

    #[test]
    fn fields_have_their_published_names() {
        let names = [
            (Field::Token, "token"),
            (Field::ContactId, "contactId"),
            (Field::ExternalCustomerId, "externalCustomerId"),
            (Field::Phone, "phone"),
            (Field::Email, "email"),
            (Field::AppName, "name"),
            (Field::AccessKey, "key"),
            (Field::MessageId, "messageId"),
            (Field::SubscriberId, "subscriberId"),
            (Field::ChangePosition, "changePosition"),
            (Field::IdempotencyKey, "idempotencyKey"),
            (Field::Reason, "reason"),
            (Field::FirstName, "firstName"),
            (Field::LastName, "lastName"),
            (Field::LanguageCode, "languageCode"),
            (Field::TimeZone, "timeZone"),
            (Field::CustomFieldName, "fieldName"),
            (Field::CustomFieldValue, "fieldValue"),
            (Field::RecipientNumber, "number"),
            (Field::Text, "text"),
            (Field::ButtonText, "buttonText"),
            (Field::ButtonUrl, "buttonUrl"),
            (Field::AuthUser, "authUser"),
            (Field::AuthPassword, "authPass"),
            (Field::AppId, "appUuid"),
            (Field::Status, "status"),
            (Field::IdentifierKind, "kind"),
            (Field::Policy, "policy"),
            (Field::Ownership, "ownership"),
            (Field::InvalidIdentifier, "invalidIdentifier"),
            (Field::UnknownContactId, "unknownContactId"),
            (Field::FailedWithoutReason, "failedWithoutReason"),
            (Field::BatchMode, "mode"),
            (Field::DedupeOn, "dedupeOn"),
            (Field::UpsertMode, "upsertMode"),
            (Field::Create, "create"),
            (Field::Check, "check"),
            (Field::WhenFull, "whenFull"),
        ];
        for (field, name) in names {
            assert_eq!(field.as_str(), name);
            assert_eq!(field.to_string(), name);
        }
    }

    #[test]
    fn an_error_gives_its_parts_and_has_no_cause() {
        let error = FieldError::new(Field::Phone, Fault::LeadingZero);
        assert_eq!(error.field(), Field::Phone);
        assert_eq!(error.fault(), &Fault::LeadingZero);
        assert!(error.source().is_none());
    }
}
