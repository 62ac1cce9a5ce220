//! Compare-and-swap: reads an item, changes it, and saves it on the condition that no other writer saved it meanwhile.
//!
//! Every write of a post, an account or a limit is conditional on the revision that was read (`storage::Versioned`).
//!
//! **Retry policy.** After a conflict [`update`] reads the item again and repeats the change, at most [`MAX_ATTEMPTS`]
//! times in all, without a pause. A pause is not needed: each conflict means that another writer succeeded, so a few
//! writers finish one after the other. A store error is not retried here; the AWS SDK has retried it already.

use storage::{SaveError, StoreError};

/// How often an item is read before [`update`] gives up. The most contended items are an account's limits, which every
/// worker of the account writes; twelve attempts let a full batch of such workers finish.
const MAX_ATTEMPTS: u32 = 12;

/// What to do with an item that was read.
pub(crate) enum Change<N, S> {
    /// Save this. `N` usually holds both the item that was read and its next value.
    Save(N),
    /// Save nothing, and return this result.
    Stop(S),
}

/// Reads an item, changes it, and saves it; repeats all three after a conflict. If the item was just read, it is passed
/// as `first`, and is read again only after a conflict.
///
/// Returns the result of `save`, or the one that `change` stopped with. Returns `None` if other writers changed the
/// item at each attempt; nothing was saved then.
pub(crate) async fn update<R, N, S, E, Reading, Saving>(
    mut first: Option<R>,
    mut read: impl FnMut() -> Reading,
    mut change: impl FnMut(R) -> Result<Change<N, S>, E>,
    mut save: impl FnMut(N) -> Saving,
) -> Result<Option<S>, E>
where
    Reading: Future<Output = Result<R, E>>,
    Saving: Future<Output = Result<S, SaveError>>,
    E: From<StoreError>,
{
    for _ in 0..MAX_ATTEMPTS {
        let current = match first.take() {
            Some(item) => item,
            None => read().await?,
        };
        let next = match change(current)? {
            Change::Save(next) => next,
            Change::Stop(result) => return Ok(Some(result)),
        };
        if let Some(saved) = unless_conflict(save(next).await)? {
            return Ok(Some(saved));
        }
    }
    Ok(None)
}

/// Returns what was saved; `None` if another writer saved the item first.
pub(crate) fn unless_conflict<T>(saved: Result<T, SaveError>) -> Result<Option<T>, StoreError> {
    match saved {
        Ok(saved) => Ok(Some(saved)),
        Err(SaveError::Conflict) => Ok(None),
        Err(SaveError::Store(error)) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::future::ready;

    use super::*;

    /// Increments a number. Before each of the first `conflicts` attempts another writer adds 10. Returns the saved number
    /// and the number of save attempts.
    async fn increment(conflicts: u32) -> (Option<u32>, u32) {
        let (stored, attempts) = (Cell::new(0), Cell::new(0));
        let saved = update(
            None,
            || ready(Ok::<_, StoreError>(stored.get())),
            |read| Ok(Change::Save((read, read + 1))),
            |(read, next)| {
                attempts.set(attempts.get() + 1);
                if attempts.get() <= conflicts {
                    stored.set(stored.get() + 10);
                }
                ready(if stored.get() == read { Ok(next) } else { Err(SaveError::Conflict) })
            },
        );
        (saved.await.unwrap(), attempts.get())
    }

    #[tokio::test]
    async fn conflict_repeats_the_change_on_the_newest_value() {
        assert_eq!(increment(0).await, (Some(1), 1));
        assert_eq!(increment(3).await, (Some(31), 4), "3 times 10, plus 1");
    }

    #[tokio::test]
    async fn constant_conflict_ends_after_max_attempts() {
        assert_eq!(increment(MAX_ATTEMPTS).await, (None, MAX_ATTEMPTS));
    }

    #[tokio::test]
    async fn stop_saves_nothing() {
        let stopped = update(
            None,
            || ready(Ok::<_, StoreError>(7)),
            |read| Ok(Change::Stop(read)),
            |(): ()| ready(Err(SaveError::Conflict)),
        );
        assert_eq!(stopped.await.unwrap(), Some(7));
    }
}
