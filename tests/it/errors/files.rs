//! Files that reports are written to: what is no plain file stays what it is, and nothing is lost.

use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::super::stage::Stage;
use super::{shell, template};

fn text(file: &Path) -> String {
    std::fs::read_to_string(file).expect("it can be read")
}

#[test]
fn a_report_goes_through_links_pipes_and_the_name_of_standard_output() {
    let folder = template();
    let at = |name: &str| folder.path().join(name);
    std::os::unix::fs::symlink("real.json", at("link.json")).expect("a link");
    let (exit, said) = shell(folder.path(), "canloom report x.cx --json link.json");
    assert_eq!((exit, said.as_str()), (0, ""));
    assert!(at("link.json").is_symlink());
    let whole = text(&at("real.json"));
    assert!(whole.ends_with("}\n"), "{whole}");
    // The second time there is a file at the end of the link.
    std::fs::write(at("real.json"), "old").expect("it can be written");
    shell(folder.path(), "canloom report x.cx --json link.json");
    assert_eq!((at("link.json").is_symlink(), text(&at("real.json"))), (true, whole.clone()));
    let (exit, said) = shell(
        folder.path(),
        "mkfifo pipe; timeout 60 cat pipe > read & timeout 60 canloom report x.cx --json pipe; s=$?; wait; exit $s",
    );
    assert_eq!((exit, said.as_str()), (0, ""));
    assert!(at("pipe").symlink_metadata().expect("it is there").file_type().is_fifo());
    assert_eq!(text(&at("read")), whole);
    for name in ["/dev/stdout", "/proc/self/fd/1", "-"] {
        let (exit, said) = shell(folder.path(), &format!("canloom report x.cx --json {name} > out"));
        assert_eq!((exit, said.as_str()), (0, ""));
        assert_eq!(text(&at("out")), whole, "{name}");
    }
}

#[test]
fn a_counterexample_that_cannot_be_saved_is_shown_and_shrink_says_that_it_failed() {
    let folder = template();
    // Steps after the violation are what can be left out.
    let line = "canloom explore scenario.toml --quiet >/dev/null; mkdir f; cp scenario.toml *.wasm f; cd f; \
                mkdir keep; name=$(cd ..; ls *.cx.new 2>/dev/null | head -1); canloom explore scenario.toml --quiet";
    shell(folder.path(), line);
    let found = std::fs::read_dir(folder.path().join("f")).expect("a folder").flatten();
    let found: Vec<_> =
        found.map(|entry| entry.path()).filter(|file| file.to_string_lossy().ends_with(".cx.new")).collect();
    let [file] = &found[..] else { panic!("{found:?}") };
    let whole = text(file);
    std::fs::remove_file(file).expect("it is there");
    std::fs::create_dir(file).expect("a folder in its place");
    let (exit, said) = shell(&folder.path().join("f"), "canloom explore scenario.toml --quiet");
    assert_eq!(exit, 3, "{said}");
    assert!(said.starts_with("warning: the counterexample was not saved: cannot write "), "{said}");
    assert!(said.contains("; here it is, to be copied to a file *.cx:\n") && said.contains(&whole), "{said}");
}

#[test]
fn standard_error_that_nobody_reads_changes_no_exit_code() {
    let folder = template();
    let (exit, _) = shell(folder.path(), "canloom explore none.toml 2>&1 | true; exit ${PIPESTATUS[0]}");
    assert_eq!(exit, 2);
    let late = "(sleep 0.2; canloom explore none.toml; echo $? > rc) 2>&1 | true; sleep 1; exit $(cat rc)";
    assert_eq!(shell(folder.path(), late).0, 2);
    let changed = "sed -i 's/^module c0: ./module c0: Z/' x.cx; (sleep 0.2; canloom repro --quiet x.cx >/dev/null; echo $? > rc) 2>&1 | true; \
                   sleep 2; exit $(cat rc)";
    assert_eq!(shell(folder.path(), changed).0, 3);
}

#[test]
fn a_report_that_cannot_be_written_costs_no_verdict() {
    // Without wasm: the first contents of its heap are in a file of the system, which the limit would be for, too.
    let stage = Stage::new(&[], super::super::checkpoint::APPROVALS);
    let (exit, _) = shell(stage.folder(), "canloom explore scenario.toml --quiet > verdict");
    assert_ne!(exit, 1);
    let line = "(trap '' XFSZ; ulimit -f 0; canloom explore scenario.toml --json r.json --quiet 2>&1) | cat > said; exit ${PIPESTATUS[0]}";
    let (exit, _) = shell(stage.folder(), line);
    let said = text(&stage.file("verdict"))
        + "error: cannot write r.json: File too large (os error 27); raise the limit (ulimit -f)\n";
    assert_eq!((exit, text(&stage.file("said"))), (1, said));
    assert!(!stage.file("r.json").exists());
}
