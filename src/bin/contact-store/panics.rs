//! Panics, of which only the place is told.
//!
//! The storage engine panics on some damaged files. The library catches that, and fails with an error;
//! the message of the panic may show what the file holds (R52).

use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::failure::Failure;

/// Where the last panic was.
static PLACE: Mutex<String> = Mutex::new(String::new());

/// Does `work`, which prints no panic. One that nobody caught is a failure.
pub(crate) fn caught<T>(work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| {
            let file = Path::new(place.file()).file_name().unwrap_or_default();
            format!("{}:{}", file.display(), place.line())
        });
        *PLACE.lock().unwrap_or_else(PoisonError::into_inner) = place.unwrap_or_default();
    }));
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| {
        let place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        Err(Failure::Panicked(place.clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::caught;
    use crate::failure::Failure;

    #[test]
    fn r52_a_panic_is_told_by_its_place_without_its_message() {
        let panicked =
            caught(|| -> Result<(), Failure> { std::panic::panic_any("ann@example.com") });
        let failure = panicked.map_err(|failure| (failure.status(), failure.to_string()));
        let Err((3, said)) = failure else {
            return assert_eq!(failure, Err((3, String::new())));
        };
        assert!(said.starts_with("panicked at panics.rs:"), "{said}");
        assert!(!said.contains("ann"), "{said}");
    }
}
