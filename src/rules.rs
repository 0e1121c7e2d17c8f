//! The rules: facts in, decision out.
//!
//! These are pure functions. This module knows no table, no clock, no randomness and no request:
//! its callers pass in what the store holds, and write what it decides.

use crate::model::change::{Cause, TokenLoss};
use crate::model::identifier::{ContactId, IdentifierKind, KindSet};
use crate::model::names::named;
use crate::model::report::{GonePhrases, Status};
use crate::model::time::Timestamp;

/// Which identifiers may find a contact ([R14](crate::rulebook#r14)). The two published texts
/// differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MatchPolicy {
    /// Every given identifier is tried in priority order; the first that names a contact decides
    /// (the newest text). The default.
    #[default]
    Cascade,
    /// Only the identifier of the highest priority that is given is tried (the older texts).
    TopPriority,
}

named!(MatchPolicy, Policy, "cascade or topPriority", {
    Cascade => "cascade",
    TopPriority => "topPriority",
});

/// What happens to a token that another contact already holds ([R22](crate::rulebook#r22)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ownership {
    /// Both hold it. The default.
    #[default]
    Shared,
    /// It moves to the contact found now.
    Exclusive,
}

named!(Ownership, Ownership, "shared or exclusive", {
    Shared => "shared",
    Exclusive => "exclusive",
});

/// What an invalid identifier does to its entry ([R13](crate::rulebook#r13)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InvalidIdentifier {
    /// It refuses the entry. The default.
    #[default]
    Refuse,
    /// It counts as not given, and the outcome names its kind.
    Ignore,
}

named!(InvalidIdentifier, InvalidIdentifier, "refuse or ignore", {
    Refuse => "refuse",
    Ignore => "ignore",
});

/// What happens to a contact id that names no contact ([R18](crate::rulebook#r18)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnknownContactId {
    /// It becomes the id of the contact that is created. The default.
    #[default]
    Adopt,
    /// It refuses the entry.
    Reject,
}

named!(UnknownContactId, UnknownContactId, "adopt or reject", {
    Adopt => "adopt",
    Reject => "reject",
});

/// What a refused entry does to the rest of its request ([R23](crate::rulebook#r23)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BatchMode {
    /// Nothing. The default.
    #[default]
    PerEntry,
    /// It refuses the request.
    AllOrNothing,
}

named!(BatchMode, BatchMode, "perEntry or allOrNothing", {
    PerEntry => "perEntry",
    AllOrNothing => "allOrNothing",
});

/// The identifier that finds the contact of an upsert's item ([R41](crate::rulebook#r41)).
///
/// An external customer id in the item is always tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DedupeOn {
    /// The contact id.
    ContactId,
    /// The external customer id alone.
    ExternalCustomerId,
    /// The phone.
    Phone,
    /// The email.
    Email,
    /// The phone, or the email if the phone is not given or names no contact.
    PhoneThenEmail,
}

named!(
    DedupeOn,
    DedupeOn,
    "contactId, externalCustomerId, phone, email or phoneThenEmail",
    {
        ContactId => "contactId",
        ExternalCustomerId => "externalCustomerId",
        Phone => "phone",
        Email => "email",
        PhoneThenEmail => "phoneThenEmail",
    }
);

impl DedupeOn {
    const fn kinds(self) -> &'static [IdentifierKind] {
        match self {
            Self::ContactId => &[IdentifierKind::ContactId],
            Self::ExternalCustomerId => &[],
            Self::Phone => &[IdentifierKind::Phone],
            Self::Email => &[IdentifierKind::Email],
            Self::PhoneThenEmail => &[IdentifierKind::Phone, IdentifierKind::Email],
        }
    }
}

/// What an upsert may do with the contact of an item ([R41](crate::rulebook#r41)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UpsertMode {
    /// The contact found is updated. If there is none, one is created. The default.
    #[default]
    CreateOrUpdate,
    /// An item that finds no contact is refused.
    UpdateOnly,
    /// An item that finds a contact is refused.
    CreateOnly,
}

named!(UpsertMode, UpsertMode, "createOrUpdate, updateOnly or createOnly", {
    CreateOrUpdate => "createOrUpdate",
    UpdateOnly => "updateOnly",
    CreateOnly => "createOnly",
});

/// What a FAILED report without a reason does ([R32](crate::rulebook#r32)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FailedWithoutReason {
    /// It removes the token, as the published status does. The default.
    #[default]
    Remove,
    /// It is counted and removes nothing.
    Keep,
}

named!(FailedWithoutReason, FailedWithoutReason, "remove or keep", {
    Remove => "remove",
    Keep => "keep",
});

