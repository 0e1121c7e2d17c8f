//! Sweeping, which the writer does besides what it is asked for.

use crate::storage::{Draft, Failure, Leaving};

pub(crate) fn sweep(draft: &mut Draft<'_>, Leaving(left): Leaving) -> Result<(), Failure> {
    draft.sweep_to(left - 1);
    Ok(())
}
