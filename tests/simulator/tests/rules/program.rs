//! The `simulator` program: start, control over HTTP, and shutdown.

use std::process::Stdio;

use simulator::{Control, Endpoint, Fault, FaultKind, OpenId, PublishId, Scope, Settings, User};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// Starts the program and reads its address from standard output.
async fn start() -> (Child, BufReader<ChildStdout>, String) {
    let mut program = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--listen", "127.0.0.1:0", "--client-key", "key-1"])
        .env("SIMULATOR_CLIENT_SECRET", "secret-1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    let mut line = String::new();
    output.read_line(&mut line).await.unwrap();
    let url = line.trim().strip_prefix("listening on ").unwrap().to_owned();
    (program, output, url)
}

/// Sends SIGTERM and waits for the program to end. Returns its log.
async fn stop(mut program: Child, mut output: BufReader<ChildStdout>) -> String {
    let id = program.id().unwrap().to_string();
    let killed = Command::new("kill").args(["-TERM", &id]).status().await;
    assert!(killed.unwrap().success());
    let mut errors = program.stderr.take().unwrap();
    let mut log = String::new();
    errors.read_to_string(&mut log).await.unwrap();
    assert!(program.wait().await.unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).await.unwrap();
    assert_eq!(rest, "");
    log
}

#[tokio::test]
async fn program_prints_its_address_and_stops_on_sigterm() {
    let (program, output, url) = start().await;
    Control::new(&url).health().await.unwrap();
    stop(program, output).await;
}

#[tokio::test]
async fn missing_client_secret_is_named_in_the_error() {
    let program = Command::new(env!("CARGO_BIN_EXE_simulator"))
        .args(["--listen", "127.0.0.1:0", "--client-key", "key-1"])
        .env_remove("SIMULATOR_CLIENT_SECRET")
        .output();
    let program = program.await.unwrap();
    assert!(!program.status.success());
    let errors = String::from_utf8(program.stderr).unwrap();
    assert!(errors.contains("SIMULATOR_CLIENT_SECRET"));
}

#[tokio::test]
async fn control_interface_works_and_no_secret_is_logged() {
    let (program, output, url) = start().await;
    let control = Control::new(&url);
    control.put_user(&User::new("user-1", "maker")).await.unwrap();
    assert_eq!(control.users().await.unwrap().len(), 1);
    let user = OpenId::new("user-1");
    let pair = control.grant(&user, &Scope::ALL).await.unwrap();
    control.change_settings(|settings| settings.daily_post_cap = 3).await.unwrap();
    assert_eq!(control.settings().await.unwrap().daily_post_cap, 3);

    let fault = Fault::new(Endpoint::CreatorInfo, FaultKind::TruncatedJson);
    let id = control.inject(&fault.clone()).await.unwrap();
    assert_eq!(control.faults().await.unwrap()[0].fault, fault);
    control.clear_fault(id).await.unwrap();
    assert!(control.clear_fault(id).await.is_err());

    let http = reqwest::Client::new();
    let creator = format!("{url}{}", Endpoint::CreatorInfo.path());
    let request = http.post(creator).bearer_auth(&pair.access_token);
    let json = "application/json; charset=UTF-8";
    let response = request.header("content-type", json).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let calls = control.calls(0).await.unwrap();
    assert_eq!((calls[0].endpoint, calls[0].user.as_ref()), (Endpoint::CreatorInfo, Some(&user)));
    assert!(control.calls(1).await.unwrap().is_empty());

    let clock = control.advance(3600).await.unwrap();
    assert_eq!(clock.ahead_s, 3600);
    assert!(control.webhooks().await.unwrap().is_empty());
    assert!(control.entry(&PublishId::new("none")).await.is_err());
    assert!(control.ledger().await.unwrap().violations.is_empty());

    let secrets = control.secrets().await.unwrap();
    assert!(secrets.contains(&pair.access_token));
    control.reset().await.unwrap();
    assert!(control.users().await.unwrap().is_empty());
    assert_eq!(control.settings().await.unwrap(), Settings::default());
    assert_eq!(control.secrets().await.unwrap(), secrets);

    let log = stop(program, output).await;
    assert!(log.contains("call handled"));
    assert!(!log.contains("secret-1"));
    assert!(secrets.iter().all(|secret| !log.contains(secret.as_str())));
}
