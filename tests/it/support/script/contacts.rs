//! The lines of a script about contact data and recipients.

use contact_store::{
    Address, BatchMode, Card, CardChange, ContactUpdate, ContactUpserted, DedupeOn, GivenRecipient,
    RecipientError, UnknownContactId, Upsert, UpsertMode, ValueChange,
};

use super::{Words, app, millis, show_app_id, show_kind, show_subscriber_id, split, subscriber_id};

/// The request of `phoneThenEmail mode=all : phone=1234567 email=null | ext=c1 first=Ann city:=Kyiv`.
pub fn upsert(words: Words) -> Upsert {
    let [head, items] = words.halves();
    let mut head = Words(head.into());
    let mut request = Upsert::new(DedupeOn::parse(&head.must()).unwrap());
    for (word, value) in head.named() {
        request = match (word.as_str(), value.as_str()) {
            ("at", value) => request.at(millis(value)),
            ("unknown", "adopt") => request.unknown_contact_id(UnknownContactId::Adopt),
            ("unknown", "reject") => request.unknown_contact_id(UnknownContactId::Reject),
            ("only", "update") => request.upsert_mode(UpsertMode::UpdateOnly),
            ("only", "create") => request.upsert_mode(UpsertMode::CreateOnly),
            ("mode", "all") => request.mode(BatchMode::AllOrNothing),
            _ => panic!("{word}={value}?"),
        };
    }
    request.contacts(split(items).map(item))
}

/// `phone=1234567 email=null first=Ann city:=Kyiv`; `-` is an item that names nothing. The name of a
/// custom field ends with a colon.
fn item(mut words: Vec<String>) -> ContactUpdate {
    words.retain(|word| word != "-");
    let mut update = ContactUpdate::new();
    for (word, value) in Words(words.into()).named() {
        let change = match value.as_str() {
            "null" => ValueChange::Remove,
            text => ValueChange::from(text),
        };
        update = match word.as_str() {
            "id" => update.contact_id(value.parse::<i128>().unwrap()),
            "ext" => update.external_customer_id(change),
            "phone" => update.phone(change),
            "email" => update.email(change),
            "first" => update.first_name(change),
            "last" => update.last_name(change),
            "lang" => update.language_code(change),
            "zone" => update.time_zone(change),
            custom => update.field(custom.strip_suffix(':').expect("name:=value"), change),
        };
    }
    update
}

/// `1 created`, `1 by phone updated`.
pub fn show_upserted(upserted: &ContactUpserted) -> String {
    let change = match upserted.card {
        CardChange::Created => "created",
        CardChange::Updated => "updated",
        CardChange::Unchanged => "unchanged",
        other => panic!("{other:?}"),
    };
    let by = upserted
        .matched_by
        .map_or(String::new(), |kind| format!(" by {}", show_kind(kind)));
    format!("{}{by} {change}", upserted.contact)
}

/// ` first="Ann" city:="Kyiv"`.
pub fn show_fields(card: &Card) -> String {
    let fields = &card.fields;
    let named = [
        ("first", &fields.first_name),
        ("last", &fields.last_name),
        ("lang", &fields.language_code),
        ("zone", &fields.time_zone),
    ];
    let named = named
        .into_iter()
        .filter_map(|(name, value)| Some(format!(" {name}={:?}", value.as_ref()?)));
    let custom = fields.custom.iter();
    let custom = custom.map(|(name, value)| format!(" {name}:={value:?}"));
    named.chain(custom).collect()
}

/// What `sub=#1 app=A number=1234567` gives.
pub fn recipient(words: Words) -> GivenRecipient {
    let mut given = GivenRecipient::new();
    for (word, value) in words.named() {
        given = match word.as_str() {
            "sub" => given.subscriber(subscriber_id(&value)),
            "app" => given.app(app(&value)),
            "number" => given.number(value),
            _ => panic!("{word}?"),
        };
    }
    given
}

/// `A:token1 #1 of 1`.
pub fn show_addresses(addresses: &[Address]) -> String {
    let show = |address: &Address| {
        let (app, token) = (show_app_id(address.app), address.token.as_str());
        let subscriber = show_subscriber_id(address.subscriber);
        format!("{app}:{token} {subscriber} of {}", address.contact)
    };
    let shown: Vec<String> = addresses.iter().map(show).collect();
    shown.join(" | ")
}

/// `NoToken 1 A`; otherwise as its `Debug` is.
pub fn show_recipient_error(error: &RecipientError) -> String {
    match error {
        RecipientError::UnknownSubscriber(id) => {
            format!("UnknownSubscriber {}", show_subscriber_id(*id))
        }
        RecipientError::NoToken { contact, app } => {
            format!("NoToken {contact} {}", show_app_id(*app))
        }
        other => format!("{other:?}"),
    }
}
