//! Sweeping, which the writer does without being asked.

use crate::storage::{Draft, Failure, Leaving};

pub(crate) fn sweep(draft: &mut Draft<'_>, Leaving(left): Leaving) -> Result<(), Failure> {
    draft.sweep_to(left - 1);
    Ok(())
}
