//! Operations: any sequence of requests is answered as the plain model answers it, and the store
//! then shows what the model holds, with every row and index in agreement.
#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use contact_store::{Clock, ContactStore, Options, Timestamp};
use libfuzzer_sys::fuzz_target;

#[allow(dead_code, unused_imports, reason = "the tests use all of it")]
#[path = "../../tests/it/model.rs"]
mod model;

use model::{Choices, Model, Probes, Request, Settings};

/// A clock that the run puts.
#[derive(Default)]
struct ManualClock(AtomicU64);

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let settings = Settings::choose(&mut choices);
    let clock = Arc::new(ManualClock::default());
    let mut options = Options::default();
    settings.set(&mut options);
    options.clock = clock.clone();
    // With few bits of a hash, identifiers share index rows.
    options.testing.hash_mask = choices.of(&[u64::MAX, 0, 1]);
    options.cache_bytes = 1 << 20;
    let store = ContactStore::open_in_memory(options).unwrap();
    let mut model = Model::new(settings);
    let mut now = 2_000;
    // Bytes that are used up choose the plainest request for ever.
    for _ in 0..64 {
        if choices.is_empty() {
            break;
        }
        now = choices.of(&[now, now, now, now + 1_000, 1_500]);
        clock.0.store(now, Ordering::SeqCst);
        let request = Request::choose(&mut choices);
        assert_eq!(
            request.submit(&store).wait(),
            model.apply(&request, now),
            "{request:?}"
        );
    }
    let shown = store.snapshot().unwrap();
    assert_eq!(model.compare(&shown, &Probes::of_choices()), Ok(()));
    assert_eq!(shown.verify().unwrap().problems, []);
});
