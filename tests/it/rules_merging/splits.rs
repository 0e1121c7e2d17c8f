//! Splitting.

use crate::support::script::{script, script_with};

#[test]
fn r58_chosen_identifiers_and_tokens_go_to_a_new_contact() {
    script(
        "
        add A at=100 : a ext=c1 email=ann@example.com phone=380500000001 => 1 created added #1
        add A at=200 : b ext=c1 | c ext=c1 | b ext=c2 => 1 by ext added #2 | 1 by ext added #3
            | 2 created added #2 also=1
        upsert externalCustomerId : ext=c1 first=Ann => 1 by ext updated
        clock 5000
        split 1 email,phone #3 #1 at=4000 => 3 from 1 gets=phone,email tokens=#1,#3
        card 1 => 1 ext=c1 first=\"Ann\" created 100 via A [A:b#2@200]
        card 3 => 3 phone=380500000001 email=ann@example.com created 4000 [A:a#1@100 A:c#3@200]
        subscriber A a => #1 A:a of 3 registered 100 sent 0 failed 0 clicked 0 last -
        // The contact id is what stays.
        split 1 ext #2 => 4 from 1 gets=ext tokens=#2
        card 1 => 1 first=\"Ann\" created 100 via A []
        card 4 => 4 ext=c1 created 5000 [A:b#2@200]
        subscriber A b => #2 A:b of 4,2 registered 200 sent 0 failed 0 clicked 0 last -
        find ext=c1 => 4 by ext
        contacts => 4
    ",
    );
}

#[test]
fn r58_what_cannot_be_split_off_is_refused_and_nothing_is_written() {
    script(
        "
        add A : a ext=c1 | b ext=c2 => 1 created added #1 | 2 created added #2
        split 3 ext => error UnknownContact 3
        split 1 - => error NoIdentifier
        split 1 - #1 => error NoIdentifier
        split 1 email => error NoSuchIdentifier 1 email
        split 1 id,ext => error NoSuchIdentifier 1 id
        split 1 ext #2 => error NotHeld 1 #2
        split 1 ext #9 => error NotHeld 1 #9
        erase 2 => true
        split 2 ext => error ErasedContact 2
        disconnect A => done
        split 1 ext #1 => error NotHeld 1 #1
        split 1 ext => 3 from 1 gets=ext
    ",
    );
}

#[test]
fn r58_a_split_over_a_lowered_limit_is_refused() {
    script_with(
        |options| options.limits.card_text_bytes = 21,
        "
        add A : a ext=c1 email=ann@example.com => 1 created added #1
        split 1 email #1 => 2 from 1 gets=email tokens=#1
    ",
    );
}

#[test]
fn r58_a_merged_contact_can_be_split_and_what_was_split_off_is_not_given_back() {
    script(
        "
        add A : a ext=c1 | b email=ann@example.com => 1 created added #1 | 2 created added #2
        merge 2 1 => 2 into 1 gets=email tokens=#2
        split 2 email #2 => 3 from 1 gets=email tokens=#2
        unmerge 2 => 2 from 1 not=email:3 gone=#2
        card 2 => 2 created 1000 via A []
    ",
    );
}
