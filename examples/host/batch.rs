//! Requests with many entries: they may be long, and their answers longer. What takes time for their
//! length happens off the runtime's threads, which have all other connections to serve.
//!
//! A share for the longest answer is taken before anything is written: an answer that had to be
//! left out would leave the client without the outcome of its request.

use contact_store::{ContactStore, Error, Limits, Pending};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::answer::{Json, Refusal};
use super::body::JsonBody;
use super::memory_budget::{BudgetExceeded, Share};
use super::once::Once;
use super::service::Service;

/// An entry among the results, or its error, without the contacts that it lists; as it is in memory
/// and as it is written.
const ENTRY_BYTES: usize = 512;
/// A contact id that an entry lists: 8 bytes in memory, 16 digits and a comma as it is written.
const ID_BYTES: usize = 25;
/// Writing so much JSON takes less time than handing it to another thread and back.
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// Answers the request that a body is. `queue` reads and queues it; an entry of its `answer` lists so
/// many contacts at most.
pub(crate) async fn answered<O: Send + 'static>(
    service: &Service,
    Once(store): Once,
    body: JsonBody,
    listed: usize,
    queue: impl FnOnce(&ContactStore, &[u8], &Limits) -> Result<Pending<O>, Error> + Send + 'static,
    answer: impl FnOnce(O, Share) -> Json + Send + 'static,
) -> Result<Json, Refusal> {
    let longest = longest_answer(&body, listed, &service.settings().limits);
    let share = share_for(service, longest).await?;
    let queue = move |body: &[u8], limits: &Limits| queue(&store, body, limits);
    let done = service.written(body.read(queue).await?).await?;
    let answer = move || answer(done.outcome, share).repeated(done.repeated);
    if longest <= WRITTEN_AT_ONCE {
        return Ok(answer());
    }
    let written = spawn_blocking(answer).await;
    written.map_err(|_| Error::Panicked.into())
}

/// The same for a request that has one answer, which lists at most `listed` contacts.
pub(crate) async fn answered_once<O>(
    service: &Service,
    Once(store): Once,
    listed: usize,
    write: impl FnOnce(&ContactStore) -> Pending<O>,
    answer: impl FnOnce(O, Share) -> Json,
) -> Result<Json, Refusal> {
    let longest = listed.saturating_mul(ID_BYTES).saturating_add(ENTRY_BYTES);
    let share = share_for(service, longest).await?;
    let done = service.written(write(&store)).await?;
    Ok(answer(done.outcome, share).repeated(done.repeated))
}

async fn share_for(service: &Service, bytes: usize) -> Result<Share, BudgetExceeded> {
    let share = service.answers().wait_for(bytes);
    let share = timeout(service.settings().answer_time, share).await;
    share.unwrap_or(Err(BudgetExceeded))
}

/// More bytes than the answer to a body can take, with what it is made from. Only an entry that is an
/// object is answered with a list.
fn longest_answer(body: &JsonBody, listed: usize, limits: &Limits) -> usize {
    let entries = body.most_elements().min(limits.entries_per_request);
    let objects = body.most_objects().min(limits.entries_per_request);
    let lists = objects.saturating_mul(listed).saturating_mul(ID_BYTES);
    entries.saturating_mul(ENTRY_BYTES).saturating_add(lists)
}
