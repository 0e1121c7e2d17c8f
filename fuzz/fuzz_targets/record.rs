//! Records: no bytes panic or exhaust memory, and what decodes is what it encodes to.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| contact_store::testing::decode_records(bytes));
