//! Taking a merged contact out again.

use crate::support::script::{script, script_with};

#[test]
fn r58_with_nothing_between_both_are_as_they_were() {
    script(
        "
        upsert phone : phone=380500000001 first=Ann city:=Kyiv => 1 created
        clock 2000
        upsert phone : phone=380500000002 email=ann@example.com first=Anna last=Lee => 2 created
        // Neither is in the order of times.
        add A at=300 : a phone=380500000001 => 1 by phone added #1
        add A at=200 : b phone=380500000001 => 1 by phone added #2
        add A at=250 : c phone=380500000002 => 2 by phone added #3
        add A at=100 : d phone=380500000002 => 2 by phone added #4
        add A at=400 : a phone=380500000002 => 2 by phone added #1 also=1
        merge 2 1 => 2 into 1 gets=email kept=phone fields=last kept_fields=first tokens=#3,#4 shared=#1
        card 1 => 1 phone=380500000001 email=ann@example.com first=\"Ann\" last=\"Lee\" city:=\"Kyiv\" created 1000 [A:d#4@100 A:b#2@200 A:c#3@250 A:a#1@300]
        unmerge 2 => 2 from 1 gets=phone,email fields=first,last tokens=#3,#4,#1
        card 1 => 1 phone=380500000001 first=\"Ann\" city:=\"Kyiv\" created 1000 [A:a#1@300 A:b#2@200]
        card 2 => 2 phone=380500000002 email=ann@example.com first=\"Anna\" last=\"Lee\" created 2000 [A:c#3@250 A:d#4@100 A:a#1@400]
        subscriber A a => #1 A:a of 1,2 registered 400 sent 0 failed 0 clicked 0 last -
        merged 1 =>
        contacts => 2
    ",
    );
}

#[test]
fn r58_what_is_not_merged_cannot_be_taken_out() {
    script(
        "
        add A : t ext=c1 | u ext=c2 => 1 created added #1 | 2 created added #2
        unmerge 1 => error NotMerged 1
        unmerge 3 => error UnknownContact 3
        merge 2 1 => 2 into 1 kept=ext tokens=#2
        unmerge 1 => error NotMerged 1
        unmerge 2 => 2 from 1 gets=ext tokens=#2
        unmerge 2 => error NotMerged 2
        erase 2 => true
        unmerge 2 => error ErasedContact 2
    ",
    );
}

#[test]
fn r58_an_identifier_that_another_has_by_now_is_named() {
    script(
        "
        upsert phone : phone=380500000001 => 1 created
        upsert phone : phone=380500000002 email=ann@example.com ext=c2 => 2 created
        merge 2 1 => 2 into 1 gets=ext,email kept=phone
        // The kept one is free for others, and what went over when the contact gives it up.
        upsert phone : phone=380500000002 => 3 created
        upsert phone : phone=380500000001 email=ben@example.com => 1 by phone updated
        upsert email : email=ann@example.com => 4 created
        unmerge 2 => 2 from 1 gets=ext not=phone:3,email:4
        card 1 => 1 phone=380500000001 email=ben@example.com created 1000 []
        card 2 => 2 ext=c2 created 1000 []
    ",
    );
}

#[test]
fn r58_an_identifier_that_the_other_contact_got_by_its_own_order_stays_there() {
    script(
        "
        upsert email : email=ann@example.com ext=c1 => 1 created
        upsert email : email=anna@example.com => 2 created
        merge 2 1 => 2 into 1 kept=email
        upsert externalCustomerId : ext=c1 email=anna@example.com => 1 by ext updated
        unmerge 2 => 2 from 1 not=email:1
        card 1 => 1 ext=c1 email=anna@example.com created 1000 []
        card 2 => 2 created 1000 []
    ",
    );
}

#[test]
fn r58_an_identifier_that_is_free_by_now_is_given_back() {
    script(
        "
        upsert email : email=ann@example.com => 1 created
        upsert phone : phone=380500000002 => 2 created
        merge 2 1 => 2 into 1 gets=phone
        upsert email : email=ann@example.com phone=null => 1 by email updated
        unmerge 2 => 2 from 1 gets=phone
        card 1 => 1 email=ann@example.com created 1000 []
    ",
    );
}

