//! A scripted AWS for this crate's tests: clients that send every call to a scripted server, and never retry.

use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Credentials, Region, SharedCredentialsProvider, StalledStreamProtectionConfig,
};
use aws_types::SdkConfig;
use aws_types::sdk_config::Builder;
pub(crate) use scripted_server::{Reply, Request, ScriptedServer, Step, reply, reply_with};

use crate::clients::Clients;
use crate::event_bus::EventBus;

/// Makes clients of a scripted server.
pub(crate) trait ScriptedAws {
    /// The configuration of the clients.
    fn config(&self) -> Builder;

    fn clients(&self) -> Clients {
        Clients::of(&self.config().build())
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        self.clients().dynamodb
    }

    fn s3(&self) -> aws_sdk_s3::Client {
        (*self.clients().s3).clone()
    }

    /// An S3 client that waits at most one second for the next byte of a body.
    fn impatient_s3(&self) -> aws_sdk_s3::Client {
        let one_second = StalledStreamProtectionConfig::enabled().grace_period(Duration::from_secs(1));
        let config: SdkConfig = self.config().stalled_stream_protection(one_second.build()).build();
        (*Clients::of(&config).s3).clone()
    }

    fn event_bus(&self) -> EventBus {
        EventBus::new(&self.config().build(), "default")
    }
}

impl ScriptedAws for ScriptedServer {
    fn config(&self) -> Builder {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-central-1"))
            .credentials_provider(SharedCredentialsProvider::new(Credentials::new("test", "test", None, None, "test")))
            .retry_config(RetryConfig::disabled())
            .endpoint_url(self.url(""))
    }
}

/// A DynamoDB response to a call that it rejects with this error.
pub(crate) fn dynamodb_error(code: &str) -> Reply {
    let code = format!("com.amazonaws.dynamodb.v20120810#{code}");
    Reply::new(400, serde_json::json!({ "__type": code }).to_string())
}

/// A DynamoDB response to a conditional write whose condition does not hold for this item.
pub(crate) fn condition_failed(item: &serde_json::Value) -> Reply {
    let code = "com.amazonaws.dynamodb.v20120810#ConditionalCheckFailedException";
    Reply::new(400, serde_json::json!({ "__type": code, "Item": item }).to_string())
}
