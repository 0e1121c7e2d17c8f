//! Recipients and the request to send, clause by clause: R39, R40.

use contact_store::{Limits, Recipient, TokenEntry, wire};

use crate::support::script::{app, script};
use crate::support::{APP, add, id, store, subscriber};

#[test]
fn r39_a_recipient_is_a_subscriber() {
    script(
        "
        add A : t1 phone=380500000001 => 1 created added #1
        add B : t1 phone=380500000001 => 1 by phone added #2.1
        resolve sub=#1                => A:t1 #1 of 1
        resolve sub=#2.1                => B:t1 #2.1 of 1
        resolve sub=#3                => error UnknownSubscriber #3
        resolve sub=#0                => error UnknownSubscriber #0
    ",
    );
}

#[test]
fn r39_with_a_subscriber_the_app_and_the_number_are_ignored() {
    script(
        "
        add A : t1 phone=380500000001            => 1 created added #1
        add B : t2 phone=380500000002            => 2 created added #2.1
        resolve sub=#1 app=B                     => A:t1 #1 of 1
        resolve sub=#1 number=380500000002       => A:t1 #1 of 1
        resolve sub=#1 app=B number=380500000002 => A:t1 #1 of 1
        // Also an app that is not connected, an invalid number, and one without the other.
        resolve sub=#1 app=C number=380500000002 => A:t1 #1 of 1
        resolve sub=#1 app=B number=12           => A:t1 #1 of 1
        resolve sub=#1 number=x                  => A:t1 #1 of 1
        // They do not stand in for a subscriber that is not known.
        resolve sub=#9 app=A number=380500000001 => error UnknownSubscriber #9
    ",
    );
}

#[test]
fn r39_an_app_with_a_number_is_each_token_of_that_contact_in_that_app() {
    script(
        r#"
        add A : t2 phone=380500000001 email=a@example.com => 1 created added #1
        add B : t0 phone=380500000001                     => 1 by phone added #2.1
        add A : t1 email=a@example.com                    => 1 by email added #2
        add A : t3 phone=380500000002                     => 2 created added #3
        // In the order added.
        resolve app=A number=380500000001                 => A:t2 #1 of 1 | A:t1 #2 of 1
        resolve app=B number=380500000001                 => B:t0 #2.1 of 1
        resolve app=A number=380500000002                 => A:t3 #3 of 2
        // In any form that R4 reads.
        resolve app=A number="+380 (50) 000-00-02"        => A:t3 #3 of 2
        resolve app=A number=00380500000002               => A:t3 #3 of 2
        // A token that moved has a new place.
        add A : t2 phone=380500000002                     => 2 by phone added #1 also=1
        add A ownership=exclusive : t2 phone=380500000001 => 1 by phone moved from 2 #1
        resolve app=A number=380500000001                 => A:t1 #2 of 1 | A:t2 #1 of 1
        resolve app=A number=380500000002                 => A:t3 #3 of 2
    "#,
    );
}

#[test]
fn r39_an_app_and_a_number_go_together() {
    script(
        r#"
        add A : t1 phone=380500000001      => 1 created added #1
        resolve                            => error NothingGiven
        resolve app=A                      => error AppWithoutNumber
        resolve app=C                      => error AppWithoutNumber
        resolve number=380500000001        => error NumberWithoutApp
        // R1: a blank number counts as not given.
        resolve app=A number=              => error AppWithoutNumber
        resolve app=A number="  "          => error AppWithoutNumber
        resolve number=                    => error NothingGiven
        // R4.
        resolve app=A number=12            => error number DigitCount { digits: 2 }
        resolve app=A number=0380500000001 => error number LeadingZero
    "#,
    );
}

#[test]
fn r39_an_unknown_app_an_unknown_contact_and_one_without_a_token_are_three_errors() {
    script(
        "
        add A : t1 phone=380500000001     => 1 created added #1
        add B : t2 phone=380500000002     => 2 created added #2.1
        upsert phone : phone=380500000003 => 3 created
        resolve app=C number=380500000001 => error UnknownApp C
        resolve app=C number=380500000009 => error UnknownApp C
        resolve app=A number=380500000009 => error UnknownContact
        resolve app=A number=380500000002 => error NoToken 2 A
        resolve app=B number=380500000001 => error NoToken 1 B
        resolve app=A number=380500000003 => error NoToken 3 A
    ",
    );
}

