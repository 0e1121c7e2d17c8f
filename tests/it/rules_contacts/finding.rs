//! Which contact an item is about, and what it creates: R41, R18.

use contact_store::UnknownContactId;

use crate::support::script::{script, script_with};

#[test]
fn r41_a_contact_is_found_by_what_dedupe_on_names() {
    script(
        r#"
        upsert phone : ext=c1 phone=380500000001 email=a@example.com => 1 created
        upsert contactId : id=1 first=A                              => 1 by id updated
        upsert externalCustomerId : ext=c1 first=B                   => 1 by ext updated
        upsert phone : phone="+380 50 000-00-01" first=C             => 1 by phone updated
        upsert email : email=" A@Example.com." first=D               => 1 by email updated
        upsert phoneThenEmail : phone=380500000001 first=E           => 1 by phone updated
        upsert phoneThenEmail : email=a@example.com first=F          => 1 by email updated
        card 1                                                       => 1 ext=c1 phone=380500000001 email=a@example.com first="F" created 1000 []
    "#,
    );
}

#[test]
fn r41_a_request_may_only_update_or_only_create() {
    script(
        "
        upsert phone only=update : phone=380500000001 first=Ann => refused ContactNotFound
        upsert phone only=create : phone=380500000001 email=a@example.com => 1 created
        upsert phone only=create : phone=380500000001 first=Ann
            => refused ContactExists(ContactId(1))
        upsert phone only=update : phone=380500000001 first=Ann => 1 by phone updated
        // What it may do comes before what is in conflict.
        upsert phone only=update : phone=380500000002 email=a@example.com => refused ContactNotFound
        upsert phone only=create : phone=380500000002 email=a@example.com => refused Conflict email 1
        // Each item sees the ones before it, and all or nothing is as ever.
        upsert phone only=create : phone=380500000003 | phone=380500000003
            => 2 created | refused ContactExists(ContactId(2))
        upsert phone only=create mode=all : phone=380500000004 | phone=380500000003
            => error EntryRefused 1: ContactExists(ContactId(2))
        contacts => 2
    ",
    );
}

#[test]
fn r41_nothing_else_finds_a_contact() {
    script(
        "
        upsert phone : phone=380500000001 email=a@example.com => 1 created
        // Given, of a contact there is, and not asked for: it can only be in the way.
        upsert email : phone=380500000001 email=b@example.com => refused Conflict phone 1
        upsert phone : phone=380500000002 email=a@example.com => refused Conflict email 1
        upsert externalCustomerId : ext=c1 phone=380500000001 => refused Conflict phone 1
        upsert email : id=1 email=b@example.com               => refused Conflict id 1
        contacts                                              => 1
    ",
    );
}

#[test]
fn r41_an_external_id_in_the_item_goes_first() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001           => 1 created
        upsert phone : phone=380500000002                  => 2 created
        upsert phone : ext=c1 phone=380500000003           => 1 by ext updated
        upsert phone : ext=c1 phone=380500000002           => refused Conflict phone 2
        upsert contactId : id=2 ext=c1                     => refused Conflict id 2
        upsert phoneThenEmail : ext=c1 email=a@example.com => 1 by ext updated
        card 1                                             => 1 ext=c1 phone=380500000003 email=a@example.com created 1000 []
        // One that names nobody leaves it to what dedupeOn names.
        upsert phone : ext=c2 phone=380500000002           => 2 by phone updated
        card 2                                             => 2 ext=c2 phone=380500000002 created 1000 []
        // One that is null counts as not given.
        upsert phone : ext=null phone=380500000002         => 2 by phone updated
        card 2                                             => 2 phone=380500000002 created 1000 []
    ",
    );
}

#[test]
fn r41_under_phone_then_email_the_phone_finds_if_it_names_a_contact() {
    script(
        "
        upsert email : phone=380500000001 email=a@example.com          => 1 created
        upsert email : phone=380500000002 email=b@example.com          => 2 created
        // The phone names nobody: the email finds, and the phone is replaced.
        upsert phoneThenEmail : phone=380500000003 email=a@example.com => 1 by email updated
        find phone=380500000001                                        => none
        find phone=380500000003                                        => 1 by phone
        // The phone names another contact than the email.
        upsert phoneThenEmail : phone=380500000002 email=a@example.com => refused Conflict email 1
        upsert phoneThenEmail : phone=380500000003 email=b@example.com => refused Conflict email 2
        // The email names nobody, and is replaced.
        upsert phoneThenEmail : phone=380500000002 email=c@example.com => 2 by phone updated
        find email=b@example.com                                       => none
        // Neither names anybody.
        upsert phoneThenEmail : phone=380500000004 email=d@example.com => 3 created
        // A phone that is null counts as not given.
        upsert phoneThenEmail : phone=null email=d@example.com         => 3 by email updated
        card 3                                                         => 3 email=d@example.com created 1000 []
    ",
    );
}

