//! The AWS that is played here answers as the one that MiniStack plays, which the
//! scenarios live in: what `storage` asks goes to both, by `storage` itself and by
//! calls in the form in which it makes them.
//!
//! On MiniStack's side there is a stage apart, whose tables have the form of the
//! deployed ones, so that no function hears of it.

mod objects;
mod tables;

use std::fmt::Debug;

use anyhow::{Context, Result, ensure};
use aws::{CLIENT_KEY, CLIENT_SECRET};
use domain::identity::Alias;
use domain::secret::{ExposeSecret, SecretString};
use jiff::Timestamp;
use storage::{EncryptionContext, Purpose, WakeQueue};
use tests::{Apart, App, Cloud};

use crate::campaign::alone;
use crate::stage::{Places, Stage};

/// When everything here is said to happen: at a time at which nobody looks.
const THEN: &str = "2100-01-01T00:00:00Z";

/// What one of them said, step by step.
type Answers = Vec<(&'static str, String)>;

/// Asks both, and compares what they say. It needs the local cloud.
pub(crate) fn compare(places: &Places) -> Result<()> {
    alone(async {
        let cloud = Cloud::open().await?;
        tables::same_form(&cloud).await?;
        let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: CLIENT_SECRET.to_owned() };
        let theirs = Apart::set_up(&cloud, app, |_| {}, &[]).await?;
        let ours = Stage::set_up(places).await?;
        same("tables", &tables::ask(&theirs.cloud).await?, &tables::ask(&ours.cloud).await?)?;
        let (theirs_objects, ours_objects) = objects::put(&theirs.cloud, &ours).await?;
        same("objects", &theirs_objects.ask(&theirs.cloud).await?, &ours_objects.ask(&ours.cloud).await?)?;
        same("the key", &seal(&theirs.cloud).await?, &seal(&ours.cloud).await?)?;
        same_bell(&theirs.cloud, &ours).await
    })
}

fn same(what: &str, theirs: &Answers, ours: &Answers) -> Result<()> {
    ensure!(theirs.len() == ours.len(), "{what}: {} answers, and {} here", theirs.len(), ours.len());
    for ((step, theirs), (_, ours)) in theirs.iter().zip(ours) {
        ensure!(ours == theirs, "{what}, {step}: MiniStack says\n  {theirs}\nand here it is\n  {ours}");
    }
    Ok(())
}

/// What came of a call: what it found, or the kind of its error.
fn told<T: Debug, E: Debug>(result: &Result<T, E>) -> String {
    match result {
        Ok(found) => format!("{found:?}"),
        Err(error) => {
            let error = format!("{error:?}");
            error.split([' ', '{', '(']).next().unwrap_or_default().to_owned()
        }
    }
}

/// Seals a secret, and opens it in its own context and in another one.
async fn seal(cloud: &Cloud) -> Result<Answers> {
    let context = |alias| Ok::<_, anyhow::Error>(EncryptionContext::new(Purpose::AccessToken, &Alias::new(alias)?));
    let sealed = cloud.vault.seal(&context("anna")?, &SecretString::from("a word".to_owned())).await?;
    let open = async |context| {
        let opened = cloud.vault.open(&context, &sealed).await;
        told(&opened.map(|secret| secret.expose_secret().to_owned()))
    };
    Ok(vec![("its own context", open(context("anna")?).await), ("another one", open(context("bob")?).await)])
}

/// Rings the bell on both sides, and compares what lies in the queue.
async fn same_bell(theirs: &Cloud, ours: &Stage) -> Result<()> {
    let id = tests::Dropped::at("intake", "a.mp4", "1", &tests::Footage::of("")).post;
    for cloud in [theirs, &*ours.cloud] {
        WakeQueue::new(cloud.sqs.clone(), &cloud.outputs().intake_queue_url).wake(&id).await?;
    }
    let received = theirs.sqs.receive_message().queue_url(&theirs.outputs().intake_queue_url).send().await?;
    let theirs = received.messages().first().and_then(|message| message.body()).context("the bell rings")?;
    // Before it, the bucket has told of what was made of parts.
    let mut here = std::iter::from_fn(|| ours.aws.state().queue.receive(ours.now()));
    let message = here.nth(1).context("the bell rings here")?;
    ensure!(message.body == theirs, "MiniStack's queue has {theirs}, and here it is {}", message.body);
    Ok(())
}

fn then() -> Result<Timestamp> {
    Ok(THEN.parse()?)
}
