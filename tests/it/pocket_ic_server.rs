//! PocketIC servers that are none, servers that end with us, and one replica on a real one.
//!
//! Programs that only look like servers are shell scripts; they are written by a shell, since a file that this process has open for
//! writing cannot be executed by another thread of it. The limits are short.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use candid::Principal;
use canloom::engine::pocket_ic::{Management, Program, Rejected, Replica, Server, ServerError};

pub(crate) const REMEDY: &str =
    "; set POCKET_IC_BIN to a PocketIC server 16.x, published at https://github.com/dfinity/pocketic/releases";
const SHORT: Duration = Duration::from_secs(1);
const LONG: Duration = Duration::from_secs(60);
/// Prints the version if asked for it.
const FIT: &str = r#"if [ "$1" = --version ]; then echo "pocket-ic-server 16.1.0"; exit; fi"#;
/// Names the test whose process is killed, and the program it starts.
const DOOMED: &str = "CANLOOM_TEST_DOOMED";

/// A real server, of POCKET_IC_BIN or at its place; if there is none, the test says so and is over.
pub(crate) fn server(test: &str) -> Option<Server> {
    program(test).map(|program| Server::start(&program).unwrap())
}

/// Its program, likewise.
pub(crate) fn program(test: &str) -> Option<Program> {
    match Program::find() {
        Ok(program) => Some(program),
        Err(ServerError::Missing(_)) => {
            println!("skipped: {test}: no PocketIC server; set POCKET_IC_BIN=...");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Writes a program that looks like a server, of lines of shell.
pub(crate) fn script(dir: &Path, body: &str) -> PathBuf {
    let path = dir.join("pocket-ic");
    let text = format!("#!/bin/sh\n{body}\n");
    let mut write = Command::new("sh");
    write.args(["-c", r#"printf %s "$2" >"$1" && chmod +x "$1""#, "sh"]).arg(&path).arg(text);
    assert!(write.status().unwrap().success());
    path
}

/// The error for a value of POCKET_IC_BIN, without the value in front and the remedy at the end.
fn fault(path: &Path, limit: Duration) -> String {
    let named = Some(OsString::from(path));
    let error = Program::find_among(named, Path::new("/nowhere"), limit).unwrap_err().to_string();
    let before = format!("POCKET_IC_BIN={}: ", path.display());
    let fault = error.strip_prefix(&before).and_then(|rest| rest.strip_suffix(REMEDY));
    fault.unwrap_or_else(|| panic!("{error}")).to_owned()
}

fn fault_of(body: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    fault(&script(dir.path(), body), LONG)
}

/// Why a program that prints the right version did not start, without its path in front and the remedy at the end.
fn start_fault(body: &str, limit: Duration) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), &format!("{FIT}\n{body}"));
    let program = Program::find_among(Some(path.clone().into()), Path::new("/nowhere"), LONG).unwrap();
    let error = Server::start_within(&program, limit).err().unwrap().to_string();
    let before = format!("PocketIC server {}: ", path.display());
    let fault = error.strip_prefix(&before).and_then(|rest| rest.strip_suffix(REMEDY));
    fault.unwrap_or_else(|| panic!("{error}")).to_owned()
}

#[test]
fn without_a_server_the_error_says_where_to_get_one() {
    let error = Program::find_among(None, Path::new("/nowhere/pocket-ic"), SHORT).unwrap_err();
    assert!(matches!(error, ServerError::Missing(_)));
    let text = format!("no PocketIC server: POCKET_IC_BIN is not set and there is no /nowhere/pocket-ic{REMEDY}");
    assert_eq!(error.to_string(), text);
    let empty = Program::find_among(Some(OsString::new()), Path::new("/nowhere/pocket-ic"), SHORT).unwrap_err();
    assert_eq!(empty.to_string(), text);
}

#[test]
fn what_is_no_program_is_named_with_its_fault() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(fault(&dir.path().join("nothing"), LONG), "there is no such file");
    assert_eq!(fault(dir.path(), LONG), "this is a directory");
    let text = dir.path().join("text");
    std::fs::write(&text, "text").unwrap();
    assert_eq!(fault(&text, LONG), "this file is not executable (chmod +x)");
}

#[test]
fn a_bad_server_at_the_usual_place_is_named_by_its_path() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), "echo hello");
    let error = Program::find_among(None, &path, LONG).unwrap_err().to_string();
    assert_eq!(error, format!("{}: no PocketIC server: `--version` printed `hello`{REMEDY}", path.display()));
}

