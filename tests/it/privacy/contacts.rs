//! Contact data and recipients: their values, and every error about them.

use contact_store::{
    Address, Auth, BatchMode, BringBack, Button, ContactUpdate, DedupeOn, EntryError, Erase, Error,
    Field, FieldError, GivenRecipient, Identifiers, LeftOut, Mute, Phone, Recipient,
    RecipientError, Resolve, SendRequest, SubscriberId, Unmute, Upsert, UpsertMode, ValueChange,
    wire,
};

use super::shown::{PHONE, Shown, WORD};
use super::{email, external_id, fill, phone, token};
use crate::support::{APP, OTHER_APP, id, options, store};

fn update() -> ContactUpdate {
    ContactUpdate::new()
        .external_customer_id(external_id())
        .phone(phone())
        .email(email())
        .first_name(WORD)
        .last_name(WORD)
        .language_code(WORD)
        .time_zone(WORD)
        .field(WORD, WORD)
}

/// What is handed in, and what comes of it.
pub fn values(shown: &mut Shown) {
    let (store, _) = store();
    fill(&store);
    shown.value(&update());
    // A phone in the place of a contact id.
    shown.value(&update().contact_id(PHONE));
    shown.value(&ValueChange::from(WORD));
    shown.value(&DedupeOn::Phone);
    let request = Upsert::new(DedupeOn::Phone).contact(update());
    shown.value(&request);
    let upserted = store.upsert(request).wait().unwrap();
    shown.value(&upserted);
    let item = upserted.outcome[0].as_ref().unwrap();
    shown.value(item);
    shown.value(&item.card);
    shown.json(&wire::contacts_upserted(&upserted.outcome));
    let now = store.snapshot().unwrap();
    let card = now.contact(id(1)).unwrap().unwrap();
    assert_eq!(card.fields.first_name.as_deref(), Some(WORD));
    shown.value(&card);
    shown.value(&card.fields);

    let given = GivenRecipient::new().app(APP).number(phone());
    shown.value(&given);
    let recipient = given.parse().unwrap();
    shown.value(&recipient);
    let request = Resolve::new(recipient);
    shown.value(&request);
    let resolved = now.resolve(request).unwrap();
    shown.value(&resolved);
    let address: &Address = &resolved.addresses[0];
    shown.value(address);
    let mute = Mute::new(APP, address.token.clone());
    shown.value(&mute);
    let muted = store.mute(mute).wait().unwrap();
    shown.value(&muted.outcome);
    shown.json(&wire::token_muted(&muted.outcome));
    let resolved = store.snapshot().unwrap().resolve(request).unwrap();
    let left_out: &LeftOut = &resolved.muted[0];
    shown.value(left_out);
    shown.value(&left_out.until);
    let unmute = Unmute::new(APP, address.token.clone());
    shown.value(&unmute);
    let unmuted = store.unmute(unmute).wait().unwrap();
    shown.value(&unmuted.outcome);
    shown.json(&wire::token_unmuted(&unmuted.outcome));
    let back = BringBack::new(APP, address.token.clone());
    shown.value(&back);
    let brought = store.bring_back(back).wait().unwrap();
    shown.value(&brought.outcome);
    shown.json(&wire::token_brought_back(&brought.outcome));
    let erase = Erase::new(id(1)).suppress();
    shown.value(&erase);
    let erased = store.erase(erase).wait().unwrap();
    shown.value(&erased.outcome);
    shown.json(&wire::erased(erased.outcome));
    let again = Upsert::new(DedupeOn::Phone).contact(update());
    let again = store.upsert(again).wait().unwrap();
    let refused = again.outcome[0].as_ref().unwrap_err();
    assert!(matches!(refused, EntryError::Suppressed { .. }));
    shown.entry_error(refused);
    let suppressed = Identifiers::new().with_phone(Phone::parse(&phone()).unwrap());
    let lifted = store.lift_suppression(suppressed).wait().unwrap();
    shown.value(&lifted.outcome);
    shown.json(&wire::suppression_lifted(lifted.outcome));
    let mut send = SendRequest::new(recipient, WORD).unwrap();
    send.buttons = vec![Button::new(WORD, format!("https://{WORD}.example.com")).unwrap()];
    send.auth = Some(Auth::new(token("user"), token("pass")).unwrap());
    shown.value(&send);
    shown.value(&send.buttons[0]);
    shown.value(&send.auth);
    let auth = send.auth.unwrap();
    shown.value(&auth);
    assert_eq!(auth.reveal_user(), token("user"));
    assert_eq!(auth.reveal_password(), token("pass"));
}

