//! The payload of a deep link: only what was signed, for this bot and under this key, names anybody.

use contact_store::{AppId, ExternalCustomerId};
use data_encoding::{BASE64_NOPAD, BASE64URL, BASE64URL_NOPAD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use sha2::Sha256;

use super::example::deep_link::{
    BadLink, CUSTOMER_ID_BYTES, CannotSign, DOMAIN, DeepLinks, KeyTooShort, PAYLOAD_CHARS,
};
use super::{CUSTOMER, KEY, NOW, SAMPLE_APP, customer, link, links_of};

/// What a payload is refused for by the links of the sample.
#[track_caller]
fn refused(payload: &str, bad: BadLink) {
    assert_eq!(links_of(SAMPLE_APP).verify(payload, NOW), Err(bad));
}

/// A sound payload's bytes after `change`, put together again.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = BASE64URL_NOPAD.decode(link().as_bytes()).unwrap();
    change(&mut bytes);
    BASE64URL_NOPAD.encode(&bytes)
}

/// A payload of these bytes with a right tag: what somebody signs who has the key.
fn signed(domain: &[u8], app: AppId, bytes: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(KEY).unwrap();
    let mac = mac.chain_update(domain);
    let mac = mac.chain_update(app.as_u128().to_be_bytes());
    let tag = mac.chain_update(bytes).finalize().into_bytes();
    BASE64URL_NOPAD.encode(&[bytes, &tag[..16]].concat())
}

/// Version 1 and an expiry that is far.
const HEADER: [u8; 5] = [1, 0xff, 0xff, 0xff, 0xff];

// The payload was computed apart from this code, from the layout in the documentation.
#[test]
fn the_layout_is_the_documented_one() {
    let payload = "AWVVQoBzaG9wLTG9cR_IhdopwPHt0jMFQ6V9";
    let links = links_of(SAMPLE_APP);
    let made = links.sign(&customer("shop-1"), NOW + 86_400);
    assert_eq!(made.as_deref(), Ok(payload));
    assert_eq!(links.verify(payload, NOW), Ok(customer("shop-1")));
}

#[test]
fn every_customer_id_that_fits_comes_back_and_fits_into_telegrams_64_characters() {
    let links = links_of(SAMPLE_APP);
    for bytes in 1..=CUSTOMER_ID_BYTES {
        let id = customer(&"x".repeat(bytes));
        let payload = links.sign(&id, NOW + 1).unwrap();
        assert!(payload.len() <= PAYLOAD_CHARS, "{bytes} bytes");
        assert!(
            payload
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)),
            "{bytes} bytes"
        );
        assert_eq!(links.verify(&payload, NOW), Ok(id), "{bytes} bytes");
    }
    let longest = links.sign(&customer(&"x".repeat(CUSTOMER_ID_BYTES)), NOW);
    assert_eq!(longest.unwrap().len(), PAYLOAD_CHARS);
    let id = customer("клієнт-7");
    assert_eq!(
        links.verify(&links.sign(&id, NOW + 1).unwrap(), NOW),
        Ok(id)
    );
}

#[test]
fn a_uuid_is_packed_and_comes_back_as_it_was_written() {
    let links = links_of(SAMPLE_APP);
    let uuid = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
    let digits = uuid.replace('-', "");
    let written = [
        uuid.to_owned(),
        uuid.to_uppercase(),
        digits.clone(),
        digits.to_uppercase(),
        "00000000-0000-0000-0000-000000000001".to_owned(),
        "12345678901234567890123456789012".to_owned(),
    ];
    let mut payloads = Vec::new();
    for text in written {
        let payload = links.sign(&customer(&text), NOW + 1).unwrap();
        assert_eq!(payload.len(), 50, "{text}");
        assert_eq!(links.verify(&payload, NOW), Ok(customer(&text)));
        payloads.push(payload);
    }
    payloads.sort();
    payloads.dedup();
    assert_eq!(payloads.len(), 6);
    // What would not come back byte for byte is no UUID here, and does not fit.
    for text in [
        "3F2504e0-4f89-41d3-9a0c-0305e82c3301",
        "{3f2504e0-4f89-41d3-9a0c-0305e82c3301}",
        "3f2504e04f89-41d3-9a0c-0305e82c3301-",
        "3f2504e0-4f89-41d3-9a0c-0305e82c330g",
        "urn:uuid:3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    ] {
        let bytes = text.len();
        let refused = links.sign(&customer(text), NOW + 1);
        assert_eq!(
            refused,
            Err(CannotSign::CustomerIdTooLong { bytes }),
            "{text}"
        );
    }
}