#[test]
fn a_program_that_is_no_server_is_told_by_what_it_prints() {
    assert_eq!(fault_of("exit 0"), "no PocketIC server: `--version` printed ``");
    assert_eq!(fault_of("echo pocket-ic-server"), "no PocketIC server: `--version` printed `pocket-ic-server`");
    let failed = "no PocketIC server: `--version` ended with exit status 3";
    assert_eq!(fault_of("exit 3"), failed);
    assert_eq!(fault_of("echo 'no idea' >&2; exit 3"), format!("{failed}: no idea"));
}

#[test]
fn a_server_of_another_version_is_refused() {
    let wrong = |version: &str| format!("version {version} of the PocketIC server, where one of 16.x is needed");
    assert_eq!(fault_of("echo pocket-ic-server 15.0.1"), wrong("15.0.1"));
    assert_eq!(fault_of("echo pocket-ic-server 17.0.0"), wrong("17.0.0"));
}

#[test]
fn a_program_that_never_ends_is_ended() {
    let begin = Instant::now();
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), r#"echo $$ >"$(dirname "$0")/pid"; sleep 1000; exit"#);
    assert_eq!(fault(&path, SHORT), "no PocketIC server: `--version` did not end within 1 s");
    ends(number(&dir.path().join("pid")));
    assert!(begin.elapsed() < LONG);
}

#[test]
fn a_fit_program_is_found_with_its_version() {
    let dir = tempfile::tempdir().unwrap();
    let path = script(dir.path(), FIT);
    let program = Program::find_among(Some(path.clone().into()), Path::new("/nowhere"), LONG).unwrap();
    assert_eq!((program.path(), program.version()), (path.as_path(), "16.1.0"));
}

#[test]
fn a_server_that_does_not_come_up_is_reported_with_its_last_words() {
    let ended = "it ended before it listened, with exit status 101";
    assert_eq!(start_fault("exit 101", LONG), ended);
    let panics = r#"echo "thread panicked at x:" >&2; echo "no port" >&2; echo "note: RUST_BACKTRACE" >&2; exit 101"#;
    assert_eq!(start_fault(panics, LONG), format!("{ended}: no port"));
    assert_eq!(start_fault("sleep 1000; exit", SHORT), "it did not listen within 1 s");
}

#[test]
fn a_server_that_writes_no_number_is_refused() {
    let writes = r#"for file; do :; done; echo no >"$file"; sleep 1000; exit"#;
    assert_eq!(start_fault(writes, LONG), "it wrote `no` where a port was expected");
}

/// A server that only writes a port, and its own number next to itself.
fn sleeper(dir: &Path) -> PathBuf {
    script(
        dir,
        &format!(
            r#"{FIT}
echo $$ >"$(dirname "$0")/pid"
for file; do :; done
dirname "$file" >"$(dirname "$0")/directory"
echo 1 >"$file"
sleep 1000; exit"#
        ),
    )
}

#[test]
fn a_server_ends_when_it_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let named = Some(sleeper(dir.path()).into());
    let program = Program::find_among(named, Path::new("/nowhere"), LONG).unwrap();
    let mut server = Server::start_within(&program, LONG).unwrap();
    assert_eq!((server.url(), server.version()), ("http://127.0.0.1:1/", "16.1.0"));
    assert_eq!(server.ended(), None);
    let (process, directory) = (number(&dir.path().join("pid")), server.directory().to_owned());
    assert!(lives(process) && directory.is_dir());
    drop(server);
    ends(process);
    assert!(!directory.exists());
}

