//! The SDK's clients that everything here stands on.

/// A client of each service.
#[derive(Debug, Clone)]
pub struct Clients {
    /// The tables.
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// The key.
    pub kms: aws_sdk_kms::Client,
    /// The bucket.
    pub s3: aws_sdk_s3::Client,
    /// The app's credentials.
    pub secrets: aws_sdk_secretsmanager::Client,
    /// The queue.
    pub sqs: aws_sdk_sqs::Client,
}
