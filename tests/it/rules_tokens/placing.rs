//! Where a token goes: R20 to R22, R24, R25.

use contact_store::Ownership;

use crate::support::script::{script, script_with};

#[test]
fn r20_tokens_are_only_ever_appended() {
    script(
        "
        add A : t1 email=ann@example.com => 1 created added #1
        // The guides' own example: the same email, another token.
        clock 2000
        add A : t2 email=ann@example.com => 1 by email added #2
        add B : t3 email=ann@example.com => 1 by email added #2.1
        // A time of its own does not change the order of addition.
        add A at=500 : t4 email=ann@example.com => 1 by email added #3
        card 1 => 1 email=ann@example.com created 1000 via A [A:t1#1@1000 A:t2#2@2000 B:t3#2.1@2000 A:t4#3@500]
    ",
    );
}

#[test]
fn r21_the_same_token_again_stays_where_it_is() {
    script(
        "
        add A : t1 phone=380500000001 => 1 created added #1
        add A : t2 phone=380500000001 => 1 by phone added #2
        clock 2000
        add A : t1 phone=380500000001 => 1 by phone held #1
        card 1 => 1 phone=380500000001 created 1000 via A [A:t1#1@1000 A:t2#2@1000]
        // Only the time of registering moves, and never back.
        subscriber #1 => #1 A:t1 of 1 registered 2000 sent 0 failed 0 clicked 0 last -
        add A at=1500 : t1 phone=380500000001 => 1 by phone held #1
        subscriber #1 => #1 A:t1 of 1 registered 2000 sent 0 failed 0 clicked 0 last -
        // Under Exclusive too, when nobody else holds it.
        add A ownership=exclusive : t1 phone=380500000001 => 1 by phone held #1
        card 1 => 1 phone=380500000001 created 1000 via A [A:t1#1@1000 A:t2#2@1000]
    ",
    );
}

#[test]
fn r22_shared_tokens_are_held_by_both() {
    script(
        "
        add A : t phone=380500000001 => 1 created added #1
        report A : t SENT            => recorded
        clock 2000
        add A : t phone=380500000002 => 2 created added #1 also=1
        card 1 => 1 phone=380500000001 created 1000 via A [A:t#1@1000]
        card 2 => 2 phone=380500000002 created 2000 via A [A:t#1@2000]
        subscriber #1 => #1 A:t of 1,2 registered 2000 sent 1 failed 0 clicked 0 last SENT@1000
        add A : t phone=380500000001 => 1 by phone held #1 also=2
        add A : t phone=380500000003 => 3 created added #1 also=1,2
    ",
    );
}

#[test]
fn r22_an_exclusive_token_moves_to_the_contact_found_now() {
    script_with(
        |options| options.ownership = Ownership::Exclusive,
        "
        add A : t phone=380500000001 => 1 created added #1
        add A : x phone=380500000001 => 1 by phone added #2
        report A : t SENT at=900     => recorded
        clock 2000
        add A : t phone=380500000002 => 2 created moved from 1 #1
        // Subscriber id and delivery state stay; place and time of addition are new.
        card 1 => 1 phone=380500000001 created 1000 via A [A:x#2@1000]
        card 2 => 2 phone=380500000002 created 2000 via A [A:t#1@2000]
        subscriber #1 => #1 A:t of 2 registered 2000 sent 1 failed 0 clicked 0 last SENT@900
        // Back again: after what the card holds by now.
        clock 3000
        add A : t phone=380500000001 => 1 by phone moved from 2 #1
        card 1 => 1 phone=380500000001 created 1000 via A [A:x#2@1000 A:t#1@3000]
        card 2 => 2 phone=380500000002 created 2000 via A []
        apps => A \"First bot\" since 1000 subscribers 2 contacts 1 failed 0 host 0
              | B \"Second bot\" since 1000 subscribers 0 contacts 0 failed 0 host 0
    ",
    );
}

#[test]
fn r22_a_move_takes_the_token_from_every_other_holder() {
    script(
        "
        add A : t phone=380500000001 | t phone=380500000002 | t phone=380500000003
            => 1 created added #1 | 2 created added #1 also=1 | 3 created added #1 also=1,2
        add A : x phone=380500000002 => 2 by phone added #2
        clock 2000
        // A move also when the contact found held it before: its place and time are then new.
        add A ownership=exclusive : t phone=380500000002 => 2 by phone moved from 1,3 #1
        card 1 => 1 phone=380500000001 created 1000 via A []
        card 2 => 2 phone=380500000002 created 1000 via A [A:x#2@1000 A:t#1@2000]
        card 3 => 3 phone=380500000003 created 1000 via A []
        subscriber A t => #1 A:t of 2 registered 2000 sent 0 failed 0 clicked 0 last -
        // A late move keeps the later time of registering.
        add A ownership=exclusive at=1500 : t phone=380500000001 => 1 by phone moved from 2 #1
        card 1 => 1 phone=380500000001 created 1000 via A [A:t#1@1500]
        subscriber A t => #1 A:t of 1 registered 2000 sent 0 failed 0 clicked 0 last -
    ",
    );
}

#[test]
fn r24_repeating_a_request_changes_nothing_but_the_time_of_registering() {
    script(
        "
        add A : t1 phone=380500000001 | t2 ext=c2 => 1 created added #1 | 2 created added #2
        // At the same time not even that: no number is taken (R47, asserted after every line).
        add A : t1 phone=380500000001 | t2 ext=c2 => 1 by phone held #1 | 2 by ext held #2
        clock 2000
        add A : t1 phone=380500000001 | t2 ext=c2 => 1 by phone held #1 | 2 by ext held #2
        card 1 => 1 phone=380500000001 created 1000 via A [A:t1#1@1000]
        subscriber #1 => #1 A:t1 of 1 registered 2000 sent 0 failed 0 clicked 0 last -
        // Under Exclusive, the place and time of a token that moved are new.
        add A ownership=exclusive : t2 phone=380500000001 => 1 by phone moved from 2 #2
        clock 3000
        add A ownership=exclusive : t1 phone=380500000001 | t2 ext=c2
            => 1 by phone held #1 | 2 by ext moved from 1 #2
        card 2 => 2 ext=c2 created 1000 via A [A:t2#2@3000]
    ",
    );
}

#[test]
fn r24_repeating_undoes_a_failed_and_an_erasing_in_between() {
    script(
        "
        add A : t phone=380500000001 => 1 created added #1
        report A : t FAILED          => removed from 1
        add A : t phone=380500000001 => 1 by phone added #2
        card 1 => 1 phone=380500000001 created 1000 via A [A:t#2@1000]
        erase 1                      => true
        add A : t phone=380500000001 => 2 created added #3
        card 2 => 2 phone=380500000001 created 1000 via A [A:t#3@1000]
    ",
    );
}

#[test]
fn r25_the_outcome_says_everything_about_the_entry() {
    // Each answer below is every field of the outcome; the options that applied are checked for
    // every line of every script.
    script(
        "
        add A : t phone=380500000001 email=e1@example.com
            => 1 created added #1
        add A policy=top invalid=ignore : t ext=c2 phone=380500000001 email=x
            => 2 created added #1 skipped=phone ignored=email also=1
        add A policy=top ownership=exclusive unknown=reject invalid=ignore : t id=0 ext=c2 phone=380500000009
            => 2 by ext moved from 1 #1 ignored=id
        add A ownership=exclusive : t ext=c2 email=e1@example.com
            => 2 by ext held #1
    ",
    );
}
