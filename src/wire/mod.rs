//! The published JSON: requests read, answers written.
//!
//! The other types of this crate know nothing of JSON. A reading function turns bytes into a
//! request. A writing function turns an answer of the store into a value for any `serde`
//! serializer:
//!
//! ```
//! # use contact_store::{AppId, AppName, ConnectApp, ContactStore, Limits, Options, wire};
//! # let store = ContactStore::open_in_memory(Options::default())?;
//! # let app = AppId::parse("6f1c3f6e-5a54-4d2b-9d0c-0a1b2c3d4e5f")?;
//! # store.connect_app(ConnectApp::new(AppName::parse("Shop")?).id(app)).wait()?;
//! let body = br#"{"tokens": [{"token": 500001, "phone": "+380 50 000 00 01"}]}"#;
//! let request = wire::parse_add_tokens(app, body, &Limits::default())?;
//! let answer = store.add_tokens(request).wait()?;
//! assert_eq!(
//!     serde_json::to_string(&wire::tokens_added(&answer.outcome))?,
//!     r#"{"results":[{"contactId":1,"contact":"created","token":"added","subscriberId":"1099511627777"}]}"#,
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is taken
//!
//! - Bodies are UTF-8, within the limit on the text of one request. A byte order mark before the
//!   first byte is skipped.
//! - An error inside one entry of `tokens`, `statuses` or `contacts` refuses that entry alone. An
//!   error outside entries refuses the request ([R55](crate::rulebook#r55)), and so does text that
//!   is not JSON at all.
//! - `token`, `externalCustomerId`, `phone`, `number` and `reason`: a string, or an integer from
//!   -2^63 to 2^64-1, which counts as its decimal text (`-0` as `0`). Any other number is a wrong
//!   type. The value of a custom field may also be `true` or `false`, which count as these words
//!   ([R43](crate::rulebook#r43)).
//! - `contactId`: an integer, or a string of decimal digits. `subscriberId`: a string. In answers
//!   `contactId` is an integer up to 2^63-1, as published. A reader whose numbers are doubles, such
//!   as `JSON.parse`, must read it as a big integer, or it will confuse ids above 2^53.
//! - `at` and `before`: an integer from 10^11 to 2^64-1, in milliseconds since 1970 UTC. A smaller
//!   one is refused, since it must be in seconds ([R54](crate::rulebook#r54)).
//! - A member that is `null` counts as absent, except in an item of `contacts`, where it removes a
//!   value from the card ([R42](crate::rulebook#r42)). An identifier that is empty or only white
//!   space counts as absent everywhere ([R1](crate::rulebook#r1)). An unknown or repeated member is
//!   an error.
//! - An identifier of a wrong type refuses its entry, even where invalid identifiers are ignored
//!   ([R13](crate::rulebook#r13)).
//!
//! # Errors
//!
//! The error of a request is `{"error": {"code", "message", ...}}`, and so is the error of one
//! entry in its place among the `results`. It contains no text of the JSON parser and no value of
//! the request ([R52](crate::rulebook#r52)). Besides `code` and `message` it has the members that
//! apply: `field`, the field whose value is invalid; `path`, the path of members to what is not of
//! the published form; `limit`, `actual` and `most`; `kind`; `contactId`; `sequence`; `oldest`; `entry` and
//! `cause`; `line`.
//!
//! # Codes
//!
//! | `code` | of | means |
//! | --- | --- | --- |
//! | `syntax`, `notUtf8`, `byteOrderMark` | request | the text is not JSON |
//! | `wrongType`, `missingMember`, `repeatedMember`, `unknownMember`, `notOneOf` | request, entry | the JSON is not of the published form |
//! | `secondsNotMilliseconds` | request, entry | a time below 10^11 ([R54](crate::rulebook#r54)) |
//! | `loneSurrogate` | request, entry | a string with one half of a surrogate pair |
//! | `blank`, `tooLong`, `forbiddenCharacter` | request, entry | an invalid text; `field` says which |
//! | `placeholder` | entry | a placeholder for a missing value ([R3](crate::rulebook#r3)); `field` says where |
//! | `contactIdOutOfRange` | request, entry | an invalid `contactId` ([R2](crate::rulebook#r2)) |
//! | `notADigit`, `misplacedPlus`, `digitCount`, `leadingZero`, `ambiguousZero`, `ambiguousMark` | request, entry | an invalid `phone` ([R4](crate::rulebook#r4)) |
//! | `noAtSign`, `localPartLength`, `localPartWhiteSpace`, `notOneAddress`, `domainLength`, `domainLabel`, `nonAsciiDomain`, `idna` | request, entry | an invalid `email` ([R5](crate::rulebook#r5)) |
//! | `notAUuid`, `notASubscriberId`, `notAChangePosition` | | text that a host passes to `parse` is not an id or a position; in a request they are `notOneOf` |
//! | `noIdentifier` | entry, request | no identifier is given ([R13](crate::rulebook#r13)), or none to split off ([R58](crate::rulebook#r58)) |
//! | `unknownContactId`, `contactIdErased` | entry | the contact id cannot be adopted ([R18](crate::rulebook#r18)) |
//! | `oneOfTokenAndSubscriber` | entry | a report names both or neither ([R36](crate::rulebook#r36)) |
//! | `nothingToFindBy` | entry | an item of an upsert has no identifier that could find its contact ([R41](crate::rulebook#r41)) |
//! | `contactNotFound`, `contactExists` | entry | an item of an upsert that may only update, or only create ([R41](crate::rulebook#r41)) |
//! | `conflict` | entry | an identifier cannot go on the card; `kind` names it, and `contactId` the contact that it conflicts with ([R42](crate::rulebook#r42)) |
//! | `suppressed` | entry | an identifier of an erased contact is suppressed; `kind` names it ([R65](crate::rulebook#r65)) |
//! | `noRecipient`, `appWithoutNumber`, `numberWithoutApp` | request | no recipient is given ([R39](crate::rulebook#r39)) |
//! | `unknownSubscriber`, `unknownContact`, `noToken` | request | the recipient cannot be reached ([R39](crate::rulebook#r39)); there is no such contact ([R58](crate::rulebook#r58)) |
//! | `erasedContact`, `mergeIntoItself`, `notMerged`, `noSuchIdentifier`, `notHeld` | request | contacts cannot be merged, unmerged or split as asked ([R58](crate::rulebook#r58)); `contactId` and `kind` say where |
//! | `limitExceeded` | request, entry | over a limit; `limit` says which |
//! | `contactIdsExhausted` | entry, request | no contact id is left |
//! | `unknownApp` | request | the app is not connected ([R11](crate::rulebook#r11)) |
//! | `nothingGiven` | request | a look-up without any identifier ([R26](crate::rulebook#r26)) |
//! | `entryRefused` | request | one refused entry refuses the request ([R23](crate::rulebook#r23)); `entry` and `cause` say which and why |
//! | `busy` | request | too many requests wait |
//! | `panicked` | request | a bug in this crate; nothing was written ([R48](crate::rulebook#r48)) |
//! | `indeterminate` | request | the commit failed; the request is in the store when `sequence` is reached ([R49](crate::rulebook#r49)) |
//! | `fileMoved` | request | the file is no longer at its path ([R69](crate::rulebook#r69)) |
//! | `readOnly` | request | a write to a store that is open for reading only ([R68](crate::rulebook#r68)) |
//! | `changesNotKept`, `changesAhead` | request | the changes after the position are not all kept, `oldest` is the oldest position whose are; or the position is after the newest request, which `sequence` names ([R60](crate::rulebook#r60)) |
//! | `idempotencyKeyReused`, `answersNotKept` | request | another request was made under the idempotency key; the store keeps no answers ([R64](crate::rulebook#r64)) |
//! | `needsReopen`, `closed`, `snapshotExpired`, `answerTaken`, `closeIncomplete` | request | the store's state |
//! | `io`, `corrupt`, `storageStopped`, `storagePanicked` | request | reading failed |
//! | `databaseUnreachable`, `databaseReadOnly`, `databaseContended`, `noDatabaseConnection`, `databaseFull`, `databaseRefused`, `databaseTls`, `databaseStatement` | request, opening | the database of a store in PostgreSQL did not do what it was asked; nothing was written |
//! | `databaseUrl`, `databaseRootCertificate`, `databaseEncoding`, `databaseIsolation`, `synchronousCommitOff`, `notOurSchema`, `newerSchema`, `oldSchema` | opening | the database is not one that a store can be in |
//! | `copyAlreadyExists`, `copyNotAFile`, `storeInNoFile`, `copyAlreadyRunning`, `copyCancelled`, `copyFailed` | backup, vacuum | the copy could not be made ([R66](crate::rulebook#r66), [R67](crate::rulebook#r67)) |
//! | `notFound`, `alreadyExists`, `alreadyOpen`, `symbolicLink`, `notAFile`, `emptyFile`, `halfCreated`, `foreignFile`, `oldFormat`, `newerFormat`, `otherCanonicalForms`, `damaged`, `limitTooHigh`, `limitZero`, `noThread`, `noRandomBytes` | opening | the store cannot be opened ([R50](crate::rulebook#r50), [R51](crate::rulebook#r51)) |

