//! The calls of `storage` to the tables: schemas, conditional writes, reads, and each index page by page.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, KeySchemaElement, KeyType, ReturnValuesOnConditionCheckFailure};
use domain::identity::{Alias, PublishId};
use domain::listing::PostFilter;
use domain::post::Post;
use domain::source::{ObjectVersion, Source};
use harness::Cloud;
use harness::aws::{
    ACCOUNTS, AUTHORIZATION_REQUESTS, LIMITS, POSTS, REPOST_GUARD, TableSchema, WEBHOOKS, table_schemas,
};
use storage::{Created, Shard, Versioned};

use super::{Results, outcome, time};

type Item = HashMap<String, AttributeValue>;

/// The partition key of the items of [`call_directly`] in each index.
const PARTITION: &str = "conformance";
/// The first of the items' sort keys, in milliseconds since 1970: the year 2100.
const FIRST_TIME_MS: i64 = 4_102_444_800_000;

/// Compares the schemas of the in-memory tables with the deployed ones.
pub(super) async fn ensure_same_schemas(cloud: &Cloud) -> Result<()> {
    let outputs = cloud.outputs();
    let tables = [
        (POSTS, &outputs.posts_table),
        (ACCOUNTS, &outputs.accounts_table),
        (LIMITS, &outputs.limits_table),
        (REPOST_GUARD, &outputs.repost_guard_table),
        (AUTHORIZATION_REQUESTS, &outputs.authorization_requests_table),
        (WEBHOOKS, &outputs.webhooks_table),
    ];
    for (name, table) in tables {
        let deployed = TableSchema { table: name.to_owned(), ..schema_of(&cloud.dynamodb, table).await? };
        let in_memory = table_schemas().into_iter().find(|schema| schema.table == name);
        let in_memory = in_memory.with_context(|| format!("the in-memory AWS has no table {name}"))?;
        ensure!(deployed == in_memory, "the deployed schema is {deployed:#?}, the in-memory one {in_memory:#?}");
    }
    Ok(())
}

async fn schema_of(client: &Client, table: &str) -> Result<TableSchema> {
    let described =
        client.describe_table().table_name(table).send().await?.table.context("the table does not exist")?;
    let mut indexes = BTreeMap::new();
    for index in described.global_secondary_indexes() {
        let projection = index.projection().context("the index has no projection")?;
        let mut attributes: Vec<_> = projection.non_key_attributes().to_vec();
        attributes.sort();
        let kind = projection.projection_type().map_or("", |kind| kind.as_str());
        let schema = format!("{:?} {kind} {attributes:?}", keys(index.key_schema()));
        indexes.insert(index.index_name().unwrap_or_default().to_owned(), schema);
    }
    Ok(TableSchema { table: table.to_owned(), keys: keys(described.key_schema()), indexes })
}

/// The partition key, then the sort key.
fn keys(schema: &[KeySchemaElement]) -> Vec<String> {
    let of =
        |kind: KeyType| schema.iter().filter(move |key| *key.key_type() == kind).map(KeySchemaElement::attribute_name);
    of(KeyType::Hash).chain(of(KeyType::Range)).map(str::to_owned).collect()
}

/// Makes every call of `storage` to a table.
pub(super) async fn call(cloud: &Cloud) -> Result<Results> {
    let mut results = call_directly(&cloud.dynamodb, &cloud.outputs().posts_table).await?;
    results.extend(call_posts(cloud).await?);
    Ok(results)
}

/// Calls the methods of `storage::Posts`.
async fn call_posts(cloud: &Cloud) -> Result<Results> {
    let (posts, anna, now) = (&cloud.posts, Alias::new("anna")?, time()?);
    let later = |seconds: u64| now + Duration::from_secs(seconds);
    let post = |n: u64| {
        let version = ObjectVersion::Id(format!("version-{n}"));
        let source = Source { bucket: "intake".to_owned(), key: format!("drop/anna/{n}.mp4"), version };
        Post::submit(anna.clone(), source, Some(9), later(n))
    };
    let created = |result: Result<Created, _>| outcome(&result.map(|it| format!("{it:?}")));
    let mut results: Results = Vec::new();
    for n in 0..3 {
        results.push(("a new post", created(posts.create(&post(n)).await)));
    }
    results.push(("an existing post", created(posts.create(&post(1)).await)));
    let stored = posts.get(&post(1).id).await?.context("the post is not stored")?;
    let stale = stored.revision();
    let cancelled = stored.value.clone().cancel(later(9))?;
    let saved = posts.save(stored, cancelled.clone(), later(9)).await;
    results.push(("a write at the current revision", outcome(&saved)));
    results.push(("a write at a stale revision", outcome(&posts.save(stale, cancelled.clone(), later(10)).await)));
    results.push(("a write of a missing post", outcome(&posts.save(stale, post(7), later(10)).await)));
    results.push(("a missing post", outcome(&posts.get(&post(7).id).await)));
    for n in 0..3 {
        let due = posts.due(later(60), Shard::of(&post(n).id), None).await?;
        results.push(("due posts", format!("{:?}", due.ids)));
    }
    results.push(("posts that are not due yet", outcome(&posts.due(later(0), Shard::of(&post(2).id), None).await)));
    results.push(("the account queue", outcome(&posts.account_queue(&anna, later(60)).await)));
    results.push(("the account queue up to a time", outcome(&posts.account_queue(&anna, later(0)).await)));
    results.push(("the front of the account queue", outcome(&posts.front_of_account_queue(&anna, None).await)));
    let open = posts.open_of(&anna, None).await?;
    results.push(("an account's unfinished posts", format!("{:?}", ids(&open.posts))));
    for (since, before, limit) in [(None, None, 10), (None, None, 2), (Some(1), None, 10), (None, Some(2), 10)] {
        for account in [Some(anna.clone()), None] {
            let filter = PostFilter { account, since: since.map(later), before: before.map(later), state: None };
            let page = posts.list(&filter, None, limit).await?;
            let next_page = match page.next {
                Some(next) => posts.list(&filter, Some(next), limit).await?.posts,
                None => Vec::new(),
            };
            results.push(("two pages of a list", format!("{:?} {:?}", ids(&page.posts), ids(&next_page))));
        }
    }
    let publish = PublishId::new("v_pub_file~1".to_owned())?;
    results.push(("a publish without a post", outcome(&posts.of_publish(&publish).await)));
    Ok(results)
}

