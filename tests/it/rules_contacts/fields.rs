//! Fields: R43, and how much of them a card takes.

use contact_store::{ContactFields, ContactUpdate, DedupeOn, Upsert, ValueChange};

use crate::support::script::{script, script_with};
use crate::support::{assert_sound, id, store};

#[test]
fn r43_fields_that_are_named_are_set_and_the_others_stay() {
    script(
        "
        upsert phone : phone=380500000001 first=Ann last=Lee lang=uk zone=Europe/Kyiv city:=Kyiv shop:=12 => 1 created
        card 1                                              => 1 phone=380500000001 first=\"Ann\" last=\"Lee\" lang=\"uk\" zone=\"Europe/Kyiv\" city:=\"Kyiv\" shop:=\"12\" created 1000 []
        upsert phone : phone=380500000001 last=Kim shop:=13 => 1 by phone updated
        upsert phone : phone=380500000001 area:=7           => 1 by phone updated
        card 1                                              => 1 phone=380500000001 first=\"Ann\" last=\"Kim\" lang=\"uk\" zone=\"Europe/Kyiv\" area:=\"7\" city:=\"Kyiv\" shop:=\"13\" created 1000 []
    ",
    );
}

#[test]
fn r42_a_field_that_is_named_null_goes() {
    script(
        "
        upsert phone : phone=380500000001 first=Ann last=Lee lang=uk zone=UTC city:=Kyiv shop:=12 => 1 created
        upsert phone : phone=380500000001 first=null zone=null shop:=null => 1 by phone updated
        card 1                                                           => 1 phone=380500000001 last=\"Lee\" lang=\"uk\" city:=\"Kyiv\" created 1000 []
        upsert phone : phone=380500000001 last=null lang=null city:=null => 1 by phone updated
        card 1                                                           => 1 phone=380500000001 created 1000 []
        upsert phone : phone=380500000001 last=null city:=null           => 1 by phone unchanged
    ",
    );
}

#[test]
fn r43_an_empty_text_is_a_value_like_any_other() {
    script(
        r#"
        upsert phone : phone=380500000001 first= city:=       => 1 created
        card 1                                                => 1 phone=380500000001 first="" city:="" created 1000 []
        upsert phone : phone=380500000001 first= city:=       => 1 by phone unchanged
        upsert phone : phone=380500000001 first=" " city:=" " => 1 by phone updated
        card 1                                                => 1 phone=380500000001 first=" " city:=" " created 1000 []
        upsert phone : phone=380500000001 first=null          => 1 by phone updated
    "#,
    );
}

#[test]
fn r43_names_of_custom_fields_are_opaque() {
    script(
        r#"
        upsert phone : phone=380500000001 first=Ann first:=a City:=b city:=c "city :=d" їжак:=e => 1 created
        card 1                                       => 1 phone=380500000001 first="Ann" City:="b" city:="c" city :="d" first:="a" їжак:="e" created 1000 []
        upsert phone : phone=380500000001 city:=null => 1 by phone updated
        card 1                                       => 1 phone=380500000001 first="Ann" City:="b" city :="d" first:="a" їжак:="e" created 1000 []
        upsert phone : phone=380500000001 :=x        => refused fieldName Blank
        upsert phone : phone=380500000001 " :=x"     => refused fieldName Blank
        // Also when it would go.
        upsert phone : phone=380500000001 :=null     => refused fieldName Blank
    "#,
    );
    // R6.
    for name in ["a\u{200B}", "a\u{0}b", "\u{202E}a", "a\u{AD}"] {
        script(&format!(
            "upsert phone : phone=380500000001 \"{name}:=x\" => refused fieldName ForbiddenCharacter"
        ));
    }
}

#[test]
fn r43_names_have_128_bytes_and_values_4096_at_most() {
    let (name, value) = ("ї".repeat(64), "ї".repeat(2_048));
    script(&format!(
        "
        upsert phone : phone=380500000001 first={value} last={value} lang={value} zone={value} {name}:={value}
            => 1 created
        upsert phone : phone=380500000001 {name}a:=x     => refused fieldName TooLong {{ bytes: 129, limit: 128 }}
        upsert phone : phone=380500000001 first={value}a => refused firstName TooLong {{ bytes: 4097, limit: 4096 }}
        upsert phone : phone=380500000001 last={value}a  => refused lastName TooLong {{ bytes: 4097, limit: 4096 }}
        upsert phone : phone=380500000001 lang={value}a  => refused languageCode TooLong {{ bytes: 4097, limit: 4096 }}
        upsert phone : phone=380500000001 zone={value}a  => refused timeZone TooLong {{ bytes: 4097, limit: 4096 }}
        upsert phone : phone=380500000001 a:={value}a    => refused fieldValue TooLong {{ bytes: 4097, limit: 4096 }}
        card 1                                           => 1 phone=380500000001 first={value:?} last={value:?} lang={value:?} zone={value:?} {name}:={value:?} created 1000 []
    "
    ));
}