#[test]
fn what_does_not_fit_is_not_signed() {
    let links = links_of(SAMPLE_APP);
    let too_long = CannotSign::CustomerIdTooLong { bytes: 28 };
    assert_eq!(links.sign(&customer(&"x".repeat(28)), NOW), Err(too_long));
    assert_eq!(
        too_long.to_string(),
        "customer id of 28 bytes, the longest in a link is 27"
    );
    let last = u64::from(u32::MAX);
    let payload = links.sign(&customer(CUSTOMER), last).unwrap();
    assert_eq!(links.verify(&payload, last - 1), Ok(customer(CUSTOMER)));
    for late in [last + 1, u64::MAX] {
        let refused = links.sign(&customer(CUSTOMER), late);
        assert_eq!(refused, Err(CannotSign::ExpiresTooLate), "{late}");
    }
}

#[test]
fn a_key_below_32_bytes_is_refused() {
    for bytes in [0, 1, 31] {
        let refused = DeepLinks::new(SAMPLE_APP, &vec![7; bytes]).unwrap_err();
        assert_eq!(refused, KeyTooShort { bytes });
    }
    assert_eq!(
        KeyTooShort { bytes: 31 }.to_string(),
        "key of 31 bytes, the shortest is 32"
    );
    for bytes in [32, 33, 64, 65, 4_096] {
        let links = DeepLinks::new(SAMPLE_APP, &vec![7; bytes]).unwrap();
        let payload = links.sign(&customer(CUSTOMER), NOW + 1).unwrap();
        assert_eq!(links.verify(&payload, NOW), Ok(customer(CUSTOMER)));
    }
}

// R52.
#[test]
fn neither_the_key_nor_the_customer_is_in_debug() {
    let links = links_of(SAMPLE_APP);
    assert_eq!(format!("{links:?}"), "DeepLinks(<secret>)");
    let verified = links.verify(&link(), NOW);
    assert_eq!(format!("{verified:?}"), "Ok(ExternalCustomerId(<6 bytes>))");
}

#[test]
fn a_payload_with_another_customer_id_is_refused() {
    let another = |bytes: &mut Vec<u8>| bytes[10] = b'2';
    refused(&changed(another), BadLink::NotSigned);
    refused(&changed(|bytes| bytes.insert(11, b'0')), BadLink::NotSigned);
    refused(
        &changed(|bytes| drop(bytes.drain(10..11))),
        BadLink::NotSigned,
    );
}

#[test]
fn a_payload_with_a_later_expiry_is_refused() {
    let signed = u32::try_from(NOW + 3_600).unwrap();
    for expires_at in [signed + 1, signed + 86_400, u32::MAX] {
        let later = changed(|bytes| bytes[1..5].copy_from_slice(&expires_at.to_be_bytes()));
        refused(&later, BadLink::NotSigned);
    }
}

#[test]
fn a_payload_is_refused_from_the_second_in_which_it_expires() {
    let links = links_of(SAMPLE_APP);
    let payload = links.sign(&customer(CUSTOMER), NOW).unwrap();
    assert_eq!(links.verify(&payload, NOW - 1), Ok(customer(CUSTOMER)));
    for now in [NOW, NOW + 1, u64::MAX] {
        assert_eq!(links.verify(&payload, now), Err(BadLink::Expired), "{now}");
    }
    // Long expired, and signed by nobody: the time of a forgery says nothing.
    let forged = changed(|bytes| bytes[1..5].fill(0));
    refused(&forged, BadLink::NotSigned);
}

#[test]
fn a_payload_of_another_bot_is_refused() {
    for app in [
        0,
        SAMPLE_APP.as_u128() ^ 1,
        SAMPLE_APP.as_u128() ^ (1 << 127),
    ] {
        let others = links_of(AppId::from_u128(app));
        let payload = others.sign(&customer(CUSTOMER), NOW + 1).unwrap();
        assert_eq!(others.verify(&payload, NOW), Ok(customer(CUSTOMER)));
        refused(&payload, BadLink::NotSigned);
    }
}

