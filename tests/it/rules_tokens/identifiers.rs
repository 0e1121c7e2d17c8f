//! Identifiers and tokens as a request gives them: R1 to R9, R13.

use contact_store::{
    AddTokens, EntryError, Fault, Field, GivenIdentifiers, IdentifierKind, PhoneMark, TokenEntry,
};

use crate::support::script::{script, script_with};
use crate::support::{APP, add, find, id, store};

/// What the one entry of a request is refused for.
#[track_caller]
fn refused(entry: TokenEntry, field: Field, fault: &Fault) {
    let (store, _) = store();
    let before = store.snapshot().unwrap().sequence();
    let request = AddTokens::new(APP).entry(entry);
    let answer = store.add_tokens(request).wait().unwrap();
    match &answer.outcome.entries[..] {
        [Err(EntryError::Field(error))] => {
            assert_eq!((error.field(), error.fault()), (field, fault));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(answer.sequence, before);
    assert_eq!(store.snapshot().unwrap().contact_count(), 0);
}

/// A contact that is added with `first` is found by `second`.
#[track_caller]
fn same(first: GivenIdentifiers, second: GivenIdentifiers) {
    let (store, _) = store();
    let added = add(&store, TokenEntry::new("t").identifiers(first));
    let found = find(&store, second).unwrap().expect("the same contact");
    assert_eq!(found.card.id, added.contact);
}

fn ext(text: &str) -> GivenIdentifiers {
    GivenIdentifiers::new().external_customer_id(text)
}

fn phone(text: &str) -> GivenIdentifiers {
    GivenIdentifiers::new().phone(text)
}

fn email(text: &str) -> GivenIdentifiers {
    GivenIdentifiers::new().email(text)
}

fn entry(given: GivenIdentifiers) -> TokenEntry {
    TokenEntry::new("t").identifiers(given)
}

#[test]
fn r1_blank_identifiers_count_as_not_given() {
    script(
        r#"
        add A : t ext= phone=" " email="   "   => refused NoIdentifier
        add A : t ext=" " phone=380500000001   => 1 created added #1
        card 1                                 => 1 phone=380500000001 created 1000 via A [A:t#1@1000]
        // Under TopPriority the first identifier given is the phone, not the blank one before it.
        add A policy=top : u ext="  " phone=380500000001 email=ann@example.com
                                               => 1 by phone added #2
        find ext=" " email=                    => error NothingGiven
        find ext=" " phone=380500000001        => 1 by phone
        explain ext=" " phone=380500000001
            => phone:1; cascade appends to 1 by phone; top appends to 1 by phone
    "#,
    );
}

#[test]
fn r1_white_space_is_the_frozen_list() {
    let white = "\u{9}\u{A}\u{B}\u{C}\u{D}\u{20}\u{85}\u{A0}\u{1680}\u{2000}\u{200A}\u{2028}\u{2029}\u{202F}\u{205F}\u{3000}";
    let blank = GivenIdentifiers::new()
        .external_customer_id(white)
        .phone(white)
        .email(white);
    assert!(blank.kinds().is_empty());
    let (store, _) = store();
    let request = AddTokens::new(APP).entry(entry(blank));
    let outcome = store.add_tokens(request).wait().unwrap().outcome;
    assert_eq!(outcome.entries, [Err(EntryError::NoIdentifier)]);
    // A zero-width space can be seen no better, but is no white space: it is given, and invalid.
    refused(
        entry(ext("\u{200B}")),
        Field::ExternalCustomerId,
        &Fault::ForbiddenCharacter,
    );
}

#[test]
fn r2_a_contact_id_is_1_to_2_pow_63_minus_1() {
    script(
        "
        add A : t id=1                     => 1 created added #1
        add A : t id=9223372036854775807   => 9223372036854775807 created added #1 also=1
        add A : t id=0                     => refused contactId ContactIdOutOfRange
        add A : t id=-1                    => refused contactId ContactIdOutOfRange
        add A : t id=9223372036854775808   => refused contactId ContactIdOutOfRange
        add A : t id=18446744073709551617  => refused contactId ContactIdOutOfRange
    ",
    );
}

#[test]
fn r3_an_external_id_is_opaque() {
    script(
        r#"
        add A : t ext=ab      => 1 created added #1
        add A : t ext=aB      => 2 created added #1 also=1
        add A : t ext=" ab"   => 3 created added #1 also=1,2
        add A : t ext="ab "   => 4 created added #1 also=1,2,3
        find ext=ab           => 1 by ext
        find ext=" ab"        => 3 by ext
        find ext="ab  "       => none
    "#,
    );
    // One letter to the eye, of one character and of two.
    let (store, _) = store();
    add(&store, entry(ext("\u{E9}")));
    assert_eq!(find(&store, ext("e\u{301}")).unwrap(), None);
}

#[test]
fn r3_an_external_id_has_1_to_1024_bytes() {
    let longest = "ї".repeat(512);
    same(ext(&longest), ext(&longest));
    refused(
        entry(ext(&(longest + "a"))),
        Field::ExternalCustomerId,
        &Fault::TooLong {
            bytes: 1_025,
            limit: 1_024,
        },
    );
}

#[test]
fn r4_one_phone_has_many_forms_and_one_contact() {
    let forms = [
        "380500000001",
        "+380500000001",
        "00380500000001",
        "+38 (050) 000-00-01",
        "  +38.050/000 00 01\t",
        "(+380) 50 000 00 01",
        "+380\u{2010}50\u{2015}000\u{2212}00\u{A0}01",
        "\u{202A}+380500000001\u{202C}\u{200E}\u{2066}\u{2069}",
        "-380500000001",
        "+٣٨٠٥٠٠٠٠٠٠٠١",
        "۳۸۰۵۰۰۰۰۰۰۰۱",
        "＋３８０５０００００００１",
        "\u{FEFF}380500000001\u{200B}",
        "+380\u{AD}50\u{FE0E}000\u{2060}00\u{200D}01",
    ];
    for form in forms {
        same(phone("380500000001"), phone(form));
        same(phone(form), phone("380500000001"));
    }
}

fn ambiguous(mark: PhoneMark) -> Fault {
    Fault::AmbiguousMark { mark }
}

#[test]
fn r4_every_other_phone_is_refused() {
    let rows = [
        ("+38 (0) 500000001", Fault::AmbiguousZero),
        ("+38 ( 0 ) 500000001", Fault::AmbiguousZero),
        ("++380500000001", Fault::MisplacedPlus),
        ("380+500000001", Fault::MisplacedPlus),
        ("380500000001 ext. 2", Fault::NotADigit),
        ("380500000001 x2", Fault::NotADigit),
        ("380500000001#2", Fault::NotADigit),
        ("380500000001\u{200A}²", Fault::NotADigit),
        ("380500000001.0", ambiguous(PhoneMark::Dot)),
        ("380500000001-2", ambiguous(PhoneMark::Hyphen)),
        ("+380500000001/2", ambiguous(PhoneMark::Slash)),
        ("+380500000001/68", ambiguous(PhoneMark::Slash)),
        ("38050/0000001", ambiguous(PhoneMark::Slash)),
        ("2345678 7654321", ambiguous(PhoneMark::WhiteSpace)),
        ("123456", Fault::DigitCount { digits: 6 }),
        ("1234567890123456", Fault::DigitCount { digits: 16 }),
        ("+", Fault::DigitCount { digits: 0 }),
        ("0500000001", Fault::LeadingZero),
        ("+0500000001", Fault::LeadingZero),
        ("0000500000001", Fault::LeadingZero),
    ];
    for (text, fault) in rows {
        refused(entry(phone(text)), Field::Phone, &fault);
    }
    same(phone("1234567"), phone("+1234567"));
    same(phone("123456789012345"), phone("00123456789012345"));
}

#[test]
fn r5_one_email_has_many_forms_and_one_contact() {
    for form in [
        "ann@example.com",
        "  Ann@EXAMPLE.com. ",
        "\u{3000}ANN@example.COM",
    ] {
        same(email("ann@example.com"), email(form));
    }
    let (store, _) = store();
    for text in ["ann@example.com", "a.nn@example.com", "ann+1@example.com"] {
        add(&store, entry(email(text)));
    }
    assert_eq!(store.snapshot().unwrap().contact_count(), 3, "no folding");
}

#[test]
fn r5_every_other_email_is_refused() {
    let long_local = format!("{}@example.com", "a".repeat(65));
    let long = format!("{}@{}example.com", "a".repeat(64), "d.".repeat(90));
    let long_domain = format!("a@{}com", "d.".repeat(126));
    let long_label = format!("a@{}.com", "d".repeat(64));
    let rows = [
        ("ann.example.com", Fault::NoAtSign),
        ("@example.com", Fault::LocalPartLength { bytes: 0 }),
        (&long_local, Fault::LocalPartLength { bytes: 65 }),
        ("ann b@example.com", Fault::LocalPartWhiteSpace),
        ("ann@", Fault::DomainLength { bytes: 0 }),
        (&long_domain, Fault::DomainLength { bytes: 255 }),
        ("ann@-example.com", Fault::DomainLabel),
        ("ann@example..com", Fault::DomainLabel),
        ("ann@exam_ple.com", Fault::DomainLabel),
        (&long_label, Fault::DomainLabel),
        (
            &long,
            Fault::TooLong {
                bytes: 256,
                limit: 254,
            },
        ),
        ("an\u{200D}n@example.com", Fault::ForbiddenCharacter),
    ];
    for (text, fault) in rows {
        refused(entry(email(text)), Field::Email, &fault);
    }
    #[cfg(not(feature = "idn"))]
    refused(
        entry(email("ann@приклад.example")),
        Field::Email,
        &Fault::NonAsciiDomain,
    );
}

#[test]
fn r6_no_value_holds_what_cannot_be_seen() {
    let invisible = [
        '\0',
        '\n',
        '\u{7F}',
        '\u{AD}',
        '\u{200B}',
        '\u{200D}',
        '\u{200E}',
        '\u{2028}',
        '\u{202E}',
        '\u{2066}',
        '\u{FEFF}',
        '\u{E0041}',
    ];
    for c in invisible {
        let text = format!("a{c}b");
        let rows = [
            (entry(ext(&text)), Field::ExternalCustomerId),
            (entry(email(&format!("{text}@example.com"))), Field::Email),
            (TokenEntry::new(text.clone()).contact_id(1), Field::Token),
        ];
        for (entry, field) in rows {
            // A line break in an email is white space before it is invisible.
            let fault = if field == Field::Email && matches!(c, '\n' | '\u{2028}') {
                Fault::LocalPartWhiteSpace
            } else {
                Fault::ForbiddenCharacter
            };
            refused(entry, field, &fault);
        }
    }
    // What chooses the look of the character before it is let in.
    same(ext("heart \u{2764}\u{FE0F}"), ext("heart \u{2764}\u{FE0F}"));
}

#[test]
fn r7_a_canonical_form_is_its_own_canonical_form() {
    let (store, _) = store();
    let given = GivenIdentifiers::new()
        .external_customer_id(" Kept As It Is ")
        .phone("00 (380) 50-000-00-01")
        .email("  Ann.O'Hara+x@EXAMPLE.com.  ");
    let added = add(&store, entry(given));
    let found = store.snapshot().unwrap().contact(added.contact).unwrap();
    let identifiers = found.unwrap().identifiers;
    let shown = GivenIdentifiers::new()
        .contact_id(added.contact.value())
        .external_customer_id(identifiers.external_customer_id().unwrap().as_str())
        .phone(identifiers.phone().unwrap().digits())
        .email(identifiers.email().unwrap().as_str());
    assert_eq!(shown.parse().unwrap(), identifiers);
    let alone = [
        GivenIdentifiers::new().contact_id(1),
        ext(identifiers.external_customer_id().unwrap().as_str()),
        phone(&identifiers.phone().unwrap().digits()),
        email(identifiers.email().unwrap().as_str()),
    ];
    for (kind, alone) in IdentifierKind::ALL.iter().copied().zip(alone) {
        let found = find(&store, alone).unwrap().expect("the contact");
        assert_eq!((found.card.id, found.matched_by), (id(1), kind));
    }
}

#[test]
fn r8_a_value_names_one_contact_or_none() {
    script(
        "
        add A : t ext=c1 phone=380500000001 email=ann@example.com => 1 created added #1
        // Whatever comes with it, a value goes on naming the contact it names.
        add A : u ext=c1 phone=380500000002                       => 1 by ext added #2
        add A : u ext=c2 phone=380500000001                       => 1 by phone held #2
        add A : u ext=c3 email=ann@example.com                    => 1 by email held #2
        add A policy=top : v ext=c4 phone=380500000001 email=ann@example.com
            => 2 created added #3 skipped=phone,email
        find phone=380500000001                                   => 1 by phone
        find email=ann@example.com                                => 1 by email
        card 2                                                    => 2 ext=c4 created 1000 via A [A:v#3@1000]
        // Within one request too.
        add A policy=top : w ext=c5 phone=380500000005 | x ext=c6 phone=380500000005
            => 3 created added #4 | 4 created added #5 skipped=phone
    ",
    );
}

#[test]
fn r9_a_token_is_required_and_opaque() {
    script(
        r#"
        add A : - phone=380500000001      => refused token Blank
        add A : "" phone=380500000001     => refused token Blank
        add A : "  " phone=380500000001   => refused token Blank
        add A : "7" phone=380500000001    => 1 created added #1
        add A : " 7" phone=380500000001   => 1 by phone added #2
        add A : "7 " phone=380500000001   => 1 by phone added #3
        add A : "07" phone=380500000001   => 1 by phone added #4
        add A : "x" phone=380500000001    => 1 by phone added #5
        add A : "X" phone=380500000001    => 1 by phone added #6
        subscriber A " 7"                 => #2 A: 7 of 1 registered 1000 sent 0 failed 0 clicked 0 last -
    "#,
    );
}

#[test]
fn r9_a_token_has_1_to_4096_bytes() {
    let longest = "ї".repeat(2_048);
    let (store, _) = store();
    let added = add(&store, TokenEntry::new(longest.clone()).contact_id(5));
    let card = store.snapshot().unwrap().contact(added.contact).unwrap();
    assert_eq!(card.unwrap().tokens[0].token.as_str(), longest);
    refused(
        TokenEntry::new(longest + "a").contact_id(5),
        Field::Token,
        &Fault::TooLong {
            bytes: 4_097,
            limit: 4_096,
        },
    );
}

#[test]
fn r10_a_token_belongs_to_its_app() {
    script(
        "
        add A : 77 phone=380500000001   => 1 created added #1
        add B : 77 phone=380500000001   => 1 by phone added #2.1
        // Exclusive within one app is nobody's business in the other.
        add B ownership=exclusive : 77 phone=380500000002 => 2 created moved from 1 #2.1
        subscriber A 77                 => #1 A:77 of 1 registered 1000 sent 0 failed 0 clicked 0 last -
        subscriber B 77                 => #2.1 B:77 of 2 registered 1000 sent 0 failed 0 clicked 0 last -
        report A : 77 FAILED            => removed from 1
        subscriber A 77                 => none
        card 2                          => 2 phone=380500000002 created 1000 via B [B:77#2.1@1000]
    ",
    );
}

#[test]
fn r13_the_first_fault_of_an_entry_is_its_error() {
    script(
        r#"
        add A : - id=0 ext=e phone=1 email=x      => refused token Blank
        add A : - phone=1                         => refused token Blank
        add A : t id=0 phone=1 email=x            => refused contactId ContactIdOutOfRange
        add A : t id=7 phone=1 email=x            => refused phone DigitCount { digits: 1 }
        add A : t id=7 phone=380500000001 email=x => refused email NoAtSign
        add A : -                                 => refused token Blank
        add A : t                                 => refused NoIdentifier
        // What is invalid is refused also where it would not have decided.
        add A : t phone=380500000001              => 1 created added #1
        add A : t phone=380500000001 email=x      => refused email NoAtSign
        add A policy=top : t phone=380500000001 email=x => refused email NoAtSign
        contacts                                  => 1
    "#,
    );
    // An external id that is too long comes before a phone, and after a contact id.
    let long = "a".repeat(1_025);
    refused(
        TokenEntry::new("t").external_customer_id(&long).phone("1"),
        Field::ExternalCustomerId,
        &Fault::TooLong {
            bytes: 1_025,
            limit: 1_024,
        },
    );
    refused(
        TokenEntry::new("t")
            .external_customer_id(&long)
            .contact_id(0),
        Field::ContactId,
        &Fault::ContactIdOutOfRange,
    );
}

#[test]
fn r13_ignored_identifiers_count_as_not_given_and_are_named() {
    script(
        r#"
        add A invalid=ignore : t id=0 phone=1 email=ann@example.com
            => 1 created added #1 ignored=id,phone
        card 1                => 1 email=ann@example.com created 1000 via A [A:t#1@1000]
        add A invalid=ignore : u phone=1 email=ann@example.com
            => 1 by email added #2 ignored=phone
        // Under TopPriority the next valid one is the first that is given.
        add A invalid=ignore policy=top : v phone=1 email=ann@example.com
            => 1 by email added #3 ignored=phone
        // With none left: the first fault.
        add A invalid=ignore : w id=0 phone=1 email=x => refused contactId ContactIdOutOfRange
        add A invalid=ignore : w phone=1 email=x      => refused phone DigitCount { digits: 1 }
        add A invalid=ignore : w                      => refused NoIdentifier
        // A token is no identifier.
        add A invalid=ignore : "" email=ann@example.com => refused token Blank
        add A invalid=ignore : w phone=" " email=x      => refused email NoAtSign
    "#,
    );
}

#[test]
fn r13_the_stores_option_holds_unless_a_request_says_otherwise() {
    use contact_store::InvalidIdentifier;
    script_with(
        |options| options.invalid_identifier = InvalidIdentifier::Ignore,
        "
        add A : t phone=1 email=ann@example.com                => 1 created added #1 ignored=phone
        add A invalid=refuse : t phone=1 email=ann@example.com => refused phone DigitCount { digits: 1 }
    ",
    );
}
