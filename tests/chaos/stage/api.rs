//! `api` on a stage: requests as API Gateway hands them on, and those who make
//! them: TikTok, which tells, a program that asks for posts, and people.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use data_encoding::BASE64;
use domain::identity::{Alias, PostId};
use serde_json::{Value, json};
use simulator::Ledger;

use super::Lambda;

/// How long `api` may take, as the template has it.
const API: Duration = Duration::from_secs(29);
/// How often somebody asks who gets no answer, and the seconds between.
const MOST_TRIES: u32 = 10;
const AGAIN_AFTER_S: u64 = 5;
/// How often TikTok's webhooks are looked for, before the letterbox is thought to be broken.
const MOST_LOOKS: u32 = 4000;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    method: &'static str,
    path: String,
    header: Option<(&'static str, String)>,
    body: String,
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

/// What a person wishes of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Wish {
    Approve,
    Cancel,
    Retry,
    /// It is to have the title [`REWORDED`].
    Reword,
}

/// The title that somebody gives a post while it waits.
pub(crate) const REWORDED: &str = "In other words";

/// A wish, and what came of it.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) wish: Wish,
    pub(crate) post: PostId,
    /// The post's state before; none if it was not stored.
    pub(crate) before: Option<String>,
    /// Its state afterwards.
    pub(crate) after: Option<String>,
    /// The status of the answer; none if there was none.
    pub(crate) status: Option<u16>,
    /// What TikTok knew then.
    pub(crate) ledger: Ledger,
}

impl Request {
    /// Asks for a post under a name: whatever comes under it again is the same.
    pub(crate) fn named(path: &str, name: &str, body: &Value) -> Self {
        let header = Some(("idempotency-key", name.to_owned()));
        Self { method: "POST", path: path.to_owned(), header, body: body.to_string() }
    }

    /// Tells what TikTok tells, or somebody who would be TikTok.
    pub(crate) fn webhook(signature: String, body: &str) -> Self {
        Self {
            method: "POST",
            path: "/webhooks/tiktok".to_owned(),
            header: Some(("tiktok-signature", signature)),
            body: body.to_owned(),
        }
    }

    /// Makes one object of the parts of a post's video.
    pub(crate) fn complete(post: &PostId) -> Self {
        Self::bare("POST", format!("/uploads/{post}/complete"))
    }

    /// Ends the consent that an account has.
    pub(crate) fn disconnect(alias: &Alias) -> Self {
        Self::bare("DELETE", format!("/accounts/{alias}"))
    }

    fn wish(wish: Wish, post: &PostId) -> Self {
        let verb = match wish {
            Wish::Approve => "approve",
            Wish::Cancel => "cancel",
            Wish::Retry => "retry",
            Wish::Reword => {
                let body = json!({ "title": REWORDED }).to_string();
                return Self { body, ..Self::bare("PATCH", format!("/posts/{post}")) };
            }
        };
        Self::bare("POST", format!("/posts/{post}/{verb}"))
    }

    fn bare(method: &'static str, path: String) -> Self {
        Self { method, path, header: None, body: String::new() }
    }

    /// The gateway's route that it is let in by.
    fn route(&self) -> String {
        let mut names: Vec<_> = self.path.split('/').collect();
        let one = match names.get(1) {
            Some(&("posts" | "uploads")) => "{id}",
            Some(&"accounts") => "{alias}",
            _ => return self.path.clone(),
        };
        if let Some(name) = names.get_mut(2) {
            *name = one;
        }
        names.join("/")
    }

    /// The recorded event, with this request in it.
    fn event(&self) -> Result<Value> {
        let mut event: Value = serde_json::from_str(include_str!("../../../events/http-post-webhook.json"))?;
        event["routeKey"] = json!(format!("{} {}", self.method, self.route()));
        event["rawPath"] = json!(self.path);
        event["requestContext"]["routeKey"] = event["routeKey"].clone();
        event["requestContext"]["http"]["method"] = json!(self.method);
        event["requestContext"]["http"]["path"] = json!(self.path);
        event["body"] = json!(BASE64.encode(self.body.as_bytes()));
        let headers = event["headers"].as_object_mut().context("a request has headers")?;
        headers.remove("tiktok-signature");
        headers.insert("content-length".to_owned(), json!(self.body.len().to_string()));
        if let Some((name, value)) = &self.header {
            headers.insert((*name).to_owned(), json!(value));
        }
        Ok(event)
    }
}

impl Answer {
    fn of(answer: &Value) -> Result<Self> {
        let status = answer["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
        let body = serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
        Ok(Self { status: status.context("an answer has a status")?, body })
    }
}

impl Lambda<'_> {
    /// Asks something; tells what was answered, if anything.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Option<Answer>> {
        let answer = self.invoke("api", request.event()?, API).await?;
        answer.as_ref().map(Answer::of).transpose()
    }

    /// Asks, and asks again, until it is answered: as a program does that knows the
    /// name of its request.
    pub(crate) async fn insist(&mut self, request: &Request) -> Result<Answer> {
        for _ in 0..MOST_TRIES {
            if let Some(answer) = self.ask(request).await?.filter(|answer| answer.status < 500) {
                return Ok(answer);
            }
            self.stage.advance(AGAIN_AFTER_S)?;
        }
        anyhow::bail!("{} is never answered", request.path)
    }

    /// Wishes something of a post; tells the status of the answer, if there was any.
    pub(crate) async fn wish(&mut self, wish: Wish, post: &PostId) -> Result<Option<u16>> {
        let before = self.stage.state_of(post);
        let status = self.ask(&Request::wish(wish, post)).await?.map(|answer| answer.status);
        let (after, ledger) = (self.stage.state_of(post), self.stage.tiktok.ledger());
        self.said.push(Said { wish, post: post.clone(), before, after, status, ledger });
        Ok(status)
    }

    /// Has TikTok tell what there is to tell by now; tells how often it did.
    pub(crate) async fn hear(&mut self) -> Result<usize> {
        let (mut heard, mut looks) = (0, 0);
        while self.stage.is_to_be_told() {
            looks += 1;
            ensure!(looks < MOST_LOOKS, "TikTok does not come to an end of what it has to tell");
            let Some(letter) = self.stage.next_letter().await else { continue };
            let answer = self.ask(&Request::webhook(letter.signature.clone(), &letter.body)).await?;
            // Without an answer of `api`, API Gateway gives its own.
            let status = answer.map_or(500, |answer| answer.status);
            if status == 200 {
                self.untrue.extend(self.stage.is_kept(&letter).err().map(|why| format!("{why:#}")));
            }
            // TikTok may have lost patience.
            let _ = letter.answer.send(status);
            heard += 1;
        }
        Ok(heard)
    }
}