#[test]
fn r41_an_item_gives_something_that_can_find_its_contact() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001 email=a@example.com => 1 created
        upsert contactId : phone=380500000001 email=a@example.com    => refused NothingToFindBy
        upsert externalCustomerId : id=1 phone=380500000001 email=a@example.com => refused NothingToFindBy
        upsert externalCustomerId : ext=null id=1                    => refused NothingToFindBy
        upsert phone : id=1 email=a@example.com                      => refused NothingToFindBy
        upsert phone : phone=null email=a@example.com                => refused NothingToFindBy
        upsert email : id=1 phone=380500000001                       => refused NothingToFindBy
        upsert phoneThenEmail : id=1 first=A                         => refused NothingToFindBy
        upsert phoneThenEmail : phone=null email=null                => refused NothingToFindBy
        upsert email : -                                             => refused NothingToFindBy
    ",
    );
}

#[test]
fn r41_a_contact_is_created_with_all_that_is_given_and_through_no_app() {
    script(
        "
        clock 2000
        upsert phone : ext=c1 phone=380500000001 email=a@example.com first=Ann => 1 created
        card 1                                                  => 1 ext=c1 phone=380500000001 email=a@example.com first=\"Ann\" created 2000 []
        // R54: at its own time, and not after the clock's.
        upsert phone at=500 : phone=380500000002                => 2 created
        card 2                                                  => 2 phone=380500000002 created 500 []
        upsert phone at=9000 : phone=380500000003               => 3 created
        card 3                                                  => 3 phone=380500000003 created 2000 []
        // A null takes off what is not there.
        upsert phone : phone=380500000004 email=null first=null => 4 created
        card 4                                                  => 4 phone=380500000004 created 2000 []
        // It stays through none when it gets a token.
        add A : t phone=380500000004                            => 4 by phone added #1
        card 4                                                  => 4 phone=380500000004 created 2000 [A:t#1@2000]
    ",
    );
}

#[test]
fn r18_r41_an_unknown_contact_id_is_adopted_unless_its_contact_was_erased() {
    script(
        "
        upsert contactId : id=7 first=Ann                          => 7 created
        upsert phone : id=9 phone=380500000001                     => 9 created
        card 9                                                     => 9 phone=380500000001 created 1000 []
        upsert contactId unknown=reject : id=8                     => refused UnknownContactId
        upsert phone unknown=reject : id=8 phone=380500000002      => refused UnknownContactId
        upsert phone unknown=reject : id=9 phone=380500000001      => 9 by phone unchanged
        upsert contactId unknown=reject : id=7                     => 7 by id unchanged
        erase 7                                                    => true
        upsert contactId : id=7                                    => refused ContactIdErased(ContactId(7))
        upsert phone : id=7 phone=380500000002                     => refused ContactIdErased(ContactId(7))
        upsert contactId unknown=reject : id=7                     => refused UnknownContactId
        upsert contactId : id=0                                    => refused contactId ContactIdOutOfRange
        // A conflict is named first.
        upsert email : id=7 phone=380500000001 email=a@example.com => refused Conflict phone 9
        // R19: adopting does not move the counter, and no refused item took an id.
        upsert phone : phone=380500000002                          => 1 created
    ",
    );
    script_with(
        |options| options.unknown_contact_id = UnknownContactId::Reject,
        "
        upsert contactId : id=7               => refused UnknownContactId
        upsert contactId unknown=adopt : id=7 => 7 created
        upsert phone : phone=380500000001     => 1 created
    ",
    );
}

#[test]
fn r47_an_item_that_says_what_the_card_holds_changes_nothing() {
    script(
        r#"
        upsert phone : ext=c1 phone=380500000001 email=a@example.com first=Ann city:=Kyiv => 1 created
        upsert phone : ext=c1 phone=380500000001 email=a@example.com first=Ann city:=Kyiv => 1 by ext unchanged
        upsert phone : phone="+380 50 000 00 01" email=A@EXAMPLE.COM => 1 by phone unchanged
        upsert email : email=a@example.com last=null shop:=null      => 1 by email unchanged
        upsert contactId : id=1                                      => 1 by id unchanged
        upsert contactId mode=all : id=1 | id=1 first=Ann            => 1 by id unchanged | 1 by id unchanged
    "#,
    );
}
