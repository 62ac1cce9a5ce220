//! Tables: conditional writes, reads, and each index, page by page.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws::{ACCOUNTS, AUTHORIZATION_REQUESTS, LIMITS, POSTS, TableSchema, WEBHOOKS, table_schemas};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeySchemaElement, KeyType, ReturnValuesOnConditionCheckFailure};
use domain::identity::Alias;
use domain::listing::PostFilter;
use domain::post::Post;
use domain::source::{ObjectVersion, Source};
use storage::{Created, Shard, Versioned};
use tests::Cloud;

use super::{Answers, then, told};

type Item = HashMap<String, AttributeValue>;

/// Holds the tables and indexes that are played here against the deployed ones.
pub(super) async fn same_form(cloud: &Cloud) -> Result<()> {
    let outputs = cloud.outputs();
    let deployed = [
        (POSTS, &outputs.posts_table),
        (ACCOUNTS, &outputs.accounts_table),
        (LIMITS, &outputs.limits_table),
        (AUTHORIZATION_REQUESTS, &outputs.authorization_requests_table),
        (WEBHOOKS, &outputs.webhooks_table),
    ];
    for (name, deployed) in deployed {
        let form = form_of(&cloud.dynamodb, deployed).await?;
        let ours = table_schemas().into_iter().find(|form| form.table == name).context("a table is not played")?;
        ensure!(
            TableSchema { table: name.to_owned(), ..form.clone() } == ours,
            "deployed {form:#?}, and here {ours:#?}"
        );
    }
    Ok(())
}

async fn form_of(client: &Client, table: &str) -> Result<TableSchema> {
    let described = client.describe_table().table_name(table).send().await?.table.context("the table is there")?;
    let mut indexes = BTreeMap::new();
    for index in described.global_secondary_indexes() {
        let projection = index.projection().context("an index has a projection")?;
        let mut has: Vec<_> = projection.non_key_attributes().to_vec();
        has.sort();
        let kind = projection.projection_type().map_or("", |kind| kind.as_str());
        let form = format!("{:?} {kind} {has:?}", keys(index.key_schema()));
        indexes.insert(index.index_name().unwrap_or_default().to_owned(), form);
    }
    Ok(TableSchema { table: table.to_owned(), keys: keys(described.key_schema()), indexes })
}

/// The attribute that partitions, and the one that orders.
fn keys(schema: &[KeySchemaElement]) -> Vec<String> {
    let of =
        |kind: KeyType| schema.iter().filter(move |key| *key.key_type() == kind).map(KeySchemaElement::attribute_name);
    of(KeyType::Hash).chain(of(KeyType::Range)).map(str::to_owned).collect()
}

/// Asks for everything that `storage` asks of tables.
pub(super) async fn ask(cloud: &Cloud) -> Result<Answers> {
    let mut said = raw(&cloud.dynamodb, &cloud.outputs().posts_table).await?;
    said.extend(posts(cloud).await?);
    Ok(said)
}

/// Posts, as `storage` keeps and finds them.
async fn posts(cloud: &Cloud) -> Result<Answers> {
    let (anna, now) = (Alias::new("anna")?, then()?);
    let later = |n: u64| now + Duration::from_secs(n);
    let post = |n: u64| {
        let version = ObjectVersion::Id(format!("version-{n}"));
        let source = Source { bucket: "intake".to_owned(), key: format!("drop/anna/{n}.mp4"), version };
        Post::submit(anna.clone(), source, Some(9), later(n))
    };
    let created = |result: Result<Created, _>| told(&result.map(|it| format!("{it:?}")));
    let mut said: Answers = Vec::new();
    for n in 0..3 {
        said.push(("a new post", created(cloud.posts.create(&post(n)).await)));
    }
    said.push(("the same once more", created(cloud.posts.create(&post(1)).await)));
    let kept = cloud.posts.get(&post(1).id).await?.context("it is stored")?;
    let stale = kept.revision();
    let cancelled = kept.value.clone().cancel(later(9))?;
    let saved = cloud.posts.save(kept, cancelled.clone(), later(9)).await;
    said.push(("a write at what was read", told(&saved)));
    said.push(("a write at what has passed", told(&cloud.posts.save(stale, cancelled.clone(), later(10)).await)));
    said.push(("a write of what is not there", told(&cloud.posts.save(stale, post(7), later(10)).await)));
    said.push(("what is not there", told(&cloud.posts.get(&post(7).id).await)));
    for n in 0..3 {
        let due = cloud.posts.due(later(60), Shard::of(&post(n).id), None).await?;
        said.push(("what is due", format!("{:?}", due.ids)));
    }
    said.push(("what is not due yet", told(&cloud.posts.due(later(0), Shard::of(&post(2).id), None).await)));
    said.push(("the line", told(&cloud.posts.account_queue(&anna, later(60)).await)));
    said.push(("the line up to somebody", told(&cloud.posts.account_queue(&anna, later(0)).await)));
    said.push(("the front of the line", told(&cloud.posts.front_of_account_queue(&anna, None).await)));
    let open = cloud.posts.open_of(&anna, None).await?;
    said.push(("an account's open posts", format!("{:?}", ids(&open.posts))));
    for (since, before, most) in [(None, None, 10), (None, None, 2), (Some(1), None, 10), (None, Some(2), 10)] {
        for account in [Some(anna.clone()), None] {
            let wanted = PostFilter { account, since: since.map(later), before: before.map(later), state: None };
            let page = cloud.posts.list(&wanted, None, most).await?;
            let rest = match page.next {
                Some(next) => cloud.posts.list(&wanted, Some(next), most).await?.posts,
                None => Vec::new(),
            };
            said.push(("a list, and its next page", format!("{:?} {:?}", ids(&page.posts), ids(&rest))));
        }
    }
    let published = domain::identity::PublishId::new("v_pub_file~1".to_owned())?;
    said.push(("a publish that is nobody's", told(&cloud.posts.of_publish(&published).await)));
    Ok(said)
}