#[test]
fn a_server_ends_when_the_process_that_started_it_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut doomed = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pocket_ic_server::starts_a_server_and_waits_to_be_killed", "--ignored", "--nocapture"])
        .env(DOOMED, sleeper(dir.path()))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The port is written last of all.
    let (process, directory) = (number(&dir.path().join("pid")), text(&dir.path().join("directory")));
    until("the server listens", || dir.path().join("started").exists());
    assert!(lives(process));
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    ends(process);
    until("its directory is gone", || !Path::new(directory.trim()).exists());
}

#[test]
#[ignore = "the process that another test kills"]
fn starts_a_server_and_waits_to_be_killed() {
    let Some(named) = std::env::var_os(DOOMED) else { return };
    let started = Path::new(&named).with_file_name("started");
    let program = Program::find_among(Some(named), Path::new("/nowhere"), LONG).unwrap();
    let _server = Server::start_within(&program, LONG).unwrap();
    std::fs::write(started, "").unwrap();
    std::thread::sleep(Duration::from_secs(60));
    unreachable!("nobody killed this process");
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let begin = Instant::now();
    while !holds() {
        assert!(begin.elapsed() < LONG, "not within {} s: {what}", LONG.as_secs());
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What a file says, once it ends with a new line.
fn text(file: &Path) -> String {
    let read = || std::fs::read_to_string(file).unwrap_or_default();
    until(&format!("{} is written", file.display()), || read().ends_with('\n'));
    read()
}

fn number(file: &Path) -> u32 {
    text(file).trim().parse().unwrap()
}

fn lives(process: u32) -> bool {
    let probe = Command::new("sh").args(["-c", &format!("kill -0 {process}")]).stderr(Stdio::null()).status();
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    probe.unwrap().success() && !state.contains(") Z ")
}

fn ends(process: u32) {
    until("the process ends", || !lives(process));
}

const ECHO: &str = r#"(module
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  (memory 1)
  (data (i32.const 0) "DIDL\00\00")
  (func $answer (call $append (i32.const 0) (i32.const 6)) (call $reply))
  (func $fail (call $trap (i32.const 0) (i32.const 4)))
  (export "canister_update answer" (func $answer))
  (export "canister_update fail" (func $fail))
  (export "canister_query look" (func $answer)))"#;
const NOTHING: &[u8] = b"DIDL\0\0";

/// The id that a canister gets: subnets have ranges of 2^20 ids each, from the top down.
fn id_at(subnet: u64, number: u64) -> Principal {
    let id = (((u64::MAX >> 20) - 1 - subnet) << 20) + number;
    Principal::from_slice(&[&id.to_be_bytes()[..], &[1, 1]].concat())
}

#[test]
fn a_replica_executes_what_is_submitted_when_it_ticks() {
    let Some(server) = server("a_replica_executes_what_is_submitted_when_it_ticks") else { return };
    let me = Principal::from_slice(&[7, 1]);
    let wasm = wat::parse_str(ECHO).unwrap();
    let ids: Vec<[String; 3]> = (0..2)
        .map(|_| {
            let replica = Replica::new(&server, 2, false).unwrap();
            let create = |subnet| replica.create(subnet, &[me], 10_u128.pow(13)).unwrap();
            let ids = [create(0), create(0), create(1)];
            for (id, subnet) in ids.iter().zip([0, 0, 1]) {
                assert_eq!(replica.subnet_of(*id).unwrap(), Some(replica.subnets()[subnet]));
            }
            ids.map(|id| id.to_text())
        })
        .collect();
    assert_eq!(ids[0], [id_at(0, 0), id_at(0, 1), id_at(1, 0)].map(|id| id.to_text()));
    assert_eq!(ids[0][0], "lxzze-o7777-77777-aaaaa-cai");
    assert_eq!(ids[0], ids[1]);

    let replica = Replica::new(&server, 1, false).unwrap();
    let id = replica.create(0, &[me], 10_u128.pow(13)).unwrap();
    replica.install(id, &wasm, NOTHING, me).unwrap().unwrap();
    assert_eq!(replica.install(id, &wasm, NOTHING, me).unwrap().unwrap_err().error_code, 514);

    let begin = replica.time().unwrap();
    replica.set_time(begin + 1000).unwrap();
    let call = replica.submit(id, me, "answer", NOTHING).unwrap().unwrap();
    assert_eq!(replica.status(&call).unwrap(), None);
    replica.tick().unwrap();
    assert_eq!(replica.time().unwrap(), begin + 1000);
    assert_eq!(replica.status(&call).unwrap(), Some(Ok(NOTHING.to_vec())));
    replica.tick().unwrap();
    assert_eq!(replica.time().unwrap(), begin + 1001);

    let Rejected { code, text, error_code } = replica.call(id, me, "fail", NOTHING).unwrap().unwrap_err();
    assert_eq!((code, error_code), (5, 503));
    assert!(text.contains("DIDL"), "{text}");
    assert_eq!(replica.call(id, me, "other", NOTHING).unwrap().unwrap_err().error_code, 536);
    assert_eq!(replica.query(id, me, "look", NOTHING).unwrap(), Ok(NOTHING.to_vec()));

    let stop = replica.submit_management(&Management::stop(id), me).unwrap().unwrap();
    replica.tick().unwrap();
    replica.tick().unwrap();
    assert_eq!(replica.status(&stop).unwrap(), Some(Ok(NOTHING.to_vec())));
    assert_eq!(replica.submit(id, me, "answer", NOTHING).unwrap().unwrap_err().error_code, 508);
    let snapshot = replica.snapshot(id, me).unwrap().unwrap();
    replica.manage(&Management::load(id, &snapshot), me).unwrap().unwrap();
    replica.manage(&Management::start(id), me).unwrap().unwrap();
    replica.upgrade(id, &wasm, false, NOTHING, me).unwrap().unwrap();
    replica.reinstall(id, &wasm, NOTHING, me).unwrap().unwrap();
    assert_eq!(replica.stable_memory(id).unwrap(), Vec::<u8>::new());
    let before = replica.cycles(id).unwrap();
    assert_eq!(replica.add_cycles(id, 5).unwrap(), before + 5);
    assert_eq!(replica.outcalls().unwrap(), []);
}

#[test]
fn a_replica_whose_server_ended_gives_errors() {
    let Some(server) = server("a_replica_whose_server_ended_gives_errors") else { return };
    let replica = Replica::new(&server, 1, false).unwrap();
    drop(server);
    let error = replica.tick().unwrap_err().to_string();
    assert!(error.starts_with("PocketIC: HTTP failure: ") && !error.contains('\n'), "{error}");
}

#[test]
fn a_replica_has_canisters_of_mainnet_where_asked() {
    let Some(server) = server("a_replica_has_canisters_of_mainnet_where_asked") else { return };
    let ids = ["ryjl3-tyaaa-aaaaa-aaaba-cai", "uf6dk-hyaaa-aaaaq-qaaaq-cai", "mxzaz-hqaaa-aaaar-qaada-cai"];
    let ids = ids.map(|id| Principal::from_text(id).unwrap());
    let replica = Replica::new(&server, 1, true).unwrap();
    for id in ids {
        assert_eq!(replica.create_with_id(id, &[], 0), Ok(id));
        assert!(!replica.subnets().contains(&replica.subnet_of(id).unwrap().unwrap()));
    }
    // Each of the five subnets has a range of its own for ids that it hands out.
    assert_eq!(replica.create(0, &[], 10_u128.pow(13)), Ok(id_at(5, 0)));

    let replica = Replica::new(&server, 1, false).unwrap();
    let refused = |id| replica.create_with_id(id, &[], 10_u128.pow(13)).unwrap_err().to_string();
    let refused = |id, why: &str| assert!(refused(id).contains(why), "{}", refused(id));
    refused(ids[0], "belongs to the NNS or II subnet");
    refused(id_at(0, 7), "belongs to the canister allocation ranges");
    refused(id_at(3, 7), "is not a mainnet canister ID");
    assert_eq!(replica.create_with_id(ids[2], &[], 10_u128.pow(13)), Ok(ids[2]));
    assert_eq!(replica.create(0, &[], 10_u128.pow(13)), Ok(id_at(0, 0)));
}