/// The kinds to try, in order, until one names a contact (R14).
pub(crate) fn kinds_to_try(
    policy: MatchPolicy,
    given: KindSet,
) -> impl Iterator<Item = IdentifierKind> {
    let most = match policy {
        MatchPolicy::Cascade => usize::MAX,
        MatchPolicy::TopPriority => 1,
    };
    given.iter().take(most)
}

/// The given kinds that may find the contact of an upsert's item, in order (R41). `None` when the
/// item gives none of them.
pub(crate) fn kinds_to_find(
    on: DedupeOn,
    given: KindSet,
) -> Option<impl Iterator<Item = IdentifierKind>> {
    let mut kinds = [IdentifierKind::ExternalCustomerId]
        .into_iter()
        .chain(on.kinds().iter().copied())
        .filter(move |kind| given.contains(*kind))
        .peekable();
    kinds.peek()?;
    Some(kinds)
}

/// The contact that an upsert's item found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FoundByUpsert {
    pub(crate) contact: ContactId,
    pub(crate) by: IdentifierKind,
    /// Whether its card has an external customer id.
    pub(crate) has_external_id: bool,
}

/// The contact, if any, that keeps an identifier of an upsert's item off the card found, or off a
/// new card (R42). `owner` is the contact that has the identifier.
pub(crate) fn in_the_way(
    found: Option<FoundByUpsert>,
    kind: IdentifierKind,
    owner: Option<ContactId>,
) -> Option<ContactId> {
    let Some(found) = found else {
        return owner;
    };
    let kept = match (kind, owner) {
        (_, Some(owner)) => return (owner != found.contact).then_some(owner),
        // Never replaced: the card has another one, as every card does.
        (IdentifierKind::ContactId, None) => true,
        // The item may mean another person: the card has a different one.
        (IdentifierKind::ExternalCustomerId, None) => {
            found.by != IdentifierKind::ExternalCustomerId && found.has_external_id
        }
        (IdentifierKind::Phone | IdentifierKind::Email, None) => false,
    };
    kept.then_some(found.contact)
}

/// What the store knows of a contact id that names no contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IdHistory {
    /// No contact ever had it.
    New,
    /// An erased contact had it.
    Erased,
}

/// A contact to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Creation {
    /// The id to adopt; otherwise the store assigns one.
    pub(crate) adopt: Option<ContactId>,
    /// The given identifiers that are left out because another contact has them (R17).
    pub(crate) skipped: KindSet,
}

/// Why no contact is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoCreation {
    Unknown,
    Erased(ContactId),
}

/// What to create when no contact was found (R16, R17, R18).
///
/// `unknown_id` is the given contact id, if any, with its history. `taken` are the given kinds
/// whose value another contact has. Under `Cascade` there are none, since each was tried.
pub(crate) fn create(
    option: UnknownContactId,
    unknown_id: Option<(ContactId, IdHistory)>,
    taken: KindSet,
) -> Result<Creation, NoCreation> {
    let adopt = match (unknown_id, option) {
        (None, _) => None,
        (Some(_), UnknownContactId::Reject) => return Err(NoCreation::Unknown),
        (Some((id, IdHistory::Erased)), UnknownContactId::Adopt) => {
            return Err(NoCreation::Erased(id));
        }
        (Some((id, IdHistory::New)), UnknownContactId::Adopt) => Some(id),
    };
    Ok(Creation {
        adopt,
        skipped: taken,
    })
}

/// The right to take a token off a card.
///
/// Adding tokens only ever appends (R20). Taking one off needs this value, and only four things
/// make one: a FAILED report, a move to another owner, the host's order and the end of an app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removal(Cause);

impl Removal {
    /// The host's order (R45).
    pub(crate) fn ordered_by_host() -> Self {
        Removal(Cause::Removed(TokenLoss::Removed))
    }

    /// The host's order, for a token that is stale (R62).
    pub(crate) fn of_stale_token() -> Self {
        Removal(Cause::Removed(TokenLoss::Stale))
    }

    /// The app was disconnected (R11).
    pub(crate) fn of_disconnected_app() -> Self {
        Removal(Cause::AppGone)
    }

    /// What is recorded of it (R60).
    pub(crate) fn cause(self) -> Cause {
        self.0
    }
}

/// The move to another owner (R22).
const MOVE: Removal = Removal(Cause::Removed(TokenLoss::Moved));

/// Where a token goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// It is already on the card and stays in its place (R21).
    AlreadyHeld,
    /// It is appended to the card (R20).
    Append,
    /// It is taken from these contacts, and appended to the card (R22).
    Move {
        from: Vec<ContactId>,
        removal: Removal,
    },
}

