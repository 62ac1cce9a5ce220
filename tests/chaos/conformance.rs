//! Compares the in-memory AWS (`harness::aws`) with MiniStack, on which the scenarios run. Both sides get every call of
//! the crate `storage`, made by `storage` itself or by the SDK in the same form, and must return the same results.
//!
//! On MiniStack, the calls go to an [`IsolatedEnv`]: its own tables with the deployed schema, and its own queue. So the
//! deployed functions do not see the data.

mod objects;
mod tables;

use std::fmt::Debug;

use anyhow::{Context, Result, ensure};
use domain::identity::Alias;
use domain::secret::{ExposeSecret, SecretString};
use harness::aws::{CLIENT_KEY, CLIENT_SECRET};
use harness::{App, Cloud, IsolatedEnv};
use jiff::Timestamp;
use storage::{EncryptionContext, Purpose, WakeQueue};

use crate::runner::block_on;
use crate::test_env::{Paths, TestEnv};
use crate::test_post::drop_id;

/// The time of all data: so late that no run of `status` finds it due. `FIRST_TIME_MS` in `tables.rs` is the same time.
const TIME: &str = "2100-01-01T00:00:00Z";

/// The results of one side, each with the name of its call. Both sides make the same calls in the same order.
type Results = Vec<(&'static str, String)>;

/// Makes the same calls on both sides, and compares the results. It needs the local cloud.
pub(crate) fn compare(paths: &Paths) -> Result<()> {
    block_on(async {
        let cloud = Cloud::open().await?;
        tables::ensure_same_schemas(&cloud).await?;
        let app = App { client_key: CLIENT_KEY.to_owned(), client_secret: CLIENT_SECRET.to_owned() };
        let ministack = IsolatedEnv::start(&cloud, app, |_| {}, &[]).await?;
        let ministack = &ministack.cloud;
        let in_memory = TestEnv::start(paths).await?;
        ensure_same("tables", &tables::call(ministack).await?, &tables::call(&in_memory.cloud).await?)?;
        let [expected, actual] = objects::put(ministack, &in_memory).await?;
        ensure_same("objects", &expected.call(ministack).await?, &actual.call(&in_memory.cloud).await?)?;
        ensure_same("the key", &seal_and_open(ministack).await?, &seal_and_open(&in_memory.cloud).await?)?;
        ensure_same_wake_message(ministack, &in_memory).await
    })
}

fn ensure_same(what: &str, ministack: &Results, in_memory: &Results) -> Result<()> {
    ensure!(
        ministack.len() == in_memory.len(),
        "{what}: MiniStack has {} results, the in-memory AWS {}",
        ministack.len(),
        in_memory.len()
    );
    for ((call, expected), (_, actual)) in ministack.iter().zip(in_memory) {
        ensure!(expected == actual, "{what}, {call}: MiniStack returns\n  {expected}\nthe in-memory AWS\n  {actual}");
    }
    Ok(())
}

/// The result of a call as text. Of an error, only the variant and the kind of its AWS error, because the messages of
/// the two sides differ.
fn outcome<T: Debug, E: Debug>(result: &Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}"),
        Err(error) => {
            let error = format!("{error:?}");
            let (variant, kind) = error.split_once("kind: ").unwrap_or((&error, ""));
            let word = |text: &str| text.split([' ', '{', '(', ',']).next().unwrap_or_default().to_owned();
            format!("{} {}", word(variant), word(kind))
        }
    }
}

/// Seals a secret, and opens it in its own encryption context and in another one.
async fn seal_and_open(cloud: &Cloud) -> Result<Results> {
    let context = |alias| Ok::<_, anyhow::Error>(EncryptionContext::new(Purpose::AccessToken, &Alias::new(alias)?));
    let sealed = cloud.cipher.seal(&context("anna")?, &SecretString::from("a secret".to_owned())).await?;
    let open = async |context| {
        let opened = cloud.cipher.open(&context, &sealed).await;
        outcome(&opened.map(|secret| secret.expose_secret().to_owned()))
    };
    Ok(vec![("own context", open(context("anna")?).await), ("another context", open(context("bob")?).await)])
}

/// Sends a wake message to both queues, and compares the received bodies.
async fn ensure_same_wake_message(ministack: &Cloud, in_memory: &TestEnv) -> Result<()> {
    let id = drop_id("a.mp4", "1");
    for cloud in [ministack, &*in_memory.cloud] {
        WakeQueue::new(cloud.sqs.clone(), &cloud.outputs().intake_queue_url).wake(&id).await?;
    }
    let received = ministack.sqs.receive_message().queue_url(&ministack.outputs().intake_queue_url).send().await?;
    let expected =
        received.messages().first().and_then(|message| message.body()).context("MiniStack has no message")?;
    // The first message is the S3 event of the multipart upload that `objects` completed.
    let mut messages = std::iter::from_fn(|| in_memory.aws.state().queue.receive(in_memory.now()));
    let actual = messages.nth(1).context("the in-memory AWS has no second message")?;
    ensure!(actual.body == expected, "MiniStack's message is {expected}, the in-memory one {}", actual.body);
    Ok(())
}

fn time() -> Result<Timestamp> {
    Ok(TIME.parse()?)
}