/// Every way to be refused.
pub fn errors(shown: &mut Shown) {
    let (store, _) = store();
    fill(&store);
    let long = WORD.repeat(600);
    for item in [
        update().contact_id(999),
        ContactUpdate::new()
            .external_customer_id(format!("{}2", external_id()))
            .phone(phone()),
        ContactUpdate::new().first_name(WORD),
        ContactUpdate::new().phone(WORD),
        ContactUpdate::new()
            .phone(phone())
            .first_name(long.as_str()),
        ContactUpdate::new()
            .phone(phone())
            .field(WORD, long.as_str()),
        ContactUpdate::new()
            .phone(phone())
            .field(long.as_str(), WORD),
    ] {
        let request = Upsert::new(DedupeOn::Phone).contact(item);
        let whole = request.clone().mode(BatchMode::AllOrNothing);
        shown.error(&store.upsert(whole).wait().unwrap_err());
        let upserted = store.upsert(request).wait().unwrap();
        shown.entry_error(upserted.outcome[0].as_ref().unwrap_err());
        shown.json(&wire::contacts_upserted(&upserted.outcome));
    }

    let known = ContactUpdate::new().phone(phone());
    for (mode, item) in [
        (UpsertMode::CreateOnly, known),
        (
            UpsertMode::UpdateOnly,
            ContactUpdate::new().phone("380500000042"),
        ),
    ] {
        let request = Upsert::new(DedupeOn::Phone).upsert_mode(mode).contact(item);
        let upserted = store.upsert(request).wait().unwrap();
        shown.entry_error(upserted.outcome[0].as_ref().unwrap_err());
    }

    let limits = options().0.limits;
    for item in [
        format!(r#"{{"phone": "{PHONE}", "fields": {{"{WORD} a": 1.5}}}}"#),
        format!(r#"{{"phone": "{PHONE}", "fields": {{"{WORD} a": "", "{WORD} a": ""}}}}"#),
        format!(r#"{{"phone": "{PHONE}", "{WORD} a": 1}}"#),
    ] {
        let body = format!(r#"{{"dedupeOn": "phone", "contacts": [{item}]}}"#);
        let request = wire::parse_upsert(body.as_bytes(), &limits).unwrap();
        shown.value(&request);
        let upserted = store.upsert(request).wait().unwrap();
        shown.entry_error(upserted.outcome[0].as_ref().unwrap_err());
    }
    for body in [
        format!(r#"{{"botId": "{WORD}", "number": "{PHONE}", "text": "{WORD}"}}"#),
        format!(r#"{{"botId": "{APP}", "number": "{WORD}", "text": "{WORD}"}}"#),
        format!(r#"{{"subscriberId": "1", "text": "{WORD}", "auth": {{"user": "{WORD}"}}}}"#),
        format!(r#"{{"number": "{PHONE}", "text": "{WORD}"}}"#),
    ] {
        shown.error(&wire::parse_send_request(body.as_bytes(), &limits).unwrap_err());
    }

    let now = store.snapshot().unwrap();
    let unknown = Recipient::Subscriber(SubscriberId::new(99));
    let to = |app, number: String| {
        let given = GivenRecipient::new().app(app).number(number);
        now.resolve(given.parse().unwrap()).unwrap_err()
    };
    let no_phone = GivenRecipient::new().app(APP).number(WORD).parse();
    let no_phone = no_phone.unwrap_err();
    shown.error(&Error::from(no_phone.clone()));
    shown.error(&Error::Recipient(no_phone));
    for error in [
        GivenRecipient::new().parse().unwrap_err().into(),
        GivenRecipient::new().app(APP).parse().unwrap_err().into(),
        GivenRecipient::new()
            .number(phone())
            .parse()
            .unwrap_err()
            .into(),
        now.resolve(unknown).unwrap_err(),
        to(APP, format!("{PHONE}0")),
        to(OTHER_APP, phone()),
    ] {
        shown.error(&error);
        let Error::Recipient(error) = error else {
            panic!("{error}")
        };
        shown.displayed::<RecipientError>(&error);
    }
    let number = GivenRecipient::new().app(APP).number(WORD).parse();
    shown.displayed::<RecipientError>(&number.unwrap_err());
    let blank: [FieldError; 2] = [
        Button::new(WORD, " ").unwrap_err(),
        Auth::new(" ", WORD).unwrap_err(),
    ];
    assert_eq!(
        blank.map(|error| error.field()),
        [Field::ButtonUrl, Field::AuthUser]
    );
}