#[test]
fn r58_a_field_that_was_changed_in_between_stays_changed() {
    script(
        "
        upsert email : email=ann@example.com city:=Kyiv => 1 created
        upsert phone : phone=380500000002 first=Anna last=Lee lang=uk city:=Lviv => 2 created
        merge 2 1 => 2 into 1 gets=phone fields=first,last,lang kept_fields=city:
        upsert email : email=ann@example.com first=Ann last=null city:=Odesa => 1 by email updated
        unmerge 2 => 2 from 1 gets=phone fields=first,last,lang,city:
        card 1 => 1 email=ann@example.com first=\"Ann\" city:=\"Odesa\" created 1000 []
        card 2 => 2 phone=380500000002 first=\"Anna\" last=\"Lee\" lang=\"uk\" city:=\"Lviv\" created 1000 []
    ",
    );
}

#[test]
fn r58_a_token_that_was_removed_since_is_named_even_if_it_was_added_again() {
    script(
        "
        add A at=100 : t ext=c1 | u ext=c2 | v ext=c2 | w ext=c2 | w ext=c3
            => 1 created added #1 | 2 created added #2 | 2 by ext added #3 | 2 by ext added #4
             | 3 created added #4 also=2
        merge 2 1 => 2 into 1 kept=ext tokens=#2,#3,#4
        report A : u FAILED => removed from 1
        remove A w of=1 => from 1
        add A at=200 : w ext=c1 | u ext=c1 => 1 by ext added #4 also=3 | 1 by ext added #5
        unmerge 2 => 2 from 1 gets=ext tokens=#3 gone=#2,#4
        card 1 => 1 ext=c1 created 100 via A [A:t#1@100 A:w#4@200 A:u#5@200]
        card 2 => 2 ext=c2 created 100 via A [A:v#3@100]
        subscriber A w => #4 A:w of 3,1 registered 200 sent 0 failed 0 clicked 0 last -
    ",
    );
}

#[test]
fn r58_a_token_that_both_held_is_held_by_both_again_unless_it_was_removed() {
    script(
        "
        add A at=100 : t ext=c1 | t ext=c2 | u ext=c1 | u ext=c2
            => 1 created added #1 | 2 created added #1 also=1 | 1 by ext added #2 | 2 by ext added #2 also=1
        merge 1 2 => 1 into 2 kept=ext shared=#1,#2
        remove A u => from 2
        add A at=150 : t ext=c3 => 3 created added #1 also=2
        unmerge 1 => 1 from 2 gets=ext tokens=#1 gone=#2
        subscriber A t => #1 A:t of 1,2,3 registered 150 sent 0 failed 0 clicked 0 last -
        card 1 => 1 ext=c1 created 100 via A [A:t#1@100]
    ",
    );
}

#[test]
fn r58_what_was_added_in_between_stays_where_it_is() {
    script(
        "
        add A at=300 : a ext=c1 => 1 created added #1
        add A at=200 : b ext=c1 => 1 by ext added #2
        add A at=100 : c ext=c2 => 2 created added #3
        merge 2 1 => 2 into 1 kept=ext tokens=#3
        add A at=50 : d ext=c1 => 1 by ext added #4
        card 1 => 1 ext=c1 created 300 via A [A:c#3@100 A:b#2@200 A:a#1@300 A:d#4@50]
        unmerge 2 => 2 from 1 gets=ext tokens=#3
        card 1 => 1 ext=c1 created 300 via A [A:a#1@300 A:b#2@200 A:d#4@50]
    ",
    );
}

#[test]
fn r58_r57_a_renamed_token_comes_back_under_its_new_name() {
    script(
        "
        add A : t ext=c1 | u ext=c2 | v ext=c2
            => 1 created added #1 | 2 created added #2 | 2 by ext added #3
        merge 2 1 => 2 into 1 kept=ext tokens=#2,#3
        rename A u w => #2 of 1
        // Joined to another, it is no longer there.
        rename A t v => #1 and #3 of 1
        unmerge 2 => 2 from 1 gets=ext tokens=#2 gone=#3
        card 1 => 1 ext=c1 created 1000 via A [A:v#1@1000]
        card 2 => 2 ext=c2 created 1000 via A [A:w#2@1000]
    ",
    );
}

#[test]
fn r58_an_unmerge_over_the_limit_on_holders_is_refused() {
    script_with(
        |options| options.limits.contacts_per_token = 2,
        "
        add A : t ext=c1 | t ext=c2 => 1 created added #1 | 2 created added #1 also=1
        merge 2 1 => 2 into 1 kept=ext shared=#1
        add A : t ext=c3 => 3 created added #1 also=1
        unmerge 2 => error ContactsPerToken 3 of 2
        remove A t of=3 => from 3
        unmerge 2 => 2 from 1 gets=ext tokens=#1
    ",
    );
}
