//! Reading a log of what a host receives, line by line.
//!
//! This module does not know where lines come from, or what happens to them.

use crate::error::{Error, JsonFault};
use crate::limits::{Limits, PAGE_ROWS};
use crate::model::app::{AccessKey, AppId, AppName};
use crate::model::change::ChangePosition;
use crate::model::idempotency_key::IdempotencyKey;
use crate::model::identifier::{ContactId, Identifiers};
use crate::model::report::MessageId;
use crate::model::send_request::SendRequest;
use crate::model::subscriber::SubscriberId;
use crate::model::time::Timestamp;
use crate::operations::add_tokens::AddTokens;
use crate::operations::bring_back::BringBack;
use crate::operations::connect_app::ConnectApp;
use crate::operations::erase::Erase;
use crate::operations::merge::Merge;
use crate::operations::mute::{Mute, Unmute};
use crate::operations::record_reports::RecordReports;
use crate::operations::remove_stale::RemoveStale;
use crate::operations::remove_token::RemoveToken;
use crate::operations::rename_token::RenameToken;
use crate::operations::split::Split;
use crate::operations::upsert::Upsert;

use super::changes::position;
use super::conflicts::{dismiss_conflict_line, pair};
use super::contacts::upsert;
use super::json::{Value, at};
use super::merging::{merge_line, split_line, unmerge_line};
use super::request::{
    bring_back, check_request_size, contact_id, erase, identifiers, member_path, mute,
    remove_stale, remove_token, rename_token, report_entries, required, subscriber_id, timestamp,
    token_entries, unmute, uuid,
};
use super::send::send_request;

