//! What an item does to the identifiers on a card, and what is in its way: R42, R44.

use crate::support::script::script;

#[test]
fn r42_given_identifiers_replace_those_on_the_card() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001 email=a@example.com   => 1 created
        upsert contactId : id=1 phone=380500000002 email=b@example.com => 1 by id updated
        upsert externalCustomerId : ext=c1 email=c@example.com         => 1 by ext updated
        card 1                                                         => 1 ext=c1 phone=380500000002 email=c@example.com created 1000 []
        // What was replaced names nobody, and is free again.
        find phone=380500000001                                        => none
        find email=a@example.com                                       => none
        find email=b@example.com                                       => none
        upsert phone : phone=380500000001 email=a@example.com          => 2 created
        // A kind that the card did not have.
        upsert email : ext=c2 email=a@example.com                      => 2 by email updated
        card 2                                                         => 2 ext=c2 phone=380500000001 email=a@example.com created 1000 []
    ",
    );
}

#[test]
fn r42_null_takes_an_identifier_off() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001 email=a@example.com first=Ann => 1 created
        upsert externalCustomerId : ext=c1 email=null                => 1 by ext updated
        card 1                                                       => 1 ext=c1 phone=380500000001 first=\"Ann\" created 1000 []
        upsert phone : ext=null phone=380500000001                   => 1 by phone updated
        card 1                                                       => 1 phone=380500000001 first=\"Ann\" created 1000 []
        find ext=c1                                                  => none
        upsert phone : phone=380500000001 ext=null email=null        => 1 by phone unchanged
        // The contact stays, also without any.
        upsert contactId : id=1 ext=null phone=null email=null       => 1 by id updated
        card 1                                                       => 1 first=\"Ann\" created 1000 []
        upsert phone : ext=c1 phone=380500000001 email=a@example.com => 2 created
    ",
    );
}

#[test]
fn r42_an_identifier_that_another_contact_has_is_a_conflict() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001 email=a@example.com   => 1 created
        upsert phone : ext=c2 phone=380500000002 email=b@example.com   => 2 created
        upsert email : email=a@example.com phone=380500000002 first=A  => refused Conflict phone 2
        upsert phone : phone=380500000001 email=b@example.com first=A  => refused Conflict email 2
        upsert contactId : id=1 phone=380500000002                     => refused Conflict phone 2
        // The external id finds, and then the phone is another contact's.
        upsert phone : phone=380500000001 ext=c2                       => refused Conflict phone 1
        // Of several the one of the kind with the highest priority is named.
        upsert contactId : id=1 email=b@example.com phone=380500000002 => refused Conflict phone 2
        // Nothing of the item is written, nothing else of the card is changed.
        card 1                                                         => 1 ext=c1 phone=380500000001 email=a@example.com created 1000 []
        // The same when a contact would be created.
        upsert externalCustomerId : ext=c3 email=b@example.com         => refused Conflict email 2
        upsert email : id=1 email=c@example.com                        => refused Conflict id 1
        upsert email : phone=380500000001 email=c@example.com          => refused Conflict phone 1
        // One taken off is in nobody's way.
        upsert contactId : id=2 phone=null                             => 2 by id updated
        upsert email : email=a@example.com phone=380500000002          => 1 by email updated
        // Nor is that of an erased contact.
        erase 2                                                        => true
        upsert phone : phone=380500000002 email=b@example.com          => 1 by phone updated
        card 1                                                         => 1 ext=c1 phone=380500000002 email=b@example.com created 1000 []
    ",
    );
}

#[test]
fn r42_a_contact_id_is_never_replaced() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001                   => 1 created
        upsert phone : phone=380500000002                          => 2 created
        upsert phone : id=2 phone=380500000001                     => refused Conflict id 2
        upsert externalCustomerId : id=2 ext=c1                    => refused Conflict id 2
        // One that names nobody is refused as well, whatever its outcome would be otherwise.
        upsert phone : id=9 phone=380500000001                     => refused Conflict id 1
        upsert phone unknown=reject : id=9 phone=380500000001      => refused Conflict id 1
        upsert contactId : id=9 ext=c1                             => refused Conflict id 1
        erase 2                                                    => true
        upsert phone : id=2 phone=380500000001                     => refused Conflict id 1
        // It is named before the other kinds.
        upsert email : email=b@example.com                         => 3 created
        upsert phone : id=3 phone=380500000001 email=b@example.com => refused Conflict id 3
        upsert phone : id=1 phone=380500000001                     => 1 by phone unchanged
    ",
    );
}

