//! Numbers in as few bytes as they need: seven bits in each byte, the low ones first, and the top bit says
//! that more follow.
//!
//! It is part of the file format: each number has one form, which stays what it is.

/// Hands the bytes of a number to `each`, in order.
pub(crate) fn put(mut number: u64, mut each: impl FnMut(u8)) {
    while number > 0x7f {
        each(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    each(number.to_le_bytes()[0]);
}

/// Takes a number off the front. `None` when there is none, or not in its one form.
#[inline]
pub(crate) fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..u64::BITS).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << shift;
        if shifted >> shift != bits {
            return None;
        }
        number |= shifted;
        if *byte < 0x80 {
            let is_shortest = bits > 0 || shift == 0;
            return is_shortest.then_some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_form() {
        let rows: [(u64, &[u8]); 7] = [
            (0, &[0]),
            (1, &[1]),
            (0x7f, &[0x7f]),
            (0x80, &[0x80, 1]),
            (300, &[0xac, 2]),
            (1 << 32, &[0x80, 0x80, 0x80, 0x80, 0x10]),
            (u64::MAX, &[255, 255, 255, 255, 255, 255, 255, 255, 255, 1]),
        ];
        for (number, expected) in rows {
            let mut bytes = Vec::new();
            put(number, |byte| bytes.push(byte));
            assert_eq!(bytes, expected);
            bytes.push(9);
            let mut from = bytes.as_slice();
            assert_eq!((take(&mut from), from), (Some(number), &[9][..]));
        }
        let others: [&[u8]; 6] = [
            &[],
            &[0x80],
            &[0x80, 0],
            &[0xff, 0x80, 0],
            &[255, 255, 255, 255, 255, 255, 255, 255, 255, 2],
            &[255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1],
        ];
        for mut other in others {
            assert_eq!(take(&mut other), None);
        }
    }
}