/// One line of a log of what a host receives: a write or a read.
///
/// | line | means |
/// | --- | --- |
/// | `{"connectApp": {"appUuid", "name", "key"}}` | [`Line::ConnectApp`]; `name` is required |
/// | `{"disconnectApp": {"appUuid"}}` | [`Line::DisconnectApp`] |
/// | `{"appUuid", "tokens": [...], "at"}` | [`Line::AddTokens`]; `at` is optional |
/// | `{"appUuid", "statuses": [...], "at"}` | [`Line::RecordReports`]; `at` is optional, here and in each report |
/// | `{"contacts": [...], "dedupeOn", "upsertMode", "at"}` | [`Line::Upsert`]; `upsertMode` and `at` are optional |
/// | `{"find": {...}}`, `{"explain": {...}}` | [`Line::Find`], [`Line::Explain`]: any of the four identifiers |
/// | `{"resolve": {...}}` | [`Line::Resolve`]: the request to send a message |
/// | `{"erase": {"contactId", "suppress"}}` | [`Line::Erase`]; `suppress` is optional |
/// | `{"liftSuppression": {...}}` | [`Line::LiftSuppression`]: any of the four identifiers |
/// | `{"merge": {"from", "into"}}` | [`Line::Merge`] |
/// | `{"unmerge": {"contactId"}}` | [`Line::Unmerge`] |
/// | `{"dismissConflict": {"contactIds": [3, 7]}}` | [`Line::DismissConflict`] |
/// | `{"split": {"contactId", "identifiers", "subscriberIds", "at"}}` | [`Line::Split`]; `subscriberIds` and `at` are optional |
/// | `{"removeToken": {"appUuid", "token", "contactId"}}` | [`Line::RemoveToken`]; `contactId` is optional |
/// | `{"renameToken": {"appUuid", "token", "newToken"}}` | [`Line::RenameToken`] |
/// | `{"bringBack": {"appUuid", "token", "at"}}` | [`Line::BringBack`]; `at` is optional |
/// | `{"mute": {"appUuid", "token", "duration", "at"}}` | [`Line::Mute`]; `duration` (seconds) and `at` are optional |
/// | `{"unmute": {"appUuid", "token", "at"}}` | [`Line::Unmute`]; `at` is optional |
/// | `{"listContacts": {"appUuid", "after", "limit"}}` | [`Line::Contacts`]; none is required |
/// | `{"apps": {}}` | [`Line::Apps`] |
/// | `{"subscribers": {"appUuid", "after", "limit"}}` | [`Line::Subscribers`]; only `appUuid` is required |
/// | `{"messages": {"appUuid", "after", "limit"}}` | [`Line::Messages`]; only `appUuid` is required |
/// | `{"changes": {"after", "limit"}}` | [`Line::Changes`]; neither is required |
/// | `{"conflicts": {"after", "limit"}}` | [`Line::Conflicts`]; neither is required |
/// | `{"forgetMessages": {"appUuid", "before"}}` | [`Line::ForgetMessages`] |
/// | `{"removeStale": {"appUuid", "before", "dryRun"}}` | [`Line::RemoveStale`]; `dryRun` is optional |
/// | `{"verify": {}}` | [`Line::Verify`] |
/// | a line that changes the store, and `"idempotencyKey"` beside it | [`Line::Once`] |
///
/// A member that is `null` counts as absent, except `tokens`, `statuses`, `contacts` and the
/// members inside `contacts`. Times are milliseconds since 1970 UTC ([R54](crate::rulebook#r54)).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Line {
    /// Connect an app.
    ConnectApp {
        /// The request.
        request: ConnectApp,
        /// The name in it, which the answer repeats.
        name: AppName,
    },
    /// Disconnect an app.
    DisconnectApp(AppId),
    /// Add tokens.
    AddTokens(AddTokens),
    /// Record delivery reports.
    RecordReports(RecordReports),
    /// Create or update contacts.
    Upsert(Upsert),
    /// Find a contact.
    Find(Identifiers),
    /// Explain which contacts identifiers name.
    Explain(Identifiers),
    /// Resolve the recipient of a message.
    Resolve(SendRequest),
    /// Erase a contact.
    Erase(Erase),
    /// Lift the suppression of identifiers.
    LiftSuppression(Identifiers),
    /// Merge a contact into another.
    Merge(Merge),
    /// Take out a merged contact.
    Unmerge(ContactId),
    /// Split a contact.
    Split(Split),
    /// Dismiss the conflict of two contacts.
    DismissConflict(ContactId, ContactId),
    /// Remove a token from one card, or from all.
    RemoveToken(RemoveToken),
    /// Rename a token.
    RenameToken(RenameToken),
    /// Bring back a token that FAILED removed.
    BringBack(BringBack),
    /// Mute a subscriber.
    Mute(Mute),
    /// Unmute a subscriber.
    Unmute(Unmute),
    /// List contacts: all, or those of an app.
    Contacts {
        /// The app, if only its contacts are listed.
        app: Option<AppId>,
        /// The contact after which the page begins.
        after: Option<ContactId>,
        /// The most rows in the page. Without `limit` in the line, the most that a page may have.
        limit: usize,
    },
    /// List the connected apps.
    Apps,
    /// List subscribers of an app.
    Subscribers {
        /// The app.
        app: AppId,
        /// The subscriber after which the page begins.
        after: Option<SubscriberId>,
        /// The most rows in the page. Without `limit` in the line, the most that a page may have.
        limit: usize,
    },
    /// List message tallies of an app.
    Messages {
        /// The app.
        app: AppId,
        /// The message after which the page begins.
        after: Option<MessageId>,
        /// The most rows in the page. Without `limit` in the line, the most that a page may have.
        limit: usize,
    },
    /// List changes.
    Changes {
        /// The position after which the page begins. Without `after` in the line, the start.
        after: ChangePosition,
        /// The most changes in the page. Without `limit` in the line, the most that a page may have.
        limit: usize,
    },
    /// List conflicts.
    Conflicts {
        /// The pair after which the page begins.
        after: Option<(ContactId, ContactId)>,
        /// The most conflicts in the page. Without `limit` in the line, the most that a page may have.
        limit: usize,
    },
    /// Forget the message tallies of an app whose latest report is older than a time.
    ForgetMessages {
        /// The app.
        app: AppId,
        /// The time.
        before: Timestamp,
    },
    /// Remove the stale subscribers of an app, or count them.
    RemoveStale(RemoveStale),
    /// Verify the store.
    Verify,
    /// Change the store under an idempotency key ([R64](crate::rulebook#r64)):
    /// [`ContactStore::once`](crate::ContactStore::once).
    Once {
        /// The key.
        key: IdempotencyKey,
        /// What is done once. It is no other `Once`, and does not only read.
        line: Box<Line>,
    },
}

const KEY: &str = "idempotencyKey";
const MEMBERS: [&str; 33] = [
    KEY,
    "appUuid",
    "at",
    "dedupeOn",
    "upsertMode",
    "tokens",
    "statuses",
    "contacts",
    "connectApp",
    "disconnectApp",
    "find",
    "explain",
    "resolve",
    "erase",
    "liftSuppression",
    "merge",
    "unmerge",
    "split",
    "dismissConflict",
    "removeToken",
    "renameToken",
    "bringBack",
    "mute",
    "unmute",
    "listContacts",
    "apps",
    "subscribers",
    "messages",
    "changes",
    "conflicts",
    "forgetMessages",
    "removeStale",
    "verify",
];

