//! Why S3 refuses to return an object that exists: it is archived, or its KMS key cannot be used.
//!
//! S3's answer to a refused `GetObject` is not enough:
//!
//! - `InvalidObjectState` does not say whether a restore is under way.
//! - `AccessDenied` often does not say whether a permission for S3 or for the KMS key is missing, and does not always
//!   name the key.
//!
//! A `HeadObject` tells these apart. It needs no permission for the key, and returns the key and the archive's state.
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html>

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use domain::source::Source;

use super::error::ObjectError;
use super::pins;
use crate::aws::Kind;

/// Adds to the error of a refused read what a `HeadObject` of the same version tells. Other errors stay as they are.
pub(super) async fn explain(client: &Client, source: &Source, error: ObjectError) -> ObjectError {
    if !is_refusal(&error) {
        return error;
    }
    let (version_id, if_match) = pins(source);
    let head = client.head_object().bucket(&source.bucket).key(&source.key);
    let head = head.set_version_id(version_id).set_if_match(if_match).send().await;
    with_head(error, head.ok().as_ref())
}

/// The same for the latest version of a key.
pub(super) async fn explain_latest(client: &Client, bucket: &str, key: &str, error: ObjectError) -> ObjectError {
    if !is_refusal(&error) {
        return error;
    }
    let head = client.head_object().bucket(bucket).key(key).send().await;
    with_head(error, head.ok().as_ref())
}

fn is_refusal(error: &ObjectError) -> bool {
    match error {
        ObjectError::Archived { .. } | ObjectError::KeyDenied { .. } | ObjectError::KeyUnusable { .. } => true,
        ObjectError::Aws(error) => error.kind() == Kind::Denied,
        _ => false,
    }
}

/// Without an answer to `HeadObject`, the error stays as it is: the role may not read the object's metadata either.
fn with_head(error: ObjectError, head: Option<&HeadObjectOutput>) -> ObjectError {
    let Some(head) = head else { return error };
    let key_of_object = || head.ssekms_key_id().map(str::to_owned);
    match error {
        ObjectError::Archived { path, .. } if is_restoring(head) => ObjectError::Restoring { path },
        ObjectError::Archived { path, storage } => {
            ObjectError::Archived { storage: storage_of(head).or(storage), path }
        }
        ObjectError::KeyDenied { path, key, answer } => {
            ObjectError::KeyDenied { key: key.or_else(key_of_object), path, answer }
        }
        ObjectError::KeyUnusable { path, key, answer } => {
            ObjectError::KeyUnusable { key: key.or_else(key_of_object), path, answer }
        }
        // S3 returns the metadata and not the bytes of an encrypted object: the permission for the key is missing.
        ObjectError::Aws(error) if head.ssekms_key_id().is_some() && !error.names_s3_permission() => {
            let (path, answer) = (error.resource().to_owned(), error.answer());
            ObjectError::KeyDenied { path, key: key_of_object(), answer }
        }
        other => other,
    }
}

/// S3's `x-amz-restore` is `ongoing-request="true"` until the restored copy can be read.
fn is_restoring(head: &HeadObjectOutput) -> bool {
    head.restore().is_some_and(|restore| restore.contains("ongoing-request=\"true\""))
}