#[test]
fn a_payload_under_another_key_is_refused() {
    let mut key = KEY.to_vec();
    key[0] ^= 1;
    // HMAC fills a key up with zeros, and hashes one of more than 64 bytes.
    for key in [key, [KEY, b"\n"].concat(), [KEY, KEY].concat(), vec![0; 32]] {
        let others = DeepLinks::new(SAMPLE_APP, &key).unwrap();
        let payload = others.sign(&customer(CUSTOMER), NOW + 1).unwrap();
        refused(&payload, BadLink::NotSigned);
    }
}

#[test]
fn a_tag_made_with_the_key_for_something_else_is_refused() {
    let bytes = [&HEADER[..], CUSTOMER.as_bytes()].concat();
    let sound = signed(DOMAIN, SAMPLE_APP, &bytes);
    let verified = links_of(SAMPLE_APP).verify(&sound, NOW);
    assert_eq!(verified, Ok(customer(CUSTOMER)));
    for domain in [
        &b""[..],
        b"contact-store session\0",
        &DOMAIN[..DOMAIN.len() - 1],
    ] {
        refused(&signed(domain, SAMPLE_APP, &bytes), BadLink::NotSigned);
    }
}

#[test]
fn a_payload_with_a_cut_off_or_missing_tag_is_refused() {
    for left in 22..27 {
        refused(&changed(|bytes| bytes.truncate(left)), BadLink::NotSigned);
    }
    for left in 0..21 {
        refused(&changed(|bytes| bytes.truncate(left)), BadLink::TooShort);
    }
    refused(&changed(|bytes| bytes[11..].fill(0)), BadLink::NotSigned);
    // Twice as long, with the right half last: the tag is what comes last.
    refused(&changed(|bytes| bytes.extend([0; 16])), BadLink::NotSigned);
}

#[test]
fn a_bare_customer_id_is_refused() {
    let rows = [
        (CUSTOMER, BadLink::NotBase64Url),
        ("", BadLink::TooShort),
        ("1", BadLink::NotBase64Url),
        ("12345678", BadLink::TooShort),
        ("380500000001", BadLink::TooShort),
        ("ann@example.com", BadLink::NotBase64Url),
        (
            "7b1d2f40-9c3e-4a58-8d61-5e0fa1b2c3d4",
            BadLink::UnknownVersion,
        ),
        ("AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", BadLink::NotSigned),
    ];
    for (id, bad) in rows {
        refused(id, bad);
    }
    refused(
        &BASE64URL_NOPAD.encode(CUSTOMER.as_bytes()),
        BadLink::TooShort,
    );
}

#[test]
fn a_payload_that_is_not_canonical_base64url_is_refused() {
    // 11 + 16 bytes are 36 characters. With one byte more, four bits of the last character are free.
    let links = links_of(SAMPLE_APP);
    let payload = links.sign(&customer("shop-10"), NOW + 1).unwrap();
    assert_eq!(links.verify(&payload, NOW), Ok(customer("shop-10")));
    let (rest, last) = payload.split_at(payload.len() - 1);
    let mut others = 0;
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let spelled = format!("{rest}{other}");
        if last != other.to_string() && BASE64URL_NOPAD.decode(spelled.as_bytes()).is_err() {
            refused(&spelled, BadLink::NotBase64Url);
            others += 1;
        }
    }
    assert_eq!(others, 60);

    let bytes = BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap();
    let high = [&[0xfb, 0xff, 0xfe], &bytes[3..]].concat();
    for spelled in [
        BASE64URL.encode(&bytes),
        BASE64_NOPAD.encode(&high),
        format!(" {payload}"),
        format!("{payload}\n"),
        payload.replace('A', "А"),
    ] {
        refused(&spelled, BadLink::NotBase64Url);
    }
}

#[test]
fn a_payload_of_more_than_64_characters_is_refused_unread() {
    let longest = links_of(SAMPLE_APP).sign(&customer(&"x".repeat(27)), NOW + 1);
    let longest = longest.unwrap();
    refused(&format!("{longest}A"), BadLink::TooLong);
    // Signed, and one byte too long for Telegram.
    let bytes = [&HEADER[..], &[b'x'; 28]].concat();
    refused(&signed(DOMAIN, SAMPLE_APP, &bytes), BadLink::TooLong);
    refused(&"/".repeat(4_096), BadLink::TooLong);
}