const ONE_KIND: JsonFault = JsonFault::NotOneOf {
    expected: "one of tokens, statuses, contacts, connectApp, disconnectApp, find, explain, resolve, \
               erase, liftSuppression, merge, unmerge, split, dismissConflict, removeToken, renameToken, bringBack, mute, unmute, listContacts, apps, subscribers, messages, changes, conflicts, forgetMessages, removeStale and verify",
};

impl Line {
    /// Reads a line.
    ///
    /// A log may begin with a byte order mark. It is not part of the first line: skip it before
    /// calling this.
    ///
    /// An entry of `tokens`, `statuses` or `contacts` that is not of the published form is kept,
    /// and refused when the request is decided ([R55](crate::rulebook#r55)).
    ///
    /// # Errors
    ///
    /// [`Error::LimitExceeded`] when the line has more bytes or more entries than a request may
    /// have; [`Error::Json`] when it has none of the forms above; [`Error::Field`] when a value is
    /// invalid.
    pub fn parse(line: &[u8], limits: &Limits) -> Result<Self, Error> {
        check_request_size(line.len() as u64, limits)?;
        let members = Value::parse(line).and_then(|value| value.members(&MEMBERS));
        let [key, app, time, dedupe_on, upsert_mode, kinds @ ..] = members.map_err(at(""))?;
        let mut present = MEMBERS
            .into_iter()
            .skip(5)
            .zip(kinds)
            .filter_map(|(name, value)| Some((name, value?)));
        let (Some((name, value)), None) = (present.next(), present.next()) else {
            return Err(at("")(ONE_KIND).into());
        };
        // The members allowed beside a published body.
        let beside: &[&str] = match name {
            "tokens" | "statuses" => &["appUuid", "at"],
            "contacts" => &["dedupeOn", "upsertMode", "at"],
            _ => &[],
        };
        for (outer, value) in [
            ("appUuid", app),
            ("at", time),
            ("dedupeOn", dedupe_on),
            ("upsertMode", upsert_mode),
        ] {
            if value.is_some() && !beside.contains(&outer) {
                return Err(at("")(JsonFault::Unknown(outer.to_owned())).into());
            }
        }
        let line = match name {
            "tokens" => Self::add_tokens(value, app, time, limits),
            "statuses" => Self::record_reports(value, app, time, limits),
            "contacts" => Self::upsert(value, [dedupe_on, upsert_mode], time, limits),
            "connectApp" => Self::connect_app(value),
            "disconnectApp" => Self::disconnect_app(value),
            "find" => identifiers(value, "find").map(Line::Find),
            "explain" => identifiers(value, "explain").map(Line::Explain),
            "resolve" => send_request(value, "resolve", limits).map(Line::Resolve),
            "erase" => Self::erase(value),
            "liftSuppression" => identifiers(value, "liftSuppression").map(Line::LiftSuppression),
            "merge" => merge_line(value).map(Line::Merge),
            "unmerge" => unmerge_line(value).map(Line::Unmerge),
            "split" => split_line(value, limits).map(Line::Split),
            "dismissConflict" => {
                dismiss_conflict_line(value).map(|(one, other)| Line::DismissConflict(one, other))
            }
            "removeToken" => Self::remove_token(value),
            "renameToken" => Self::rename_token(value),
            "bringBack" => Self::bring_back(value),
            "mute" => Self::mute(value),
            "unmute" => Self::unmute(value),
            "listContacts" => Self::contacts(value),
            "apps" => nothing_in(value, "apps").map(|()| Line::Apps),
            "subscribers" => Self::subscribers(value),
            "messages" => Self::messages(value),
            "changes" => Self::changes(value),
            "conflicts" => Self::conflicts(value),
            "forgetMessages" => Self::forget_messages(value),
            "removeStale" => Self::remove_stale(value),
            "verify" => nothing_in(value, "verify").map(|()| Line::Verify),
            _ => Err(at("")(ONE_KIND).into()),
        }?;
        match key {
            None => Ok(line),
            Some(_) if line.only_reads() => Err(at("")(JsonFault::Unknown(KEY.to_owned())).into()),
            Some(key) => line.once(key),
        }
    }

    fn once(self, key: Value<'_>) -> Result<Self, Error> {
        let Some(key) = key.given() else {
            return Ok(self);
        };
        Ok(Line::Once {
            key: IdempotencyKey::parse(key.text().map_err(at(KEY))?)?,
            line: Box::new(self),
        })
    }