mod answer;
mod card;
mod changes;
mod conflicts;
mod contacts;
mod endpoint;
#[cfg(feature = "transfer")]
pub(crate) mod exported;
mod fault;
mod json;
mod line;
mod merging;
mod request;
mod send;

pub use answer::{
    app, app_connected, app_disconnected, apps, card, contact_found, contact_page,
    contact_upserted, contacts, contacts_upserted, erased, explanation, message, messages,
    messages_forgotten, recipients, report_recorded, reports_recorded, stale_removed, subscriber,
    subscribers, suppression_lifted, token_added, token_brought_back, token_muted, token_removed,
    token_renamed, token_unmuted, tokens_added, verified,
};
pub use card::parse_card;
pub use changes::{ChangesQuestion, change, changes, parse_changes_page};
pub use conflicts::{
    conflict, conflict_dismissed, conflicts, parse_conflicts_page, parse_dismiss_conflict,
};
pub use contacts::parse_upsert;
#[cfg(feature = "transfer")]
pub(crate) use contacts::{custom_fields, set_custom_fields};
pub use endpoint::{
    host_error, parse_app_id, parse_bring_back, parse_connect_app, parse_contact_id,
    parse_contacts_page, parse_erase, parse_find, parse_forget_messages, parse_messages_page,
    parse_mute, parse_no_members, parse_remove_stale, parse_remove_token, parse_rename_token,
    parse_subscribers_page, parse_unmute,
};
pub use fault::{code, entry_code, entry_error, error, error_at_line};
pub use line::Line;
pub use merging::{
    merged, merged_contacts, parse_merge, parse_split, parse_unmerge, split_off, unmerged,
};
pub use request::{check_request_size, parse_add_tokens, parse_identifiers, parse_reports};
pub use send::parse_send_request;
