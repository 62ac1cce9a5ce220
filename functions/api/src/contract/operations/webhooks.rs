//! What TikTok tells by itself.

use serde_json::{Value, json};

use super::Route;
use crate::contract::Schemas;
use crate::contract::mirrors::Webhook;

pub(super) fn webhooks(schemas: &mut Schemas) -> Value {
    let about = (
        "Hears TikTok",
        "TikTok's webhooks: what became of a publish, and of a consent. Anybody can call this, and only what is signed with \
         the app's secret counts. An event that is not known is taken as well.",
    );
    let signature = json!({ "type": "string", "example": "t=1633174587,s=00" });
    let hears = Route::open(schemas, "hearTikTok", "webhooks", about)
        .public()
        .with("TikTok-Signature", "header", "`t=<seconds>,s=<hex>`: HMAC-SHA256 of `<t>.<body>`", &signature)
        .saying::<Webhook>()
        .nothing(200, "What it says is stored")
        .problem(401, "It is not proven to come from TikTok")
        .gateway(429, "Too many requests")
        .problem(503, "What it says could not be stored: TikTok comes again");
    json!({ "/webhooks/tiktok": { "post": hears.done() } })
}