#[test]
fn r42_a_contact_found_by_another_kind_keeps_its_external_id() {
    script(
        "
        upsert phone : ext=c1 phone=380500000001 email=a@example.com => 1 created
        upsert phone : ext=c2 phone=380500000001                     => refused Conflict ext 1
        upsert email : ext=c2 email=a@example.com                    => refused Conflict ext 1
        upsert contactId : id=1 ext=c2                               => refused Conflict ext 1
        upsert phoneThenEmail : ext=c2 phone=380500000009 email=a@example.com => refused Conflict ext 1
        // External ids are compared byte by byte (R3).
        upsert phone : ext=C1 phone=380500000001                     => refused Conflict ext 1
        // One that is taken off leaves room.
        upsert phone : ext=null phone=380500000001                   => 1 by phone updated
        upsert phone : ext=c2 phone=380500000001                     => 1 by phone updated
        find ext=c2                                                  => 1 by ext
        find ext=c1                                                  => none
    ",
    );
}

#[test]
fn r1_r42_a_blank_identifier_counts_as_not_given() {
    script(
        r#"
        upsert phone : phone=380500000001 email=a@example.com => 1 created
        upsert phone : phone=380500000001 email=              => 1 by phone unchanged
        upsert phone : phone=380500000001 email=" "           => 1 by phone unchanged
        upsert email : email=a@example.com phone=             => 1 by email unchanged
        upsert phone : phone=380500000001 ext=                => 1 by phone unchanged
        upsert email : email=                                 => refused NothingToFindBy
        upsert phoneThenEmail : phone=" " email=a@example.com          => 1 by email unchanged
        card 1                                                => 1 phone=380500000001 email=a@example.com created 1000 []
    "#,
    );
}

#[test]
fn r42_tokens_are_added_by_the_new_identifier_and_no_longer_by_the_old() {
    script(
        "
        add A : t1 phone=380500000001 email=a@example.com     => 1 created added #1
        upsert email : phone=380500000002 email=a@example.com => 1 by email updated
        explain phone=380500000002                            => phone:1; cascade appends to 1 by phone; top appends to 1 by phone
        explain phone=380500000001                            => phone:-; cascade creates 2 with phone; top creates 2 with phone
        add A : t2 phone=380500000002                         => 1 by phone added #2
        add A : t3 phone=380500000001                         => 2 created added #3
        // Its tokens, and its app, are as they were.
        card 1                                                => 1 phone=380500000002 email=a@example.com created 1000 via A [A:t1#1@1000 A:t2#2@1000]
        // R17: what another contact has now is skipped.
        add A policy=top : t4 ext=c1 phone=380500000002       => 3 created added #4 skipped=phone
        upsert email : ext=c2 phone=null email=a@example.com  => 1 by email updated
        explain ext=c2 phone=380500000002                     => ext:1 phone:-; cascade appends to 1 by ext; top appends to 1 by ext
        report A : t1 FAILED                                  => removed from 1
        card 1                                                => 1 ext=c2 email=a@example.com created 1000 via A [A:t2#2@1000]
    ",
    );
}

#[test]
fn r44_erasing_frees_identifiers_replaced_and_current_and_drops_the_fields() {
    script(
        "
        add A : t1 phone=380500000001 email=a@example.com => 1 created added #1
        upsert email : ext=c1 phone=380500000002 email=a@example.com first=Ann city:=Kyiv => 1 by email updated
        erase 1                                           => true
        card 1                                            => none
        upsert phone : phone=380500000001                 => 2 created
        upsert phone : phone=380500000002                 => 3 created
        upsert email : ext=c1 email=a@example.com         => 4 created
        card 4                                            => 4 ext=c1 email=a@example.com created 1000 []
        contacts                                          => 3
    ",
    );
}