fn ids(posts: &[Versioned<Post>]) -> Vec<&str> {
    posts.iter().map(|post| post.id.as_str()).collect()
}

/// Makes the calls of `storage` with the SDK, to compare also the parts of a response that `storage` does not return.
async fn call_directly(client: &Client, table: &str) -> Result<Results> {
    let mut results: Results = vec![
        ("a new item", put(client, table, item(0, 1), None).await?),
        ("an existing item", put(client, table, item(0, 9), None).await?),
        ("a write at the current revision", put(client, table, item(0, 2), Some("1")).await?),
        ("a write at a stale revision", put(client, table, item(0, 3), Some("1")).await?),
        ("a write of a missing item", put(client, table, item(1, 1), Some("1")).await?),
    ];
    for n in 1..5 {
        put(client, table, item(n, 1), None).await?;
    }
    let read = client.get_item().table_name(table).key("id", text("item-0")).consistent_read(true).send().await?;
    results.push(("a read", format!("{:?}", read.item.map(sorted))));
    let account_queue = ("account_queue", "account_queue", Some("dropped_at"));
    results.push(("pages of the account queue", pages(client, table, account_queue, true).await?));
    let account = ("account", "account", None);
    results.push(("pages of an account, backwards and filtered", pages(client, table, account, false).await?));
    let due = ("due", "due_shard", Some("due_at"));
    results.push(("pages of due items", pages(client, table, due, true).await?));
    for n in 0..5 {
        client.delete_item().table_name(table).key("id", text(&format!("item-{n}"))).send().await?;
    }
    let deleted = client.get_item().table_name(table).key("id", text("item-0")).send().await?;
    results.push(("a deleted item", format!("{:?}", deleted.item)));
    Ok(results)
}

/// The item `item-<n>`. It is in every index of [`call_directly`], but items 2, 5, … are not due. Items 0 and 1 have
/// the same time, and so have items 2 and 3.
fn item(n: i64, revision: u64) -> Item {
    let at = number(&(FIRST_TIME_MS + n / 2));
    let mut item = Item::from([
        ("id".to_owned(), text(&format!("item-{n}"))),
        ("account".to_owned(), text(PARTITION)),
        ("account_queue".to_owned(), text(PARTITION)),
        ("queue_mode".to_owned(), text("direct")),
        ("created_at".to_owned(), at.clone()),
        ("dropped_at".to_owned(), at.clone()),
        ("revision".to_owned(), number(&revision)),
    ]);
    if n % 3 != 2 {
        item.insert("due_shard".to_owned(), text(PARTITION));
        item.insert("due_at".to_owned(), at);
    }
    item
}

/// Reads an index in pages of two items, and returns the sizes of the pages and all items. `index` is its name, its
/// partition key and its sort key. With a sort key, only the first two times are read; without, only due items.
///
/// The items are sorted here, because DynamoDB does not define the order of items with the same sort key.
async fn pages(client: &Client, table: &str, index: (&str, &str, Option<&str>), forward: bool) -> Result<String> {
    let (index, partition_key, sort_key) = index;
    let (mut items, mut sizes, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let query = client.query().table_name(table).index_name(index).limit(2).scan_index_forward(forward);
        let query =
            query.expression_attribute_names("#p", partition_key).expression_attribute_values(":p", text(PARTITION));
        let query = match sort_key {
            Some(sort_key) => query
                .key_condition_expression("#p = :p AND #o <= :o")
                .expression_attribute_names("#o", sort_key)
                .expression_attribute_values(":o", number(&(FIRST_TIME_MS + 1))),
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

/// Writes an item on the condition that it does not exist, or that it has this revision.
async fn put(client: &Client, table: &str, item: Item, revision: Option<&str>) -> Result<String> {
    let put = client.put_item().table_name(table).set_item(Some(item));
    let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let put = match revision {
        None => put.condition_expression("attribute_not_exists(#key)").expression_attribute_names("#key", "id"),
        Some(revision) => put
            .condition_expression("#revision = :was")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":was", number(&revision)),
    };
    match put.send().await.map_err(SdkError::into_service_error) {
        Ok(_) => Ok("written".to_owned()),
        Err(PutItemError::ConditionalCheckFailedException(error)) => {
            Ok(format!("the condition failed for {:?}", error.item().cloned().map(sorted)))
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

fn number(value: &dyn ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}
