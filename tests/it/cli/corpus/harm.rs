//! Files of a corpus that nothing harms, and that harm nothing.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::super::{assert_one_error, canloom, files, found};
use super::{accepted, check, correct};

#[test]
fn hostile_files_are_refused_with_one_error() {
    let (stage, name) = accepted();
    let text = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let (head, _) = text.split_once("\n\n").expect("a head");
    let million = format!("{head}\n\n{}", "0\n".repeat(1_000_000));
    let huge = format!("{head}\n\n{}", "# ".repeat(3 << 20));
    for (what, hostile) in [
        ("unknown format version", text.replacen("counterexample 1", "counterexample 9", 1)),
        ("a header line reads", format!("{head}\n<script>")),
        ("the header lacks `scenario`", "canloom counterexample 1\n".to_string()),
        ("without `..`", text.replacen("scenario.toml", "../../etc/passwd", 1)),
        ("without `..`", text.replacen("scenario.toml", "/etc/passwd", 1)),
        ("more than 100000 steps", million),
        ("larger than 4 MiB; is this a counterexample?", huge),
        ("is not the name of a step", format!("{head}\n\n99999999999999999999\n")),
        ("unknown status `maybe`", text.replacen("tool: ", "status: maybe\ntool: ", 1)),
    ] {
        std::fs::write(stage.file("hostile.cx"), hostile).expect("the folder can be written");
        for command in [&["repro"][..], &["shrink"], &["report", "--html", "-"]] {
            let arguments: Vec<&str> = command.iter().copied().chain(["hostile.cx"]).collect();
            assert_one_error(&canloom(stage.folder(), &arguments), 2, &["hostile.cx", what]);
        }
        let ran = check(&stage);
        assert_eq!(ran.exit, 2, "{what}");
        assert!(ran.out.contains(what), "{what}: {}", ran.out);
    }
    // Steps of calls and canisters that there are not end at the first of them, however many come.
    for step in ["400000", "nobody.t1", "c0.upgrade7", "@9", "0{x=1}", "0.1r.1r.1r.1r"] {
        let steps = format!("{head}\n\n{}", format!("{step}\n").repeat(20_000));
        std::fs::write(stage.file("hostile.cx"), steps).expect("the folder can be written");
        let ran = canloom(stage.folder(), &["repro", "hostile.cx"]);
        assert_one_error(&ran, 4, &["divergence at step 1"]);
        let ran = canloom(stage.folder(), &["shrink", "hostile.cx"]);
        assert_one_error(&ran, 4, &["divergence at step 1"]);
    }
}

#[test]
fn links_and_cycles_in_a_corpus_are_not_followed() {
    let (stage, name) = accepted();
    let elsewhere = tempfile::tempdir().expect("a folder");
    std::fs::write(elsewhere.path().join("secret.cx"), "secret").expect("it can be written");
    symlink(elsewhere.path(), stage.file("out")).expect("links can be made");
    symlink(stage.folder(), stage.file("round")).expect("links can be made");
    symlink(elsewhere.path().join("secret.cx"), stage.file("secret.cx")).expect("links can be made");
    let ran = check(&stage);
    assert_eq!(
        (ran.exit, ran.out.as_str()),
        (0, format!("open:  ./{name}\n1 open, 0 fixed: as they should be\n").as_str())
    );
    assert_eq!(canloom(stage.folder(), &["corpus", "prune", "."]).exit, 0);
    assert!(elsewhere.path().join("secret.cx").exists());
}

/// Everything in a folder is whole: each counterexample reads, and at least this many bugs are there.
fn assert_whole(folder: &Path, contents: &str) {
    let mut found = 0;
    for (name, bytes) in files(folder) {
        if name.ends_with(".cx") || name.ends_with(".cx.new") {
            assert_eq!(String::from_utf8_lossy(&bytes), contents, "{name}");
            found += 1;
        }
    }
    assert!(found >= 1, "it is lost");
}

#[test]
fn kills_at_any_moment_lose_nothing_and_leave_nothing_half_written() {
    let (stage, name) = found();
    let contents = std::fs::read_to_string(stage.file(&name)).expect("a file");
    let accepted = name.strip_suffix(".new").expect("it is new");
    for kill in 0..100u64 {
        let arguments: &[&str] = match kill % 3 {
            0 => &["corpus", "accept", "."],
            1 => &["shrink", "--quiet", accepted],
            _ => &["corpus", "prune", "."],
        };
        let mut child = Command::new(env!("CARGO_BIN_EXE_canloom"))
            .current_dir(stage.folder())
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("canloom runs");
        std::thread::sleep(Duration::from_millis(kill * 3 % 97));
        let _ = child.kill();
        child.wait().expect("it ends");
        assert_whole(stage.folder(), &contents);
        if kill % 3 == 2 {
            // From the beginning: the same file under two names, or one of them.
            let from = if stage.file(accepted).exists() { accepted } else { &name };
            let text = std::fs::read(stage.file(from)).expect("a file");
            let _ = std::fs::remove_file(stage.file(accepted));
            let _ = std::fs::remove_file(stage.file(&format!("{accepted}.new")));
            std::fs::write(stage.file(&format!("{accepted}.new")), text).expect("it can be written");
        }
    }
}

#[test]
fn two_processes_at_once_do_not_harm_a_corpus() {
    for _ in 0..10 {
        let (stage, name) = found();
        let contents = std::fs::read_to_string(stage.file(&name)).expect("a file");
        let run = |command: &str| {
            Command::new(env!("CARGO_BIN_EXE_canloom"))
                .current_dir(stage.folder())
                .args(["corpus", command, "."])
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .expect("canloom runs")
        };
        let all = ["accept", "accept", "prune", "migrate"].map(run);
        for child in all {
            let output = child.wait_with_output().expect("it ends");
            assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        }
        assert_whole(stage.folder(), &contents);
    }
}

#[test]
fn a_link_under_the_name_of_a_half_written_file_is_not_followed() {
    let (stage, name) = accepted();
    let victim = stage.file("victim");
    std::fs::write(&victim, "mine").expect("it can be written");
    for pid in 1..200 {
        let _ = symlink(&victim, stage.file(&format!("{name}.{pid}.tmp")));
    }
    correct(&stage);
    assert_eq!(canloom(stage.folder(), &["corpus", "accept", "--fixed", &name]).exit, 0);
    assert_eq!(std::fs::read_to_string(&victim).expect("a file"), "mine");
    assert!(!stage.file(&name).is_symlink());
}
