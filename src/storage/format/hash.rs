//! The hashes of the file: keyed ones for the indexes, and the checksums of records.
//!
//! An index key is SipHash, since a caller that chooses identifiers must not choose where they go; a
//! checksum is XXH3, which is against damage alone. Both algorithms are fixed, unlike that of std's
//! hasher. This module does not know what is hashed.

use std::fmt;
use std::hash::Hasher as _;

use siphasher::sip::{SipHasher13, SipHasher24};
use siphasher::sip128::{Hasher128 as _, SipHasher24 as SipHasher128};
use twox_hash::XxHash3_64;

use super::super::tables::{Key, Table};
use super::super::unique::IndexHash;

/// Makes the index keys of one store.
///
/// The key comes from the operating system when the file is created, so no caller that can choose
/// identifiers can choose ones that share an index row.
#[derive(Clone, Copy)]
pub(crate) struct IndexHasher {
    key: (u64, u64),
    /// All ones, but for tests that want values to share an index row.
    mask: u64,
}

// The key protects the index against chosen identifiers.
impl fmt::Debug for IndexHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IndexHasher(<secret>)")
    }
}

/// What a wide hash is of. The kinds of index keys have the numbers up to 4.
pub(in crate::storage) const IDEMPOTENCY_KEY: u8 = 5;
pub(in crate::storage) const REQUEST: u8 = 6;
const SUPPRESSED: u8 = 7;
const BLOCKED: u8 = 8;

/// Nearly all identifiers and tokens are shorter.
const JOINED: usize = 64;

impl IndexHasher {
    pub(in crate::storage) fn new(key: u128, mask: u64) -> Self {
        let low = u64::try_from(key & u128::from(u64::MAX)).unwrap_or_default();
        let high = u64::try_from(key >> 64).unwrap_or_default();
        IndexHasher {
            key: (low, high),
            mask,
        }
    }

    fn hash(&self, kind: u8, parts: [&[u8]; 2]) -> IndexHash {
        let mut hasher = SipHasher24::new_with_keys(self.key.0, self.key.1);
        // Hashing in one go takes half the time of hashing in parts.
        let mut joined = [kind; JOINED];
        let [first, second] = parts;
        let (from, to) = (1, first.len().saturating_add(1));
        let end = to.saturating_add(second.len());
        let hash = if let Some(joined) = joined.get_mut(..end)
            && let Some(first_part) = joined.get_mut(from..to)
        {
            first_part.copy_from_slice(first);
            if let Some(second_part) = joined.get_mut(to..end) {
                second_part.copy_from_slice(second);
            }
            hasher.hash(joined)
        } else {
            hasher.write_u8(kind);
            for part in parts {
                hasher.write(part);
            }
            hasher.finish()
        };
        IndexHash(hash & self.mask)
    }

    pub(in crate::storage) fn external_id(&self, id: &str) -> IndexHash {
        self.hash(1, [id.as_bytes(), &[]])
    }

    pub(in crate::storage) fn email(&self, email: &str) -> IndexHash {
        self.hash(2, [email.as_bytes(), &[]])
    }

    pub(in crate::storage) fn token(&self, app_number: u64, token: &str) -> IndexHash {
        self.hash(3, [&app_number.to_le_bytes(), token.as_bytes()])
    }

    pub(in crate::storage) fn phone(&self, phone: u64) -> IndexHash {
        self.hash(4, [&phone.to_le_bytes(), &[]])
    }
}

impl IndexHasher {
    /// The hash of a suppressed identifier, which is all that is kept of it: with 128 bits, no
    /// other value has the same.
    pub(in crate::storage) fn suppressed(&self, kind: u8, value: &[u8]) -> u128 {
        let mut hasher = self.wide(SUPPRESSED);
        hasher.write(&[kind]);
        hasher.write(value);
        hasher.finish()
    }

    /// The hash of a token that FAILED removed. Two tokens of an app never share an entry, so the mask
    /// of tests is not applied.
    pub(in crate::storage) fn blocked(&self, token: &str) -> u128 {
        let mut hasher = self.wide(BLOCKED);
        hasher.write(token.as_bytes());
        hasher.finish()
    }

    /// Begins a hash of this kind.
    pub(in crate::storage) fn wide(&self, kind: u8) -> WideHasher {
        let mut hasher = SipHasher128::new_with_keys(self.key.0, self.key.1);
        hasher.write_u8(kind);
        WideHasher(hasher)
    }
}

/// A keyed hash of 128 bits under way: wide enough that what has the same one is the same.
pub(crate) struct WideHasher(SipHasher128);

impl WideHasher {
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.0.write(bytes);
    }

    pub(crate) fn finish(self) -> u128 {
        self.0.finish128().as_u128()
    }
}