    /// Whether it changes nothing, however often it is done.
    fn only_reads(&self) -> bool {
        match self {
            Line::Find(_)
            | Line::Explain(_)
            | Line::Resolve(_)
            | Line::Contacts { .. }
            | Line::Apps
            | Line::Subscribers { .. }
            | Line::Messages { .. }
            | Line::Changes { .. }
            | Line::Conflicts { .. }
            | Line::Verify => true,
            Line::ConnectApp { .. }
            | Line::DisconnectApp(_)
            | Line::AddTokens(_)
            | Line::RecordReports(_)
            | Line::Upsert(_)
            | Line::Erase(_)
            | Line::LiftSuppression(_)
            | Line::Merge(_)
            | Line::Unmerge(_)
            | Line::Split(_)
            | Line::DismissConflict(..)
            | Line::RemoveToken(_)
            | Line::RenameToken(_)
            | Line::BringBack(_)
            | Line::Mute(_)
            | Line::Unmute(_)
            | Line::ForgetMessages { .. }
            | Line::RemoveStale(_)
            | Line::Once { .. } => false,
        }
    }

    fn add_tokens(
        value: Value<'_>,
        app: Option<Value<'_>>,
        time: Option<Value<'_>>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let request = AddTokens::new(app_uuid(app, "")?);
        let time = made_at(time, "at")?;
        let request = request.entries(token_entries(value, limits)?);
        Ok(Line::AddTokens(match time {
            Some(time) => request.at(time),
            None => request,
        }))
    }

    fn record_reports(
        value: Value<'_>,
        app: Option<Value<'_>>,
        time: Option<Value<'_>>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let request = RecordReports::new(app_uuid(app, "")?);
        let time = made_at(time, "at")?;
        let request = request.reports(report_entries(value, limits)?);
        Ok(Line::RecordReports(match time {
            Some(time) => request.at(time),
            None => request,
        }))
    }

