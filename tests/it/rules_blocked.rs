//! Back after a block: R63.

use contact_store::{Erase, Options, Report, Status, TokenEntry};

use crate::support::script::{script, script_with};
use crate::support::{add, assert_sound, id, report, store_with};

fn remembering(most: usize) -> impl Fn(&mut Options) {
    move |options| options.remember_blocked = most
}

#[test]
fn r63_r35_a_token_that_failed_removed_comes_back_to_all_that_held_it_as_a_new_subscriber() {
    script_with(
        remembering(10),
        "
        add A : t ext=c1 | t ext=c2 | u ext=c1 => 1 created added #1 | 2 created added #1 also=1
            | 1 by ext added #2
        add B : t ext=c2         => 2 by ext added #2.1
        report A : t SENT        => recorded
        report A : t FAILED      => removed from 1,2
        clock 2000
        back B t                 => not remembered
        back A u                 => not remembered
        back A t                 => #3 of 1,2
        card 1 => 1 ext=c1 created 1000 via A [A:u#2@1000 A:t#3@2000]
        card 2 => 2 ext=c2 created 1000 via A [B:t#2.1@1000 A:t#3@2000]
        subscribers A after=#2 => #3 A:t of 1,2 registered 2000 sent 0 failed 0 clicked 0 last -
        // That ended the record.
        back A t                 => not remembered
        back C t                 => error UnknownApp C
        // R54, and R31: from then on it is a subscriber like any other.
        report A : u FAILED      => removed from 1
        back A u at=1500         => #4 of 1
        report A : u FAILED at=1400 => recorded
        report A : u FAILED at=1500 => removed from 1
        back A u at=9999         => #5 of 1
        report A : u FAILED at=2000 => removed from 1
    ",
    );
}

#[test]
fn r63_only_failed_is_remembered_and_only_when_asked_for() {
    script(
        "
        add A : t ext=c1    => 1 created added #1
        report A : t FAILED => removed from 1
        back A t            => not remembered
    ",
    );
    script_with(
        remembering(10),
        "
        add A : t ext=c1 | u ext=c1 => 1 created added #1 | 1 by ext added #2
        remove A t          => from 1
        back A t            => not remembered
        remove_stale A before=9999 => 1 off 1
        back A u            => not remembered
    ",
    );
}

#[test]
fn r63_adding_the_token_again_ends_the_record_and_so_does_renaming_to_it() {
    script_with(
        remembering(10),
        "
        add A : t ext=c1 | u ext=c1 => 1 created added #1 | 1 by ext added #2
        report A : t FAILED => removed from 1
        add A : t ext=c2    => 2 created added #3
        remove A t          => from 2
        back A t            => not remembered
        add A : t ext=c1    => 1 by ext added #4
        report A : t FAILED => removed from 1
        rename A u t        => #2 of 1
        remove A t          => from 1
        back A t            => not remembered
    ",
    );
}

#[test]
fn r63_r44_an_erased_contact_is_in_no_record() {
    script_with(
        remembering(10),
        "
        add A : t ext=c1 | t ext=c2 | u ext=c1 => 1 created added #1 | 2 created added #1 also=1
            | 1 by ext added #2
        report A : t FAILED | u FAILED => removed from 1,2 | removed from 1
        erase 1             => true
        back A u            => not remembered
        back A t            => #3 of 2
        report A : t FAILED => removed from 2
        erase 2             => true
        back A t            => not remembered
    ",
    );
}

#[test]
fn r63_when_there_are_too_many_the_oldest_is_forgotten() {
    script_with(
        remembering(2),
        "
        add A : a ext=c1 | b ext=c1 | c ext=c1 => 1 created added #1 | 1 by ext added #2
            | 1 by ext added #3
        report A : b FAILED | a FAILED | c FAILED => removed from 1 | removed from 1 | removed from 1
        back A b            => not remembered
        back A a            => #4 of 1
        back A c            => #5 of 1
    ",
    );
}

#[test]
fn r63_over_a_limit_of_a_card_nothing_comes_back() {
    script_with(
        |options| {
            options.remember_blocked = 10;
            options.limits.tokens_per_contact = 2;
        },
        "
        add A : t ext=c1 | t ext=c2 | u ext=c2 => 1 created added #1 | 2 created added #1 also=1
            | 2 by ext added #2
        report A : t FAILED => removed from 1,2
        add A : v ext=c2    => 2 by ext added #3
        back A t            => error TokensPerContact 3 of 2
        card 1 => 1 ext=c1 created 1000 via A []
        remove A v          => from 2
        back A t            => #4 of 1,2
    ",
    );
}

#[test]
fn r63_r11_what_a_disconnected_app_left_is_not_remembered_when_it_is_back() {
    script_with(
        remembering(10),
        "
        add A : t ext=c1    => 1 created added #1
        report A : t FAILED => removed from 1
        disconnect A        => done
        back A t            => error UnknownApp A
        connect A           => A
        back A t            => not remembered
        add A : t ext=c1    => 1 by ext added #3.1
        report A : t FAILED => removed from 1
        back A t            => #3.2 of 1
    ",
    );
}

#[test]
fn r63_r59_what_comes_back_is_not_muted() {
    script_with(
        remembering(10),
        "
        add A : t phone=380500000001 => 1 created added #1
        mute A t                     => #1 without end
        report A : t FAILED          => removed from 1
        back A t                     => #2 of 1
        resolve sub=#2               => A:t #2 of 1
    ",
    );
}

#[test]
fn r63_the_stats_say_how_many_are_remembered_and_how_many_may_be() {
    let (store, _) = store_with(|options| options.remember_blocked = 5);
    let counts = || {
        let stats = store.stats().unwrap();
        (stats.blocked, stats.most_blocked)
    };
    for token in ["a", "b"] {
        add(&store, TokenEntry::new(token).external_customer_id("c1"));
        assert_eq!(counts().1, 5);
        report(&store, Report::new(Status::Failed).token(token));
    }
    assert_eq!(counts(), (2, 5));
    store.erase(Erase::new(id(1))).wait().unwrap();
    assert_eq!(counts(), (0, 5));
    assert_sound(&store);
}
