//! The computer of a person who drops videos: a folder with files, and the upload tools, configured for the bucket.
//!
//! A tool gets the cloud's endpoint, region, certificate and user, and none of this process's environment. Every host
//! but this machine is unreachable for it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use harness::{Cloud, TestVideo};
use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

/// How long a tool may run. It takes a second or two on an idle machine.
const TOOL_TIMEOUT: Duration = Duration::from_mins(2);
/// A proxy that refuses every connection.
const NO_PROXY: &str = "http://127.0.0.1:9";
const BOTO3_CALLS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/uploaders/boto3_calls.py");

/// A tool that uploads files to S3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    AwsCli,
    Boto3,
    Rclone,
    S3cmd,
}

impl Tool {
    pub(crate) const ALL: [Self; 4] = [Self::AwsCli, Self::Boto3, Self::Rclone, Self::S3cmd];
    /// The tools that are commands with a command for folders and one for moves.
    pub(crate) const COMMANDS: [Self; 3] = [Self::AwsCli, Self::Rclone, Self::S3cmd];
}

/// The folder and the tools. The folder is deleted when this is dropped.
pub(crate) struct Workstation {
    cloud: Arc<Cloud>,
    /// The home folder, with the tools' configuration.
    home: PathBuf,
    /// The folder of the files, in which the tools run.
    files: PathBuf,
    /// The folder of the tools except the AWS CLI.
    tools: PathBuf,
}

impl Workstation {
    /// Creates the folder and the tools' configuration: every tool sends a file of more than 5 MiB in parts of 5 MiB.
    pub(crate) fn new(cloud: &Arc<Cloud>) -> Result<Self> {
        let tools = runtime::environment::variable("DROPCAST_UPLOADERS");
        let tools = tools.context("no upload tools: logs/install-uploaders.log in the cloud's folder says why")?;
        let home = std::env::temp_dir().join(format!("dropcast-{}", Uuid::new_v4().simple()));
        let station = Self { cloud: Arc::clone(cloud), files: home.join("files"), home, tools: tools.into() };
        let contract = &cloud.contract;
        let host = contract.endpoint.trim_start_matches("https://");
        let aws = "[default]\ns3 =\n  multipart_threshold = 5MB\n  multipart_chunksize = 5MB\n";
        let rclone = format!(
            "[drop]\ntype = s3\nprovider = AWS\nenv_auth = true\nno_check_bucket = true\nregion = {}\nendpoint = {}\n\
             upload_cutoff = 5Mi\nchunk_size = 5Mi\n",
            contract.region, contract.endpoint,
        );
        let s3cmd = format!(
            "[default]\nhost_base = {host}\nhost_bucket = {host}\nbucket_location = {}\nca_certs_file = {}\n\
             multipart_chunk_size_mb = 5\n",
            contract.region,
            contract.trust.display(),
        );
        for (name, content) in [(".aws/config", aws), (".config/rclone/rclone.conf", &rclone), (".s3cfg", &s3cmd)] {
            write(&station.home.join(name), content.as_bytes())?;
        }
        std::fs::create_dir_all(&station.files)?;
        Ok(station)
    }

    /// Writes a file with the content of a test file.
    pub(crate) fn write(&self, file: &str, content: &TestVideo) -> Result<()> {
        write(&self.files.join(file), &content.content())
    }

    /// Sets the modification time of a file to September 1970.
    pub(crate) fn touch(&self, file: &str) -> Result<()> {
        let time = SystemTime::UNIX_EPOCH + Duration::from_hours(6_000);
        let file = std::fs::OpenOptions::new().write(true).open(self.files.join(file))?;
        Ok(file.set_modified(time)?)
    }