#[test]
fn r39_a_token_that_is_gone_is_no_address() {
    script(
        "
        add A : t1 phone=380500000001 | t2 phone=380500000001 | t3 phone=380500000001
            => 1 created added #1 | 1 by phone added #2 | 1 by phone added #3
        add B : t4 phone=380500000001     => 1 by phone added #2.1
        report A : t1 FAILED              => removed from 1
        resolve app=A number=380500000001 => A:t2 #2 of 1 | A:t3 #3 of 1
        resolve sub=#1                    => error UnknownSubscriber #1
        remove A t2                       => from 1
        resolve app=A number=380500000001 => A:t3 #3 of 1
        // R35: added again, it is another subscriber, and the last.
        add A : t1 phone=380500000001     => 1 by phone added #4
        resolve app=A number=380500000001 => A:t3 #3 of 1 | A:t1 #4 of 1
        disconnect A                      => done
        resolve app=A number=380500000001 => error UnknownApp A
        resolve sub=#3                    => error UnknownSubscriber #3
        connect A                         => A
        resolve app=A number=380500000001 => error NoToken 1 A
        resolve app=B number=380500000001 => B:t4 #2.1 of 1
        erase 1                           => true
        resolve app=B number=380500000001 => error UnknownContact
        resolve sub=#2.1                    => error UnknownSubscriber #2.1
    ",
    );
}

#[test]
fn r39_a_phone_that_was_replaced_reaches_no_contact() {
    script(
        "
        add A : t1 phone=380500000001 email=a@example.com     => 1 created added #1
        upsert email : phone=380500000002 email=a@example.com => 1 by email updated
        resolve app=A number=380500000001                     => error UnknownContact
        resolve app=A number=380500000002                     => A:t1 #1 of 1
        upsert email : phone=null email=a@example.com         => 1 by email updated
        resolve app=A number=380500000002                     => error UnknownContact
        resolve sub=#1                                        => A:t1 #1 of 1
    ",
    );
}

#[test]
fn r39_a_shared_token_is_that_of_the_contact_that_has_held_it_longest() {
    script(
        "
        add A : t phone=380500000002      => 1 created added #1
        add A : t phone=380500000001      => 2 created added #1 also=1
        resolve sub=#1                    => A:t #1 of 1
        // By number it is that of the contact with the number.
        resolve app=A number=380500000001 => A:t #1 of 2
        resolve app=A number=380500000002 => A:t #1 of 1
        remove A t of=1                   => from 1
        resolve sub=#1                    => A:t #1 of 2
        add A : t phone=380500000002      => 1 by phone added #1 also=2
        resolve sub=#1                    => A:t #1 of 2
    ",
    );
}

#[test]
fn r40_a_send_request_is_read_and_its_recipient_resolved() {
    let (store, _) = store();
    add(&store, TokenEntry::new("chat-1").phone("+380500000001"));
    let body = format!(
        r#"{{"botId": "{APP}", "number": "380500000001", "text": "Hello",
             "buttons": [{{"text": "Shop", "url": "https://example.com/"}}],
             "auth": {{"user": "12345.1", "pass": "secret"}}}}"#
    );
    let request = wire::parse_send_request(body.as_bytes(), &Limits::default()).unwrap();
    assert_eq!(request.text(), "Hello");
    let buttons: Vec<_> = request
        .buttons
        .iter()
        .map(|button| (button.text(), button.url()))
        .collect();
    assert_eq!(buttons, [("Shop", "https://example.com/")]);
    let auth = request.auth.as_ref().unwrap();
    assert_eq!(
        (auth.reveal_user(), auth.reveal_password()),
        ("12345.1", "secret")
    );
    // R12: the two are secret.
    assert_eq!(format!("{auth:?}"), "Auth(<secret>)");

    let now = store.snapshot().unwrap();
    let addresses = now.resolve(&request).unwrap().addresses;
    assert_eq!(addresses.len(), 1);
    let address = &addresses[0];
    assert_eq!((address.app, address.token.as_str()), (app("A"), "chat-1"));
    assert_eq!(
        (address.subscriber, address.contact),
        (subscriber(1), id(1))
    );
    // And the same by the subscriber that the address names.
    let again = now
        .resolve(Recipient::Subscriber(address.subscriber))
        .unwrap();
    assert_eq!(again.addresses, addresses);
}