/// Where a token held by `holders` goes when it is added to `contact` (R20–R22).
///
/// It is a move even if the contact already held the token beside others, and its place is then
/// new.
pub(crate) fn place(ownership: Ownership, holders: &[ContactId], contact: ContactId) -> Placement {
    let others: Vec<ContactId> = holders
        .iter()
        .copied()
        .filter(|holder| *holder != contact)
        .collect();
    match ownership {
        Ownership::Exclusive if !others.is_empty() => Placement::Move {
            from: others,
            removal: MOVE,
        },
        Ownership::Exclusive | Ownership::Shared if holders.contains(&contact) => {
            Placement::AlreadyHeld
        }
        Ownership::Exclusive | Ownership::Shared => Placement::Append,
    }
}

/// Whether the reason of a FAILED report says that its token is dead for good, usually because the
/// person blocked the bot (R32).
pub(crate) fn is_forbidden(
    reason: Option<&str>,
    without_reason: FailedWithoutReason,
    gone: &GonePhrases,
) -> bool {
    let reason = crate::model::text::trim(reason.unwrap_or_default());
    if reason.is_empty() {
        return without_reason == FailedWithoutReason::Remove;
    }
    if let Some(after) = reason.strip_prefix("403")
        && !after.starts_with(|c: char| c.is_ascii_digit())
    {
        return true;
    }
    let reason = reason.to_ascii_lowercase();
    let holds = |words: &str| holds_words(&reason, &words.to_ascii_lowercase());
    holds("forbidden") || gone.iter().any(holds)
}

/// Whether `words` stand somewhere in `text` and touch no letter, digit or `_` there.
fn holds_words(text: &str, words: &str) -> bool {
    let touches = |c: char| c.is_alphanumeric() || c == '_';
    let mut from = 0;
    while let Some(rest) = text.get(from..) {
        let Some((before, after)) = rest.split_once(words) else {
            return false;
        };
        let place = from.saturating_add(before.len());
        // The character before a match may be in the part already passed.
        let before = text.get(..place).unwrap_or_default();
        if !before.ends_with(touches) && !after.starts_with(touches) {
            return true;
        }
        // Search again from the next character on.
        let passed = text.get(place..).and_then(|rest| rest.chars().next());
        from = place.saturating_add(passed.map_or(1, char::len_utf8));
    }
    false
}

/// Whether a report removes the subscriber it is about (R31).
///
/// The caller has limited both times to the clock of the request. Equal times remove.
pub(crate) fn removes(
    status: Status,
    forbidden: bool,
    reported_at: Timestamp,
    last_registered_at: Timestamp,
) -> Option<Removal> {
    (status == Status::Failed && forbidden && reported_at >= last_registered_at)
        .then_some(Removal(Cause::Removed(TokenLoss::Failed)))
}

/// Whether a subscriber was neither registered nor reported about since `before` (R62).
///
/// The time of its last status is that of its latest report (R34). Equal times are not stale.
pub(crate) fn is_stale(
    last_registered_at: Timestamp,
    last_status: Option<(Status, Timestamp)>,
    before: Timestamp,
) -> bool {
    last_registered_at < before && last_status.is_none_or(|(_, at)| at < before)
}