    /// The URL of a key for the AWS CLI and s3cmd.
    pub(crate) fn url(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.cloud.outputs().intake_bucket)
    }

    /// The path of a key for rclone.
    pub(crate) fn path(&self, key: &str) -> String {
        format!("drop:{}/{key}", self.cloud.outputs().intake_bucket)
    }

    /// Uploads a file.
    pub(crate) async fn upload(&self, tool: Tool, file: &str, key: &str) -> Result<()> {
        match tool {
            Tool::AwsCli => self.aws(&["s3", "cp", file, &self.url(key)]).await,
            Tool::Boto3 => self.boto3(&[self.boto3_upload(file, key, &json!({}))]).await,
            Tool::Rclone => self.rclone(&["copyto", file, &self.path(key)]).await,
            Tool::S3cmd => self.s3cmd(&["put", file, &self.url(key)]).await,
        }
    }

    /// Uploads a file with an entry of user-defined metadata.
    pub(crate) async fn upload_with(&self, tool: Tool, file: &str, key: &str, name: &str, value: &str) -> Result<()> {
        let (url, path) = (self.url(key), self.path(key));
        match tool {
            Tool::AwsCli => {
                // In its short form, `name=value`, a value can contain neither a comma nor an equals sign.
                let metadata = json!({ name: value }).to_string();
                self.aws(&["s3", "cp", "--metadata", &metadata, file, &url]).await
            }
            Tool::Boto3 => self.boto3(&[self.boto3_upload(file, key, &json!({ "Metadata": { name: value } }))]).await,
            Tool::Rclone => {
                let header = format!("x-amz-meta-{name}: {value}");
                self.rclone(&["copyto", "--header-upload", &header, file, &path]).await
            }
            Tool::S3cmd => {
                let header = format!("--add-header=x-amz-meta-{name}:{value}");
                self.s3cmd(&["put", &header, file, &url]).await
            }
        }
    }

    /// Moves an object. boto3 has no such method.
    pub(crate) async fn rename(&self, tool: Tool, from: &str, to: &str) -> Result<()> {
        match tool {
            Tool::AwsCli | Tool::Boto3 => self.aws(&["s3", "mv", &self.url(from), &self.url(to)]).await,
            Tool::Rclone => self.rclone(&["moveto", &self.path(from), &self.path(to)]).await,
            // Without --acl-private, s3cmd copies ACLs, which the bucket does not have.
            Tool::S3cmd => self.s3cmd(&["mv", "--acl-private", &self.url(from), &self.url(to)]).await,
        }
    }

    /// Uploads the folder's new and changed files. For boto3, which has no such method, uploads every file.
    pub(crate) async fn sync(&self, tool: Tool, key: &str) -> Result<()> {
        match tool {
            Tool::AwsCli => self.aws(&["s3", "sync", ".", &self.url(key)]).await,
            Tool::Boto3 => {
                let mut calls = Vec::new();
                for entry in std::fs::read_dir(&self.files)? {
                    let name = entry?.file_name().into_string().ok().context("a file name is UTF-8")?;
                    calls.push(self.boto3_upload(&name, &format!("{key}{name}"), &json!({})));
                }
                self.boto3(&calls).await
            }
            Tool::Rclone => self.rclone(&["sync", ".", &self.path(key)]).await,
            Tool::S3cmd => self.s3cmd(&["sync", "./", &self.url(key)]).await,
        }
    }

    /// The boto3 call that uploads a file in the way of the AWS CLI.
    pub(crate) fn boto3_upload(&self, file: &str, key: &str, extra: &Value) -> Value {
        let bucket = &self.cloud.outputs().intake_bucket;
        json!({
            "name": "upload_file",
            "arguments": { "Filename": file, "Bucket": bucket, "Key": key, "ExtraArgs": extra },
            "config": { "multipart_threshold": 5 << 20, "multipart_chunksize": 5 << 20 },
        })
    }

    /// Makes these boto3 calls; `boto3_calls.py` describes them.
    pub(crate) async fn boto3(&self, calls: &[Value]) -> Result<()> {
        self.run(&self.tools.join("python"), &[BOTO3_CALLS, &json!(calls).to_string()]).await
    }

    pub(crate) async fn aws(&self, arguments: &[&str]) -> Result<()> {
        self.run(&self.cloud.contract.aws_cli, arguments).await
    }

    pub(crate) async fn rclone(&self, arguments: &[&str]) -> Result<()> {
        self.run(&self.tools.join("rclone"), arguments).await
    }

    pub(crate) async fn s3cmd(&self, arguments: &[&str]) -> Result<()> {
        self.run(&self.tools.join("s3cmd"), arguments).await
    }

    /// Runs a program in the folder of the files. A failure contains its output.
    async fn run(&self, program: &Path, arguments: &[&str]) -> Result<()> {
        let (contract, path) = (&self.cloud.contract, |path: &Path| path.display().to_string());
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.files).stdin(Stdio::null()).kill_on_drop(true);
        command.env_clear().envs(contract.cli_environment()).envs([
            ("AWS_CA_BUNDLE", path(&contract.trust)),
            ("SSL_CERT_FILE", path(&contract.trust)),
            ("HOME", path(&self.home)),
            ("LANG", "C.UTF-8".to_owned()),
            ("HTTPS_PROXY", NO_PROXY.to_owned()),
            ("HTTP_PROXY", NO_PROXY.to_owned()),
            ("NO_PROXY", "127.0.0.1".to_owned()),
        ]);
        let output = tokio::time::timeout(TOOL_TIMEOUT, command.output()).await;
        let command = || format!("{} {arguments:?}", program.display());
        let output = output.with_context(|| format!("{} does not end", command()))?;
        let output = output.with_context(|| format!("{} cannot be run", command()))?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        ensure!(output.status.success(), "{}: {}\n{stdout}{stderr}", command(), output.status);
        Ok(())
    }
}

impl Drop for Workstation {
    fn drop(&mut self) {
        // A folder that remains does not affect other tests.
        let _ = std::fs::remove_dir_all(&self.home);
    }
}

fn write(file: &Path, content: &[u8]) -> Result<()> {
    let folder = file.parent().context("a file is in a folder")?;
    std::fs::create_dir_all(folder)?;
    std::fs::write(file, content).with_context(|| format!("{} cannot be written", file.display()))
}