/// The archive tier of an object in Intelligent-Tiering, or else its storage class.
fn storage_of(head: &HeadObjectOutput) -> Option<String> {
    let tier = head.archive_status().map(|tier| tier.as_str().to_owned());
    tier.or_else(|| head.storage_class().map(|class| class.as_str().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::super::Objects;
    use crate::scripted_aws::{Reply, ScriptedAws, ScriptedServer, reply};
    use domain::failure::Disposition;
    use domain::source::ObjectVersion;

    use super::*;

    const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    fn source() -> Source {
        Source { bucket: "intake".into(), key: "drop/anna/clip.mp4".into(), version: ObjectVersion::Id("v1".into()) }
    }

    fn refused(status: u16, code: &str, message: &str) -> Reply {
        Reply::new(status, format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>"))
    }

    fn head(headers: &[(&str, &str)]) -> Reply {
        let head = Reply::new(200, "").header("content-length", "5");
        headers.iter().fold(head, |head, (name, value)| head.header(name, value))
    }

    /// Reads an object that S3 refuses to return, and answers the `HeadObject` that follows.
    async fn error_of(refusal: Reply, head: Reply) -> ObjectError {
        let server = ScriptedServer::start([reply(refusal), reply(head)]).await;
        let read = Objects::new(server.s3()).read_small(&source(), 0, 5).await;
        let requests = server.requests();
        assert_eq!(requests[1].method, "HEAD");
        assert!(requests[1].target.contains("versionId=v1"), "{}", requests[1].target);
        read.unwrap_err()
    }

    fn archived() -> Reply {
        refused(403, "InvalidObjectState", "The operation is not valid for the object's storage class")
    }

    #[tokio::test]
    async fn archived_object_names_its_storage_and_fails_post() {
        for (headers, storage) in [
            (&[("x-amz-storage-class", "GLACIER")][..], "GLACIER"),
            (&[("x-amz-storage-class", "DEEP_ARCHIVE")][..], "DEEP_ARCHIVE"),
            (
                &[("x-amz-storage-class", "INTELLIGENT_TIERING"), ("x-amz-archive-status", "ARCHIVE_ACCESS")][..],
                "ARCHIVE_ACCESS",
            ),
        ] {
            let error = error_of(archived(), head(headers)).await;
            assert_eq!(error.to_string(), format!("s3://intake/drop/anna/clip.mp4 is archived ({storage})"));
            assert_eq!(error.disposition(), Disposition::GiveUp);
        }
    }

    #[tokio::test]
    async fn archived_object_is_reported_without_its_metadata() {
        let error = error_of(archived(), Reply::new(403, "")).await;
        assert_eq!(error.to_string(), "s3://intake/drop/anna/clip.mp4 is archived");
    }

    #[tokio::test]
    async fn object_that_is_being_restored_defers_post() {
        let restoring = [("x-amz-storage-class", "GLACIER"), ("x-amz-restore", "ongoing-request=\"true\"")];
        let error = error_of(archived(), head(&restoring)).await;
        assert!(matches!(error, ObjectError::Restoring { .. }), "{error}");
        assert!(matches!(error.disposition(), Disposition::Defer { .. }));
    }

    #[tokio::test]
    async fn denied_key_is_told_from_denied_object() {
        let named = format!(
            "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: kms:Decrypt on resource: {KEY} because no identity-based policy allows the kms:Decrypt action"
        );
        let unnamed = "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.";
        let encrypted = || head(&[("x-amz-server-side-encryption-aws-kms-key-id", KEY)]);
        for (message, head) in
            [(named.as_str(), Reply::new(403, "")), (unnamed, encrypted()), ("Access Denied", encrypted())]
        {
            let error = error_of(refused(403, "AccessDenied", message), head).await;
            let text = error.to_string();
            assert!(matches!(&error, ObjectError::KeyDenied { key: Some(key), .. } if key == KEY), "{text}");
            assert!(
                text.contains(&format!("lacks kms:Decrypt for the KMS key {KEY} (S3 GetObject: AccessDenied: ")),
                "{text}"
            );
            assert!(!text.contains("s3:GetObject"), "it should advise the key's permission only: {text}");
            assert_eq!(error.disposition(), Disposition::NeedsUser);
        }
        let s3 = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: s3:GetObject on resource: x";
        for (message, head) in [("Access Denied", Reply::new(403, "")), ("Access Denied", head(&[])), (s3, encrypted())]
        {
            let error = error_of(refused(403, "AccessDenied", message), head).await;
            assert!(matches!(error, ObjectError::Aws(_)) && error.is_denied(), "{error}");
            assert!(error.to_string().contains("s3:GetObject"), "{error}");
        }
    }

    #[tokio::test]
    async fn unusable_key_defers_post_and_is_named() {
        let encrypted = || head(&[("x-amz-server-side-encryption-aws-kms-key-id", KEY)]);
        for (code, message) in [
            ("KMS.DisabledException", format!("{KEY} is disabled.")),
            ("KMS.KMSInvalidStateException", format!("{KEY} is pending deletion.")),
            ("KMS.NotFoundException", "Invalid keyId".to_owned()),
            ("KMS.InvalidKeyUsageException", "no".to_owned()),
        ] {
            let error = error_of(refused(400, code, &message), encrypted()).await;
            assert!(matches!(&error, ObjectError::KeyUnusable { key: Some(key), .. } if key == KEY), "{code}: {error}");
            assert_eq!(error.disposition(), Disposition::NeedsUser, "{code}");
        }
    }

    #[tokio::test]
    async fn throttled_key_is_retried() {
        let throttled = refused(400, "KMS.ThrottlingException", "Rate exceeded");
        let script = [reply(throttled), reply(Reply::new(206, "bytes").header("content-range", "bytes 0-4/5"))];
        let server = ScriptedServer::start(script).await;
        assert_eq!(&Objects::new(server.s3()).read_small(&source(), 0, 5).await.unwrap()[..], b"bytes");
    }

    #[tokio::test]
    async fn refused_sidecar_is_explained() {
        let restoring = head(&[("x-amz-restore", "ongoing-request=\"true\"")]);
        let server = ScriptedServer::start([reply(archived()), reply(restoring)]).await;
        let error = Objects::new(server.s3()).sidecar("intake", "drop/clip.json").await.unwrap_err();
        assert!(matches!(error, ObjectError::Restoring { .. }), "{error}");
    }
}