fn ids(posts: &[Versioned<Post>]) -> Vec<&str> {
    posts.iter().map(|post| post.id.as_str()).collect()
}

/// Calls as `storage` makes them, with what it does not show.
async fn raw(client: &Client, table: &str) -> Result<Answers> {
    let mut said: Answers = vec![
        ("a new item", put(client, table, item(0, 1), None).await?),
        ("an item that is there already", put(client, table, item(0, 9), None).await?),
        ("a revision that was read", put(client, table, item(0, 2), Some("1")).await?),
        ("a revision that has passed", put(client, table, item(0, 3), Some("1")).await?),
        ("an item that is not there", put(client, table, item(1, 1), Some("1")).await?),
    ];
    for n in 1..5 {
        put(client, table, item(n, 1), None).await?;
    }
    let got = client.get_item().table_name(table).key("id", text("item-0")).consistent_read(true).send().await?;
    said.push(("reading", format!("{:?}", got.item.map(sorted))));
    said.push((
        "a line in pages",
        pages(client, table, ("account_queue", "account_queue", Some("dropped_at")), true).await?,
    ));
    said.push(("an account, backwards, filtered", pages(client, table, ("account", "account", None), false).await?));
    said.push(("what is due", pages(client, table, ("due", "due_shard", Some("due_at")), true).await?));
    for n in 0..5 {
        client.delete_item().table_name(table).key("id", text(&format!("item-{n}"))).send().await?;
    }
    let gone = client.get_item().table_name(table).key("id", text("item-0")).send().await?;
    said.push(("an item that was deleted", format!("{:?}", gone.item)));
    Ok(said)
}

/// One that is in the indexes; every third is not due.
fn item(n: i64, revision: u64) -> Item {
    let at = AttributeValue::N((4_102_444_800_000 + n / 2).to_string());
    let mut item = Item::from([
        ("id".to_owned(), text(&format!("item-{n}"))),
        ("account".to_owned(), text("likeness")),
        ("account_queue".to_owned(), text("likeness")),
        ("queue_mode".to_owned(), text("direct")),
        ("created_at".to_owned(), at.clone()),
        ("dropped_at".to_owned(), at.clone()),
        ("revision".to_owned(), AttributeValue::N(revision.to_string())),
    ]);
    if n % 3 != 2 {
        item.insert("due_shard".to_owned(), text("likeness"));
        item.insert("due_at".to_owned(), at);
    }
    item
}

/// Reads an index page by page, two items at a time. Which of two items of the same
/// place comes first is nobody's promise, and all of them are there.
async fn pages(client: &Client, table: &str, index: (&str, &str, Option<&str>), forward: bool) -> Result<String> {
    let (index, partition, order) = index;
    let (mut items, mut sizes, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let query = client.query().table_name(table).index_name(index).limit(2).scan_index_forward(forward);
        let query =
            query.expression_attribute_names("#p", partition).expression_attribute_values(":p", text("likeness"));
        let query = match order {
            Some(order) => query
                .key_condition_expression("#p = :p AND #o <= :o")
                .expression_attribute_names("#o", order)
                .expression_attribute_values(":o", AttributeValue::N("4102444800001".to_owned())),
            None => query
                .key_condition_expression("#p = :p")
                .filter_expression("attribute_exists(#due)")
                .expression_attribute_names("#due", "due_at"),
        };
        let page = query.set_exclusive_start_key(after.take()).send().await?;
        let found = page.items.unwrap_or_default();
        sizes.push(found.len());
        items.extend(found.into_iter().map(|item| format!("{:?}", sorted(item))));
        after = page.last_evaluated_key;
        if after.is_none() {
            items.sort();
            return Ok(format!("{sizes:?} {items:?}"));
        }
    }
}

/// Writes on the condition that nothing is there, or that it is at a revision.
async fn put(client: &Client, table: &str, item: Item, revision: Option<&str>) -> Result<String> {
    let put = client.put_item().table_name(table).set_item(Some(item));
    let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let put = match revision {
        None => put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", "id"),
        Some(revision) => put
            .condition_expression("#revision = :was")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":was", AttributeValue::N(revision.to_owned())),
    };
    match put.send().await.map_err(aws_sdk_dynamodb::error::SdkError::into_service_error) {
        Ok(_) => Ok("written".to_owned()),
        Err(PutItemError::ConditionalCheckFailedException(refusal)) => {
            Ok(format!("refused, for what is there: {:?}", refusal.item().cloned().map(sorted)))
        }
        Err(error) => Err(error.into()),
    }
}

fn sorted(item: Item) -> BTreeMap<String, AttributeValue> {
    item.into_iter().collect()
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}
