//! The rules by which an object in an S3 bucket becomes exactly one post on TikTok.
//!
//! This crate is pure. It does no input or output, reads no clock, and uses no randomness, no AWS types and none of
//! TikTok's JSON. The time and TikTok's answers are arguments. The rules that make a post appear exactly once are in
//! [`post`], so they can be read and tested without a cloud.
//!
//! In reading order:

mod macros;

pub mod identity;
pub mod secret;

pub mod bucket_check;
pub mod content;
pub mod drop_key;
pub mod source;
pub mod wake_message;

pub mod metadata;
pub mod notes;
pub mod options;
pub mod publish_at;
pub mod settings;
pub mod title;

pub mod account;
pub mod authorization;
pub mod creator;

pub mod chunk;
pub mod rate;
pub mod size;
pub mod video;

pub mod drop_ignored;
pub mod failure;
pub mod listing;
pub mod polling;
pub mod post;
pub mod post_event;
pub mod reason;
pub mod report;
pub mod request;
pub mod trace;
pub mod upload;

pub mod rate_limit;
pub mod repost_guard;
