//! Which contact an entry means, and what is created when there is none: R14 to R18.

use contact_store::{MatchPolicy, UnknownContactId};

use crate::support::script::{script, script_with};

#[test]
fn r14_cascade_tries_the_given_identifiers_in_priority_order() {
    script(
        "
        add A : a ext=c1             => 1 created added #1
        add A : b phone=380500000002 => 2 created added #2
        add A : c email=e3@example.com => 3 created added #3
        // Four contacts are named: the id decides, then the external id, then the phone.
        add A : d id=4               => 4 created added #4
        add A : e id=4 ext=c1 phone=380500000002 email=e3@example.com => 4 by id added #5
        add A : f ext=c1 phone=380500000002 email=e3@example.com      => 1 by ext added #6
        add A : g phone=380500000002 email=e3@example.com             => 2 by phone added #7
        add A : h email=e3@example.com                                => 3 by email added #8
        // What names nobody is passed over.
        add A : i id=9 ext=new phone=380500000009 email=e3@example.com => 3 by email added #9
        add A : j ext=new phone=380500000002 email=e3@example.com      => 2 by phone added #10
        contacts                                                       => 4
    ",
    );
}

#[test]
fn r14_top_priority_tries_only_the_highest_given() {
    script_with(
        |options| options.policy = MatchPolicy::TopPriority,
        "
        add A : a ext=c1             => 1 created added #1
        add A : b phone=380500000002 => 2 created added #2
        add A : c ext=c1 phone=380500000002 => 1 by ext added #3
        // The phone names a contact, and is not asked.
        add A : d ext=new phone=380500000002 => 3 created added #4 skipped=phone
        add A : e phone=380500000002 => 2 by phone added #5
        // A request may ask for the other policy.
        add A policy=cascade : f ext=newer phone=380500000002 => 2 by phone added #6
    ",
    );
}

#[test]
fn r15_a_found_contact_gets_the_token_and_nothing_else() {
    script(
        "
        add A : a phone=380500000001 => 1 created added #1
        clock 2000
        add B at=1500 : b id=7 ext=c1 phone=380500000001 email=ann@example.com => 1 by phone added #2.1
        card 1   => 1 phone=380500000001 created 1000 via A [A:a#1@1000 B:b#2.1@1500]
        // What was not attached names nobody.
        find email=ann@example.com   => none
        find ext=c1                  => none
        find id=7                    => none
        add A : c email=ann@example.com => 2 created added #2
        // The same with the older text.
        add A policy=top : d phone=380500000001 email=x@example.com => 1 by phone added #3
        find email=x@example.com     => none
    ",
    );
}

#[test]
fn r16_cascade_creates_a_contact_with_all_that_is_given() {
    script(
        "
        clock 5000
        add B at=4000 : t ext=c1 phone=+380500000001 email=Ann@Example.com => 1 created added #2.1
        card 1 => 1 ext=c1 phone=380500000001 email=ann@example.com created 4000 via B [B:t#2.1@4000]
        find ext=c1                => 1 by ext
        find phone=380500000001    => 1 by phone
        find email=ann@example.com => 1 by email
        // With an id, that is its id; without, the store's.
        add B : u id=9 ext=c9 phone=380500000009 email=e9@example.com => 9 created added #2.2
        card 9 => 9 ext=c9 phone=380500000009 email=e9@example.com created 5000 via B [B:u#2.2@5000]
    ",
    );
}

#[test]
fn r17_top_priority_creates_with_what_no_contact_has() {
    script_with(
        |options| options.policy = MatchPolicy::TopPriority,
        "
        add A : a phone=380500000001   => 1 created added #1
        add A : b email=e2@example.com => 2 created added #2
        // Both others are taken, by two contacts.
        add A : c ext=c3 phone=380500000001 email=e2@example.com
            => 3 created added #3 skipped=phone,email
        card 3 => 3 ext=c3 created 1000 via A [A:c#3@1000]
        // One is taken.
        add A : d ext=c4 phone=380500000004 email=e2@example.com => 4 created added #4 skipped=email
        card 4 => 4 ext=c4 phone=380500000004 created 1000 via A [A:d#4@1000]
        // None is.
        add A : e ext=c5 phone=380500000005 email=e5@example.com => 5 created added #5
        card 5 => 5 ext=c5 phone=380500000005 email=e5@example.com created 1000 via A [A:e#5@1000]
        // The one that is tried may be an id, which is then adopted.
        add A : f id=9 ext=c5 phone=380500000009 => 9 created added #6 skipped=ext
        card 9 => 9 phone=380500000009 created 1000 via A [A:f#6@1000]
        // The contacts that had the values still have them.
        card 1 => 1 phone=380500000001 created 1000 via A [A:a#1@1000]
        card 2 => 2 email=e2@example.com created 1000 via A [A:b#2@1000]
        find ext=c5 => 5 by ext
    ",
    );
}

#[test]
fn r18_an_unknown_contact_id_is_adopted_by_a_created_contact() {
    script(
        "
        add A : a id=7 phone=380500000001 => 7 created added #1
        card 7 => 7 phone=380500000001 created 1000 via A [A:a#1@1000]
        find id=7 => 7 by id
        // Not where a contact is found: nothing of it changes.
        add A : b id=8 phone=380500000001 => 7 by phone added #2
        find id=8 => none
    ",
    );
}

#[test]
fn r18_the_id_of_an_erased_contact_is_never_adopted() {
    script(
        "
        add A : a id=7 phone=380500000001 => 7 created added #1
        add A : b phone=380500000002      => 1 created added #2
        erase 7 => true
        erase 1 => true
        // Adopted or assigned, and whatever is given with it.
        add A : c id=7                    => refused ContactIdErased(ContactId(7))
        add A : c id=1 phone=380500000009 => refused ContactIdErased(ContactId(1))
        add A policy=top : c id=1 phone=380500000009 => refused ContactIdErased(ContactId(1))
        contacts => 0
        // It does not stand in the way of finding by something else.
        add A : d phone=380500000004      => 2 created added #3
        add A : e id=7 phone=380500000004 => 2 by phone added #4
        // Under TopPriority it is the id that is tried.
        add A policy=top : e id=7 phone=380500000004 => refused ContactIdErased(ContactId(7))
    ",
    );
}

#[test]
fn r18_reject_refuses_every_unknown_id() {
    script_with(
        |options| options.unknown_contact_id = UnknownContactId::Reject,
        "
        add A : a id=7                    => refused UnknownContactId
        add A : a id=7 phone=380500000001 => refused UnknownContactId
        add A : a phone=380500000001      => 1 created added #1
        add A : b id=1                    => 1 by id added #2
        // On a contact that is found, the id was not to be written anyway (R15).
        add A : c id=7 phone=380500000001 => 1 by phone added #3
        erase 1 => true
        add A : d id=1                    => refused UnknownContactId
        // A request may ask for the other.
        add A unknown=adopt : d id=1      => refused ContactIdErased(ContactId(1))
        add A unknown=adopt : d id=7      => 7 created added #4
    ",
    );
}