    fn upsert(
        value: Value<'_>,
        [dedupe_on, upsert_mode]: [Option<Value<'_>>; 2],
        time: Option<Value<'_>>,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let time = made_at(time, "at")?;
        let request = upsert(value, dedupe_on, upsert_mode, limits)?;
        Ok(Line::Upsert(match time {
            Some(time) => request.at(time),
            None => request,
        }))
    }

    fn connect_app(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "connectApp";
        let members = value.members(&["appUuid", "name", "key"]);
        let [app, name, key] = members.map_err(at(PATH))?;
        let app = app.and_then(Value::given);
        let app = app.map(|app| app_uuid(Some(app), PATH)).transpose()?;
        let name = required(name, PATH, "name")?.text();
        let name = AppName::parse(name.map_err(at("connectApp.name"))?)?;
        let mut request = ConnectApp::new(name.clone());
        if let Some(app) = app {
            request = request.id(app);
        }
        if let Some(key) = key.and_then(Value::given) {
            let key = key.text().map_err(at("connectApp.key"))?;
            request = request.key(AccessKey::parse(key)?);
        }
        Ok(Line::ConnectApp { request, name })
    }

    fn remove_token(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "removeToken";
        let members = value.members(&["appUuid", "token", "contactId"]);
        let [app, token, contact] = members.map_err(at(PATH))?;
        remove_token(app_uuid(app, PATH)?, token, contact, PATH).map(Line::RemoveToken)
    }

    fn rename_token(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "renameToken";
        let members = value.members(&["appUuid", "token", "newToken"]);
        let [app, old, new] = members.map_err(at(PATH))?;
        rename_token(app_uuid(app, PATH)?, old, new, PATH).map(Line::RenameToken)
    }

    fn mute(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "mute";
        let members = value.members(&["appUuid", "token", "duration", "at"]);
        let [app, token, duration, time] = members.map_err(at(PATH))?;
        let request = mute(app_uuid(app, PATH)?, token, duration, PATH)?;
        Ok(Line::Mute(match made_at(time, "mute.at")? {
            Some(time) => request.at(time),
            None => request,
        }))
    }

    fn bring_back(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "bringBack";
        let members = value.members(&["appUuid", "token", "at"]);
        let [app, token, time] = members.map_err(at(PATH))?;
        let request = bring_back(app_uuid(app, PATH)?, token, PATH)?;
        Ok(Line::BringBack(match made_at(time, "bringBack.at")? {
            Some(time) => request.at(time),
            None => request,
        }))
    }

    fn unmute(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "unmute";
        let members = value.members(&["appUuid", "token", "at"]);
        let [app, token, time] = members.map_err(at(PATH))?;
        let request = unmute(app_uuid(app, PATH)?, token, PATH)?;
        Ok(Line::Unmute(match made_at(time, "unmute.at")? {
            Some(time) => request.at(time),
            None => request,
        }))
    }

    fn contacts(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "listContacts";
        let [app, after, limit] = value.members(&PAGE).map_err(at(PATH))?;
        let app = app.and_then(Value::given);
        let after = after.and_then(Value::given);
        Ok(Line::Contacts {
            app: app.map(|app| app_uuid(Some(app), PATH)).transpose()?,
            after: after
                .map(|after| contact_id(after, "listContacts.after"))
                .transpose()?,
            limit: page_rows(limit, "listContacts.limit")?,
        })
    }

    fn subscribers(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "subscribers";
        let [app, after, limit] = value.members(&PAGE).map_err(at(PATH))?;
        let app = app_uuid(app, PATH)?;
        let after = after.and_then(Value::given).map(subscriber_id).transpose();
        Ok(Line::Subscribers {
            app,
            after: after.map_err(at("subscribers.after"))?,
            limit: page_rows(limit, "subscribers.limit")?,
        })
    }

    fn messages(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "messages";
        let [app, after, limit] = value.members(&PAGE).map_err(at(PATH))?;
        let app = app_uuid(app, PATH)?;
        let after = after.and_then(Value::given).map(Value::text).transpose();
        let after = after.map_err(at("messages.after"))?;
        Ok(Line::Messages {
            app,
            after: after.map(MessageId::parse).transpose()?,
            limit: page_rows(limit, "messages.limit")?,
        })
    }

    fn changes(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "changes";
        let [after, limit] = value.members(&["after", "limit"]).map_err(at(PATH))?;
        let after = after.and_then(Value::given);
        let after = after.map(|after| position(after, "changes.after"));
        Ok(Line::Changes {
            after: after.transpose()?.unwrap_or(ChangePosition::START),
            limit: page_rows(limit, "changes.limit")?,
        })
    }

    fn conflicts(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "conflicts";
        let [after, limit] = value.members(&["after", "limit"]).map_err(at(PATH))?;
        let after = after.and_then(Value::given);
        let after = after.map(|after| pair(after, "conflicts.after"));
        Ok(Line::Conflicts {
            after: after.transpose()?,
            limit: page_rows(limit, "conflicts.limit")?,
        })
    }

    fn disconnect_app(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "disconnectApp";
        let [app] = value.members(&["appUuid"]).map_err(at(PATH))?;
        app_uuid(app, PATH).map(Line::DisconnectApp)
    }

    fn erase(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "erase";
        let members = value.members(&["contactId", "suppress"]);
        let [contact, suppress] = members.map_err(at(PATH))?;
        let contact = required(contact, PATH, "contactId")?;
        let contact = contact_id(contact, "erase.contactId")?;
        erase(contact, suppress, PATH).map(Line::Erase)
    }

    fn forget_messages(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "forgetMessages";
        let members = value.members(&["appUuid", "before"]);
        let [app, before] = members.map_err(at(PATH))?;
        let app = app_uuid(app, PATH)?;
        let before = timestamp(required(before, PATH, "before")?);
        let before = before.map_err(at("forgetMessages.before"))?;
        Ok(Line::ForgetMessages { app, before })
    }

    fn remove_stale(value: Value<'_>) -> Result<Self, Error> {
        const PATH: &str = "removeStale";
        let members = value.members(&["appUuid", "before", "dryRun"]);
        let [app, before, dry_run] = members.map_err(at(PATH))?;
        remove_stale(app_uuid(app, PATH)?, before, dry_run, PATH).map(Line::RemoveStale)
    }
}

fn nothing_in(value: Value<'_>, path: &str) -> Result<(), Error> {
    let [] = value.members(&[]).map_err(at(path))?;
    Ok(())
}

const PAGE: [&str; 3] = ["appUuid", "after", "limit"];

fn made_at(value: Option<Value<'_>>, path: &str) -> Result<Option<Timestamp>, Error> {
    let time = value.and_then(Value::given).map(timestamp).transpose();
    Ok(time.map_err(at(path))?)
}

fn app_uuid(value: Option<Value<'_>>, path: &str) -> Result<AppId, Error> {
    let id = uuid(required(value, path, "appUuid")?);
    Ok(id.map_err(|fault| at(member_path(path, "appUuid"))(fault))?)
}

fn page_rows(value: Option<Value<'_>>, path: &str) -> Result<usize, Error> {
    let Some(value) = value.and_then(Value::given) else {
        return Ok(PAGE_ROWS);
    };
    let rows = value.count().map_err(at(path))?;
    // A number too large for `usize` is also too large for a page.
    Ok(usize::try_from(rows).unwrap_or(usize::MAX))
}
