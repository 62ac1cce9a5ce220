//! The use cases and tables that the routes call.

use posting::{
    AccountSettings, Commands, ConnectConfig, Connections, CreatePost, CreateUpload, Creators, Dependencies, Intake,
    WebhookConfig, Webhooks,
};
use storage::{Accounts, Clients, Posts, WebhookLog};

/// The state of the router.
pub(crate) struct UseCases {
    pub(crate) posts: Posts,
    pub(crate) accounts: Accounts,
    pub(crate) commands: Commands,
    pub(crate) intake: Intake,
    pub(crate) create_post: CreatePost,
    pub(crate) create_upload: CreateUpload,
    pub(crate) account_settings: AccountSettings,
    pub(crate) creators: Creators,
    pub(crate) connections: Connections,
    pub(crate) webhooks: Webhooks,
    pub(crate) webhook_log: WebhookLog,
}

impl UseCases {
    pub(crate) fn new(
        dependencies: &Dependencies,
        clients: &Clients,
        connect_config: ConnectConfig,
        webhook_config: WebhookConfig,
        intake: Intake,
    ) -> Self {
        Self {
            posts: dependencies.into(),
            accounts: dependencies.into(),
            commands: dependencies.into(),
            intake,
            create_post: dependencies.into(),
            create_upload: dependencies.into(),
            account_settings: dependencies.into(),
            creators: dependencies.into(),
            connections: Connections::new(connect_config, clients, dependencies),
            webhooks: dependencies.into(),
            webhook_log: WebhookLog::new(clients.dynamodb.clone(), webhook_config.webhooks_table),
        }
    }
}