#[test]
fn another_layout_is_refused_even_when_it_is_signed() {
    for version in [0, 2, 0x10, 0x13, 0x81, 0xff] {
        refused(
            &changed(|bytes| bytes[0] = version),
            BadLink::UnknownVersion,
        );
        let bytes = [&[version][..], &HEADER[1..], CUSTOMER.as_bytes()].concat();
        refused(&signed(DOMAIN, SAMPLE_APP, &bytes), BadLink::UnknownVersion);
    }
}

// R3, R6.
#[test]
fn an_id_that_no_contact_can_have_is_refused_even_when_it_is_signed() {
    for id in [
        &b""[..],
        b" ",
        b"\xff",
        b"shop\0",
        b"shop\n1",
        "shop\u{200b}1".as_bytes(),
    ] {
        let bytes = [&HEADER[..], id].concat();
        refused(&signed(DOMAIN, SAMPLE_APP, &bytes), BadLink::NoCustomerId);
    }
    // A UUID of fewer or more bytes than a UUID has.
    for id in [15, 17] {
        let bytes = [&[0x12][..], &HEADER[1..], &vec![7; id]].concat();
        refused(&signed(DOMAIN, SAMPLE_APP, &bytes), BadLink::NoCustomerId);
    }
}

#[test]
fn every_flipped_bit_is_found() {
    let uuid = customer("3f2504e0-4f89-41d3-9a0c-0305e82c3301");
    let uuid = links_of(SAMPLE_APP).sign(&uuid, NOW + 3_600).unwrap();
    for link in [link(), uuid] {
        let sound = BASE64URL_NOPAD.decode(link.as_bytes()).unwrap();
        for bit in 0..sound.len() * 8 {
            let mut bytes = sound.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let verified = links_of(SAMPLE_APP).verify(&BASE64URL_NOPAD.encode(&bytes), NOW);
            let bad = if bit < 8 {
                BadLink::UnknownVersion
            } else {
                BadLink::NotSigned
            };
            assert_eq!(verified, Err(bad), "bit {bit}");
        }
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 8_192,
        failure_persistence: None,
        rng_seed: RngSeed::Fixed(0x7e1e_94a3),
        ..ProptestConfig::default()
    }
}

/// What changes a text at one place: its character, and whether it is put in place or in front.
type Alteration = (prop::sample::Index, Option<char>, bool);

proptest! {
    #![proptest_config(config())]

    #[test]
    fn text_that_nobody_signed_names_nobody(text in "\\PC{0,70}|[A-Za-z0-9_-]{0,70}|AQ[A-Za-z0-9_-]{28,62}") {
        prop_assert!(links_of(SAMPLE_APP).verify(&text, 0).is_err(), "{text:?}");
    }

    #[test]
    fn bytes_that_nobody_signed_name_nobody(mut bytes in vec(any::<u8>(), 0..49), ours in any::<bool>()) {
        if let Some(version) = bytes.first_mut().filter(|_| ours) {
            *version = 1;
        }
        let text = BASE64URL_NOPAD.encode(&bytes);
        prop_assert!(links_of(SAMPLE_APP).verify(&text, 0).is_err(), "{text:?}");
    }

    // As often as the changes cancel out, it must verify.
    #[test]
    fn a_signed_payload_verifies_exactly_as_it_was_signed(
        id in "[a-z0-9]{1,27}",
        changes in vec(any::<Alteration>(), 0..4),
    ) {
        let links = links_of(SAMPLE_APP);
        let id = ExternalCustomerId::parse(&id).unwrap();
        let payload = links.sign(&id, NOW + 1).unwrap();
        let mut text: Vec<char> = payload.chars().collect();
        for (place, new, in_front) in changes {
            let place = place.index(text.len() + 1);
            let end = if in_front { place } else { text.len().min(place + 1) };
            text.splice(place..end, new);
        }
        let text: String = text.into_iter().collect();
        let verified = links.verify(&text, NOW);
        prop_assert_eq!(verified.ok(), (text == payload).then_some(id));
    }
}
