//! The books, opened and changed.

use std::time::Duration;

use domain::budget::{Ahead, BUSY, PostingUsers, Turns, Wait};
use domain::identity::Alias;
use domain::options::Mode;
use futures::try_join;
use storage::{Book, BookKey, Opened, SaveError, StoreError};

use super::has_posted;
use crate::posting::Posting;
use crate::stop::Stop;

/// How often a book is read again that somebody else wrote meanwhile.
const TRIES: u32 = 12;
/// The wait of who never came to write.
const BUSY_WAIT: Duration = Duration::from_secs(5);

/// What an upload is held against.
pub(crate) struct Books {
    pub(super) mode: Mode,
    /// The account's turns.
    pub(crate) turns: Opened<Turns>,
    /// The app's users, where it is a direct post.
    pub(super) users: Option<Opened<PostingUsers>>,
}

impl Posting {
    /// Opens the books that an upload in this mode is held against.
    pub(crate) async fn books(&self, alias: &Alias, mode: Mode) -> Result<Books, StoreError> {
        let users = async {
            match mode {
                Mode::Direct => self.budgets.open(BookKey::users()).await.map(Some),
                Mode::Draft => Ok(None),
            }
        };
        let (turns, users) = try_join!(self.budgets.open(BookKey::turns(alias, mode)), users)?;
        Ok(Books { mode, turns, users })
    }

    /// Makes sure that nothing but other posts keeps the account from beginning an
    /// upload now: of its own limits, and the app's.
    pub(crate) fn has_room(&self, alias: &Alias, books: &Books, ahead: Ahead) -> Result<(), Wait> {
        let (now, turns) = (self.now(), &books.turns.book);
        turns.place(self.limits(books.mode), ahead, now)?;
        let admit = |users: &Opened<PostingUsers>| {
            users.book.admit(alias, has_posted(turns, now), self.posting_users, now).map(|_| ())
        };
        books.users.as_ref().map_or(Ok(()), admit)
    }

    /// Changes a book, after whatever others wrote meanwhile.
    pub(super) async fn change<B: Book>(
        &self,
        key: BookKey,
        change: impl FnMut(&B) -> Result<Option<B>, Stop>,
    ) -> Result<(), Stop> {
        self.change_read(None, key, change).await
    }

    /// The same of a book that may have been read a moment ago.
    pub(super) async fn change_read<B: Book>(
        &self,
        mut read: Option<Opened<B>>,
        key: BookKey,
        mut change: impl FnMut(&B) -> Result<Option<B>, Stop>,
    ) -> Result<(), Stop> {
        for _ in 0..TRIES {
            let opened = match read.take() {
                Some(opened) => opened,
                None => self.budgets.open::<B>(key.clone()).await?,
            };
            let Some(next) = change(&opened.book)? else { return Ok(()) };
            match self.budgets.write(opened, &next, self.now()).await {
                Ok(()) => return Ok(()),
                Err(SaveError::Overtaken) => {}
                Err(SaveError::Store(error)) => return Err(error.into()),
            }
        }
        let message = "many workers use the account's budget at once";
        Err(Stop::limited(Wait { code: BUSY.to_owned(), message: message.to_owned(), until: self.now() + BUSY_WAIT }))
    }
}
