//! Connecting and disconnecting apps (R11).

use crate::error::Error;
use crate::limits::{Limit, LimitExceeded};
use crate::model::app::{AccessKey, AppId, AppName, AppNumber};
use crate::model::time::Timestamp;
use crate::operations::described::{Described, Description};
use crate::operations::holding;
use crate::operations::operation::{Operation, Size, Step};
use crate::rules::Removal;
use crate::stats::{OperationKind, Tally};
use crate::storage::{
    AppPhase, AppRow, AppTallyRow, Draft, Failure, Rows as _, messages_after, subscribers_after,
};

/// A request to connect an app, or to change the name or key of a connected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectApp {
    id: Option<AppId>,
    name: AppName,
    key: Option<AccessKey>,
}

impl ConnectApp {
    /// Makes a request for an app with this name.
    ///
    /// Without an [`id`](Self::id) the store makes one (UUID v4), so each such request connects
    /// another app. A host that connects its bot at each start must set the id.
    #[must_use]
    pub fn new(name: AppName) -> Self {
        ConnectApp {
            id: None,
            name,
            key: None,
        }
    }

    /// Sets the id.
    #[must_use]
    pub fn id(mut self, id: AppId) -> Self {
        self.id = Some(id);
        self
    }

    /// Sets the access key. Without one, a connected app keeps the key that it has.
    #[must_use]
    pub fn key(mut self, key: AccessKey) -> Self {
        self.key = Some(key);
        self
    }

    pub(crate) fn prepare(self, at: Timestamp) -> PreparedConnectApp {
        PreparedConnectApp {
            id: self.id.unwrap_or_else(AppId::random),
            name: self.name,
            key: self.key,
            at,
        }
    }
}

/// A request to connect an app, with its id and time set.
#[derive(Clone)]
pub(crate) struct PreparedConnectApp {
    id: AppId,
    name: AppName,
    key: Option<AccessKey>,
    at: Timestamp,
}

impl Described for ConnectApp {
    fn describe(&self, to: &mut Description) {
        let ConnectApp { id, name, key } = self;
        to.parts(&[id, name, key]);
    }
}

impl Described for DisconnectApp {
    fn describe(&self, to: &mut Description) {
        let DisconnectApp(app) = self;
        app.describe(to);
    }
}

impl Operation for PreparedConnectApp {
    type Outcome = AppId;

    const KIND: OperationKind = OperationKind::ConnectApp;

    fn size(&self) -> Size {
        let key_bytes = self.key.as_ref().map_or(0, |key| key.reveal().len());
        Size::one(self.name.as_str().len().saturating_add(key_bytes))
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<AppId>, Error> {
        let before: Option<AppRow> = draft.row(&self.id)?;
        let after = match before.clone() {
            Some(app) => AppRow {
                name: self.name.clone(),
                key: self.key.clone().or(app.key),
                ..app
            },
            None => {
                let number = draft.state.take_app();
                LimitExceeded::check_count(Limit::AppConnections, number.0, AppNumber::MOST)?;
                let tally = AppTallyRow {
                    app: self.id,
                    phase: AppPhase::Connected,
                    subscriber_ids: 0,
                    subscribers: 0,
                    contacts: 0,
                    removed_by_failed: 0,
                    removed_by_host: 0,
                };
                draft.put_tally(number, tally);
                AppRow {
                    number,
                    name: self.name.clone(),
                    key: self.key.clone(),
                    connected_at: self.at,
                }
            }
        };
        draft.write_app(self.id, before.as_ref(), Some(&after))?;
        Ok(Step::Done(self.id))
    }

    fn count(_: &AppId, _: &mut Tally) {}
}

/// A request to disconnect an app.
#[derive(Clone)]
pub(crate) struct DisconnectApp(pub(crate) AppId);

/// The records of tokens removed by FAILED that are removed with the app. The rest is swept.
const REMEMBERED_AT_ONCE: usize = 1_000;

impl Operation for DisconnectApp {
    type Outcome = ();

    const KIND: OperationKind = OperationKind::DisconnectApp;

    fn size(&self) -> Size {
        Size::one(0)
    }

    fn decide(&mut self, draft: &mut Draft<'_>) -> Result<Step<()>, Error> {
        let app: AppRow = draft.row(&self.0)?.ok_or(Error::UnknownApp(self.0))?;
        draft.write_app(self.0, Some(&app), None)?;
        draft.change_tally(app.number, |tally| {
            tally.phase = AppPhase::Leaving;
            Ok(())
        })?;
        // They take room that others need, and nobody sees whether they are there (R63).
        draft.remove_blocked_of(app.number, REMEMBERED_AT_ONCE)?;
        Ok(Step::Done(()))
    }

    fn count((): &(), _: &mut Tally) {}
}

/// Removes a bounded part of what a disconnected app left. No reader sees any of it, so this takes
/// no sequence number.
pub(crate) fn sweep(draft: &mut Draft<'_>, app: AppNumber) -> Result<(), Failure> {
    /// Cards, or rows without a card, in one step. Such a commit takes some tens of milliseconds.
    const STEP: usize = 1_000;
    let mut left = STEP;
    for (id, row) in subscribers_after(draft, app, None, STEP, |id, row| (id, row))? {
        holding::remove_subscriber(draft, (id, &row), Removal::of_disconnected_app())?;
        left = left.saturating_sub(row.holders.len().max(1));
        if left == 0 {
            return Ok(());
        }
    }
    for (key, _) in messages_after(draft, app, None, left)? {
        draft.write_message(&key, None)?;
        left = left.saturating_sub(1);
    }
    left = left.saturating_sub(draft.remove_blocked_of(app, left)?);
    if left > 0 {
        draft.change_tally(app, |tally| {
            tally.phase = AppPhase::Gone;
            Ok(())
        })?;
    }
    Ok(())
}
