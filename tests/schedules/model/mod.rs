//! The values that errors name.

#[path = "../../../src/model/sequence.rs"]
pub(crate) mod sequence;

pub(crate) mod app {
    pub(crate) use contact_store::AppId;
}
pub(crate) mod change {
    pub(crate) use contact_store::ChangePosition;
}
pub(crate) mod fault {
    pub(crate) use contact_store::FieldError;
}
pub(crate) mod identifier {
    pub(crate) use contact_store::{ContactId, IdentifierKind};
}
pub(crate) mod recipient {
    pub(crate) use contact_store::RecipientError;
}
pub(crate) mod time {
    pub(crate) use contact_store::Timestamp;
}
pub(crate) mod subscriber {
    pub(crate) use contact_store::SubscriberId;
}