#[test]
fn r43_a_value_is_kept_byte_for_byte() {
    let (store, _) = store();
    let texts = [
        "two\nlines",
        " \t",
        "\u{200B}\u{0}\u{202E}",
        "e\u{301}",
        "null",
    ];
    for text in texts {
        let update = ContactUpdate::new()
            .contact_id(7)
            .first_name(text)
            .field("city", ValueChange::Set(text.to_owned()));
        let upsert = Upsert::new(DedupeOn::ContactId).contact(update);
        assert!(store.upsert(upsert).wait().unwrap().outcome[0].is_ok());
        let card = store.snapshot().unwrap().contact(id(7)).unwrap().unwrap();
        let mut fields = ContactFields::default();
        fields.first_name = Some(text.to_owned());
        fields.custom.insert("city".to_owned(), text.to_owned());
        assert!(card.fields == fields);
    }
    assert_sound(&store);
}

#[test]
fn custom_fields_of_a_card_are_limited() {
    script_with(
        |options| options.limits.custom_fields_per_contact = 2,
        "
        upsert phone : phone=380500000001 a:=1 b:=2 c:=3 => refused CustomFieldsPerContact 3 of 2
        upsert phone : phone=380500000001 first=A last=L lang=uk zone=UTC a:=1 b:=2 => 1 created
        upsert phone : phone=380500000001 c:=3           => refused CustomFieldsPerContact 3 of 2
        upsert phone : phone=380500000001 a:=null c:=3   => 1 by phone updated
        upsert phone : phone=380500000001 b:=longer      => 1 by phone updated
        // A refused creation takes no id.
        upsert phone : phone=380500000002 a:=1 b:=2 c:=3 | phone=380500000003
            => refused CustomFieldsPerContact 3 of 2 | 2 created
    ",
    );
    // By default 256.
    let fields =
        |from: usize, to: usize| -> String { (from..to).map(|n| format!(" f{n}:=x")).collect() };
    script(&format!(
        "
        upsert phone : phone=380500000001{} => refused CustomFieldsPerContact 257 of 256
        upsert phone : phone=380500000001{} => 1 created
        upsert phone : phone=380500000001{} => refused CustomFieldsPerContact 257 of 256
    ",
        fields(0, 257),
        fields(0, 256),
        fields(256, 257),
    ));
}

#[test]
fn the_text_of_a_card_counts_identifiers_tokens_and_fields() {
    script_with(
        |options| options.limits.card_text_bytes = 30,
        "
        add A : tok phone=380500000001                                   => 1 created added #1
        // 3 and 12, 10, 4 and 1.
        upsert phone : phone=380500000001 first=0123456789 city:=x       => 1 by phone updated
        upsert phone : phone=380500000001 city:=xy                       => refused CardTextBytes 31 of 30
        upsert phone : phone=380500000001 ext=c                          => refused CardTextBytes 31 of 30
        add A : t phone=380500000001                                     => refused CardTextBytes 31 of 30
        // Bytes, not letters.
        upsert phone : phone=380500000001 first=01234567ї                => 1 by phone updated
        upsert phone : phone=380500000001 first=012345678ї               => refused CardTextBytes 31 of 30
        // What goes in the same item makes room, and so does a token that goes.
        upsert phone : phone=380500000001 first=null last=0123456789     => 1 by phone updated
        remove A tok                                                     => from 1
        upsert phone : phone=380500000001 ext=c2                         => 1 by phone updated
        upsert phone : phone=380500000001 ext=c2 lang=uk                 => refused CardTextBytes 31 of 30
        // A new one.
        upsert phone : phone=380500000002 first=0123456789 last=012345678 => refused CardTextBytes 31 of 30
        upsert phone : phone=380500000002 first=0123456789 last=01234567 => 2 created
    ",
    );
}
