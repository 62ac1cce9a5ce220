//! What a post is: an object in a bucket that becomes one post on TikTok.
//!
//! This crate is pure. It knows no network, no clock, no randomness, no AWS and
//! no JSON of TikTok's; what the time is, and what TikTok said, are arguments.
//! The rules that make "never twice, never lost" true stand here, in
//! [`post`], where they can be read and tested without a cloud.
//!
//! In reading order:

pub mod identity;
pub mod secret;

pub mod drop_key;
pub mod source;
pub mod wake_message;

pub mod metadata;
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

pub mod failure;
pub mod listing;
pub mod polling;
pub mod post;
pub mod post_event;
pub mod report;
pub mod request;
pub mod trace;
pub mod upload;

pub mod rate_limit;
