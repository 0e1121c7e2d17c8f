//! Muted subscribers: R59.

use std::time::Duration;

use contact_store::{
    GivenRecipient, Mute, MuteEnd, Resolve, Token, TokenEntry, TokenMuted, Unmute,
};

use crate::support::script::script;
use crate::support::{APP, add, at, id, store, store_with, subscriber};

fn token(text: &str) -> Token {
    Token::parse(text).unwrap()
}

#[test]
fn r59_a_muted_subscriber_is_left_out_and_named_until_its_mute_ends() {
    script(
        "
        add A : t1 phone=380500000001 | t2 phone=380500000001
            => 1 created added #1 | 1 by phone added #2
        mute A t1 until=2000              => #1 until 2000
        subscribers A => #1 A:t1 of 1 registered 1000 sent 0 failed 0 clicked 0 last - muted until 2000
                       | #2 A:t2 of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        resolve app=A number=380500000001 => A:t2 #2 of 1 | muted #1 of 1 until 2000
        resolve sub=#1                    => muted #1 of 1 until 2000
        resolve sub=#2                    => A:t2 #2 of 1
        // To a muted one too, and at another time.
        resolve app=A number=380500000001 muted=too => A:t1 #1 of 1 | A:t2 #2 of 1
        resolve sub=#1 muted=too          => A:t1 #1 of 1
        resolve sub=#1 at=1999            => muted #1 of 1 until 2000
        resolve sub=#1 at=2000            => A:t1 #1 of 1
        // From its end on, a mute counts as none.
        clock 1999
        resolve sub=#1                    => muted #1 of 1 until 2000
        clock 2000
        resolve sub=#1                    => A:t1 #1 of 1
        resolve app=A number=380500000001 => A:t1 #1 of 1 | A:t2 #2 of 1
        // It is shown until there is another.
        subscribers A limit=1 => #1 A:t1 of 1 registered 1000 sent 0 failed 0 clicked 0 last - muted until 2000
    ",
    );
}

#[test]
fn r59_without_an_end_a_mute_lasts_until_the_subscriber_is_unmuted() {
    script(
        "
        add A : t phone=380500000001  => 1 created added #1
        unmute A t                    => #1 was not
        mute A t                      => #1 without end
        resolve sub=#1 at=99999999999 => muted #1 of 1 without end
        mute A t                      => #1 without end
        unmute A t                    => #1
        resolve sub=#1                => A:t #1 of 1
        unmute A t                    => #1 was not
        subscribers A => #1 A:t of 1 registered 1000 sent 0 failed 0 clicked 0 last -
    ",
    );
}

#[test]
fn r59_a_new_mute_replaces_the_old_and_one_that_has_ended_is_none() {
    script(
        "
        clock 5000
        add A : t phone=380500000001 => 1 created added #1
        mute A t until=9000          => #1 until 9000
        mute A t until=6000          => #1 until 6000
        resolve sub=#1               => muted #1 of 1 until 6000
        mute A t                     => #1 without end
        // R54: the time of the request decides, and is never after the clock's.
        mute A t until=4500 at=4000  => #1 until 4500
        resolve sub=#1 at=4400       => muted #1 of 1 until 4500
        resolve sub=#1               => A:t #1 of 1
        unmute A t                   => #1 was not
        mute A t until=6000 at=9000  => #1 until 6000
        unmute A t at=7000           => #1
        mute A t                     => #1 without end
        mute A t until=5000          => #1 until 5000
        resolve sub=#1 at=0          => A:t #1 of 1
        mute A t for=500             => #1 until 5500
        mute A t for=500 at=4800     => #1 until 5300
        mute A t for=0               => #1 until 5000
        unmute A t                   => #1 was not
    ",
    );
}

#[test]
fn r59_an_unknown_token_is_named_and_an_unknown_app_an_error() {
    script(
        "
        add A : t ext=c1 => 1 created added #1
        mute A u         => unknown
        mute B t         => unknown
        unmute A u       => unknown
        mute C t         => error UnknownApp C
        unmute C t       => error UnknownApp C
    ",
    );
}

