//! Renaming a token: R57.

use crate::support::script::{script, script_with};

#[test]
fn r57_a_renamed_token_keeps_its_place_its_subscriber_and_its_state() {
    script(
        "
        add A at=500 : a ext=c1 | old ext=c1 | z ext=c1 | old ext=c2
            => 1 created added #1 | 1 by ext added #2 | 1 by ext added #3 | 2 created added #2 also=1
        report A at=700 : old SENT msg=m1 | old CLICKED => recorded | recorded
        clock 2000
        rename A old new => #2 of 1,2
        card 1 => 1 ext=c1 created 500 via A [A:a#1@500 A:new#2@500 A:z#3@500]
        card 2 => 2 ext=c2 created 500 via A [A:new#2@500]
        subscriber A new => #2 A:new of 1,2 registered 500 sent 1 failed 0 clicked 1 last CLICKED@700
        subscriber A old => none
        messages A => m1 sent 1 failed 0 clicked 0 last 700
        // The old name is free again, and what is said of it now is said of nobody.
        report A : old FAILED => unknown
        add A : old ext=c1 => 1 by ext added #4
        // A late report about the subscriber removes it under its new name.
        report A : #2 FAILED => removed from 1,2
        subscriber A new => none
        // Renamed back, and to itself.
        rename A old new => #4 of 1
        rename A new old => #4 of 1
        rename A old old => #4 of 1
    ",
    );
}

#[test]
fn r57_renaming_what_is_no_subscriber_writes_nothing() {
    script(
        "
        add A : a ext=c1 => 1 created added #1
        rename A b c => unknown
        rename A b a => unknown
        rename B a b => unknown
        rename C a b => error UnknownApp C
        disconnect A => done
        rename A a b => error UnknownApp A
    ",
    );
}

#[test]
fn r57_the_same_token_of_another_app_is_another() {
    script(
        "
        add A : a ext=c1 => 1 created added #1
        add B : a ext=c1 | b ext=c1 => 1 by ext added #2.1 | 1 by ext added #2.2
        rename A a b => #1 of 1
        card 1 => 1 ext=c1 created 1000 via A [A:b#1@1000 B:a#2.1@1000 B:b#2.2@1000]
    ",
    );
}

#[test]
fn r57_two_subscribers_become_one_with_joined_holders_and_added_counts() {
    script(
        "
        // The old one is held by 1 and 2, the new one by 3 and 2.
        add A at=100 : old ext=c1 | old ext=c2 => 1 created added #1 | 2 created added #1 also=1
        add A at=200 : new ext=c3 | new ext=c2 => 3 created added #2 | 2 by ext added #2 also=3
        add A at=300 : x ext=c2 | x ext=c3     => 2 by ext added #3 | 3 by ext added #3 also=2
        report A at=400 : old SENT | old FAILED reason=busy => recorded | recorded
        report A at=350 : new SENT | new CLICKED => recorded | recorded
        rename A old new => #1 and #2 of 1,2,3
        // Of the two on one card, the place of the old one; elsewhere each at its own place.
        card 1 => 1 ext=c1 created 100 via A [A:new#1@100]
        card 2 => 2 ext=c2 created 100 via A [A:new#1@100 A:x#3@300]
        card 3 => 3 ext=c3 created 200 via A [A:new#1@200 A:x#3@300]
        subscriber A new => #1 A:new of 1,2,3 registered 200 sent 2 failed 1 clicked 1 last FAILED@400
        subscriber #2 => none
        // Nothing was removed by anyone.
        apps => A \"First bot\" since 1000 subscribers 2 contacts 3 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
        // A subscriber id is never used again.
        add A : old ext=c1 => 1 by ext added #4
    ",
    );
}

#[test]
fn r57_the_later_status_is_kept_and_of_two_at_once_that_of_the_old_token() {
    script(
        "
        add A : a ext=c1 | b ext=c1 | c ext=c1 | d ext=c1
            => 1 created added #1 | 1 by ext added #2 | 1 by ext added #3 | 1 by ext added #4
        report A at=500 : a SENT | b CLICKED => recorded | recorded
        rename A a b => #1 and #2 of 1
        subscriber A b => #1 A:b of 1 registered 1000 sent 1 failed 0 clicked 1 last SENT@500
        report A at=600 : c CLICKED => recorded
        rename A b c => #1 and #3 of 1
        subscriber A c => #1 A:c of 1 registered 1000 sent 1 failed 0 clicked 2 last CLICKED@600
        rename A d c => #4 and #1 of 1
        subscriber A c => #4 A:c of 1 registered 1000 sent 1 failed 0 clicked 2 last CLICKED@600
        card 1 => 1 ext=c1 created 1000 via A [A:c#4@1000]
    ",
    );
}

#[test]
fn r57_more_holders_than_one_token_may_have_are_refused_whole() {
    script_with(
        |options| options.limits.contacts_per_token = 2,
        "
        add A : old ext=c1 | old ext=c2 => 1 created added #1 | 2 created added #1 also=1
        add A : new ext=c2 | new ext=c3 => 2 by ext added #2 | 3 created added #2 also=2
        rename A old new => error ContactsPerToken 3 of 2
        rename A new old => error ContactsPerToken 3 of 2
        erase 3 => true
        rename A old new => #1 and #2 of 1,2
    ",
    );
}

#[test]
fn r57_more_text_than_a_card_may_have_is_refused_whole() {
    script_with(
        |options| options.limits.card_text_bytes = 10,
        "
        add A : 12345 ext=c1 | 12345 ext=longer => 1 created added #1 | refused CardTextBytes 11 of 10
        add A : 12345 ext=c22 => 2 created added #1 also=1
        rename A 12345 1234567 => #1 of 1,2
        rename A 1234567 12345678 => error CardTextBytes 11 of 10
        card 1 => 1 ext=c1 created 1000 via A [A:1234567#1@1000]
        rename A 1234567 1 => #1 of 1,2
        card 2 => 2 ext=c22 created 1000 via A [A:1#1@1000]
    ",
    );
}