/// The checksum of a record: over its table, its key and its payload, so that a row that ended up
/// under another key is found out as well as a changed byte.
pub(in crate::storage) fn checksum(table: Table, key: &Key, payload: &[u8]) -> u32 {
    // An odd factor keeps all keys apart; the table is added where no key of a real store reaches.
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let key = match key {
        Key::Int(key) => *key,
        Key::Wide(key) => XxHash3_64::oneshot(&key.to_le_bytes()),
        Key::Bytes(key) => XxHash3_64::oneshot(key),
    };
    let seed = key.wrapping_mul(ODD) ^ (table as u64) << 56;
    low_half(XxHash3_64::oneshot_with_seed(seed, payload))
}

/// The checksum of the records of format 1, and of the row that says which format a file has, in
/// every format.
pub(in crate::storage) fn checksum_of_format_1(table: u64, key: &Key, payload: &[u8]) -> u32 {
    let hasher = match key {
        Key::Int(key) => SipHasher13::new_with_keys(table, *key),
        Key::Wide(key) => {
            let mut hasher = SipHasher13::new_with_keys(table, u64::MAX);
            hasher.write(&key.to_le_bytes());
            hasher
        }
        Key::Bytes(key) => {
            let mut hasher = SipHasher13::new_with_keys(table, key.len() as u64);
            hasher.write(key);
            hasher
        }
    };
    // In one go, which is what `write` and `finish` give, and faster.
    low_half(hasher.hash(payload).rotate_left(32))
}

/// Half of a hash is plenty against damage, and every row carries it.
fn low_half(hash: u64) -> u32 {
    u32::try_from(hash & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_keys_are_those_of_siphash_2_4_and_stay_so() {
        let hasher = IndexHasher::new(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100, u64::MAX);
        let mut reference =
            SipHasher24::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        reference.write(b"\x02ann@example.com");
        assert_eq!(hasher.email("ann@example.com").0, reference.finish());
        assert_eq!(hasher.email("ann@example.com").0, GOLDEN_EMAIL);
        assert_eq!(hasher.external_id("shop-1").0, GOLDEN_EXTERNAL_ID);
        assert_eq!(hasher.token(7, "100200300").0, GOLDEN_TOKEN);
        assert_eq!(hasher.phone(380_500_000_001).0, GOLDEN_PHONE);
    }

    #[test]
    fn a_wide_hash_is_that_of_siphash_2_4_128_and_stays_so() {
        let hasher = IndexHasher::new(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100, 1);
        let mut hash = hasher.wide(5);
        hash.write(b"in ");
        hash.write(b"parts");
        let reference = SipHasher128::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        let reference = reference.hash(b"\x05in parts").as_u128();
        assert_eq!(hash.finish(), reference);
        assert_eq!(reference, GOLDEN_WIDE);
        assert_ne!(hasher.wide(6).finish(), hasher.wide(5).finish());
    }

    const GOLDEN_WIDE: u128 = 13_076_366_330_442_621_491_358_351_820_249_153_052;

    #[test]
    fn an_index_key_is_the_same_however_long_the_value_is() {
        let hasher = IndexHasher::new(0x0f0e_0d0c_0b0a_0908_0706_0504_0302_0100, u64::MAX);
        for len in 0..=2 * JOINED {
            let token = "t".repeat(len);
            let mut reference =
                SipHasher24::new_with_keys(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
            reference.write(&[3, 7, 0, 0, 0, 0, 0, 0, 0]);
            reference.write(token.as_bytes());
            assert_eq!(hasher.token(7, &token).0, reference.finish(), "{len}");
        }
    }

    const GOLDEN_EMAIL: u64 = 14_847_632_080_873_804_308;
    const GOLDEN_EXTERNAL_ID: u64 = 15_855_546_842_276_927_371;
    const GOLDEN_PHONE: u64 = 845_305_901_120_132_691;
    const GOLDEN_TOKEN: u64 = 4_318_546_314_786_891_487;

    #[test]
    fn a_checksum_tells_tables_and_keys_apart() {
        let sum = checksum(Table::Contacts, &Key::Int(1), b"payload");
        assert_ne!(sum, checksum(Table::Subscribers, &Key::Int(1), b"payload"));
        assert_ne!(sum, checksum(Table::Contacts, &Key::Int(2), b"payload"));
        assert_ne!(sum, checksum(Table::Contacts, &Key::Int(1), b"payloae"));
        assert_ne!(
            checksum(Table::Messages, &Key::Bytes(b"ab".as_slice().into()), b"c"),
            checksum(Table::Messages, &Key::Bytes(b"a".as_slice().into()), b"bc"),
        );
    }

    #[test]
    fn the_secret_key_is_not_in_debug() {
        assert_eq!(
            format!("{:?}", IndexHasher::new(12345, u64::MAX)),
            "IndexHasher(<secret>)"
        );
    }
}
