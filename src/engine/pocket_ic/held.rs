//! A program that cannot outlive this process.
//!
//! In: a program and its arguments. Out: a handle that kills it and all it started when dropped. Two shells stand between: one waits for
//! the program, so that its end is seen here; one reads from a pipe of which only this process has the other end, and kills when that
//! is closed, however this process ended. All run in a process group of their own, where Ctrl-C does not reach them.

use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io::{self, Read};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// `$1` is the directory, the rest the program and its arguments. The second shell ends the first before the program, so that the
/// first does not take its killing for the program's own end.
const HOLD: &str = r#"
dir=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
(read -r _ <&3; kill -9 $$ "$program"; rm -rf -- "$dir"; kill -9 0) </dev/null >/dev/null 2>&1 &
watcher=$!
wait "$program"
code=$?
kill -9 "$watcher"
exit "$code"
"#;

/// Between two looks at a program.
pub(super) const PAUSE: Duration = Duration::from_millis(10);
/// How long a killed program may take to be gone.
const END: Duration = Duration::from_secs(5);
/// Of what a program prints, so many bytes are kept, the last ones.
const KEPT: usize = 4096;

/// A running program.
pub(super) struct Held {
    shell: Child,
    /// Never written to: closing it is what kills.
    pipe: Option<ChildStdin>,
    output: Printed,
    errors: Printed,
    dir: Directory,
}

impl Held {
    /// Starts a program in a directory of its own, which is also where it puts temporary files.
    pub(super) fn start(program: &Path, arguments: &[&OsStr], dir: Directory) -> io::Result<Held> {
        let mut shell = Command::new("sh")
            .args(["-c", HOLD, "sh"])
            .arg(&dir.0)
            .arg(program)
            .args(arguments)
            .env("TMPDIR", &dir.0)
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let pipe = shell.stdin.take();
        let output = Printed::of(shell.stdout.take());
        let errors = Printed::of(shell.stderr.take());
        Ok(Held { shell, pipe, output, errors, dir })
    }

    /// How it ended, if it did.
    pub(super) fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.shell.try_wait()
    }

    /// How it ended, if it does within this time.
    pub(super) fn ends_within(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let begin = Instant::now();
        loop {
            let ended = self.ended()?;
            if ended.is_some() || begin.elapsed() >= limit {
                return Ok(ended);
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// The end of what it printed on standard output, once it ended.
    pub(super) fn output(&self) -> String {
        self.output.text()
    }

    /// The last line that says something, of what it printed, once it ended.
    pub(super) fn last_words(&self) -> Option<String> {
        [&self.errors, &self.output].into_iter().find_map(|printed| {
            let text = printed.text();
            let said = |line: &&str| !line.is_empty() && !line.starts_with("note:");
            text.lines().map(str::trim).rev().find(said).map(|line| line.chars().take(200).collect())
        })
    }

    /// Where it runs.
    pub(super) fn dir(&self) -> &Path {
        &self.dir.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.pipe = None;
        if !matches!(self.ends_within(END), Ok(Some(_))) {
            // No shell answers: what can still be done is to end the one that is ours.
            let _ = self.shell.kill();
            let _ = self.shell.wait();
        }
    }
}

/// What a program printed, as it comes.
struct Printed {
    kept: Arc<Mutex<Vec<u8>>>,
    closed: Receiver<()>,
}

impl Printed {
    fn of(from: Option<impl Read + Send + 'static>) -> Printed {
        let kept = Arc::new(Mutex::new(Vec::new()));
        let (closing, closed) = channel();
        if let Some(mut from) = from {
            let kept = kept.clone();
            // Not joined: what the program started may hold the other end open. The thread ends with the pipe.
            std::thread::spawn(move || {
                let mut piece = [0; KEPT];
                while let Ok(size @ 1..) = from.read(&mut piece) {
                    let mut kept = kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                    kept.extend_from_slice(&piece[..size]);
                    let surplus = kept.len().saturating_sub(KEPT);
                    kept.drain(..surplus);
                }
                drop(closing);
            });
        }
        Printed { kept, closed }
    }

    /// Waits a little for the rest.
    fn text(&self) -> String {
        let _ = self.closed.recv_timeout(Duration::from_millis(300));
        let kept = self.kept.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        String::from_utf8_lossy(&kept).into_owned()
    }
}

/// A fresh directory that only we can read, removed when dropped.
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new() -> io::Result<Directory> {
        let parent = std::env::temp_dir();
        for number in 0.. {
            let path = parent.join(format!("canloom-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                made => return made.map(|()| Directory(path)),
            }
        }
        unreachable!("there are more numbers than directories")
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // The shell may have removed it already.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