/// The last status after a report (R34), by the reports' own times, and by arrival if they are
/// equal.
pub(crate) fn last_status(
    last: Option<(Status, Timestamp)>,
    status: Status,
    at: Timestamp,
) -> (Status, Timestamp) {
    match last {
        Some(last) if last.1 > at => last,
        _ => (status, at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fault::FieldError;

    fn ids<const N: usize>(ids: [u64; N]) -> Vec<ContactId> {
        ids.into_iter().flat_map(ContactId::new).collect()
    }

    fn kinds(bits: u8) -> Vec<IdentifierKind> {
        let kinds = IdentifierKind::ALL.iter().copied().enumerate();
        kinds
            .filter(|(place, _)| bits >> place & 1 == 1)
            .map(|(_, kind)| kind)
            .collect()
    }

    #[test]
    fn r14_cascade_tries_every_given_identifier_and_top_priority_the_first() {
        for bits in 0..16 {
            let given = kinds(bits);
            let tried = |policy| -> Vec<IdentifierKind> {
                kinds_to_try(policy, given.iter().copied().collect()).collect()
            };
            assert_eq!(tried(MatchPolicy::Cascade), given);
            let first: Vec<_> = given.iter().take(1).copied().collect();
            assert_eq!(tried(MatchPolicy::TopPriority), first);
        }
    }

    #[test]
    fn r18_which_unknown_ids_are_adopted() -> Result<(), FieldError> {
        use {IdHistory::*, UnknownContactId::*};
        let id = ContactId::new(7)?;
        let rows = [
            (Adopt, None, Ok(None)),
            (Reject, None, Ok(None)),
            (Adopt, Some(New), Ok(Some(id))),
            (Adopt, Some(Erased), Err(NoCreation::Erased(id))),
            (Reject, Some(New), Err(NoCreation::Unknown)),
            (Reject, Some(Erased), Err(NoCreation::Unknown)),
        ];
        // R17: what another contact has is left out, whatever the outcome for the id.
        for skipped in [KindSet::EMPTY, IdentifierKind::Email.into()] {
            for (option, history, expected) in rows {
                let decided = create(option, history.map(|history| (id, history)), skipped);
                let expected = expected.map(|adopt| Creation { adopt, skipped });
                assert_eq!(decided, expected, "{option:?} {history:?}");
            }
        }
        Ok(())
    }

    #[test]
    fn r41_what_finds_the_contact_of_an_item() {
        use IdentifierKind::{ContactId, Email, ExternalCustomerId, Phone};
        let rows: [(DedupeOn, &[IdentifierKind]); 5] = [
            (DedupeOn::ContactId, &[ExternalCustomerId, ContactId]),
            (DedupeOn::ExternalCustomerId, &[ExternalCustomerId]),
            (DedupeOn::Phone, &[ExternalCustomerId, Phone]),
            (DedupeOn::Email, &[ExternalCustomerId, Email]),
            (
                DedupeOn::PhoneThenEmail,
                &[ExternalCustomerId, Phone, Email],
            ),
        ];
        for (on, all) in rows {
            for bits in 0..16 {
                let given: KindSet = kinds(bits).into_iter().collect();
                let found: Vec<_> = kinds_to_find(on, given).into_iter().flatten().collect();
                let expected = all.iter().copied().filter(|kind| given.contains(*kind));
                assert_eq!(found, expected.collect::<Vec<_>>(), "{on:?} {given:?}");
                let none = kinds_to_find(on, given).is_none();
                assert_eq!(none, found.is_empty(), "{on:?} {given:?}");
            }
        }
    }

    #[test]
    fn r42_what_keeps_an_identifier_off_a_card() -> Result<(), FieldError> {
        use IdentifierKind::{ContactId as Id, Email, ExternalCustomerId as External, Phone};
        let (own, other) = (ContactId::new(1)?, ContactId::new(2)?);
        for kind in [Id, External, Phone, Email] {
            // On a new card, any owner is in the way.
            assert_eq!(in_the_way(None, kind, None), None);
            assert_eq!(in_the_way(None, kind, Some(other)), Some(other));
            for (by, has_external_id) in [(External, true), (Phone, true), (Phone, false)] {
                let found = Some(FoundByUpsert {
                    contact: own,
                    by,
                    has_external_id,
                });
                assert_eq!(in_the_way(found, kind, Some(other)), Some(other));
                assert_eq!(in_the_way(found, kind, Some(own)), None);
                // Even if no contact has it, it conflicts with a different one that is never
                // replaced.
                let kept = kind == Id || kind == External && by != External && has_external_id;
                let expected = kept.then_some(own);
                assert_eq!(
                    in_the_way(found, kind, None),
                    expected,
                    "{kind:?} {found:?}"
                );
            }
        }
        Ok(())
    }

    #[test]
    fn r20_r21_r22_where_a_token_goes() -> Result<(), FieldError> {
        use {Ownership::*, Placement::*};
        let contact = ContactId::new(1)?;
        let moved = |from| Move {
            from,
            removal: MOVE,
        };
        let rows = [
            (ids([]), Append, Append),
            (ids([1]), AlreadyHeld, AlreadyHeld),
            (ids([2]), Append, moved(ids([2]))),
            (ids([3, 2]), Append, moved(ids([3, 2]))),
            (ids([2, 1, 3]), AlreadyHeld, moved(ids([2, 3]))),
        ];
        for (holders, shared, exclusive) in rows {
            assert_eq!(place(Shared, &holders, contact), shared, "{holders:?}");
            assert_eq!(
                place(Exclusive, &holders, contact),
                exclusive,
                "{holders:?}"
            );
        }
        Ok(())
    }

    #[test]
    fn r31_what_removes_a_subscriber() {
        let times = [1, 2, 3].map(Timestamp::from_millis);
        for status in [Status::Sent, Status::Failed, Status::Clicked] {
            for forbidden in [false, true] {
                for reported_at in times {
                    for registered_at in times {
                        let removal = removes(status, forbidden, reported_at, registered_at);
                        let expected =
                            status == Status::Failed && forbidden && reported_at >= registered_at;
                        assert_eq!(removal.is_some(), expected);
                    }
                }
            }
        }
    }

    #[test]
    fn r32_which_reasons_mean_forbidden() {
        use FailedWithoutReason::{Keep, Remove};
        let forbidden = [
            "403",
            " 403\u{3000}",
            "403 Forbidden",
            "403x",
            "403: Forbidden: bot was blocked by the user",
            "403 - something",
            "forbidden",
            "FORBIDDEN",
            "\tForbidden: bot was blocked by the user",
            "forbidden\u{301}",
            "not forbidden",
            "[403] Forbidden",
            "ETELEGRAM: 403 Forbidden: the group chat was deleted",
            "Error sending message: [403] Forbidden: whatever",
            "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was blocked\"}",
            "xforbidden, forbiddenx, (forbidden)",
            "forbiddenforbidden forbidden",
            // Gone phrases, as they start.
            "api error: bot was blocked by the user (401)",
            "Bad Request: USER_IS_BLOCKED",
            "input_user_deactivated",
            "user is deactivated",
            "Bot was kicked from the group chat",
            "the bot was  kicked; bot was kicked",
        ];
        let other = [
            "forbiddens",
            "forbiddenß",
            "forbiddenж",
            "жforbidden",
            "forbidden403",
            "forbidden_",
            "_forbidden",
            "CHAT_WRITE_FORBIDDEN",
            "forbidde",
            "orbidden",
            "4033",
            "4030 Forbidde",
            "40",
            "error 403",
            "retry after 403",
            "forbiddeї",
            "їїїїїїї",
            "\u{200B}403",
            "USER_IS_BLOCKED_BY",
            "XUSER_IS_BLOCKED",
            "robot was kicked",
            "bot was blocked",
            "user is deactivatedx",
            "NotRegistered",
            "410",
        ];
        let blank = ["", " ", "\r\n\u{2003}"];
        let gone = GonePhrases::default();
        for option in [Remove, Keep] {
            for reason in forbidden {
                assert!(is_forbidden(Some(reason), option, &gone), "{reason}");
            }
            for reason in other {
                assert!(!is_forbidden(Some(reason), option, &gone), "{reason}");
            }
            for reason in blank.map(Some).into_iter().chain([None]) {
                assert_eq!(is_forbidden(reason, option, &gone), option == Remove);
            }
        }
    }

    #[test]
    fn r32_the_gone_phrases_are_emptied_replaced_and_extended() {
        fn is_forbidden(reason: &str, gone: &GonePhrases) -> bool {
            super::is_forbidden(Some(reason), FailedWithoutReason::Remove, gone)
        }
        let none = GonePhrases::none();
        assert!(!is_forbidden("bot was blocked by the user", &none));
        assert!(is_forbidden(
            "Forbidden: bot was blocked by the user",
            &none
        ));
        // A blank phrase is dropped: every reason would contain it.
        assert!(!is_forbidden(
            "timeout",
            &GonePhrases::none().phrase("").phrase(" \n")
        ));
        let replaced = GonePhrases::none().phrase(" NotRegistered ").phrase("410");
        for reason in [
            "notregistered",
            "Error=NotRegistered",
            "HTTP 410: gone",
            "410",
        ] {
            assert!(is_forbidden(reason, &replaced), "{reason}");
        }
        for reason in ["4100", "user is deactivated", "UNREGISTERED"] {
            assert!(!is_forbidden(reason, &replaced), "{reason}");
        }
        let extended = GonePhrases::default().phrase("не існує");
        assert!(is_forbidden("чат не існує!", &extended));
        assert!(!is_forbidden("не існуєш", &extended));
        assert!(is_forbidden("user is deactivated", &extended));
    }

    #[test]
    fn r34_the_last_status_follows_the_reports_times_and_ties_their_arrival() {
        let at = Timestamp::from_millis;
        let sent = |millis| (Status::Sent, at(millis));
        let after = |last, status, millis| last_status(last, status, at(millis));
        assert_eq!(after(None, Status::Sent, 0), sent(0));
        assert_eq!(
            after(Some((Status::Failed, at(5))), Status::Sent, 6),
            sent(6)
        );
        assert_eq!(
            after(Some((Status::Failed, at(5))), Status::Sent, 5),
            sent(5)
        );
        assert_eq!(after(Some(sent(5)), Status::Clicked, 4), sent(5));
    }
}