#[test]
fn r59_everything_else_goes_on_for_a_muted_subscriber() {
    script(
        "
        add A : t ext=c1 phone=380500000001 => 1 created added #1
        mute A t                            => #1 without end
        // Registering again is not unmuting, a second holder is not either.
        add A : t ext=c1                    => 1 by ext held #1
        add A : t ext=c2                    => 2 created added #1 also=1
        report A : t SENT                   => recorded
        subscribers A => #1 A:t of 1,2 registered 1000 sent 1 failed 0 clicked 0 last SENT@1000 muted without end
        resolve app=A number=380500000001   => muted #1 of 1 without end
        // R22: a move keeps the delivery state.
        add A ownership=exclusive : t ext=c2 => 2 by ext moved from 1 #1
        resolve sub=#1                      => muted #1 of 2 without end
        // FAILED removes it, and R35: added again it is another, and not muted.
        report A : t FAILED                 => removed from 2
        add A : t ext=c1                    => 1 by ext added #2
        resolve sub=#2                      => A:t #2 of 1
        mute A t                            => #2 without end
        erase 1                             => true
        add A : t ext=c1                    => 3 created added #3
        resolve sub=#3                      => A:t #3 of 3
    ",
    );
}

#[test]
fn r57_r59_a_rename_keeps_the_mute_and_of_two_the_later_end_stays() {
    script(
        "
        add A : a ext=c1 | b ext=c1 | c ext=c1 | d ext=c1 => 1 created added #1
            | 1 by ext added #2 | 1 by ext added #3 | 1 by ext added #4
        mute A a until=2000 => #1 until 2000
        rename A a e        => #1 of 1
        resolve sub=#1      => muted #1 of 1 until 2000
        mute A b until=3000 => #2 until 3000
        rename A e b        => #1 and #2 of 1
        resolve sub=#1      => muted #1 of 1 until 3000
        rename A b c        => #1 and #3 of 1
        resolve sub=#1      => muted #1 of 1 until 3000
        mute A d            => #4 without end
        rename A c d        => #1 and #4 of 1
        resolve sub=#1      => muted #1 of 1 without end
    ",
    );
}

#[test]
fn r59_what_a_disconnected_app_left_is_not_muted_when_it_is_back() {
    script(
        "
        add A : t phone=380500000001      => 1 created added #1
        mute A t                          => #1 without end
        disconnect A                      => done
        mute A t                          => error UnknownApp A
        connect A                         => A
        add A : t phone=380500000001      => 1 by phone added #3.1
        resolve app=A number=380500000001 => A:t #3.1 of 1
    ",
    );
}

#[test]
fn r59_the_stats_count_the_subscribers_with_a_mute() {
    let (store, clock) = store_with(|_| {});
    let muted = || store.stats().unwrap().muted;
    for name in ["a", "b"] {
        add(&store, TokenEntry::new(name).external_customer_id("c1"));
    }
    assert_eq!(muted(), 0);
    let end = at(9_000);
    for (name, expected) in [("a", 1), ("a", 1), ("b", 2)] {
        let outcome = store.mute(Mute::new(APP, token(name)).until(end)).wait();
        let subscriber = subscriber(if name == "a" { 1 } else { 2 });
        let until = MuteEnd::At(end);
        assert_eq!(
            outcome.unwrap().outcome,
            TokenMuted::Muted { subscriber, until }
        );
        assert_eq!(muted(), expected);
    }
    // Until it is replaced, a mute that has ended counts.
    clock.set(at(10_000));
    assert_eq!(muted(), 2);
    store.unmute(Unmute::new(APP, token("a"))).wait().unwrap();
    assert_eq!(muted(), 1);
    store.erase(id(1)).wait().unwrap();
    assert_eq!(muted(), 0);
}

#[test]
fn r59_a_mute_for_longer_than_time_goes_ends_at_the_last_time() {
    let (store, _) = store();
    add(&store, TokenEntry::new("t").phone("380500000001"));
    store
        .mute(Mute::new(APP, token("t")).duration(Duration::MAX))
        .wait()
        .unwrap();
    let now = store.snapshot().unwrap();
    let listed = now.subscriber(subscriber(1)).unwrap().unwrap();
    assert_eq!(listed.muted, Some(MuteEnd::At(at(u64::MAX))));
    assert!(listed.is_muted(at(u64::MAX - 1)) && !listed.is_muted(at(u64::MAX)));
    let whom = GivenRecipient::new().app(APP).number("380500000001");
    let resolved = now.resolve(Resolve::new(whom.parse().unwrap())).unwrap();
    assert_eq!((resolved.addresses.len(), resolved.muted.len()), (0, 1));
}
