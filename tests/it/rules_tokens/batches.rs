//! Requests of several entries: R11, R23.

use crate::support::script::script;

#[test]
fn r11_a_request_for_an_unknown_app_is_refused_whole() {
    script(
        "
        add C : t phone=380500000001                => error UnknownApp C
        add C :                                     => error UnknownApp C
        add C : - | t phone=1                       => error UnknownApp C
        contacts                                    => 0
    ",
    );
}

#[test]
fn r23_entries_see_the_ones_before_them() {
    script(
        "
        add A : t1 phone=380500000001 email=e1@example.com | t2 email=e1@example.com
              | t1 phone=380500000001 | t1 ext=c2 | t3 id=2 | t4 id=9 | t5 id=9
            => 1 created added #1 | 1 by email added #2
             | 1 by phone held #1 | 2 created added #1 also=1 | 2 by id added #3
             | 9 created added #4 | 9 by id added #5
        card 1 => 1 phone=380500000001 email=e1@example.com created 1000 via A [A:t1#1@1000 A:t2#2@1000]
        card 2 => 2 ext=c2 created 1000 via A [A:t1#1@1000 A:t3#3@1000]
    ",
    );
}

#[test]
fn r23_a_refused_entry_does_not_stop_the_others() {
    script(
        "
        add A : t1 phone=380500000001 | - phone=380500000002 | t3 | t4 phone=12 | t5 phone=380500000001
            => 1 created added #1
             | refused token Blank
             | refused NoIdentifier
             | refused phone DigitCount { digits: 2 }
             | 1 by phone added #2
        // It uses up neither a contact id nor a subscriber id.
        erase 1 => true
        add A : t6 id=1 | t7 ext=c2 => refused ContactIdErased(ContactId(1)) | 2 created added #3
    ",
    );
}

#[test]
fn r23_all_or_nothing_refuses_the_request_with_its_first_fault() {
    script(
        "
        add A mode=all : t1 phone=380500000001 | t2 ext=c2 | t3 phone=12 | -
            => error EntryRefused 2: phone DigitCount { digits: 2 }
        add A mode=all : t1 phone=380500000001 | t2
            => error EntryRefused 1: NoIdentifier
        contacts     => 0
        subscribers A =>
        // No id was used up, of contacts or of subscribers, and none was adopted.
        add A mode=all : t1 ext=c1 | t2 id=5 | t3 id=0
            => error EntryRefused 2: contactId ContactIdOutOfRange
        add A mode=all : t1 phone=380500000001 | t2 ext=c2
            => 1 created added #1 | 2 created added #2
        add A mode=all : t3 id=5 => 5 created added #3
        // What is refused only when it is decided counts as well.
        erase 5 => true
        add A mode=all : t4 ext=c4 | t5 id=5 => error EntryRefused 1: ContactIdErased(ContactId(5))
        add A mode=all ownership=exclusive : t1 ext=c2 | t5 id=5
            => error EntryRefused 1: ContactIdErased(ContactId(5))
        subscriber A t1 => #1 A:t1 of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        add A : t4 ext=c4 => 3 created added #4
    ",
    );
}

#[test]
fn r23_an_empty_list_is_fine() {
    script(
        "
        add A :          =>
        add A mode=all : =>
        report A :       =>
        contacts         => 0
    ",
    );
}
