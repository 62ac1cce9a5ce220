//! Tests of posts that are held for an earlier post of the same video.

use super::*;

fn earlier() -> Post {
    let version = ObjectVersion::Id("0".into());
    let source = Source { version, ..submitted().source.clone() };
    Post::submit(Alias::new("anna").unwrap(), source, None, start()).claim("worker-1", start()).unwrap()
}

fn held() -> Post {
    claimed().hold(HoldReason::SameVideo { earlier: earlier().id.clone() }, start()).unwrap()
}

#[test]
fn post_held_for_same_video_names_earlier_post() {
    let held = held();
    assert_eq!(held.earlier_post(), Some(&earlier().id));
    assert!(!held.is_in_account_queue() && held.clone().claim("worker-2", start()).is_err());
    assert!(held.history.last().is_some_and(|entry| entry.note.contains(earlier().id.as_str())), "{:?}", held.history);
}

#[test]
fn unposted_earlier_post_releases_held_post() {
    let failed = earlier().fail(Failure::new(Reason::parse("x"), "x", "x"), start()).unwrap();
    for earlier in [failed, earlier().cancel(start()).unwrap()] {
        let released = held().recheck_same_video(Some(&earlier), start()).unwrap();
        assert!(released.is_claimable(start()) && released.is_in_account_queue(), "{:?}", released.state);
    }
}

#[test]
fn held_post_is_due_while_earlier_post_is_open() {
    let mut post = held();
    assert!(post.clone().hold_checked(start()).is_err(), "the account does not decide about it");
    let mut waits = Vec::new();
    for _ in 0..12 {
        let due = post.due_at.unwrap();
        post = post.recheck_same_video(Some(&earlier()), due).unwrap();
        waits.push(post.due_at.unwrap().duration_since(due).as_secs());
    }
    assert!(waits.is_sorted() && waits[0] == 60 && waits[11] == 3600, "{waits:?}");
}

#[test]
fn held_post_waits_for_a_person_once_earlier_is_posted() {
    let posted = |state| Post::restore(PostFacts { state, ..(*earlier()).clone() });
    let publish_id = PublishId::new("v_pub_file~v2-1.0").unwrap();
    let delivered = posted(PostState::Delivered { publish_id: publish_id.clone(), at: start() });
    let failure = Failure::new(Reason::parse("x"), "x", "x");
    let unknown = PostState::Failed { failure, outcome: Outcome::Unknown, publish_id: Some(publish_id), at: start() };
    for earlier in [Some(delivered), Some(posted(unknown)), None] {
        let post = held().recheck_same_video(earlier.as_ref(), start()).unwrap();
        assert_eq!((post.state_name(), post.due_at), (StateName::Held, None), "{earlier:?}");
    }
    assert!(held().recheck_same_video(Some(&claimed()), start()).is_err(), "another post");
    assert!(claimed().recheck_same_video(Some(&earlier()), start()).is_err(), "not held");
}

#[test]
fn approval_of_same_video_gives_no_approval_of_review() {
    let released = held().approve(start()).unwrap();
    assert_eq!((released.repost, released.approval), (Repost::Approved, Approval::NotGiven));
    let reviewed = released.claim("worker-2", start()).unwrap().hold(HoldReason::Review, start()).unwrap();
    let approved = reviewed.approve(start()).unwrap();
    assert_eq!((approved.repost, approved.approval), (Repost::Approved, Approval::Given));
}

#[test]
fn explicit_request_releases_held_post_with_its_options() {
    let request = create::request();
    let released = held().release_for_request(request.clone(), start()).unwrap();
    assert_eq!((&released.id, &released.request), (&held().id, &request.options));
    assert!(released.is_claimable(start()) && released.repost == Repost::Requested);
    let implicit = Request { repost: Repost::Guarded, ..request.clone() };
    assert!(held().release_for_request(implicit, start()).is_err(), "it could be a repeated request");
    let of_another = Request { account: Alias::new("bob").unwrap(), ..request.clone() };
    assert!(held().release_for_request(of_another, start()).is_err());
    assert!(claimed().release_for_request(request, start()).is_err(), "it is not held");
}

#[test]
fn changed_options_let_a_worker_decide_again() {
    let repost = PostOptions { repost: Some(true), ..PostOptions::default() };
    let changed = held().with_options(repost.clone(), start()).unwrap();
    assert!(changed.is_claimable(start()) && changed.request == repost);
    assert!(held().options_arrived(start()).unwrap().is_claimable(start()), "its new sidecar may have the option");
}

#[test]
fn withdrawn_post_is_cancelled_before_any_upload() {
    let withdrawn = claimed().withdraw("the file was empty", start()).unwrap();
    assert_eq!((withdrawn.state_name(), withdrawn.due_at), (StateName::Cancelled, None));
    assert!(uploading(0).withdraw("x", start()).is_err());
}
